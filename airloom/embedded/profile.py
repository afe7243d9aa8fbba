"""How Airflow is set up in a home: the embedded profile.

The settings go into airflow.cfg and not into the environment, which step scripts would inherit and which would make
`AIRFLOW_HOME=... airflow ...` by hand behave differently from the server.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from airloom.embedded import database, store
from airloom.embedded.home import USERNAME, Home, load_secrets, write_text
from airloom.embedded.processes import COMPONENT_VARIABLE, MARKER

Settings = dict[str, dict[str, str | int | float | bool]]

# The database's address may hold a password, which is no business of step scripts.
NOT_INHERITED = ("PYTHONDONTWRITEBYTECODE", database.VARIABLE)

# Submitted pipelines, and the DAG files and pipeline files that users put into `dags_folder` themselves. A submit makes
# its pipeline known by itself, or asks for a refresh; to look at all that are stored is only for pipelines that nobody
# asks for any more.
BUNDLES = [
    {
        "name": "airloom",
        "classpath": "airloom.plugins.dag_bundle.AirloomDagBundle",
        "kwargs": {"refresh_interval": 60},
    },
    {"name": "dags-folder", "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle", "kwargs": {}},
    {"name": "yaml-pipelines", "classpath": "airloom.plugins.yaml_bundle.YamlDagBundle", "kwargs": {}},
]


def airflow_settings(home: Home, port: int) -> Settings:
    """Every setting that differs from Airflow's defaults, by section."""
    return _access(home, port) | _engine(home, port)


def _access(home: Home, port: int) -> Settings:
    keys = load_secrets(home)
    url = f"http://127.0.0.1:{port}"
    return {
        "database": {
            **database.settings(home),
            "external_db_managers": "airloom.plugins.db.manager.AirloomDBManager",
            # The supervisor has migrated before it starts the components.
            "check_migrations": False,
        },
        "api": {
            "host": "127.0.0.1",
            "port": port,
            "base_url": url,
            "workers": 1,
            "secret_key": keys["api_secret_key"],
            "expose_config": False,
            "instance_name": "Airloom",
        },
        "api_auth": {"jwt_secret": keys["jwt_secret"]},
        "logging": {
            "base_log_folder": str(home.logs / "tasks"),
            "dag_processor_child_process_log_directory": str(home.logs / "dag_processor"),
            "colored_console_log": False,
        },
        "airloom": {"store": store.address(home)},
    }


def _engine(home: Home, port: int) -> Settings:
    parallelism = max(4, 2 * (os.cpu_count() or 1))
    return {
        "core": {
            "executor": "airloom.plugins.local_executor.WatchfulLocalExecutor",
            "execution_api_server_url": f"http://127.0.0.1:{port}/execution/",
            "auth_manager": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
            "simple_auth_manager_users": f"{USERNAME}:admin",
            "simple_auth_manager_passwords_file": str(home.passwords),
            "fernet_key": load_secrets(home)["fernet_key"],
            "dags_folder": str(home.airflow / "dags"),
            "load_examples": False,
            "dags_are_paused_at_creation": False,
            "parallelism": parallelism,
            "max_active_tasks_per_dag": parallelism,
            # The default asks the name server, which may take seconds and serves no purpose on one machine.
            "hostname_callable": "socket.gethostname",
        },
        "scheduler": {
            # The default of 1 s is the greater part of the time that a chain of short steps takes.
            "scheduler_idle_sleep_time": 0.1,
            # A scheduler that was killed is known to be dead, and its tasks are started again, within half a minute.
            "scheduler_heartbeat_sec": 2,
            "scheduler_health_check_threshold": 15,
            "orphaned_tasks_check_interval": 3,
            "task_instance_heartbeat_timeout": 60,
        },
        "triggerer": {
            # What a triggerer that was killed has watched is taken over within a quarter of a minute.
            "job_heartbeat_sec": 2,
            "triggerer_health_check_threshold": 15,
        },
        "workers": {
            # A worker may notice only at its next heartbeat that its task has ended, and keeps the slot until then.
            "min_heartbeat_interval": 1,
            # While the API server is started again, tasks ask for it every second, and for more than a minute in all;
            # Airflow's own pauses grow to many seconds, and end early.
            "execution_api_retries": 60,
            "execution_api_retry_wait_min": 0.5,
            "execution_api_retry_wait_max": 2,
            # A request that is given up while the API server is still starting is work for it all the same.
            "execution_api_timeout": 30,
        },
        "dag_processor": {
            "dag_bundle_config_list": json.dumps(BUNDLES),
            "dag_bundle_storage_path": str(home.airflow / "bundles"),
            # A new DAG file of a user must be seen at once, and an unchanged one not be parsed again and again.
            "refresh_interval": 1,
            "bundle_refresh_check_interval": 1,
            "min_file_process_interval": 600,
            "print_stats_interval": 600,
        },
    }


def render(settings: Settings) -> str:
    """The settings as airflow.cfg; percent signs are doubled, as its interpolation asks."""
    lines = ["# Written by `airloom up` at each start; changes are lost."]
    for section, options in settings.items():
        lines += ["", f"[{section}]"]
        lines += [f"{name} = {str(value).replace('%', '%%')}" for name, value in options.items()]
    return "\n".join(lines) + "\n"


def write_profile(home: Home, port: int) -> None:
    """Write airflow.cfg, readable by its owner only since it holds the keys."""
    write_text(home.airflow_cfg, render(airflow_settings(home, port)))


def environment(home: Home, component: str, bin_folder: Path) -> dict[str, str]:
    """The environment of a component.

    Settings of another Airflow are taken out: with them, the server might migrate that one's database.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW__", "AIRFLOW_")) and name not in NOT_INHERITED
    }
    return kept | {
        "AIRFLOW_HOME": str(home.airflow),
        "AIRFLOW_CONFIG": str(home.airflow_cfg),
        MARKER: home.id,
        COMPONENT_VARIABLE: component,
        # Process titles must not be written over the environment, by which `airloom down` finds processes.
        "SPT_NOENV": "1",
        "PYTHONUNBUFFERED": "1",
        # The API is on this machine; a proxy set for the outside must not be asked for it.
        "NO_PROXY": _no_proxy(kept),
        "no_proxy": _no_proxy(kept),
        "PATH": os.pathsep.join([str(bin_folder), kept.get("PATH", os.defpath)]),
    }


def _no_proxy(variables: dict[str, str]) -> str:
    present = variables.get("NO_PROXY") or variables.get("no_proxy") or ""
    return ",".join([*filter(None, present.split(",")), "127.0.0.1", "localhost"])
