"""Datastores in a container of Azure Blob Storage, or in a Data Lake Gen2 account, through its blob service.

A folder is what its files have in common. Accounts with a hierarchical namespace have folders of their own, which the
blob service shows as empty blobs with a mark in their metadata; those are not files.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from airloom.errors import AlreadyExists, NotFound, UnsafePath
from airloom.graph.canonical import digest_value
from airloom.storage.azure_access import BLOCK
from airloom.storage.azure_bytes import BlobReader, fetch_files
from airloom.storage.azure_container import AzureContainer
from airloom.storage.azure_listing import check_path, find, find_file, find_literally, find_unfinished, is_folder
from airloom.storage.azure_publication import Publication, publish_folder, taken, write_stream
from airloom.storage.datastore_config import AzureBlobConfig
from airloom.storage.datastores import Download, EachFile, FileInfo, FileInfos
from airloom.storage.durable import remove_tree
from airloom.storage.remote_files import side_by_side
from airloom.storage.secrets import Secrets
from airloom.storage.tree import TreeEntry, TreeManifest
from airloom.storage.walk import walk
from airloom.storage.watched import Survey


class AzureBlobDatastore:
    """The blobs below a prefix of a container as a datastore. Safe for many threads, processes and hosts."""

    def __init__(self, config: AzureBlobConfig, secrets: Secrets) -> None:
        self.config = config
        self.container = AzureContainer(config, secrets)

    def list(self, path: str = "") -> FileInfos:
        """The files at a path, which is a file, a folder (all below it) or a glob; sorted, empty if there are none."""
        return find(self.container, path).files

    def scan(self, path: str = "") -> TreeManifest:
        """What a file, folder or glob contains, from its listing; NotFound if there is nothing.

        A file that was not uploaded by Airloom is identified by its ETag and size instead of its content.
        """
        found = find(self.container, path)
        if not found.there:
            raise self._nothing(path)
        skipped = len(found.base) + 1 if found.base else 0
        return TreeManifest(
            entries=tuple(
                TreeEntry(path=info.path[skipped:], size=info.size, digest=identity(info)) for info in found.files
            )
        )

    def digest(self, path: str = "") -> str:
        """The digest of `scan`."""
        return self.scan(path).digest

    def survey(self, path: str = "") -> Survey:
        """The ETag of each file at a path, which is another after each change. No file is ever half written."""
        return Survey({info.path: str(info.etag) for info in find(self.container, path).files})

    def exists(self, path: str) -> bool:
        """True if there is a file or folder of this name; the root always exists."""
        return find_literally(self.container, check_path(path)).there

    def local_path(self, path: str = "") -> Path | None:
        """None: no file lies on this machine's disk."""
        check_path(path)
        return None

    def open_read(self, path: str) -> BinaryIO:
        """A file as a stream, to be closed by the caller; NotFound if there is none."""
        info = find_file(self.container, path)
        if info is None:
            raise NotFound(
                f"The datastore {self.config.name!r} has no file {path!r}.", hint="Check the path.", target=path
            )
        return io.BufferedReader(BlobReader(self.container, info), BLOCK)

    def fetch(self, files: Sequence[Download], each: EachFile) -> None:
        """Copy files to this machine, several at a time; each is whole at its place or not there at all."""
        fetch_files(self.container, files, each)

    def write(self, path: str, stream: BinaryIO, *, overwrite: bool = True) -> FileInfo:
        """Make a file from a stream; it is visible once it is complete. AlreadyExists unless `overwrite`.

        A folder is never replaced by a file: that is AlreadyExists too.
        """
        normal = self.vacant(path, overwrite)
        if self._is_folder(normal):
            raise taken(self.container, normal)
        sent = write_stream(self.container, normal, stream, overwrite=overwrite)
        found = find_file(self.container, normal)
        etag = found.etag if found is not None and found.digest == sent.digest else None
        modified = found.modified if found is not None else datetime.now(UTC)
        return FileInfo(path=normal, size=sent.size, modified=modified, digest=sent.digest, etag=etag)

    def publish(
        self, staged: Path, path: str, *, overwrite: bool = False, manifest: TreeManifest | None = None
    ) -> None:
        """Move a complete file or folder of this machine to a path; no reader sees a part of it.

        UnsafePath, and nothing is moved, if it holds a link that leaves it; other links become what they point to.
        """
        normal = self.vacant(path, overwrite)
        if staged.is_symlink():
            raise UnsafePath(f"{staged} is a symbolic link.", hint="Write a real file or folder there.", target=path)
        for _ in walk(staged):  # refuses missing files and unsafe links
            pass
        if staged.is_dir():
            publish_folder(self.container, staged, normal, overwrite=overwrite, known=manifest)
        elif self._is_folder(normal):
            publication = Publication(self.container, normal)
            with publication.hidden(overwrite=True), staged.open("rb") as stream:
                write_stream(self.container, normal, stream, overwrite=True)
                publication.remove()
        else:
            with staged.open("rb") as stream:
                write_stream(self.container, normal, stream, overwrite=overwrite)
        remove_tree(staged)

    def delete(self, path: str) -> None:
        """Remove a file or a folder with all in it, in one step for readers; no error if there is none."""
        normal = check_path(path)
        if not normal:
            raise UnsafePath(
                f"The root of the datastore {self.config.name!r} cannot be deleted.", hint="Name a path in it."
            )
        if find_file(self.container, normal) is not None:
            self.container.delete(normal)
        elif self.container.find(normal) is not None or any(self.container.blobs(f"{normal}/")):
            publication = Publication(self.container, normal)
            with publication.hidden(overwrite=True):
                publication.remove()

    def unfinished(self, path: str = "") -> FileInfos:
        """The folders below a path that publishers who were killed have left hidden, with size and time of change."""
        return find_unfinished(self.container, check_path(path))

    def _is_folder(self, path: str) -> bool:
        return self.exists(path) and find_file(self.container, path) is None

    def vacant(self, path: str, overwrite: bool) -> str:
        """The path in normal form, if something may be put there."""
        normal = check_path(path)
        if not normal:
            raise UnsafePath(
                f"The root of the datastore {self.config.name!r} cannot be replaced.", hint="Name a path in it."
            )
        if not overwrite and self.exists(normal):
            raise taken(self.container, normal)
        for folder, found in zip(above := _above(normal), side_by_side(self.container.find, above), strict=True):
            if found is not None and not is_folder(found):
                raise AlreadyExists(
                    f"The folder {folder!r} cannot be made: a file has its name.",
                    hint="Choose another path.",
                    target=path,
                )
        return normal

    def _nothing(self, path: str) -> NotFound:
        return NotFound(
            f"The datastore {self.config.name!r} has nothing at {path!r} (looked in {self.config.place}).",
            hint="Check the path; was the data uploaded?",
            target=path,
        )


def identity(info: FileInfo) -> str:
    """What tells a file's content from another: its digest, or else the version that the service names."""
    return info.digest or digest_value(["etag", info.etag, info.size])


def _above(normal: str) -> list[str]:
    """The folders above a path, without the root."""
    parts = normal.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]
