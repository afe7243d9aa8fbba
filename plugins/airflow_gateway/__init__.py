"""The only package that touches Airflow's internals.

Everything the server needs of Airflow passes through here: the user and his rights, database sessions, DAGs, runs and
their states, XComs, pools and connections. When Airflow changes, this package changes and nothing else does.
"""

from __future__ import annotations

from airflow.version import version as AIRFLOW_VERSION

from airloom.plugins.airflow_gateway.access import (
    CHANGE_RUN,
    READ,
    READ_LOGS,
    READ_RUN,
    SUBMIT,
    BaseUser,
    CurrentUser,
    Right,
    get_user,
    is_allowed,
)
from airloom.plugins.airflow_gateway.connections import (
    AirflowSecrets,
    delete_connection,
    has_connection,
    put_connection,
)
from airloom.plugins.airflow_gateway.dags import (
    CannotWriteDag,
    bundle_of_class,
    dag_is_known,
    import_errors,
    known_among,
    known_dags,
    request_parsing,
    retire_dag,
    revive_dag,
    write_dag,
)
from airloom.plugins.airflow_gateway.pools import delete_pool, put_pool
from airloom.plugins.airflow_gateway.runs import (
    BY_HAND,
    DAG_RUNS,
    RUN_ORIGINS,
    RunFacts,
    TaskState,
    base_url,
    cancel_run,
    create_run,
    dag_url,
    failed_tasks,
    restart_run,
    run_url,
    runs_ended_since,
    task_states,
    unfinished_runs,
    xcoms,
)
from airloom.plugins.airflow_gateway.sessions import Session, open_session, open_session_in_turn

__all__ = [
    "AIRFLOW_VERSION",
    "BY_HAND",
    "CHANGE_RUN",
    "DAG_RUNS",
    "READ",
    "READ_LOGS",
    "READ_RUN",
    "RUN_ORIGINS",
    "SUBMIT",
    "AirflowSecrets",
    "BaseUser",
    "CannotWriteDag",
    "CurrentUser",
    "Right",
    "RunFacts",
    "Session",
    "TaskState",
    "base_url",
    "bundle_of_class",
    "cancel_run",
    "create_run",
    "dag_is_known",
    "dag_url",
    "delete_connection",
    "delete_pool",
    "failed_tasks",
    "get_user",
    "has_connection",
    "import_errors",
    "is_allowed",
    "known_among",
    "known_dags",
    "open_session",
    "open_session_in_turn",
    "put_connection",
    "put_pool",
    "request_parsing",
    "restart_run",
    "retire_dag",
    "revive_dag",
    "run_url",
    "runs_ended_since",
    "task_states",
    "unfinished_runs",
    "write_dag",
    "xcoms",
]
