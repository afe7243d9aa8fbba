"""What travels in requests and answers about datasets."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from airloom.graph.model import DatasetSource
from airloom.plugins.api.schemas import Body, Tags


class DatasetBody(Body):
    """A dataset to be saved: where it lies, and how it is read."""

    source: DatasetSource


class Dataset(BaseModel):
    """A saved dataset."""

    id: str
    source: DatasetSource


class DatasetVersionBody(DatasetBody):
    """A dataset to be registered. Without `create_new_version`, a name that stands for other data is refused.

    What is left out of `description` and `tags` stays as it is where the version is there already.
    """

    description: str | None = None
    tags: Tags | None = None
    create_new_version: bool = False


class DatasetPatch(Body):
    """What may change of a version; what is left out stays."""

    description: str | None = None
    tags: Tags | None = None


class Content(BaseModel):
    """What a dataset consists of. `modified` is the latest change of a file."""

    digest: str
    files: int
    size: int
    modified: datetime | None


class DatasetVersion(Dataset):
    """A version of a registered dataset, with the content that it had then.

    `run_id` and `step_id` name the step whose output it was, if that is how it came about.
    """

    name: str
    version: int
    description: str
    tags: Tags
    content: Content
    run_id: str | None
    step_id: str | None
    created_at: datetime
    created_by: str
    modified_at: datetime


class DatasetVersionList(BaseModel):
    """Versions of datasets."""

    datasets: list[DatasetVersion]


class FoundDataset(BaseModel):
    """What an id stands for: a version of a registered dataset, or a saved dataset, which has no name."""

    id: str
    source: DatasetSource
    registered: DatasetVersion | None = None


class ContentNow(BaseModel):
    """What has become of the content that a version had when it was registered.

    The names of files are told only where their list was kept: of datasets of up to 10,000 files.
    """

    state: Literal["unchanged", "changed", "missing"]
    registered: Content
    now: Content | None
    added: list[str] = Field(default_factory=list)
    removed: list[str] = Field(default_factory=list)
    changed: list[str] = Field(default_factory=list)
