"""A workspace wholly on Blob: what is where, and the table of changes, whose outcomes are those of a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airloom.core import Workspace
from airloom.data.azure_storage_datastore import AzureBlobDatastore
from airloom.pipeline.core import PipelineRun
from tests.integration.on_blob.conftest import OnBlob
from tests.integration.pipelines.test_what_runs_again import ALL, CHANGES, Change
from tests.support.small_pipeline import SmallPipeline, executed

pytestmark = [pytest.mark.integration, pytest.mark.azurite, pytest.mark.thorough]

DATA = "workspaces/default/data/workspaceblobstore"
Damage = Callable[[OnBlob, PipelineRun], None]


def output_blob(on_blob: OnBlob, run: PipelineRun, step: str, port: str) -> str:
    reference = run.find_step_run(step)[0].get_output_data(port)
    (name,) = on_blob.names(f"{DATA}/{reference.path_on_datastore}/")
    return name


def delete_output(on_blob: OnBlob, run: PipelineRun) -> None:
    on_blob.delete(output_blob(on_blob, run, "train", "model"))


def corrupt_output(on_blob: OnBlob, run: PipelineRun) -> None:
    """Other bytes of the same length."""
    name = output_blob(on_blob, run, "train", "model")
    on_blob.write(name, b"X" * len(on_blob.read(name)))


def corrupt_record(on_blob: OnBlob, run: PipelineRun) -> None:
    """Cut the record of a step in half."""
    marks = (f'"run_id":"{run.id}"'.encode(), b'"step_name":"train"')
    names = on_blob.names("workspaces/default/reuse/records")
    (name,) = [name for name in names if all(mark in on_blob.read(name) for mark in marks)]
    record = on_blob.read(name)
    on_blob.write(name, record[: len(record) // 2])


DAMAGES: dict[str, Damage] = {
    "a deleted output": delete_output,
    "a corrupted output": corrupt_output,
    "a corrupted record": corrupt_record,
}
EVERY_TIME = ("a byte of a script", "an input that is touched but equal", "a corrupted output")


def check(on_blob: OnBlob, ws: Workspace, folder: Path, title: str, change: Change) -> None:
    """A first run, a change, and a second run, of which the steps of the table run again."""
    pipeline = SmallPipeline(ws, folder)
    pipeline.prepare()
    standing = {"train": change.pipeline["train"]} if change.do and "train" in change.pipeline else {}
    first = pipeline.run(**standing)
    assert executed(first) == ALL
    if title in DAMAGES:
        DAMAGES[title](on_blob, first)
    elif change.do is not None:
        change.do(pipeline, on_blob.server, first)
    assert executed(pipeline.run(**change.pipeline)) == change.reruns


@pytest.mark.parametrize("title", EVERY_TIME)
def test_the_steps_that_a_change_concerns_run_again(on_blob: OnBlob, ws: Workspace, tmp_path: Path, title: str) -> None:
    check(on_blob, ws, tmp_path, title, CHANGES[title])


@pytest.mark.usefixtures("only_thorough")
@pytest.mark.parametrize("title", [title for title in CHANGES if title not in EVERY_TIME])
def test_all_of_the_table_holds(on_blob: OnBlob, ws: Workspace, tmp_path: Path, title: str) -> None:
    check(on_blob, ws, tmp_path, title, CHANGES[title])


def test_everything_is_in_the_container_and_nothing_on_disk(on_blob: OnBlob, ws: Workspace, tmp_path: Path) -> None:
    pipeline = SmallPipeline(ws, tmp_path)
    pipeline.prepare()
    run = pipeline.run()
    for name in ("workspaceblobstore", "workspacefilestore"):
        datastore = ws.datastores[name]
        assert isinstance(datastore, AzureBlobDatastore)
        assert (datastore.prefix, datastore.credential_type) == (f"workspaces/default/data/{name}", "None")
    assert on_blob.read(output_blob(on_blob, run, "score", "score")).startswith(b"score of model of 'some data'")
    for kind in (
        "definitions/",
        "workspaces/default/snapshots/",
        "workspaces/default/reuse/",
        "workspaces/default/runs/",
    ):
        assert on_blob.names(kind), kind
    assert [path for path in on_blob.server.store.rglob("*") if path.is_file()] == []
    downloaded = run.find_step_run("score")[0].get_output_data("score").download(str(tmp_path / "here"))
    assert downloaded == 1
