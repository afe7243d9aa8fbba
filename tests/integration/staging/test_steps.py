"""Steps whose data lie in Azure Blob Storage, run by the real runner."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from airloom.errors import AlreadyExists, NotFound, StepFailed, StoreUnavailable
from airloom.graph.model import DataLocation
from airloom.runner import ScriptFailed, StagedInput
from tests.integration.staging.conftest import BlobHost
from tests.unit.runner.support import an_input, an_output, input_path, output_path
from tests.unit.runner.test_inputs import SHOW

pytestmark = [pytest.mark.integration, pytest.mark.azurite]


def blob_input(*paths: str, **settings: Any) -> StagedInput:
    """An input from paths on the datastore `blobs`."""
    locations = tuple(DataLocation(datastore="blobs", path=path) for path in paths)
    return an_input("raw", **{"paths": locations, **settings})


def seen(host: BlobHost, spec: StagedInput, **settings: Any) -> dict[str, Any]:
    """What the script finds at its input."""
    host.lines.clear()
    host.run(host.step(SHOW, inputs=(spec,), arguments=(input_path("raw"),), **settings))
    found: dict[str, Any] = json.loads("".join(host.stream("stdout")))
    return found


@pytest.fixture
def filled(host: BlobHost) -> BlobHost:
    """A host with a few files on both datastores."""
    for path, text in (("year/jan/a.csv", "1"), ("year/feb/a.csv", "2"), ("year/feb/b.txt", "3"), ("other/c", "4")):
        host.put_blob(path, text)
    host.put("near/d", "5")
    return host


ALL = {"jan/a.csv": "1", "feb/a.csv": "2", "feb/b.txt": "3"}


@pytest.mark.parametrize("mode", ["mount", "download"])
def test_a_folder_is_there_with_its_files(filled: BlobHost, mode: str) -> None:
    found = seen(filled, blob_input("year", mode=mode))
    assert found["files"] == ALL
    assert found["path"] == found["reference"]
    assert filled.said("3 files of 3 bytes, 3 of them (3 bytes) downloaded now")
    assert seen(filled, blob_input("year", mode=mode))["files"] == ALL
    assert filled.said("3 files of 3 bytes, 0 of them (0 bytes) downloaded now")


@pytest.mark.parametrize("mode", ["mount", "download"])
def test_a_file_keeps_its_name(filled: BlobHost, mode: str) -> None:
    found = seen(filled, blob_input("year/feb/b.txt", mode=mode))
    assert (Path(found["path"]).name, found["text"], found["link"]) == ("b.txt", "3", mode == "mount")


@pytest.mark.parametrize("mode", ["mount", "download"])
def test_an_input_may_have_a_place_in_the_working_folder(filled: BlobHost, mode: str) -> None:
    found = seen(filled, blob_input("year", mode=mode, path_on_compute="in/put"))
    assert (found["path"], found["files"]) == (f"{found['cwd']}/in/put", ALL)
    file = seen(filled, blob_input("year/feb/b.txt", mode=mode, path_on_compute="in/name.txt"))
    assert (file["path"], file["text"]) == (f"{file['cwd']}/in/name.txt", "3")


@pytest.mark.parametrize("mode", ["mount", "download"])
def test_patterns_and_several_places_make_one_folder(filled: BlobHost, mode: str) -> None:
    found = seen(filled, blob_input("year/*/a.csv", mode=mode, kind="files"))
    assert found["files"] == {"jan/a.csv": "1", "feb/a.csv": "2"}
    both = (DataLocation(datastore="blobs", path="other/c"), DataLocation(datastore="data", path="near/d"))
    found = seen(filled, an_input("raw", paths=both, mode=mode, kind="files"))
    assert found["files"] == {"blobs/other/c": "4", "data/near/d": "5"}


def test_a_mounted_folder_is_made_of_links_to_read_only_files(filled: BlobHost) -> None:
    script = """
    import os, stat, sys
    for folder, _, names in os.walk(sys.argv[1]):
        print(oct(stat.S_IMODE(os.stat(folder).st_mode)))
        for name in names:
            path = os.path.join(folder, name)
            print(os.path.islink(path), oct(stat.S_IMODE(os.stat(path).st_mode)))
    """
    filled.run(filled.step(script, inputs=(blob_input("year/jan"),), arguments=(input_path("raw"),)))
    assert filled.stream("stdout") == ["0o555", "True 0o444"]


def test_a_download_is_the_steps_own(filled: BlobHost) -> None:
    script = "import sys; open(sys.argv[1] + '/jan/a.csv', 'w').write('spoilt')"
    spec = filled.step(script, inputs=(blob_input("year", mode="download"),), arguments=(input_path("raw"),))
    filled.run(spec)
    assert filled.blobs()["year/jan/a.csv"] == b"1"
    assert seen(filled, blob_input("year"))["files"] == ALL


def test_a_script_that_writes_to_a_mounted_file_as_root_spoils_no_later_step(filled: BlobHost) -> None:
    script = """
    import os, sys
    path = sys.argv[1] + '/jan/a.csv'
    os.chmod(path, 0o600)
    open(path, 'w').write('x')
    """
    filled.run(filled.step(script, inputs=(blob_input("year"),), arguments=(input_path("raw"),)))
    assert seen(filled, blob_input("year"))["files"] == ALL


def test_a_direct_input_is_the_dataset_itself(filled: BlobHost) -> None:
    script = """
    import sys
    from azureml.core import Dataset, Run
    run = Run.get_context()
    dataset = run.input_datasets["raw"]
    print(sys.argv[1] == dataset.id, sorted(dataset.to_path()))
    print([open(path).read() for path in dataset.download("here")])
    """
    spec = blob_input("year", kind="files", mode="direct")
    filled.run(filled.step(script, inputs=(spec,), arguments=(input_path("raw"),)))
    assert filled.stream("stdout") == [
        "True ['/feb/a.csv', '/feb/b.txt', '/jan/a.csv']",
        "['2', '3', '1']",
    ]


@pytest.mark.parametrize("mode", ["mount", "download", "direct"])
def test_missing_data_names_input_datastore_and_path(filled: BlobHost, mode: str) -> None:
    for path, words in (("gone", "there is nothing at 'gone'"), ("year/*.png", r"no file matches 'year/\*\.png'")):
        with pytest.raises(NotFound, match=f"Input 'raw': {words} on datastore 'blobs'"):
            seen(filled, blob_input(path, mode=mode, kind="files"))


def test_what_does_not_fit_into_the_cache_comes_to_the_step_alone(
    filled: BlobHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRLOOM_CACHE_SIZE", "2B")
    for mode in ("mount", "download"):
        assert seen(filled, blob_input("year", mode=mode))["files"] == ALL
        assert filled.said("downloaded for this step alone")
    assert not [path for path in (filled.cache / "content/files").rglob("*") if path.is_file()]


# --- outputs ----------------------------------------------------------------------------------------------------

WRITE = """
import os, sys
os.makedirs(sys.argv[1] + "/deep", exist_ok=True)
open(sys.argv[1] + "/deep/a", "w").write("1")
open(sys.argv[1] + "/b", "w").write("22")
"""


def writer(host: BlobHost, script: str, *outputs: Any, **settings: Any) -> Any:
    """A step whose arguments are its outputs' paths."""
    return host.step(script, outputs=outputs, arguments=tuple(output_path(out.name) for out in outputs), **settings)


@pytest.mark.parametrize("mode", ["mount", "upload"])
def test_an_output_appears_with_its_digest_when_the_step_has_ended(host: BlobHost, mode: str) -> None:
    output = an_output("model", datastore="blobs", mode=mode)
    reference = host.run(writer(host, WRITE, output)).outputs["model"]
    assert host.blobs() == {"results/model/deep/a": b"1", "results/model/b": b"22"}
    assert (reference.datastore, reference.size, reference.is_file) == ("blobs", 3, False)
    assert reference.digest == host.store.datastore("blobs").digest("results/model")
    assert not list(host.work.rglob("*")), "nothing is left in the work folder"


def test_a_file_and_an_empty_folder_are_outputs_too(host: BlobHost) -> None:
    script = "import sys; open(sys.argv[1], 'w').write('result')"
    outputs = (an_output("file", datastore="blobs"), an_output("empty", datastore="blobs", is_directory=True))
    references = host.run(writer(host, script, *outputs)).outputs
    assert host.blobs() == {"results/file": b"result"}
    assert references["file"].is_file and references["empty"].size == 0
    for reference in references.values():
        assert reference.digest == host.store.datastore("blobs").digest(reference.path)
    empty = blob_input("results/empty")
    assert seen(host, empty)["files"] == {}


def test_the_next_step_finds_an_output_on_this_machine(host: BlobHost) -> None:
    host.run(writer(host, WRITE, an_output("model", datastore="blobs")))
    assert seen(host, blob_input("results/model"))["files"] == {"deep/a": "1", "b": "22"}
    assert host.said("2 files of 3 bytes, 0 of them (0 bytes) downloaded now")


@pytest.mark.parametrize("ending", ["raise SystemExit(3)", "import os; os.kill(os.getpid(), 9)"])
def test_a_failed_step_publishes_nothing(host: BlobHost, ending: str) -> None:
    with pytest.raises(ScriptFailed):
        host.run(writer(host, f"{WRITE}\n{ending}", an_output("model", datastore="blobs")))
    assert host.blobs() == {}


def test_a_missing_output_keeps_the_others_back(host: BlobHost) -> None:
    outputs = (an_output("model", datastore="blobs"), an_output("report", datastore="blobs"))
    with pytest.raises(StepFailed, match="without writing its output 'report'"):
        host.run(writer(host, WRITE, *outputs))
    assert host.blobs() == {}


def test_mount_replaces_what_was_there_and_upload_only_if_it_may(host: BlobHost) -> None:
    host.put_blob("results/model/old", "o")
    upload = an_output("model", datastore="blobs", mode="upload")
    with pytest.raises(AlreadyExists, match="already has 'results/model'"):
        host.run(writer(host, WRITE, upload))
    assert host.blobs() == {"results/model/old": b"o"}
    assert host.said("the step fails when it has written anything else")
    host.run(writer(host, WRITE, upload.model_copy(update={"overwrite": True})))
    assert sorted(host.blobs()) == ["results/model/b", "results/model/deep/a"]
    host.run(writer(host, WRITE, upload)), "the very same may be there already, as after a kill before the record"
    host.put_blob("results/model/old", "o")
    host.run(writer(host, WRITE, upload.model_copy(update={"mode": "mount"})))
    assert sorted(host.blobs()) == ["results/model/b", "results/model/deep/a"]


def test_a_datastore_that_refuses_fails_the_step_before_its_script_runs(
    host: BlobHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BLOBS", json.dumps({"login": "airloomtests", "password": "d3Jvbmc="}))
    with pytest.raises(StoreUnavailable, match="blobs"):
        host.run(writer(host, "print('ran')", an_output("model", datastore="blobs")))
    assert host.stream("stdout") == []


def test_scripts_do_not_see_what_opens_the_datastore(host: BlobHost) -> None:
    host.run(writer(host, "import os; print([k for k in os.environ if 'BLOBS' in k])"))
    assert "AIRFLOW_CONN_BLOBS" in os.environ
    assert host.stream("stdout") == ["[]"]
