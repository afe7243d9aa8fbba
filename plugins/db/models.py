"""The tables. What Airflow itself knows (states of runs and steps, times, XComs) is not repeated in them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    Boolean,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from airloom.graph.model import ReuseMode

NAME_LENGTH = 255
JsonDict = dict[str, Any]


def utc_now() -> datetime:
    """The present moment, with its time zone."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no time zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC on the way in."""
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Give the zone back where the database dropped it."""
        if not isinstance(value, datetime):
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base of Airloom's tables; names of constraints are fixed so that migrations can refer to them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {JsonDict: JSON, datetime: UtcDateTime}


class WorkspaceRow(Base):
    """A workspace. Its datastores, computes and experiments go with it."""

    __tablename__ = "airloom_workspace"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH), unique=True)
    friendly_name: Mapped[str] = mapped_column(String(NAME_LENGTH), default="")
    description: Mapped[str] = mapped_column(Text, default="")
    tags: Mapped[JsonDict] = mapped_column(default=dict)
    default_datastore: Mapped[str] = mapped_column(String(NAME_LENGTH))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    created_by: Mapped[str] = mapped_column(String(NAME_LENGTH), default="")


class OfWorkspace:
    """Columns of what belongs to a workspace and has a name of its own in it."""

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("airloom_workspace.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    description: Mapped[str] = mapped_column(Text, default="")
    tags: Mapped[JsonDict] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class DatastoreRow(OfWorkspace, Base):
    """A datastore: its type and what is not secret of its configuration."""

    __tablename__ = "airloom_datastore"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    type: Mapped[str] = mapped_column(String(32))
    config: Mapped[JsonDict] = mapped_column(default=dict)


class ComputeRow(OfWorkspace, Base):
    """A compute target. Airflow's pool of the name in `pool` limits how many steps it runs at a time."""

    __tablename__ = "airloom_compute"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    type: Mapped[str] = mapped_column(String(32))
    provisioning: Mapped[JsonDict] = mapped_column(default=dict)
    pool: Mapped[str] = mapped_column(String(NAME_LENGTH * 2), unique=True)
    slots: Mapped[int] = mapped_column(Integer)


class ExperimentRow(OfWorkspace, Base):
    """An experiment: the name under which runs are gathered."""

    __tablename__ = "airloom_experiment"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    archived: Mapped[bool] = mapped_column(Boolean, default=False)


class RunRow(Base):
    """A run. Its state is that of Airflow's DAG run with the id in `airflow_run_id`, never copied here.

    A run that was submitted has one id for both. One that Airflow made by itself, for a schedule or from its own form,
    gets its row when it is first looked for; its `id` is the name under which its steps keep their files.
    """

    __tablename__ = "airloom_run"
    __table_args__ = (
        Index("ix_airloom_run_workspace_id_created_at", "workspace_id", "created_at"),
        Index("ix_airloom_run_experiment_id_created_at", "experiment_id", "created_at"),
        UniqueConstraint("dag_id", "airflow_run_id"),
        UniqueConstraint("workspace_id", "idempotency_key"),
    )

    id: Mapped[str] = mapped_column(String(NAME_LENGTH), primary_key=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("airloom_workspace.id", ondelete="CASCADE"))
    experiment_id: Mapped[int] = mapped_column(ForeignKey("airloom_experiment.id", ondelete="CASCADE"))
    dag_id: Mapped[str] = mapped_column(String(NAME_LENGTH), index=True)
    airflow_run_id: Mapped[str] = mapped_column(String(NAME_LENGTH))
    definition: Mapped[str] = mapped_column(String(16))
    pipeline_id: Mapped[str | None] = mapped_column(String(36), index=True)
    endpoint_id: Mapped[str | None] = mapped_column(String(36), index=True)
    schedule_id: Mapped[str | None] = mapped_column(String(36), index=True)
    source: Mapped[str] = mapped_column(String(32), default="SDK")
    idempotency_key: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    idempotency_digest: Mapped[str | None] = mapped_column(String(64))
    continue_on_step_failure: Mapped[bool | None] = mapped_column(Boolean)
    display_name: Mapped[str] = mapped_column(String(NAME_LENGTH), default="")
    description: Mapped[str] = mapped_column(Text, default="")
    tags: Mapped[JsonDict] = mapped_column(default=dict)
    properties: Mapped[JsonDict] = mapped_column(default=dict)
    parameters: Mapped[JsonDict] = mapped_column(default=dict)
    reuse: Mapped[ReuseMode] = mapped_column(String(16))
    cancel_requested_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    created_by: Mapped[str] = mapped_column(String(NAME_LENGTH), default="")

    experiment: Mapped[ExperimentRow] = relationship(lazy="joined", innerjoin=True)
