"""Every error of the storage names the thing, the cause and the mend: message, hint and target, word by word."""

# ruff: noqa: E501 - a table of texts

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airloom.errors import AirloomError
from airloom.graph.canonical import digest_bytes
from airloom.storage.datastore_config import LocalConfig
from airloom.storage.definitions import DefinitionStore, digest16_of_dag_id
from airloom.storage.local import LocalStore
from airloom.storage.paths import check_digest, check_name, confined, validate_relative
from airloom.storage.snapshot import SnapshotLimits, collect, digest_of_paths, materialize, store_snapshot
from airloom.storage.stat_cache import StatCache, null_cache
from airloom.storage.tree import scan_tree
from airloom.storage.workspace import WorkspaceStore

ZEROS = "0" * 64


class Place:
    """A folder, a store, and a workspace with a datastore whose folder holds one file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.source = root / "source"
        self.source.mkdir()
        (self.source / "main.py").write_text("1")
        self.store = LocalStore(root / "store")
        self.workspace = WorkspaceStore(self.store, "lab", null_cache())
        self.workspace.put_datastore(LocalConfig(name="blob", root=str(root / "data")))
        self.data = self.workspace.datastore("blob")
        self.data.write("there", io.BytesIO(b"1"))
        self.definitions = DefinitionStore(self.store)

    def snapshot(self) -> str:
        return store_snapshot(self.workspace, collect(self.source, cache=null_cache()), self.source)

    def blob(self) -> Path:
        (blob,) = (path for path in (self.root / "store/workspaces/lab/blobs").rglob("*") if path.is_file())
        return blob


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def link(path: Path, aim: str) -> Path:
    path.symlink_to(aim)
    return path


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def altered_blob(place: Place) -> object:
    digest = place.snapshot()
    place.blob().write_text("2")
    return materialize(place.workspace, digest, place.root / "out")


def missing_blob(place: Place) -> object:
    digest = place.snapshot()
    place.blob().unlink()
    return materialize(place.workspace, digest, place.root / "out")


def altered_snapshot(place: Place) -> object:
    place.store.put(
        place.workspace.snapshot_key(ZEROS), place.store.get(place.workspace.snapshot_key(place.snapshot()))
    )
    return place.workspace.snapshot(ZEROS)


def no_manifest(place: Place) -> object:
    place.store.put(place.workspace.snapshot_key(ZEROS), b"{}")
    return place.workspace.snapshot(ZEROS)


def altered_definition(place: Place) -> object:
    place.store.put("definitions/0123456789abcdef.json", b"{}")
    return place.definitions.get("0123456789abcdef")


def occupied(place: Place) -> object:
    digest = place.snapshot()
    (place.source / "more").write_text("")
    return materialize(place.workspace, digest, place.source)


def not_stored(place: Place) -> object:
    return place.workspace.put_snapshot(collect(place.source, cache=null_cache()))


def vanished(place: Place) -> object:
    manifest = collect(place.source, cache=null_cache())
    (place.source / "main.py").unlink()
    return store_snapshot(place.workspace, manifest, place.source)


def ignored_wrongly(place: Place) -> object:
    (place.source / ".amlignore").write_bytes(b"\xff")
    return collect(place.source)


Case = tuple[Callable[[Place], object], str, str, str]
CASES: dict[str, Case] = {
    "absolute": (lambda p: validate_relative("/a"), "The path '/a' is absolute.", "Give a path relative to its folder.", "/a"),
    "upwards": (lambda p: validate_relative("a/../b"), "The path 'a/../b' contains '..'.", "Give a path below its folder.", "a/../b"),
    "no UTF-8": (lambda p: validate_relative("a\udcff"), "The file name 'a\\udcff' is not valid UTF-8.", "Rename the file, or exclude it.", "a\udcff"),
    "too long": (lambda p: validate_relative("a" * 256), f"A part of the path '{'a' * 256}' is longer than 255 bytes.", "Choose another name.", "a" * 256),
    "NUL": (lambda p: validate_relative("a\0"), "A part of the path 'a\\x00' is not free of NUL characters.", "Choose another name.", "a\0"),
    "link out": (
        lambda p: confined(link(p.root / "l", "/usr").parent, "l/x"), "The path 'l/x' leaves its folder through a symbolic link.",
        "Replace the link by the file or folder that it points to.", "l/x",
    ),
    "name": (lambda p: check_name("run", "a/b"), "'a/b' cannot be the name of a run.", "Use letters, digits, '_', '-' and '.', at most 250, not beginning with '-' or '.'.", "a/b"),
    "digest": (lambda p: check_digest("x" * 99), f"'{'x' * 80}' is not a digest.", "A digest is 64 lower-case hexadecimal digits.", "x" * 80),
    "run id": (lambda p: p.workspace.artifact_key("../x", "s", "1"), "'../x' cannot be the name of a run.", "Use letters, digits, '_', '-' and '.', at most 250, not beginning with '-' or '.'.", "../x"),
    "step id": (lambda p: p.workspace.artifact_key("r", "/", "1"), "'/' cannot be the name of a step.", "Use letters, digits, '_', '-' and '.', at most 250, not beginning with '-' or '.'.", "/"),
    "attempt": (lambda p: p.workspace.artifact_key("r", "s", ""), "'' cannot be the name of a attempt.", "Use letters, digits, '_', '-' and '.', at most 250, not beginning with '-' or '.'.", ""),
    "object": (lambda p: p.store.get("a"), "The store {root}/store has no object 'a'.", "", "a"),
    "private key": (lambda p: p.store.get("a/.airloom-x"), "'a/.airloom-x' cannot be the key of an object.", "A key is a relative path without empty or '.' parts, and without names of Airloom's own.", "a/.airloom-x"),
    "folder in the way": (lambda p: p.store.put("workspaces", b""), "No object can be written to {root}/store/workspaces: other objects lie below this name.", "Choose another key.", "{root}/store/workspaces"),
    "folder in the way of a new object": (lambda p: p.store.put_if_absent("workspaces", b""), "No object can be written to {root}/store/workspaces: other objects lie below this name.", "Choose another key.", "{root}/store/workspaces"),
    "other bytes": (lambda p: p.workspace.put_blob(ZEROS, b"1"), f"Content sent as {ZEROS} has the digest {digest_bytes(b'1')}.", "Send it again.", ZEROS),
    "changed source": (lambda p: p.store.put_file("k", p.source / "main.py", digest=ZEROS), f"The file {{root}}/source/main.py has the digest {digest_bytes(b'1')}, not {ZEROS}: it was changed meanwhile.", "Do not write to it while it is uploaded; try again.", "{root}/source/main.py"),
    "no such datastore": (lambda p: p.workspace.datastore("blop"), "The workspace 'lab' has no datastore 'blop'.", "Did you mean 'blob'? It has: blob.", "blop"),
    "no definition": (lambda p: p.definitions.get("0123456789abcdef"), "There is no pipeline definition 0123456789abcdef.", "`airloom gc` removes those that were not used for long. Submit the pipeline again.", "0123456789abcdef"),
    "no digest of a definition": (lambda p: p.definitions.get("x" * 99), f"'{'x' * 80}' is not the digest of a definition.", "It has 16 hexadecimal digits.", "x" * 80),
    "altered definition": (altered_definition, "The definition 'definitions/0123456789abcdef.json' was altered: its content does not have its digest.", "Delete it from the store and submit the pipeline again.", "definitions/0123456789abcdef.json"),
    "no shard": (lambda p: p.definitions.shard(-1), "There is no shard -1.", "Shards are 0 to 15.", "-1"),
    "foreign DAG": (lambda p: digest16_of_dag_id("example"), "The DAG 'example' was not made by Airloom.", "The ids of its DAGs end with '.' and 16 hexadecimal digits.", "example"),
    "altered blob": (altered_blob, "The stored content of 'main.py' was altered ({blob}).", "Delete it from the store if it is there, and submit the pipeline again.", "main.py"),
    "missing blob": (missing_blob, "The stored content of 'main.py' is missing ({blob}).", "Delete it from the store if it is there, and submit the pipeline again.", "main.py"),
    "altered snapshot": (altered_snapshot, f"The stored snapshot 'workspaces/lab/snapshots/{ZEROS}.json' was altered: its content has the digest {{snapshot}}.", "Delete it from the store and submit the pipeline again.", f"workspaces/lab/snapshots/{ZEROS}.json"),
    "no manifest": (no_manifest, f"The stored snapshot 'workspaces/lab/snapshots/{ZEROS}.json' was altered: it is not a manifest (1 validation error for TreeManifest).", "Delete it from the store and submit the pipeline again.", f"workspaces/lab/snapshots/{ZEROS}.json"),
    "occupied": (occupied, "The folder {root}/source already exists and is not the snapshot {snapshot}.", "Remove it or choose another folder.", "{root}/source"),
    "vanished": (vanished, "The file 'main.py' of {root}/source vanished while the snapshot was stored.", "Submit again.", "main.py"),
    "files not stored": (not_stored, "The snapshot {snapshot} cannot be stored: 1 of its files are not in the store, among them 'main.py'.", "Upload the missing files first.", "main.py"),
    "no source folder": (lambda p: collect(p.root / "gone"), "The source directory {root}/gone does not exist.", "Give source_directory as a folder that holds the step's script.", "{root}/gone"),
    "file for a source folder": (lambda p: collect(p.source / "main.py"), "The source directory {root}/source/main.py is not a folder.", "Give source_directory as a folder that holds the step's script.", "{root}/source/main.py"),
    "too many": (lambda p: collect(p.source, limits=SnapshotLimits(max_files=0)), "The source folder {root}/source holds 1 files, more than the limit of 0 files for a snapshot.", "List what the step does not need in {root}/source/.amlignore, or set AIRLOOM_SNAPSHOT_MAX_FILES to a higher limit.", "{root}/source"),
    "too large": (lambda p: collect(p.source, limits=SnapshotLimits(max_bytes=0)), "The source folder {root}/source holds 0.0 MB (the largest file is 'main.py'), more than the limit of 0 MB for a snapshot.", "List what the step does not need in {root}/source/.amlignore, or set AIRLOOM_SNAPSHOT_MAX_MB to a higher limit.", "{root}/source"),
    "ignore file": (ignored_wrongly, "The ignore file {root}/source/.amlignore cannot be read: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte.", "Correct it; its syntax is that of .gitignore.", "{root}/source/.amlignore"),
    "not in the snapshot": (lambda p: digest_of_paths(scan_tree(p.source, null_cache()), ["main.p"]), "The snapshot has no file or folder 'main.p'.", "Did you mean 'main.py'? Paths are relative to the source directory, and ignored files are not in it.", "main.p"),
    "nothing like it": (lambda p: digest_of_paths(scan_tree(p.source, null_cache()), ["xyz"]), "The snapshot has no file or folder 'xyz'.", "Paths are relative to the source directory, and ignored files are not in it.", "xyz"),
    "nothing there": (lambda p: p.data.scan("gone"), "The datastore 'blob' has nothing at 'gone' (looked in {root}/data).", "Check the path; was the data uploaded?", "gone"),
    "no file": (lambda p: p.data.open_read("gone"), "The datastore 'blob' has no file 'gone'.", "Check the path.", "gone"),
    "taken": (lambda p: p.data.write("there", io.BytesIO(), overwrite=False), "The datastore 'blob' already has 'there'.", "Choose another path, or ask for overwriting.", "there"),
    "deleting the root": (lambda p: p.data.delete(""), "The root of the datastore 'blob' cannot be deleted.", "Name a path in it.", ""),
    "replacing the root": (lambda p: p.data.write("", io.BytesIO()), "The root of the datastore 'blob' cannot be replaced.", "Name a path in it.", ""),
    "private path": (lambda p: p.data.local_path("a/.airloom-x"), "The path 'a/.airloom-x' has a name that Airloom keeps for itself.", "Choose another name.", "a/.airloom-x"),
    "published link": (lambda p: p.data.publish(link(p.root / "l", "source"), "l"), "{root}/l is a symbolic link.", "Write a real file or folder there.", "l"),
    "no tree": (lambda p: scan_tree(p.root / "gone", null_cache()), "There is no file or folder {root}/gone.", "Check the path.", "{root}/gone"),
    "no file to digest": (lambda p: StatCache(None).digest(p.root / "gone"), "The file {root}/gone does not exist.", "Check the path.", "{root}/gone"),
    "link to nothing": (lambda p: collect(link(p.source / "l", "gone").parent), "The symbolic link {root}/source/l leads to {root}/source/gone, which does not exist.", "Remove or exclude it.", "l"),
    "link out of a source folder": (lambda p: collect(link(p.source / "l", "/usr").parent), "The symbolic link {root}/source/l leads to /usr, outside of {root}/source.", "Replace it by what it points to, or exclude it.", "l"),
    "pipe": (lambda p: collect(pipe(p.source / "l").parent), "{root}/source/l is neither a file nor a folder (a device, pipe or socket).", "Remove or exclude it.", "{root}/source/l"),
    "link around": (lambda p: collect(link(p.source / "l", ".").parent), "The symbolic link {root}/source/l leads back to a folder around it.", "Remove or exclude it.", "l"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_errors_name_thing_cause_and_mend(place: Place, case: str) -> None:
    act, *expected = CASES[case]
    known: dict[str, Any] = {"root": place.root}
    if "{snapshot}" in expected[0]:
        known["snapshot"] = collect(place.source, cache=null_cache()).digest
    if "{blob}" in expected[0]:
        (entry,) = collect(place.source, cache=null_cache()).entries
        known["blob"] = place.workspace.blob_key(entry.digest)
    with pytest.raises(AirloomError) as caught:
        act(place)
    found = [caught.value.message, caught.value.hint, caught.value.target]
    assert found == [text.format(**known) for text in expected]
