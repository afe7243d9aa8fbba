"""The bundle: few loader files for many pipelines, touched only when what they load has changed."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.sdk.definitions.context import _AIRFLOW_PARSING_CONTEXT_DAG_ID

from airloom.errors import AirloomError
from airloom.graph.model import Definition
from airloom.plugins import dag_bundle
from airloom.plugins.airflow_gateway import write_dag
from airloom.plugins.dag_bundle import AirloomDagBundle, load_shard
from airloom.plugins.dag_factory import build_dag
from airloom.plugins.loader_files import loader_file
from airloom.plugins.visibility import BUNDLE_CLASS
from airloom.storage.definitions import SHARDS, DefinitionStore, dag_id, digest16, shard_of
from airloom.storage.object_store import open_store
from airloom.storage.schedules import SHARDS as SCHEDULE_SHARDS
from tests.support.builders import a_graph, a_step
from tests.unit.plugins.conftest import a_definition


def put(store: str, count: int = 1, shard: int | None = None) -> list[Definition]:
    """Store definitions, all of one shard if one is asked for."""
    found: list[Definition] = []
    number = 0
    while len(found) < count:
        number += 1
        definition = a_definition(store=store, graph=a_graph(a_step("one"), description=f"number {number}"))
        if shard is None or shard_of(digest16(definition)) == shard:
            DefinitionStore(open_store(store)).put(definition)
            found.append(definition)
    return found


def file_of(store: str, definition: Definition) -> Path:
    return Path(store.removeprefix("file://")) / "definitions" / f"{digest16(definition)}.json"


@pytest.fixture
def bundle(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, airflow_database: None) -> AirloomDagBundle:
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(tmp_path))
    configured = [{"name": "airloom", "classpath": BUNDLE_CLASS, "kwargs": {}}]
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps(configured))
    bundle = AirloomDagBundle(name="airloom")
    bundle.initialize()
    bundle.refresh()
    return bundle


def touched(bundle: AirloomDagBundle) -> set[str]:
    """The loaders that a refresh touches."""
    for loader in bundle.path.glob("*.py"):
        os.utime(loader, (1, 1))
    bundle.refresh()
    return {loader.name for loader in bundle.path.glob("*.py") if loader.stat().st_mtime != 1}


def test_there_is_a_fixed_number_of_loaders_that_airflow_takes_for_dag_files(bundle: AirloomDagBundle) -> None:
    texts = [loader.read_text() for loader in bundle.path.glob("*.py")]
    assert len(set(texts)) == SHARDS + SCHEDULE_SHARDS
    assert all("airflow" in text and "dag" in text.lower() for text in texts), "its safe mode looks for these words"


def test_a_loader_is_touched_when_its_shard_has_changed_and_no_other_is(bundle: AirloomDagBundle, store: str) -> None:
    assert touched(bundle) == set()
    put(store, shard=10)
    assert touched(bundle) == {"airloom_shard_0a.py"}
    assert touched(bundle) == set()
    put(store, shard=10)
    assert touched(bundle) == set(), "the definition was there already"


def test_a_loader_is_not_touched_for_pipelines_that_airflow_knows(bundle: AirloomDagBundle, store: str) -> None:
    """A submission writes the DAG itself, so there is nothing to parse; until a pipeline is there or gone unknown."""
    DagBundlesManager().sync_bundles_to_db()
    known = put(store, shard=7)[0]
    write_dag(build_dag(known), "airloom", loader_file(7))
    assert touched(bundle) == set()
    put(store, 2, shard=7)
    assert touched(bundle) == {loader_file(7)}
    index = Path(store.removeprefix("file://")) / "index" / "07.json"
    index.write_text('{"definitions":[]}')
    assert touched(bundle) == {loader_file(7)}


def test_a_restarted_processor_touches_nothing_by_itself(bundle: AirloomDagBundle, store: str) -> None:
    put(store, shard=3)
    again = AirloomDagBundle(name="airloom")
    for loader in again.path.glob("*.py"):
        os.utime(loader, (1, 1))
    again.initialize()
    again.refresh()
    assert {loader.stat().st_mtime for loader in again.path.glob("*.py")} == {1}


def test_a_shard_gives_all_its_pipelines(store: str) -> None:
    definitions = put(store, 3, shard=5)
    assert set(load_shard(5)) == {dag_id(definition) for definition in definitions}
    assert load_shard(6) == {}


@pytest.mark.parametrize("damage", ["cut", "gone", "another content", "another format"])
def test_a_damaged_definition_leaves_the_others_of_its_shard_alone(
    store: str, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    whole, damaged = put(store, 2, shard=5)
    file = file_of(store, damaged)
    text = file.read_text()
    if damage == "gone":
        file.unlink()
    else:
        file.write_text(
            {
                "cut": text[:40],
                "another content": text.replace("number", "numeral"),
                "another format": text.replace('"format":1', '"format":9'),
            }[damage]
        )
    with caplog.at_level(logging.ERROR, logger=dag_bundle.__name__):
        assert set(load_shard(5)) == {dag_id(whole)}
    assert digest16(damaged) in caplog.text


def test_a_worker_builds_the_one_dag_that_it_runs(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has become of all the others, and whatever loader it was told to read."""
    wanted, *others = put(store, 3, shard=5)
    for other in others:
        file_of(store, other).write_text("damaged")
    (Path(store.removeprefix("file://")) / "index" / "05.json").unlink()
    monkeypatch.setenv(_AIRFLOW_PARSING_CONTEXT_DAG_ID, dag_id(wanted))
    assert set(load_shard(5)) == {dag_id(wanted)}


def test_a_worker_is_told_when_the_definition_that_it_runs_is_gone(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (wanted,) = put(store, shard=5)
    file_of(store, wanted).unlink()
    monkeypatch.setenv(_AIRFLOW_PARSING_CONTEXT_DAG_ID, dag_id(wanted))
    with pytest.raises(AirloomError, match=f"There is no pipeline definition {digest16(wanted)}"):
        load_shard(5)
