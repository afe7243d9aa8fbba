"""What is checked of a pipeline, and of what a run gives it, before anything is stored or run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from airloom.errors import InvalidGraph, InvalidName, NotFound
from airloom.graph.model import DataSource, Definition, PipelineGraph, Publication, source_locations
from airloom.graph.validate import GraphProblem, validate_graph
from airloom.plugins import computes, datastores
from airloom.plugins.airflow_gateway import Session
from airloom.plugins.db.models import NAME_LENGTH, WorkspaceRow
from airloom.plugins.errors import RejectedGraph
from airloom.plugins.settings import Settings
from airloom.storage.workspace import WorkspaceStore

_SOURCE: TypeAdapter[DataSource] = TypeAdapter(DataSource)


def check_name(name: str, kind: str) -> None:
    """Any printable name will do: ids are made of it, not the name itself. Raises InvalidName."""
    if not name.strip() or len(name) > NAME_LENGTH or not name.isprintable() or "/" in name:
        raise InvalidName(
            f"{name[:80]!r} cannot be the name of {kind}.",
            hint=f"Use 1 to {NAME_LENGTH} printable characters without '/'.",
            target=name[:80],
        )


def problems_of(session: Session, workspace: WorkspaceRow, graph: PipelineGraph) -> list[GraphProblem]:
    """All that is wrong with a graph in this workspace."""
    return validate_graph(
        graph,
        datastores=datastores.names(session, workspace),
        computes=list(computes.pools(session, workspace)),
    )


def define(
    session: Session,
    settings: Settings,
    workspace: WorkspaceRow,
    experiment: str,
    graph: PipelineGraph,
    publication: Publication | None = None,
) -> Definition:
    """The definition of a graph that has no problems. Raises RejectedGraph."""
    problems = problems_of(session, workspace, graph)
    if problems:
        raise RejectedGraph(problems)
    used = {step.compute_target for step in graph.steps}
    return Definition(
        workspace=workspace.name,
        experiment=experiment,
        store=settings.store,
        default_datastore=workspace.default_datastore,
        pools={name: pool for name, pool in computes.pools(session, workspace).items() if name in used},
        graph=graph,
        publication=publication,
    )


def check_sources_given(graph: PipelineGraph, parameters: Mapping[str, Any], known: list[str]) -> None:
    """Data that a run gives for a parameter must be on a datastore of the workspace, like all other data."""
    for parameter in graph.parameters:
        if parameter.type not in ("datapath", "dataset"):
            continue
        source = _SOURCE.validate_python(parameters[parameter.name])
        for location in source_locations(source):
            if location.datastore not in known:
                raise InvalidGraph(
                    f"Parameter {parameter.name!r} is on the datastore {location.datastore!r}, "
                    "which the workspace does not have.",
                    hint=f"It has: {', '.join(known)}.",
                    target=f"parameter {parameter.name}",
                )


def check_snapshots(graph: PipelineGraph, storage: WorkspaceStore) -> None:
    """Every step's source folder must be in the store, whole."""
    for digest in graph.snapshots():
        users = [(step, step.script) for step in graph.steps if step.script is not None]
        users = [(step, script) for step, script in users if script.snapshot == digest]
        try:
            manifest = storage.use_snapshot(digest)
        except NotFound:
            step, _ = users[0]
            raise InvalidGraph(
                f"The source folder {digest} of step {step.name!r} has not been uploaded.",
                hint="Submit with the SDK, which uploads it, or PUT the snapshot first.",
                target=f"step {step.id}",
            ) from None
        for step, script in users:
            if not _has_script(manifest.entries, script.script_name):
                raise InvalidGraph(
                    f"The source folder of step {step.name!r} has no script {script.script_name!r}.",
                    hint="script_name is relative to source_directory; is the file excluded by .amlignore?",
                    target=f"step {step.id}",
                )


def _has_script(entries: Any, script: str) -> bool:
    return any(entry.path == script for entry in entries)
