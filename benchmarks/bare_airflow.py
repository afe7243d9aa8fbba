"""Airflow alone: the same version and settings as the embedded server, in an environment that has no Airloom."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from airloom.embedded.components import COMPONENTS
from airloom.embedded.health import API_SERVER, healthy_components
from airloom.embedded.home import Home, ensure_password
from airloom.embedded.ports import choose_port
from airloom.embedded.profile import Settings, airflow_settings, environment, render
from benchmarks.peers import peer

_DAGS_FOLDER_BUNDLE = (
    '[{"name": "dags-folder", "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle", "kwargs": {}}]'
)
_START_SECONDS = 300


@dataclass(frozen=True)
class BareAirflow:
    """A running Airflow. `pids` are its components' main processes, by name."""

    home: Path
    url: str
    pids: dict[str, int]


@contextmanager
def bare_airflow(folder: Path) -> Iterator[BareAirflow]:
    """Airflow alone in a folder, with all its components; they have ended when the block is left."""
    home = Home(folder.resolve())
    home.create()
    ensure_password(home)
    port = choose_port(0)
    home.airflow_cfg.write_text(render(_without_airloom(airflow_settings(home, port))))
    command = peer("airflow") / "airflow"
    subprocess.run(
        [command, "db", "migrate"], env=environment(home, "migration", command.parent), check=True, capture_output=True
    )
    with ExitStack() as running:
        pids = {}
        for component in COMPONENTS:
            variables = environment(home, component.name, command.parent)
            log = running.enter_context(home.log(component.name).open("wb"))
            process = subprocess.Popen(
                [command, *component.arguments], env=variables, stdout=log, stderr=log, start_new_session=True
            )
            running.callback(_end, process)
            pids[component.name] = process.pid
        _wait_until_up(port)
        yield BareAirflow(home.path, f"http://127.0.0.1:{port}", pids)


def _without_airloom(settings: Settings) -> Settings:
    """The settings that name nothing of Airloom's: its executor, tables and connections give way to the defaults."""
    kept: Settings = {
        section: {name: value for name, value in options.items() if "airloom." not in str(value)}
        for section, options in settings.items()
        if section != "airloom"
    }
    kept["dag_processor"] |= {"dag_bundle_config_list": _DAGS_FOLDER_BUNDLE, "refresh_interval": 1}
    return kept


def _wait_until_up(port: int) -> None:
    started, deadline = datetime.now(UTC), time.monotonic() + _START_SECONDS
    while not healthy_components(port, {API_SERVER: started}):
        if time.monotonic() > deadline:
            raise TimeoutError("Airflow's API server did not start")
        time.sleep(0.2)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a component with all it has started: each leads a session of its own."""
    os.killpg(process.pid, 15)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
