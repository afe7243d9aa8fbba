"""Runs and pipelines as they are read for an answer."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from airloom.errors import AirloomError
from airloom.graph.canonical import digest_value
from airloom.plugins import publishing, runs
from airloom.plugins.airflow_gateway import open_session
from airloom.plugins.db.published import PipelineRow
from airloom.plugins.settings import Settings
from airloom.plugins.wire import entities, views
from airloom.plugins.wire.calls import Call
from airloom.plugins.wire.views import GraphFacts
from airloom.storage.definitions import DefinitionStore
from airloom.storage.object_store import open_store


def read_run(call: Call, run_id: str) -> entities.PipelineRunEntity:
    """One run, with its state as it is now."""
    with open_session() as session:
        return run_entity(call, runs.find(session, call.workspace(session), run_id))


def run_entity(call: Call, found: runs.RunView) -> entities.PipelineRunEntity:
    """A run for an answer."""
    return views.run(found, graph_facts(call.settings, found.row.definition), call.addresses)


def pipeline_entities(call: Call, rows: Iterable[PipelineRow]) -> list[entities.PipelineEntity]:
    """Published pipelines for an answer."""
    return [views.pipeline(row, publishing.contents(call.settings, row).parameters, call.addresses) for row in rows]


def graph_facts(settings: Settings, definition: str) -> GraphFacts:
    """The facts of a definition's graph."""
    try:
        return _graph_facts(settings.store, definition)
    except AirloomError:
        return GraphFacts()


@lru_cache(maxsize=4096)
def _graph_facts(store: str, definition: str) -> GraphFacts:
    """Definitions never change, so each is read once."""
    graph = DefinitionStore(open_store(store)).get(definition).graph
    return GraphFacts(digest_value(graph), len(graph.steps), graph.continue_on_step_failure)
