"""Which files a datastore in Azure Blob Storage has. A folder that is being published is not there yet.

Its marker hides it: a blob of a name that is ours alone, put before the first file and removed after the last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from airloom.errors import UnsafePath
from airloom.storage.azure_container import FOLDER, AzureContainer
from airloom.storage.azure_pages import Blob
from airloom.storage.datastores import FileInfo, FileInfos
from airloom.storage.durable import PRIVATE_PREFIX, is_private
from airloom.storage.globs import Glob, is_glob
from airloom.storage.paths import validate_relative

UNFINISHED = f"{PRIVATE_PREFIX}unfinished"
"""The name of a marker, in the folder that it hides."""

DIGEST = "airloom_digest"
"""Metadata of a blob: the digest of its content, put there by whoever uploaded it with Airloom."""

_IS_DIGEST = re.compile(r"[0-9a-f]{64}")


class Listing(NamedTuple):
    """The files at a path, sorted; what their paths are relative to; and whether there is anything at all."""

    base: str
    files: FileInfos
    there: bool


def find(container: AzureContainer, path: str) -> Listing:
    """The files at a path: a file, a folder, or a pattern. A name with wildcards may also be literal."""
    normal = check_path(path)
    found = find_literally(container, normal)
    if found.there or not is_glob(normal):
        return found
    glob = Glob(normal)
    skipped = len(glob.base) + 1 if glob.base else 0
    beneath = (info for info in find_literally(container, glob.base).files if info.path != glob.base)
    files = [info for info in beneath if glob.matches(info.path[skipped:])]
    return Listing(glob.base, files, bool(files))


def find_file(container: AzureContainer, path: str) -> FileInfo | None:
    """The file of exactly this name."""
    normal = check_path(path)
    found = None if normal == "" or hidden(container, normal) else container.find(normal)
    return None if found is None or is_folder(found) else to_info(normal, found)


def check_path(path: str) -> str:
    """The path in normal form; UnsafePath for one that climbs out or has a name that is Airloom's own."""
    normal = validate_relative(path)
    if any(map(is_private, normal.split("/"))):
        raise UnsafePath(
            f"The path {path!r} has a name that Airloom keeps for itself.", hint="Choose another name.", target=path
        )
    return normal


def hidden(container: AzureContainer, path: str) -> bool:
    """True if a folder around the path is being published."""
    parts = path.split("/")[:-1]
    markers = ["/".join([*parts[: count + 1], UNFINISHED]) for count in range(len(parts))]
    if len(markers) < 2:
        return any(container.find(marker) is not None for marker in markers)
    with ThreadPoolExecutor(min(len(markers), 8)) as pool:
        return any(found is not None for found in pool.map(container.find, markers))


def find_literally(container: AzureContainer, path: str) -> Listing:
    """The file or folder of exactly this name."""
    if path == "":
        return Listing("", _visible(container, ""), True)
    if hidden(container, path):
        return Listing(path, [], False)
    itself = container.find(path)
    if itself is not None and not is_folder(itself):
        return Listing(path, [to_info(path, itself)], True)
    blobs = list(container.blobs(f"{path}/"))
    files = _shown(container, blobs)
    marked = any(container.key(blob.name) == f"{path}/{UNFINISHED}" for blob in blobs)
    return Listing(path, files, not marked and (itself is not None or bool(files)))


def find_unfinished(container: AzureContainer, path: str) -> FileInfos:
    """The folders below a path with a marker that no publisher holds, each with the size and time of all in it."""
    prefix = f"{path}/" if path else ""
    markers = [
        container.key(blob.name)
        for blob in container.blobs(prefix)
        if container.key(blob.name).rpartition("/")[2] == UNFINISHED and not blob.is_leased
    ]
    found = []
    for marker in markers:
        folder = marker.rpartition("/")[0]
        blobs = list(container.blobs(f"{folder}/"))
        if blobs:
            modified = max(blob.modified for blob in blobs)
            found.append(FileInfo(path=folder, size=sum(blob.size for blob in blobs), modified=modified))
    return found


def _visible(container: AzureContainer, prefix: str) -> FileInfos:
    return _shown(container, list(container.blobs(prefix)))


def _shown(container: AzureContainer, blobs: Iterable[Blob]) -> FileInfos:
    """The files among blobs that were listed together, without those of folders that are being published."""
    keyed = [(container.key(blob.name), blob) for blob in blobs]
    unfinished = {key.removesuffix(UNFINISHED) for key, _ in keyed if key.rpartition("/")[2] == UNFINISHED}
    infos = [to_info(key, blob) for key, blob in keyed if _is_file(key, blob) and not _below(key, unfinished)]
    return sorted(infos, key=lambda info: info.path)


def _is_file(key: str, blob: Blob) -> bool:
    if is_folder(blob) or (key.endswith("/") and not blob.size) or any(map(is_private, key.split("/"))):
        return False
    if validate_relative(key) != key:
        raise UnsafePath(
            f"The container has a blob {key!r}, which cannot be a file of a folder.",
            hint="Rename or remove it, or name a folder beside it.",
            target=key,
        )
    return True


def _below(key: str, folders: set[str]) -> bool:
    if not folders:
        return False
    return any(stem in folders for stem in _stems(key))


def _stems(key: str) -> Iterator[str]:
    """The folders around a key, each with its slash; the root is ""."""
    end = len(key)
    while (end := key.rfind("/", 0, end)) >= 0:
        yield key[: end + 1]
    yield ""


def is_folder(blob: Blob) -> bool:
    """True for a blob that stands for a folder."""
    return blob.metadata.get(FOLDER, "").lower() == "true"


def to_info(key: str, blob: Blob) -> FileInfo:
    """A blob as a file of the datastore."""
    digest = blob.metadata.get(DIGEST, "")
    # Only the bytes of a block blob cannot change without the metadata being written anew.
    known = digest if _IS_DIGEST.fullmatch(digest) and blob.is_block_blob else None
    return FileInfo(path=key, size=blob.size, modified=blob.modified, digest=known, etag=blob.etag)
