"""The tables of what is published: pipelines, endpoints with their versions, schedules; and drafts, which may be.

Ids are UUIDs, as clients of Azure ML expect. Nothing here repeats a graph: that is in the definition, which is stored
under its digest; a draft alone keeps its graph in its row, as it may be unfinished.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from airloom.plugins.db.models import NAME_LENGTH, Base, JsonDict, utc_now


class WithUuid:
    """Columns of what is found by a UUID within a workspace. `status` is Active or Disabled."""

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("airloom_workspace.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    description: Mapped[str] = mapped_column(Text, default="")
    tags: Mapped[JsonDict] = mapped_column(default=dict)
    properties: Mapped[JsonDict] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    created_by: Mapped[str] = mapped_column(String(NAME_LENGTH), default="")
    modified_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)


class PipelineRow(WithUuid, Base):
    """A published pipeline. Only its status may change. `version` is the author's own text, perhaps empty."""

    __tablename__ = "airloom_pipeline"
    __table_args__ = (UniqueConstraint("dag_id"),)

    version: Mapped[str] = mapped_column(String(NAME_LENGTH), default="")
    status: Mapped[str] = mapped_column(String(16), default="Active")
    dag_id: Mapped[str] = mapped_column(String(NAME_LENGTH))
    definition: Mapped[str] = mapped_column(String(16))
    graph_digest: Mapped[str] = mapped_column(String(64))
    total_steps: Mapped[int] = mapped_column(Integer)
    continue_on_step_failure: Mapped[bool] = mapped_column(Boolean, default=False)


class EndpointRow(WithUuid, Base):
    """A stable name in front of published pipelines, its versions, one of which is the default."""

    __tablename__ = "airloom_endpoint"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    status: Mapped[str] = mapped_column(String(16), default="Active")
    default_version: Mapped[int] = mapped_column(Integer, default=0)

    versions: Mapped[list[EndpointVersionRow]] = relationship(
        order_by="EndpointVersionRow.version", cascade="all, delete-orphan", lazy="selectin"
    )


class EndpointVersionRow(Base):
    """One version of an endpoint: the numbers count from 0 and are never given twice."""

    __tablename__ = "airloom_endpoint_version"

    endpoint_id: Mapped[str] = mapped_column(ForeignKey("airloom_endpoint.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    pipeline_id: Mapped[str] = mapped_column(ForeignKey("airloom_pipeline.id", ondelete="CASCADE"), index=True)


IS_DEFAULT = (EndpointVersionRow.endpoint_id == EndpointRow.id) & (
    EndpointVersionRow.version == EndpointRow.default_version
)
"""Joins an endpoint with the version that is its default."""


class ScheduleRow(WithUuid, Base):
    """When to run a published pipeline, or the default version of an endpoint: by the clock, or as data changes.

    Exactly one of `pipeline_id` and `endpoint_id` is set, and exactly one of `recurrence` and `data_trigger`.
    `parameters` are those that differ from the pipeline's defaults; texts that begin with `@` are expressions.
    """

    __tablename__ = "airloom_schedule"
    __table_args__ = (
        UniqueConstraint("workspace_id", "name"),
        UniqueConstraint("dag_id"),
        Index("ix_airloom_schedule_endpoint_id", "endpoint_id"),
    )

    status: Mapped[str] = mapped_column(String(16), default="Active")
    pipeline_id: Mapped[str | None] = mapped_column(ForeignKey("airloom_pipeline.id", ondelete="CASCADE"), index=True)
    endpoint_id: Mapped[str | None] = mapped_column(ForeignKey("airloom_endpoint.id", ondelete="CASCADE"))
    experiment: Mapped[str] = mapped_column(String(NAME_LENGTH))
    parameters: Mapped[JsonDict] = mapped_column(default=dict)
    continue_on_step_failure: Mapped[bool | None] = mapped_column(Boolean)
    recurrence: Mapped[JsonDict | None]
    data_trigger: Mapped[JsonDict | None]
    dag_id: Mapped[str] = mapped_column(String(NAME_LENGTH))


class DraftRow(WithUuid, Base):
    """A pipeline in the making: its graph may be replaced and need not be valid yet."""

    __tablename__ = "airloom_draft"

    experiment: Mapped[str] = mapped_column(String(NAME_LENGTH), default="")
    graph: Mapped[JsonDict]
    parameters: Mapped[JsonDict] = mapped_column(default=dict)
    continue_on_step_failure: Mapped[bool | None] = mapped_column(Boolean)
    parent_pipeline_id: Mapped[str | None] = mapped_column(String(36))
    parent_run_id: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    parent_draft_id: Mapped[str | None] = mapped_column(String(36))
    last_submitted_run_id: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
