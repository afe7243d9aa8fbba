"""Keys and digests are those of earlier versions, on every machine; records of other versions do no harm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airloom.graph.results import OutputRef, Reason
from airloom.reuse.records import LostRecord, PipelineRecord, Record, RecordStore
from airloom.storage.envelope import seal, unseal
from airloom.storage.local import LocalStore
from tests.support.builders import a_graph, a_step
from tests.support.in_process import DATASTORE, Workbench
from tests.unit.reuse import golden

REPOSITORY = Path(__file__).parents[3]
OLD_RECORD = Path(__file__).parent / "golden_record_1.json"
OLD_PIPELINE = Path(__file__).parent / "golden_pipeline_record_1.json"
ON_CHANGE = """
{what} changed, so every pipeline of every user would run again without a word. If that was not meant, take it back.
If it was: raise KEY_FORMAT in airloom/reuse/hashing.py (for a changed field of a record: RECORD_FORMAT in
airloom/reuse/records.py), say so in docs/reuse.md, and run `python -m tests.unit.reuse.golden --write`."""


@pytest.mark.parametrize("what", list(json.loads(golden.FILE.read_text())))
def test_keys_and_digests_are_those_of_earlier_versions(what: str) -> None:
    expected = json.loads(golden.FILE.read_text())
    assert golden.golden()[what] == expected[what], ON_CHANGE.format(what=what)


def test_golden_keys_differ() -> None:
    keys = list(json.loads(golden.FILE.read_text())["steps"].values())
    assert len(set(keys)) == len(keys)


MACHINES: dict[str, dict[str, str]] = {
    "hash seed 0": {"PYTHONHASHSEED": "0"},
    "hash seed 1": {"PYTHONHASHSEED": "1"},
    "hash seed 4242, optimised": {"PYTHONHASHSEED": "4242", "PYTHONOPTIMIZE": "2"},
    "other user, locale and time zone": {"HOME": "/none", "USER": "x", "TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8"},
    "plain locale": {"HOSTNAME": "elsewhere", "LC_ALL": "C"},
    "airloom's own settings": {"AIRLOOM_CACHE_DIR": "/nonexistent/cache", "AIRLOOM_SNAPSHOT_MAX_FILES": "100"},
}


@pytest.mark.parametrize("machine", MACHINES)
def test_keys_do_not_depend_on_process_or_machine(tmp_path: Path, machine: str) -> None:
    """Nor on the folder and the umask of the process, nor on the name of the host where that may be changed."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), **MACHINES[machine]}
    command = [*other_host(), sys.executable, "-m", "tests.unit.reuse.golden"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, umask=0o077, capture_output=True, check=True)
    assert json.loads(done.stdout) == json.loads(golden.FILE.read_text())


def other_host() -> list[str]:
    """What runs a command under another host name, if this process has the right to change that."""
    command = ["unshare", "--uts", "sh", "-c", 'hostname elsewhere && exec "$@"', "sh"]
    try:
        allowed = subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        allowed = False
    return command if allowed else []


# --- records of other versions ----------------------------------------------------------------------------------


def as_recorded(record: Record) -> Any:
    """Every output is what the record says."""
    digests = {(output.datastore, output.path): output.digest for output in record.outputs.values()}
    return lambda datastore, path: digests[(datastore, path)]


def test_a_record_of_format_1_is_still_read(tmp_path: Path) -> None:
    """Its bytes are those that the first version wrote; they are never to be made anew."""
    store = LocalStore(tmp_path)
    body = unseal(OLD_RECORD.read_bytes(), "It")
    store.put(f"reuse/records/{body['key'][:2]}/{body['key']}.json", OLD_RECORD.read_bytes())
    expected = Record.model_validate(body)
    assert RecordStore(store, "reuse").find(body["key"], as_recorded(expected)) == expected
    assert expected.outputs["out"] == OutputRef(
        datastore="workspaceblobstore", path="azureml/r/train/1/out", digest="d" * 64, size=7, is_file=True
    )
    assert seal(expected) == OLD_RECORD.read_bytes(), ON_CHANGE.format(what="A record")


def test_a_pipeline_record_of_format_1_is_still_read(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    body = unseal(OLD_PIPELINE.read_bytes(), "It")
    store.put(f"reuse/pipelines/{body['key'][:2]}/{body['key']}.json", OLD_PIPELINE.read_bytes())
    expected = PipelineRecord.model_validate(body)
    found = RecordStore(store, "reuse").find_pipeline(body["key"], as_recorded(expected.steps["train"]))
    assert found == expected
    assert seal(expected) == OLD_PIPELINE.read_bytes(), ON_CHANGE.format(what="A record")


def test_records_of_a_newer_version_are_a_miss_and_stay_as_they_are(bench: Workbench) -> None:
    """A newer version that shares the store works with them; an older one that dropped them would undo its work."""
    bench.write("raw.txt", "data")
    graph = a_graph(a_step("train", reads=["raw"]), sources={"raw": f"{DATASTORE}/raw.txt"})
    scripts = {"train": lambda texts: "model"}
    bench.run(graph, scripts)
    bench.run(graph, scripts)
    store = bench.storage.store
    newer = {}
    for key in [
        *store.list(bench.storage.key("reuse", "records")),
        *store.list(bench.storage.key("reuse", "pipelines")),
    ]:
        newer[key] = seal({**unseal(store.get(key), "It"), "format": 2, "new field": True})
        store.put(key, newer[key])
    assert len(newer) == 2

    for reuse in ("auto", "refresh", "auto"):
        run = bench.run(graph, scripts, reuse=reuse)
        assert run.executed == ["train"]
        assert {key: store.get(key) for key in newer} == newer
    explanation = run.results["train"].explanation
    assert explanation is not None
    assert explanation.reason == Reason.RECORD_LOST
    assert "The reuse record was written by a newer version of Airloom." in explanation.message


@pytest.mark.parametrize("version", [0, "1", None, -1, True, 0.5])
def test_a_record_of_a_form_that_was_given_up_is_dropped(tmp_path: Path, version: Any) -> None:
    store = LocalStore(tmp_path)
    body = unseal(OLD_RECORD.read_bytes(), "It")
    path = f"reuse/records/{body['key'][:2]}/{body['key']}.json"
    store.put(path, seal({**body, "format": version, "old field": 1}))
    records = RecordStore(store, "reuse")
    with pytest.raises(LostRecord, match="of a format this version does not know") as caught:
        records.find(body["key"], lambda datastore, path: "")
    assert (caught.value.output_lost, caught.value.keep) == (False, False)
    assert not store.exists(path)
