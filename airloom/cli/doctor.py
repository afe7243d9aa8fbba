"""`airloom doctor`: is everything there that a server and its steps need, and if not, what to do."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

import airloom
from airloom.cli.output import JsonOption, print_json, print_table
from airloom.cli.server import HomeOption

if TYPE_CHECKING:
    from airloom.embedded.home import Home

PYTHONS = ((3, 11), (3, 13))
AIRFLOW = ((3, 3), (3, 4))
LITTLE_SPACE = 1 * 1024**3
TOO_LITTLE_SPACE = 100 * 1024**2


@dataclass(frozen=True)
class Check:
    """What was looked at, how it is, and for all but `ok` what mends it."""

    name: str
    verdict: Literal["ok", "warning", "problem"]
    finding: str
    mend: str = ""


def doctor(home: HomeOption = None, json_output: JsonOption = False) -> None:
    """Check this machine and the server, and say how to mend what is wrong. Exits with 1 if there is a problem."""
    from airloom.embedded.home import Home

    found = Home.find(home)
    checks = [check for examine in EXAMINATIONS for check in examine(found)]
    if json_output:
        print_json([asdict(check) for check in checks])
    else:
        print_table(("", "check", "finding"), [(check.verdict, check.name, check.finding) for check in checks])
        for check in checks:
            if check.mend:
                typer.echo(f"{check.name}: {check.mend}")
    if any(check.verdict == "problem" for check in checks):
        raise typer.Exit(1)


def _python(home: Home) -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    lowest, highest = PYTHONS
    if lowest <= sys.version_info[:2] <= highest:
        yield Check("python", "ok", version)
    else:
        wanted = f"{lowest[0]}.{lowest[1]} to {highest[0]}.{highest[1]}"
        yield Check("python", "problem", f"{version} is not supported", f"Install Airloom into Python {wanted}.")


def _airflow(home: Home) -> Iterator[Check]:
    from airloom.embedded.database import airflow_version

    version = airflow_version()
    mend = "pip install 'airloom[airflow]' in this environment."
    if not version:
        yield Check("airflow", "problem", "not installed, so no server can run here", mend)
    elif AIRFLOW[0] <= tuple(map(int, version.split(".")[:2])) < AIRFLOW[1]:
        yield Check("airflow", "ok", version)
    else:
        yield Check("airflow", "problem", f"{version} is not of the 3.3 line, for which Airloom is made", mend)


def _uv(home: Home) -> Iterator[Check]:
    import uv

    try:
        yield Check("uv", "ok", uv.find_uv_bin())
    except FileNotFoundError:
        mend = "pip install --force-reinstall uv: it makes the environments of steps."
        yield Check("uv", "problem", "the program is missing", mend)


def _disk(home: Home) -> Iterator[Check]:
    free = shutil.disk_usage(_nearest_existing(home.path)).free
    finding = f"{free / 1024**3:.1f} GB free at {home.path}"
    mend = "Free some space, or move the home with --home or AIRLOOM_HOME."
    if free < TOO_LITTLE_SPACE:
        yield Check("disk", "problem", finding, mend)
    elif free < LITTLE_SPACE:
        yield Check("disk", "warning", finding, mend)
    else:
        yield Check("disk", "ok", finding)


def _store(home: Home) -> Iterator[Check]:
    from airloom.embedded import store
    from airloom.errors import AirloomError

    try:
        store.choose(home, None)
    except AirloomError as error:
        yield Check("store", "problem", error.message, error.hint)
        return
    if (address := store.address(home)) != home.store.as_uri():
        yield Check("store", "ok", f"{address} answers")
        return
    place = _nearest_existing(home.store)
    try:
        with tempfile.NamedTemporaryFile(dir=place):
            yield Check("store", "ok", f"{place} can be written")
    except OSError as error:
        mend = f"Give yourself the right to write there, or choose another home with --home (now {home.path})."
        yield Check("store", "problem", f"{place} cannot be written: {error.strerror}", mend)


def _secrets(home: Home) -> Iterator[Check]:
    files = (home.path / "secrets.json", home.database_address, home.passwords, home.airflow_cfg)
    loose = [file for file in files if file.exists() and file.stat().st_mode & 0o077]
    for file in loose:
        yield Check("secrets", "problem", f"others may read {file}", f"chmod 600 {file}")
    if not loose:
        yield Check("secrets", "ok", "keys and password are for your eyes only")


def _database(home: Home) -> Iterator[Check]:
    from airloom.embedded import database, postgres
    from airloom.errors import AirloomError

    address = database.given_address(home)
    try:
        if address is not None:
            postgres.check(address)
        yield Check("database", "ok", database.shown(home))
    except AirloomError as error:
        yield Check("database", "problem", error.message, error.hint)


def _server(home: Home) -> Iterator[Check]:
    from airloom.embedded.server import leftovers, running_state

    state = running_state(home)
    if state is None:
        left = leftovers(home)
        if left:
            mend = "airloom down ends them."
            yield Check("server", "problem", f"gone, but {len(left)} of its processes are left", mend)
        else:
            yield Check("server", "ok", "not running")
        yield from _port(home)
        return
    yield Check("server", "ok", f"{state.phase} at {state.url}")
    yield from _running_components(home)
    if state.version != airloom.__version__:
        finding = f"the server runs {state.version}, this command is {airloom.__version__}"
        yield Check("version", "problem", finding, "airloom down, then airloom up.")
    else:
        yield Check("version", "ok", state.version)


def _running_components(home: Home) -> Iterator[Check]:
    from airloom.embedded.server import running_state

    state = running_state(home)
    for name, part in (state.components if state else {}).items():
        log = home.log(name)
        if part.pid is None:
            finding = f"down, started again {part.restarts} times"
            yield Check(name, "problem", finding, f"The end of {log} says why it ends.")
        elif not part.healthy:
            yield Check(name, "warning", f"no sign of life yet (pid {part.pid})", f"Look again; else see {log}.")
        elif part.restarts:
            yield Check(name, "warning", f"started again {part.restarts} times", f"{log} says why it ended.")
        else:
            yield Check(name, "ok", f"healthy (pid {part.pid})")


def _port(home: Home) -> Iterator[Check]:
    from airloom.embedded.ports import DEFAULT_PORT, is_free

    if is_free(DEFAULT_PORT):
        yield Check("port", "ok", f"{DEFAULT_PORT} is free")
    else:
        mend = "airloom up takes the next free one; --port chooses."
        yield Check("port", "warning", f"{DEFAULT_PORT} is in use by another program", mend)


def _nearest_existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if os.path.isdir(folder))


EXAMINATIONS: tuple[Callable[[Home], Iterator[Check]], ...] = (
    _python,
    _airflow,
    _uv,
    _disk,
    _store,
    _secrets,
    _database,
    _server,
)
