"""What the collector must be told of runs. Only the database of the deployment knows which of them are alive."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from airloom.graph.results import Origin, OutputRef


@dataclass(frozen=True)
class RunUse:
    """A run, and what it uses.

    `run_id` is the name under which it keeps files; `definition` the short digest of its pipeline, if it was submitted.
    `outputs` and `origins` are what its tasks have been given so far of other runs;
    `paths` are data that it was started with, as pairs of datastore and path. What has not been run yet may use
    `snapshots` too, which no definition names.
    """

    run_id: str
    live: bool
    last_used: datetime
    definition: str | None = None
    outputs: tuple[OutputRef, ...] = ()
    origins: tuple[Origin, ...] = ()
    paths: tuple[tuple[str, str], ...] = ()
    snapshots: frozenset[str] = frozenset()


class KnownRuns(Protocol):
    """The runs of a deployment, and the pipelines that may be run at any time."""

    def uses(self, dag_ids: Collection[str], since: datetime) -> list[RunUse]:
        """All runs that have not ended, of any DAG, and those of these DAGs that ended, or began, after `since`."""

    def published(self) -> Collection[str]:
        """The short digests of the definitions of published pipelines, which are kept whether they run or not."""

    def retire(self, dag_id: str) -> bool:
        """See to it that no run of a DAG begins any more. False, and nothing is done, if one has not ended."""

    def revive(self, dag_id: str) -> None:
        """Let runs of a DAG that was retired begin again."""

    def workspaces(self) -> Collection[str]:
        """The names of all workspaces there are."""
