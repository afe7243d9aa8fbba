"""Inputs are used where they lie, or copied, or given as datasets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airloom.errors import AlreadyExists, NotFound, UnsafePath
from airloom.runner import StagedInput, StepSpec
from tests.unit.runner.support import Host, an_input, input_path

pytestmark = pytest.mark.integration

SHOW = """
import json, os, sys
path = sys.argv[1]
files = {}
for folder, _, names in os.walk(path):
    for name in names:
        full = os.path.join(folder, name)
        files[os.path.relpath(full, path)] = open(full).read()
print(json.dumps({"path": path, "files": files, "text": open(path).read() if os.path.isfile(path) else None,
                  "reference": os.environ["AZUREML_DATAREFERENCE_raw"], "plain": os.environ.get("raw"),
                  "link": os.path.islink(path), "cwd": os.getcwd()}))
"""


def step(host: Host, spec: StagedInput, **settings: Any) -> StepSpec:
    """A step that shows its input."""
    return host.step(SHOW, inputs=(spec,), arguments=(input_path("raw"),), **settings)


def seen(host: Host, spec: StagedInput, **settings: Any) -> dict[str, Any]:
    """What the script finds at its input."""
    host.lines.clear()
    host.run(step(host, spec, **settings))
    found: dict[str, Any] = json.loads("".join(host.stream("stdout")))
    return found


@pytest.fixture
def filled(host: Host) -> Host:
    """A host with a few files on its datastore."""
    host.put("year/jan/a.csv", "1")
    host.put("year/feb/a.csv", "2")
    host.put("year/feb/b.txt", "3")
    host.put("other/c.csv", "4")
    return host


@pytest.mark.parametrize("kind", ["path", "files"])
def test_a_mounted_folder_is_the_folder_itself(filled: Host, kind: str) -> None:
    found = seen(filled, an_input("raw", "year", kind=kind))
    assert found["path"] == found["reference"] == str(filled.data / "year")
    assert sorted(found["files"]) == ["feb/a.csv", "feb/b.txt", "jan/a.csv"]


def test_a_mounted_file_is_the_file_itself(filled: Host) -> None:
    found = seen(filled, an_input("raw", "year/feb/b.txt"))
    assert (found["path"], found["text"]) == (str(filled.data / "year/feb/b.txt"), "3")


def test_datasets_have_a_variable_of_their_plain_name_too(filled: Host) -> None:
    assert seen(filled, an_input("raw", "year"))["plain"] is None
    found = seen(filled, an_input("raw", "year", kind="files"))
    assert found["plain"] == found["path"]


def test_a_dataset_named_like_a_variable_does_not_replace_it(filled: Host) -> None:
    spec = an_input("PATH", "year", kind="files")
    filled.run(filled.step("import os; print(os.environ['PATH'])", inputs=(spec,)))
    assert str(filled.data) not in filled.stream("stdout")[0]


def test_a_pattern_gives_a_folder_with_the_files_it_matches(filled: Host) -> None:
    found = seen(filled, an_input("raw", "year/*/a.csv", kind="files"))
    assert found["files"] == {"jan/a.csv": "1", "feb/a.csv": "2"}


def test_several_locations_give_one_folder_named_by_what_they_share(filled: Host) -> None:
    assert seen(filled, an_input("raw", "year/jan", "year/feb/b.txt", kind="files"))["files"] == {
        "jan/a.csv": "1",
        "feb/b.txt": "3",
    }
    assert seen(filled, an_input("raw", "year/**/*.csv", "other/c.csv", kind="files"))["files"] == {
        "year/jan/a.csv": "1",
        "year/feb/a.csv": "2",
        "other/c.csv": "4",
    }


def test_files_of_several_datastores_do_not_collide(filled: Host, tmp_path: Path) -> None:
    from airloom.graph.model import DataLocation
    from airloom.storage.datastore_config import LocalConfig

    (tmp_path / "second/year/jan").mkdir(parents=True)
    (tmp_path / "second/year/jan/a.csv").write_text("5")
    filled.store.put_datastore(LocalConfig(name="second", root=str(tmp_path / "second")))
    paths = tuple(DataLocation(datastore=name, path="year/jan/a.csv") for name in ("data", "second"))
    found = seen(filled, an_input("raw", kind="files", paths=paths))
    assert found["files"] == {"data/year/jan/a.csv": "1", "second/year/jan/a.csv": "5"}


def test_a_file_whose_name_looks_like_a_pattern_is_found(filled: Host) -> None:
    filled.put("odd/[1].csv", "6")
    assert seen(filled, an_input("raw", "odd/[1].csv", kind="files"))["text"] == "6"


def test_a_download_is_a_copy(filled: Host) -> None:
    found = seen(filled, an_input("raw", "year", mode="download"))
    assert not found["path"].startswith(str(filled.data))
    assert found["files"] == {"jan/a.csv": "1", "feb/a.csv": "2", "feb/b.txt": "3"}
    file = seen(filled, an_input("raw", "year/feb/b.txt", mode="download"))
    assert (Path(file["path"]).name, file["text"], file["link"]) == ("b.txt", "3", False)


def test_a_download_may_be_spoilt_without_harm(filled: Host) -> None:
    script = "import sys; open(sys.argv[1] + '/jan/a.csv', 'w').write('spoilt')"
    filled.run(filled.step(script, inputs=(an_input("raw", "year", mode="download"),), arguments=(input_path("raw"),)))
    assert (filled.data / "year/jan/a.csv").read_text() == "1"


def test_an_empty_folder_can_be_downloaded(filled: Host) -> None:
    (filled.data / "empty").mkdir()
    assert seen(filled, an_input("raw", "empty", mode="download"))["files"] == {}


@pytest.mark.parametrize(("mode", "link"), [("download", False), ("mount", True)])
def test_an_input_may_have_a_place_in_the_working_folder(filled: Host, mode: str, link: bool) -> None:
    found = seen(filled, an_input("raw", "year", mode=mode, path_on_compute="in/put"))
    assert (found["path"], found["link"]) == (f"{found['cwd']}/in/put", link)
    assert len(found["files"]) == 3
    file = seen(filled, an_input("raw", "year/feb/b.txt", mode=mode, path_on_compute="in/name.txt"))
    assert (file["path"], file["text"]) == (f"{file['cwd']}/in/name.txt", "3")


def test_what_is_there_already_is_replaced_only_on_demand(filled: Host) -> None:
    spec = an_input("raw", "year", mode="download", path_on_compute="in")
    with pytest.raises(AlreadyExists, match="'raw' cannot be put at 'in'"):
        filled.run(step(filled, spec, files={"in/old.txt": "old"}))
    found = seen(filled, spec.model_copy(update={"overwrite": True}), files={"in/old.txt": "old"})
    assert "old.txt" not in found["files"]


@pytest.mark.parametrize("path", ["../out", "/tmp/out", "link/out"])
def test_a_place_outside_the_working_folder_is_refused(filled: Host, path: str) -> None:
    (filled.data / "far").mkdir()
    first = an_input("first", "far", path_on_compute="link")
    second = an_input("raw", "year", mode="download", path_on_compute=path)
    with pytest.raises(UnsafePath):
        filled.run(filled.step("", inputs=(first, second)))
    assert list((filled.data / "far").iterdir()) == []


def test_a_direct_input_is_named_by_its_id(filled: Host) -> None:
    script = "import os, sys; print(sys.argv[1], os.environ['raw'], os.environ['AZUREML_DATAREFERENCE_raw'])"
    spec = an_input("raw", "year", kind="files", mode="direct")
    filled.run(filled.step(script, inputs=(spec,), arguments=(input_path("raw"),)))
    assert filled.stream("stdout") == [" ".join(["d" * 64] * 3)]


@pytest.mark.parametrize("mode", ["mount", "download", "direct"])
def test_missing_data_names_input_datastore_and_path(filled: Host, mode: str) -> None:
    with pytest.raises(NotFound, match="Input 'raw': there is nothing at 'gone' on datastore 'data'"):
        filled.run(step(filled, an_input("raw", "gone", mode=mode)))
    with pytest.raises(NotFound, match=r"Input 'raw': no file matches 'year/\*\.png' on datastore 'data'"):
        filled.run(step(filled, an_input("raw", "year/*.png", kind="files", mode=mode)))
    with pytest.raises(NotFound, match="'gone' on datastore 'data'"):
        filled.run(step(filled, an_input("raw", "year", "gone", kind="files", mode=mode)))


def test_data_that_a_link_leads_out_of_the_datastore_is_refused(filled: Host, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    (filled.data / "trap").symlink_to(tmp_path / "secret")
    with pytest.raises(UnsafePath, match="link"):
        filled.run(step(filled, an_input("raw", "trap")))
