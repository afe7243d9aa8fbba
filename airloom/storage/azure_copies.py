"""Copies within an account of Azure Storage: the service copies, and no byte passes through this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.core import MatchConditions
from azure.storage.blob import BlobSasPermissions, generate_blob_sas

from airloom.errors import IntegrityError, NotFound
from airloom.storage.azure_access import storage_token
from airloom.storage.azure_bytes import changed, side_by_side
from airloom.storage.azure_container import AzureContainer
from airloom.storage.azure_datastore import AzureBlobDatastore
from airloom.storage.azure_errors import ConditionFailed
from airloom.storage.azure_listing import find
from airloom.storage.azure_publication import Publication, Sent, taken
from airloom.storage.datastores import DatastoreHandle, EachFile, FileInfo

AT_ONCE = 256 * 1024 * 1024
"""The largest file that the service copies within one request. It shows the copy once it is complete."""

_LOOK_SECONDS = 0.5
_VALID = timedelta(hours=1)


def copy_within_account(
    source: DatastoreHandle,
    path: str,
    target: DatastoreHandle,
    target_path: str,
    *,
    overwrite: bool = False,
    each: EachFile = lambda info: None,
) -> bool:
    """Let the service copy a file or folder (all below it) to a path of another datastore, which appears whole.

    False, and nothing is done, if it cannot: the datastores are not of one account, or a single file is larger than
    what is copied at once. NotFound if there is nothing to copy, AlreadyExists unless `overwrite`.
    """
    if not (isinstance(source, AzureBlobDatastore) and isinstance(target, AzureBlobDatastore)):
        return False
    if source.container.access.endpoint != target.container.access.endpoint:
        return False
    found = find(source.container, path)
    if not found.there:
        raise NotFound(
            f"The datastore {source.config.name!r} has nothing at {path!r}.", hint="Check the path.", target=path
        )
    normal = target.vacant(target_path, overwrite)
    copies = _Copies(source.container, target.container, each)
    if [info.path for info in found.files] == [found.base]:
        return copies.file(found.files[0], normal, overwrite)
    skipped = len(found.base) + 1 if found.base else 0
    copies.folder({f"{normal}/{info.path[skipped:]}": info for info in found.files}, normal, overwrite)
    return True


class _Copies:
    def __init__(self, source: AzureContainer, target: AzureContainer, each: EachFile) -> None:
        self._source, self._target, self._each = source, target, each

    def file(self, info: FileInfo, key: str, overwrite: bool) -> bool:
        """Copy a single file to its final place. False if it is too large."""
        if info.size > AT_ONCE or (overwrite and any(self._target.blobs(f"{key}/"))):
            return False
        self._target.check(key)
        condition = {} if overwrite else {"match_condition": MatchConditions.IfMissing}
        try:
            self._request(info, key, at_once=True, **condition)
        except ConditionFailed:
            self._tell_why(info, key)
        self._each(info)
        return True

    def _tell_why(self, info: FileInfo, key: str) -> None:
        """A condition failed: the source has changed, the target is there, or it is there since this very copy."""
        now = self._source.find(info.path)
        if now is None or now.etag != info.etag:
            raise changed(self._source, info)
        there = self._target.find(key)
        if there is None or info.digest is None or there.metadata.get("airloom_digest") != info.digest:
            raise taken(self._target, key)

    def folder(self, files: Mapping[str, FileInfo], path: str, overwrite: bool) -> None:
        """Copy all files to their final places behind a marker."""
        for key in files:
            self._target.check(key)
        publication = Publication(self._target, path)

        def copy(key: str) -> None:
            publication.marker.check()
            self._complete(files[key], key)
            self._each(files[key])

        with publication.hidden(overwrite=overwrite):
            side_by_side(copy, list(files))
            publication.show({key: Sent(info.size, info.digest or "") for key, info in files.items()})

    def _complete(self, info: FileInfo, key: str) -> None:
        """Copy a file of any size, and wait until the service has done it."""
        try:
            state = self._request(info, key, at_once=info.size <= AT_ONCE)["copy_status"]
        except ConditionFailed:
            raise changed(self._source, info) from None
        while state == "pending":
            time.sleep(_LOOK_SECONDS)
            blob = self._target.blob(key)
            state = self._target.ask(key, blob.get_blob_properties).copy.status
        if state != "success":
            raise IntegrityError(
                f"The service did not copy {info.path!r} of the datastore {self._source.config.name!r}: {state}.",
                hint="Try again.",
                target=info.path,
            )

    def _request(self, info: FileInfo, key: str, *, at_once: bool, **condition: Any) -> dict[str, Any]:
        blob = self._target.blob(key)
        address, options = self._authorised(info)
        if at_once:
            options["requires_sync"] = True
        elif "source_authorization" in options:
            del options["source_authorization"]  # not taken here, nor needed within one account
        answer: dict[str, Any] = self._target.ask(
            key,
            lambda: blob.start_copy_from_url(
                address,
                source_etag=f'"{info.etag}"',
                source_match_condition=MatchConditions.IfNotModified,
                **options,
                **condition,
            ),
        )
        return answer

    def _authorised(self, info: FileInfo) -> tuple[str, dict[str, Any]]:
        """The address of the source with what lets the service read it there."""
        blob, access = self._source.blob(info.path), self._source.access
        if access.sas:
            return blob.url, {}  # the client has put it there
        if not access.key:
            return blob.url, {"source_authorization": f"Bearer {storage_token(access)}"}
        sas = generate_blob_sas(
            access.account,
            blob.container_name,
            blob.blob_name,
            account_key=access.key,
            permission=BlobSasPermissions(read=True),
            start=datetime.now(UTC) - timedelta(minutes=15),
            expiry=datetime.now(UTC) + _VALID,
        )
        return f"{blob.url}?{sas}", {}
