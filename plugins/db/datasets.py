"""The tables of registered datasets: names, their versions, and which outputs of runs have become which version.

A version says where its data lies and how it is read, and pins what it consisted of when it was registered. The data
itself is not copied, so it may move on; the digest tells.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from airloom.plugins.db.models import NAME_LENGTH, Base, JsonDict, OfWorkspace, utc_now


class DatasetRow(OfWorkspace, Base):
    """The name of a dataset. `last_version` counts from 1, and no number is ever given twice."""

    __tablename__ = "airloom_dataset"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    last_version: Mapped[int] = mapped_column(Integer, default=0)


class DatasetVersionRow(Base):
    """One version of a dataset. Its source and content never change; description and tags may.

    `registration_id` names the output of a run that it was made from, if that is how it came about.
    """

    __tablename__ = "airloom_dataset_version"
    __table_args__ = (UniqueConstraint("dataset_id", "version"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("airloom_dataset.id", ondelete="CASCADE"))
    version: Mapped[int] = mapped_column(Integer)
    description: Mapped[str] = mapped_column(Text, default="")
    tags: Mapped[JsonDict] = mapped_column(default=dict)
    source: Mapped[JsonDict]
    content: Mapped[JsonDict]
    run_id: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    step_id: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    registration_id: Mapped[str | None] = mapped_column(String(36))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    created_by: Mapped[str] = mapped_column(String(NAME_LENGTH), default="")
    modified_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)

    dataset: Mapped[DatasetRow] = relationship(lazy="joined", innerjoin=True)


class RegistrationRow(Base):
    """An output of a run, by the id of its registration, and the version that it has become or was already."""

    __tablename__ = "airloom_dataset_registration"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    version_id: Mapped[str] = mapped_column(ForeignKey("airloom_dataset_version.id", ondelete="CASCADE"), index=True)
    run_id: Mapped[str] = mapped_column(String(NAME_LENGTH), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
