"""Who calls, and what he may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import (
    ConnectionDetails,
    DagAccessEntity,
    DagDetails,
    PoolDetails,
)
from airflow.api_fastapi.core_api.security import get_user
from airflow.configuration import conf
from airflow.models.dag import DagModel
from fastapi import Depends

from airloom.plugins.airflow_gateway.sessions import open_session

__all__ = [
    "CHANGE_RUN",
    "READ",
    "READ_LOGS",
    "READ_RUN",
    "SUBMIT",
    "BaseUser",
    "CurrentUser",
    "Right",
    "get_user",
    "is_allowed",
]

CurrentUser = Annotated[BaseUser, Depends(get_user)]


@dataclass(frozen=True)
class Right:
    """A right in Airflow's own terms, which every auth manager knows how to answer for."""

    resource: Literal["dag", "connection", "pool"]
    method: Literal["GET", "POST", "PUT", "DELETE"]
    entity: DagAccessEntity | None = None


READ = Right("dag", "GET")
READ_RUN = Right("dag", "GET", DagAccessEntity.RUN)
READ_LOGS = Right("dag", "GET", DagAccessEntity.TASK_LOGS)
SUBMIT = Right("dag", "POST", DagAccessEntity.RUN)
CHANGE_RUN = Right("dag", "PUT", DagAccessEntity.RUN)


def is_allowed(user: BaseUser, right: Right, name: str | None = None) -> bool:
    """Ask the auth manager. `name` is a DAG id, connection id or pool; None asks for the kind of thing in general."""
    manager: Any = get_auth_manager()
    match right.resource:
        case "dag":
            details = DagDetails(id=name, team_name=_team_of_dag(name))
            return bool(
                manager.is_authorized_dag(method=right.method, access_entity=right.entity, details=details, user=user)
            )
        case "connection":
            return bool(
                manager.is_authorized_connection(
                    method=right.method, details=ConnectionDetails(conn_id=name), user=user
                )
            )
        case "pool":
            return bool(manager.is_authorized_pool(method=right.method, details=PoolDetails(name=name), user=user))


def _team_of_dag(dag_id: str | None) -> str | None:
    if dag_id is None or not conf.getboolean("core", "multi_team", fallback=False):
        return None
    with open_session() as session:
        return DagModel.get_team_name(dag_id, session=session)
