"""Addresses of pages: ours, Airflow's, and those of files. None names a host: they hold however it is reached."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from airloom.operators.links import run_page, server_path

__all__ = ["airflow_run", "airflow_task", "artifact", "file", "log", "login", "run_page", "run_tab", "step_files"]

RUN_TAB = "airloom-run"
STEP_TAB = "airloom-step"
PAGES = "/airloom/runs"
_API = "/airloom/api/v1/workspaces"


def airflow_run(dag_id: str, run_id: str) -> str:
    """The run in Airflow's UI."""
    return f"{server_path()}/dags/{_quote(dag_id)}/runs/{_quote(run_id)}"


def airflow_task(dag_id: str, run_id: str, task_id: str) -> str:
    """A task of a run in Airflow's UI, with its log as Airflow kept it."""
    return f"{airflow_run(dag_id, run_id)}/tasks/{_quote(task_id)}"


def run_tab(dag_id: str, run_id: str) -> str:
    """The run's page as a tab in Airflow's UI."""
    return f"{airflow_run(dag_id, run_id)}/plugin/{RUN_TAB}"


def step_files(dag_id: str, run_id: str, step_id: str, anchor: str = "") -> str:
    """The page that lists the files of a step."""
    address = f"{server_path()}{PAGES}/{_quote(run_id)}/steps/{_quote(step_id)}?{urlencode({'dag_id': dag_id})}"
    return f"{address}#{_quote(anchor)}" if anchor else address


def file(workspace: str, datastore: str, path: str) -> str:
    """The bytes of a file on a datastore."""
    return f"{server_path()}{_API}/{_quote(workspace)}/datastores/{_quote(datastore)}/files/{quote(path)}"


def log(workspace: str, run_id: str, step_id: str, stream: str) -> str:
    """A log of a step as text."""
    return f"{_step(workspace, run_id, step_id)}/logs/{stream}"


def artifact(workspace: str, run_id: str, step_id: str, path: str) -> str:
    """A file that a step left beside its outputs."""
    return f"{_step(workspace, run_id, step_id)}/artifacts/{quote(path)}"


def login(wanted: str) -> str:
    """Where to sign in; `wanted` is where to go on afterwards."""
    return f"{server_path()}/api/v2/auth/login?{urlencode({'next': wanted})}"


def _step(workspace: str, run_id: str, step_id: str) -> str:
    return f"{server_path()}{_API}/{_quote(workspace)}/runs/{_quote(run_id)}/steps/{_quote(step_id)}"


def _quote(name: str) -> str:
    return quote(name, safe="")
