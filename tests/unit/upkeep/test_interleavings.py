"""Somebody begins to use what the collector is about to take, at each of the collector's steps in turn.

A collection is a generator, so it can be held at any step. Whatever is found in that instant must still be there when
the collection has ended, with all that it refers to; or it must not be found at all.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from airloom.errors import NotFound
from airloom.reuse.records import PipelineRecord, Record, verify_outputs
from airloom.upkeep import Limits, collect, verify
from tests.unit.upkeep.deployment import Deployment, Pipe, check_sound, finish

OLD = Pipe("old", "one", (("a", ()), ("b", ("a",))))
LIMITS = Limits(older_than=timedelta(days=30))

Promise = Callable[[], None]
Use = Callable[[Deployment], Promise]
"""Uses something, and returns a check that what it was told holds."""


def find_records(deployment: Deployment) -> Promise:
    """A step looks its record up."""
    records = deployment.workspace.records
    keys = [key.rpartition("/")[2].removesuffix(".json") for key in records.records()]
    found = [records.find(key, deployment.workspace.digest_of) for key in keys]
    return lambda: _check_outputs(deployment, [record for record in found if record is not None])


def find_pipelines(deployment: Deployment) -> Promise:
    """The plan looks the record of the whole pipeline up."""
    records = deployment.workspace.records
    keys = [key.rpartition("/")[2].removesuffix(".json") for key in records.pipelines()]
    found = [records.find_pipeline(key, deployment.workspace.digest_of) for key in keys]
    whole: list[PipelineRecord] = [record for record in found if record is not None]
    return lambda: _check_outputs(deployment, [step for record in whole for step in record.steps.values()])


def _check_outputs(deployment: Deployment, records: list[Record]) -> None:
    for record in records:
        verify_outputs(record.outputs, deployment.workspace.digest_of)
        assert deployment.storage.list_artifacts(*record.origin.model_dump().values())


def ask_for_missing_files(deployment: Deployment) -> Promise:
    """A client asks which files it must upload."""
    known = [key.rpartition("/")[2] for key in deployment.store.list("workspaces/default/blobs/")]
    missing = deployment.storage.missing_blobs(known)
    present = set(known) - set(missing)
    return lambda: _all_there(deployment, [deployment.storage.blob_key(digest) for digest in present])


def ask_for_source_folders(deployment: Deployment) -> Promise:
    """A client, or the server at a submission, finds that a source folder is stored."""
    keys = list(deployment.store.list("workspaces/default/snapshots/"))
    found = []
    for key in keys:
        try:
            found.append(deployment.storage.use_snapshot(key.rpartition("/")[2].removesuffix(".json")))
        except NotFound:
            continue
    blobs = [deployment.storage.blob_key(entry.digest) for manifest in found for entry in manifest.entries]
    folders = [deployment.storage.snapshot_key(manifest.digest) for manifest in found]
    return lambda: _all_there(deployment, [*folders, *blobs])


def store_source_folders(deployment: Deployment) -> Promise:
    """A client uploads a source folder anew."""
    graph = OLD.graph(deployment)
    digests = [step.settings.snapshot for step in graph.steps]
    manifests = [deployment.storage.snapshot(digest) for digest in digests]
    blobs = [deployment.storage.blob_key(entry.digest) for manifest in manifests for entry in manifest.entries]
    return lambda: _all_there(deployment, [*map(deployment.storage.snapshot_key, digests), *blobs])


def put_the_pipeline(deployment: Deployment) -> Promise:
    """A submission stores its pipeline."""
    digest = deployment.definitions.put(deployment.define(OLD))

    def check() -> None:
        assert deployment.definitions.get(digest).experiment == OLD.name
        assert digest in deployment.definitions.shard(int(digest[:2], 16) % 16)

    return check


def _all_there(deployment: Deployment, keys: list[str]) -> None:
    assert [key for key in keys if not deployment.store.exists(key)] == []


def run_at_once(deployment: Deployment) -> Promise:
    """A whole run."""
    run = deployment.run_pipe(OLD)
    return lambda: deployment.check_results(OLD, run)


def run_across(deployment: Deployment) -> Promise:
    """A run that is submitted and planned now, and goes on when the collection has ended."""
    lasting = deployment.live_run(OLD)
    run = lasting.__enter__()

    def check() -> None:
        run.finish()
        deployment.check_results(OLD, run)
        lasting.__exit__(None, None, None)

    return check


USES: list[Use] = [
    find_records,
    find_pipelines,
    ask_for_missing_files,
    ask_for_source_folders,
    store_source_folders,
    put_the_pipeline,
    run_at_once,
    run_across,
]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployment of which all is to go."""
    deployment = Deployment(tmp_path_factory.mktemp("old") / "deployment")
    deployment.run_pipe(OLD)
    deployment.run_pipe(OLD)
    deployment.age(timedelta(days=100))
    return deployment.root


@pytest.mark.thorough
@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)
def test_what_is_found_while_the_collector_works_stays(
    old: Path, folder: Path, use: Use, rounds: Callable[[int, int], int]
) -> None:
    step, reached = 0, True
    while reached:
        shutil.copytree(old, folder / "deployment")
        deployment = Deployment(folder / "deployment")
        reached = hold_at(deployment, step, use)
        shutil.rmtree(folder / "deployment")
        step += rounds(4, 1)
    assert step > 40, f"the collection ended after {step} steps"


def hold_at(deployment: Deployment, step: int, use: Use) -> bool:
    """Use something after so many steps of a collection; False if it has fewer."""
    work = collect(deployment.storage, deployment.table, LIMITS)
    for number, _ in enumerate(work):
        if number == step:
            promise = use(deployment)
            assert finish(work).problems == ()
            promise()
            check_sound(deployment, finish(verify(deployment.storage)))
            return True
    return False
