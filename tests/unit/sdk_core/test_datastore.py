"""Datastores: finding them, and moving files to and from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from airloom.core import Datastore, Workspace
from airloom.data.abstract_datastore import AbstractDatastore
from airloom.data.local_datastore import LocalDatastore
from airloom.exceptions import AlreadyExistsException, NotFoundException, UserErrorException
from tests.unit.sdk_core.server import State


def make(folder: Path, **files: str) -> Path:
    """A folder with files; `__` in a name stands for a slash, and all end in .csv."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


class TestFinding:
    def test_by_name_gives_the_concrete_datastore(self, ws: Workspace) -> None:
        found = Datastore(ws, "workspacefilestore")
        assert isinstance(found, LocalDatastore)
        assert (found.name, found.datastore_type, found.is_default) == ("workspacefilestore", "local", False)
        assert Path(found.root).is_dir()

    def test_without_a_name_it_is_the_default(self, ws: Workspace) -> None:
        assert Datastore(ws).name == ws.get_default_datastore().name == "workspaceblobstore"

    def test_keywords_of_v1_work(self, ws: Workspace) -> None:
        assert Datastore.get(workspace=ws, datastore_name="workspaceblobstore").workspace is ws

    def test_a_wrong_name_gets_a_suggestion(self, ws: Workspace) -> None:
        with pytest.raises(NotFoundException, match=r"no datastore 'workspaceblobstor'. Did you mean"):
            Datastore(ws, "workspaceblobstor")

    def test_a_name_that_cannot_be_one_is_refused_before_asking(self, ws: Workspace, state: State) -> None:
        asked = len(state.requests)
        with pytest.raises(UserErrorException, match="letters, digits and '_'"):
            Datastore(ws, "my-store")
        assert len(state.requests) == asked

    def test_a_folder_can_be_registered_made_default_and_unregistered(self, ws: Workspace, tmp_path: Path) -> None:
        shared = Datastore.register_local_folder(ws, "shared", str(tmp_path / "shared"), tags={"team": "a"})
        shared.set_as_default()
        assert Datastore(ws).name == "shared" and shared.tags == {"team": "a"}
        shared.unregister()
        assert "shared" not in ws.datastores

    def test_a_name_that_is_taken_is_an_error(self, ws: Workspace) -> None:
        with pytest.raises(AlreadyExistsException, match="already"):
            Datastore.register_local_folder(ws, "workspaceblobstore")

    def test_a_name_that_cannot_be_one_is_not_registered(self, ws: Workspace, state: State) -> None:
        with pytest.raises(UserErrorException, match="letters, digits and '_'"):
            Datastore.register_object_store(ws, "my-store", "s3://bucket")
        assert "my-store" not in state.given

    @pytest.mark.parametrize(
        ("call", "mend"),
        [
            (lambda ws: Datastore.register_azure_data_lake(ws, "d", "s"), "register_azure_data_lake_gen2"),
            (lambda ws: Datastore.register_dbfs(ws, "d"), "register_azure_blob_container"),
            (lambda ws: Datastore.register_hdfs(ws, "d", "http", "n", "c", "r", "k", "p"), "register_object_store"),
        ],
    )
    def test_kinds_that_are_not_there_say_what_to_use(self, ws: Workspace, call: object, mend: str) -> None:
        with pytest.raises(UserErrorException, match=mend):
            call(ws)  # type: ignore[operator]


class TestUpload:
    def test_a_folder_keeps_its_shape(self, blobs: AbstractDatastore, tmp_path: Path) -> None:
        make(tmp_path / "src", a="1", sub__b="22")
        reference = blobs.upload(str(tmp_path / "src"), "data", show_progress=False)
        assert reference.path_on_datastore == "data"
        assert (Path(blobs.root) / "data/sub/b.csv").read_text() == "22"  # type: ignore[attr-defined]

    def test_files_lie_relative_to_the_folder_they_share(self, blobs: AbstractDatastore, tmp_path: Path) -> None:
        make(tmp_path, x__a="1", x__y__b="2")
        files = [str(tmp_path / "x/a.csv"), str(tmp_path / "x/y/b.csv")]
        blobs.upload_files(files, target_path="t", show_progress=False)
        blobs.upload_files(files, relative_root=str(tmp_path), target_path="r", show_progress=False)
        listed = [entry["path"] for entry in blobs._client.list_files("default", blobs.name)]
        assert listed == ["r/x/a.csv", "r/x/y/b.csv", "t/a.csv", "t/y/b.csv"]

    def test_what_is_there_is_kept_unless_overwritten(
        self, blobs: AbstractDatastore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        source, stored = make(tmp_path / "src", a="old"), Path(blobs.root) / "a.csv"  # type: ignore[attr-defined]
        blobs.upload(str(source), show_progress=False)
        make(source, a="new")
        blobs.upload(str(source))
        assert stored.read_text() == "old" and "Kept 1 file(s)" in capsys.readouterr().out
        blobs.upload(str(source), overwrite=True, show_progress=False)
        assert stored.read_text() == "new"

    def test_progress_is_one_line_a_file_where_there_is_no_terminal(
        self, blobs: AbstractDatastore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        blobs.upload(str(make(tmp_path / "src", a="1", b="2")))
        out = capsys.readouterr().out
        assert "Uploaded a.csv" in out and "(2 of 2)" in out

    def test_an_expired_sign_in_is_renewed_and_the_file_sent_again(
        self, blobs: AbstractDatastore, state: State, tmp_path: Path
    ) -> None:
        make(tmp_path / "src", big="x" * 3_000_000)
        blobs._client.list_files("default", blobs.name)
        state.valid_tokens.clear()
        blobs.upload(str(tmp_path / "src"), show_progress=False, overwrite=True)
        stored = Path(blobs.root) / "big.csv"  # type: ignore[attr-defined]
        assert stored.stat().st_size == 3_000_000 and state.logins == 2

    @pytest.mark.parametrize(
        ("files", "message"),
        [(["nowhere.csv"], "no file 'nowhere.csv' to upload"), ([], "empty"), ("a.csv", "must be a list")],
    )
    def test_impossible_uploads_are_explained(self, blobs: AbstractDatastore, files: list[str], message: str) -> None:
        with pytest.raises(UserErrorException, match=message):
            blobs.upload_files(files)

    def test_a_target_outside_is_refused(self, blobs: AbstractDatastore, tmp_path: Path) -> None:
        with pytest.raises(UserErrorException, match=r"contains '\.\.'"):
            blobs.upload(str(make(tmp_path / "src", a="1")), "../elsewhere")

    def test_a_file_outside_the_relative_root_is_refused(self, blobs: AbstractDatastore, tmp_path: Path) -> None:
        make(tmp_path, a="1", x__b="2")
        with pytest.raises(UserErrorException, match="does not lie below the relative_root"):
            blobs.upload_files([str(tmp_path / "a.csv")], relative_root=str(tmp_path / "x"))

    def test_src_dir_must_be_a_folder(self, blobs: AbstractDatastore) -> None:
        with pytest.raises(UserErrorException, match="is not a folder"):
            blobs.upload("missing")


class TestDownload:
    @pytest.fixture(autouse=True)
    def data(self, blobs: AbstractDatastore) -> None:
        make(Path(blobs.root), in__a="1", in__sub__b="22", other="3")  # type: ignore[attr-defined]

    def test_a_folder_comes_with_its_whole_path(self, blobs: AbstractDatastore, tmp_path: Path) -> None:
        assert blobs.download(str(tmp_path / "out"), prefix="in", show_progress=False) == 2
        assert (tmp_path / "out/in/sub/b.csv").read_text() == "22"
        assert not (tmp_path / "out/other.csv").exists()

    def test_everything_comes_without_a_prefix(self, blobs: AbstractDatastore, tmp_path: Path) -> None:
        assert blobs.download(str(tmp_path / "out"), show_progress=False) == 3

    def test_local_files_are_kept_unless_overwritten(
        self, blobs: AbstractDatastore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        make(tmp_path / "out", in__a="mine")
        assert blobs.download(str(tmp_path / "out"), "in/a.csv") == 0
        assert "Kept 1 local file(s)" in capsys.readouterr().out
        assert blobs.download(str(tmp_path / "out"), "in/a.csv", overwrite=True, show_progress=False) == 1
        assert (tmp_path / "out/in/a.csv").read_text() == "1"

    def test_nothing_is_left_of_a_failed_transfer(self, blobs: AbstractDatastore, state: State, tmp_path: Path) -> None:
        state.listing = [{"path": "in/gone.csv", "size": 1, "modified": "2026-07-01T10:00:00Z"}]
        with pytest.raises(NotFoundException, match=r"gone\.csv"):
            blobs.download(str(tmp_path / "out"), show_progress=False)
        assert list((tmp_path / "out").rglob("*.csv*")) == []

    def test_a_server_cannot_make_it_write_outside(
        self, blobs: AbstractDatastore, state: State, tmp_path: Path
    ) -> None:
        state.listing = [{"path": "../evil.csv", "size": 1, "modified": "2026-07-01T10:00:00Z"}]
        with pytest.raises(UserErrorException, match=r"contains '\.\.'"):
            blobs.download(str(tmp_path / "out"), show_progress=False)


class TestReferences:
    def test_a_datastore_makes_references_to_itself(self, blobs: AbstractDatastore) -> None:
        assert (blobs.as_mount().mode, blobs.as_upload().mode) == ("mount", "upload")
        download = blobs.as_download(path_on_compute="/data")
        assert (download.mode, download.path_on_compute, download.path_on_datastore) == ("download", "/data", None)
        assert blobs.path("a/b", data_reference_name="named").data_reference_name == "named"
