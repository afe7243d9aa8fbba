"""Files on datastores, snapshots, and the limits of what is sent."""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from airloom.client import Client
from airloom.exceptions import AlreadyExistsException, NotFoundException, UserErrorException
from airloom.graph.canonical import digest_bytes
from airloom.storage.tree import TreeEntry, TreeManifest
from tests.integration.api.server import ApiServer

BLOBS = "workspaceblobstore"
MIB = 1024 * 1024


def data_folder(server: ApiServer, workspace: str) -> Path:
    return server.store / f"workspaces/{workspace}/data/{BLOBS}"


def test_upload_and_download(admin: Client, workspace: str) -> None:
    """Bytes come back as they went, however they were given; names may hold any characters."""
    content = os.urandom(3 * MIB + 17)
    stored = admin.upload_file(workspace, BLOBS, "a b/ü&#?.bin", io.BytesIO(content))
    assert (stored["path"], stored["size"]) == ("a b/ü&#?.bin", len(content))
    assert b"".join(admin.download_file(workspace, BLOBS, "a b/ü&#?.bin")) == content
    admin.upload_file(workspace, BLOBS, "empty", b"")
    assert b"".join(admin.download_file(workspace, BLOBS, "empty")) == b""
    assert [entry["path"] for entry in admin.list_files(workspace, BLOBS)] == ["a b/ü&#?.bin", "empty"]
    assert [entry["path"] for entry in admin.list_files(workspace, BLOBS, "*/*.bin")] == ["a b/ü&#?.bin"]


def test_overwriting_is_asked_for(admin: Client, workspace: str) -> None:
    """An upload never replaces a file by accident."""
    admin.upload_file(workspace, BLOBS, "data.csv", b"one")
    with pytest.raises(AlreadyExistsException, match=r"already has 'data\.csv'"):
        admin.upload_file(workspace, BLOBS, "data.csv", b"two")
    before = admin.digest(workspace, BLOBS, "data.csv")
    admin.upload_file(workspace, BLOBS, "data.csv", b"two", overwrite=True)
    assert b"".join(admin.download_file(workspace, BLOBS, "data.csv")) == b"two"
    assert admin.digest(workspace, BLOBS, "data.csv") != before


def test_delete(admin: Client, workspace: str) -> None:
    """A file or a whole folder goes; what is not there is no error."""
    for path in ("folder/a", "folder/b", "c"):
        admin.upload_file(workspace, BLOBS, path, b"x")
    admin.delete_file(workspace, BLOBS, "folder")
    admin.delete_file(workspace, BLOBS, "folder")
    assert [entry["path"] for entry in admin.list_files(workspace, BLOBS)] == ["c"]
    with pytest.raises(NotFoundException, match="no file 'folder/a'"):
        list(admin.download_file(workspace, BLOBS, "folder/a"))


@pytest.mark.parametrize("path", ["../x", "a/../../x", "%2e%2e/x", "%2Fetc/passwd", "..%2f..%2fx"])
def test_paths_stay_inside(server: ApiServer, workspace: str, path: str) -> None:
    """However the path is written, nothing outside the datastore is read or written."""
    http = server.http("admin")
    url = f"{server.url}/airloom/api/v1/workspaces/{workspace}/datastores/{BLOBS}/files/{path}"
    for method in ("GET", "PUT", "DELETE"):
        assert http.request(method, url).status_code in (400, 404, 405)
    assert not (server.store / f"workspaces/{workspace}/data/x").exists()


def test_link_that_leaves(server: ApiServer, admin: Client, workspace: str) -> None:
    """A link in a datastore is no way out of it."""
    admin.upload_file(workspace, BLOBS, "a", b"x")
    (data_folder(server, workspace) / "link").symlink_to("/etc")
    with pytest.raises(UserErrorException, match="leaves its folder through a symbolic link"):
        list(admin.download_file(workspace, BLOBS, "link/passwd"))


def test_downloads_are_not_run_by_browsers(server: ApiServer, admin: Client, workspace: str) -> None:
    """A page that somebody uploaded must not act with the session of who looks at it."""
    admin.upload_file(workspace, BLOBS, "page.html", b"<script>alert(1)</script>")
    answer = server.http("user").get(f"/workspaces/{workspace}/datastores/{BLOBS}/files/page.html")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"


# --- limits -----------------------------------------------------------------------------------------------------


def endless() -> Iterator[bytes]:
    """A body without a length, which is one good frame after the other; the reader must stop it."""
    for _ in range(64):
        yield frame(b"x" * MIB)


def assert_too_large(answer: httpx.Response, option: str) -> None:
    assert answer.status_code == 413
    assert answer.json()["Error"]["Code"] == "LimitExceeded"
    assert option in answer.json()["Error"]["Message"]


@pytest.mark.parametrize(
    ("method", "path", "size", "option"),
    [
        ("POST", "", 1, "max_request_mb"),
        ("POST", "/{ws}/graphs/validate", 2, "max_graph_mb"),
        ("POST", "/{ws}/experiments/e/runs", 2, "max_graph_mb"),
        ("PUT", "/{ws}/datastores/workspaceblobstore/files/big", 4, "max_upload_mb"),
        ("PUT", "/{ws}/snapshots/blobs", 4, "max_snapshot_mb"),
    ],
)
def test_large_bodies(server: ApiServer, workspace: str, method: str, path: str, size: int, option: str) -> None:
    """Refused with 413 both when the length is announced and when it shows only while reading."""
    http = server.http("admin")
    url = "/workspaces" + path.format(ws=workspace)
    assert_too_large(http.request(method, url, content=b"x" * (size * MIB + 1)), option)
    assert_too_large(http.request(method, url, content=endless()), option)
    assert not list(data_folder(server, workspace).glob("**/*big*"))
    assert not [each for each in data_folder(server, workspace).glob("**/*") if each.is_file()]


def test_upload_cut_off(server: ApiServer, admin: Client, workspace: str) -> None:
    """A connection that breaks in the middle leaves no file, not even a part."""
    path = f"/airloom/api/v1/workspaces/{workspace}/datastores/{BLOBS}/files/half"
    head = (
        f"PUT {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {server.token('admin')}\r\n"
        f"content-length: {MIB}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head.encode() + b"x" * 1000)
    admin.upload_file(workspace, BLOBS, "whole", b"x")
    assert [entry["path"] for entry in admin.list_files(workspace, BLOBS)] == ["whole"]


# --- snapshots --------------------------------------------------------------------------------------------------


def manifest_of(files: dict[str, bytes]) -> TreeManifest:
    return TreeManifest(
        entries=tuple(TreeEntry(path=path, size=len(data), digest=digest_bytes(data)) for path, data in files.items())
    )


def frame(data: bytes, digest: str | None = None, length: int | None = None) -> bytes:
    return (digest or digest_bytes(data)).encode() + (len(data) if length is None else length).to_bytes(8, "big") + data


def test_snapshot(admin: Client, workspace: str, tmp_path: Path) -> None:
    """Only missing files travel, small and large, from memory and from disk."""
    big = tmp_path / "big.bin"
    big.write_bytes(os.urandom(MIB + 5))
    files = {"main.py": b"print()", "big.bin": big.read_bytes(), "empty": b""}
    manifest = manifest_of(files)
    digests = [entry.digest for entry in manifest.entries]
    assert admin.missing_blobs(workspace, digests) == digests
    contents = {digest_bytes(data): (big if path == "big.bin" else data) for path, data in files.items()}
    assert sum(admin.upload_blobs(workspace, contents.items())) == manifest.total_size
    assert admin.missing_blobs(workspace, digests) == []
    stored = admin.put_snapshot(workspace, manifest.digest, manifest.model_dump(mode="json"))
    assert stored == {"digest": manifest.digest, "files": 3, "size": manifest.total_size}
    assert TreeManifest.model_validate(admin.get_snapshot(workspace, manifest.digest)) == manifest


def test_snapshot_without_its_files(admin: Client, workspace: str) -> None:
    """A manifest is refused until all its files are stored, and under any digest but its own."""
    manifest = manifest_of({"main.py": b"not uploaded"})
    with pytest.raises(NotFoundException, match=r"among them 'main\.py'"):
        admin.put_snapshot(workspace, manifest.digest, manifest.model_dump(mode="json"))
    with pytest.raises(UserErrorException, match="The manifest has the digest"):
        admin.put_snapshot(workspace, "0" * 64, manifest.model_dump(mode="json"))
    with pytest.raises(NotFoundException):
        admin.get_snapshot(workspace, manifest.digest)


@pytest.mark.parametrize("path", ["../evil.py", "/evil.py", "a/../../evil.py"])
def test_snapshot_with_unsafe_paths(admin: Client, workspace: str, path: str) -> None:
    """Such a manifest would write outside of the step's folder when it is laid out."""
    body = {"format": 1, "entries": [{"path": path, "size": 0, "digest": digest_bytes(b"")}]}
    with pytest.raises(UserErrorException, match=r"absolute|'\.\.'"):
        admin.put_snapshot(workspace, "0" * 64, body)


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (frame(b"true", digest_bytes(b"false")), 400, "has the digest"),
        (frame(b"short", length=10), 400, "ends in the middle of a file"),
        (frame(b"whole") + b"0123", 400, "ends in the middle of a file"),
        (frame(b"x", digest="Z" * 64), 400, "is not a digest"),
        (frame(b"", length=2**63), 413, "max_snapshot_file_mb"),
        (frame(b"x") * 51, 413, "An upload may hold 50 files"),
    ],
    ids=["wrong digest", "truncated content", "truncated header", "no digest", "huge length", "too many"],
)
def test_bad_frames(server: ApiServer, workspace: str, body: bytes, status: int, message: str) -> None:
    """Whatever is wrong with an upload is said; a wrong content is never stored."""
    answer = server.http("user").put(f"/workspaces/{workspace}/snapshots/blobs", content=body)
    assert answer.status_code == status
    assert message in answer.json()["Error"]["Message"]
    assert server.client("user").missing_blobs(workspace, [digest_bytes(b"false")]) == [digest_bytes(b"false")]


def test_errors_can_be_found_in_the_log(server: ApiServer) -> None:
    """The caller's request id comes back in the body and the header; a harmful one does not."""
    http = server.http("admin")
    answer = http.get("/workspaces/none", headers={"x-request-id": "abc-123"})
    assert answer.json()["Correlation"] == {"request": "abc-123"}
    assert answer.headers["x-request-id"] == "abc-123"
    answer = http.get("/workspaces/none", headers={"x-request-id": "a b<script>"})
    assert len(answer.json()["Correlation"]["request"]) == 32
