"""Snapshots: source folders, of which only those files travel that the store lacks."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from airloom.errors import LimitExceeded
from airloom.plugins.airflow_gateway import SUBMIT
from airloom.plugins.api import schemas
from airloom.plugins.api.auth import requires
from airloom.plugins.api.bodies import body_file, in_thread, limited_route
from airloom.plugins.api.deps import SettingsDep, StoreDep
from airloom.plugins.errors import BadRequest
from airloom.plugins.frames import store_frames
from airloom.plugins.settings import MIB, Settings
from airloom.storage.tree import TreeManifest

_OF_GRAPH_SIZE = limited_route("max_graph_mb")
_OF_SNAPSHOT_SIZE = limited_route("max_snapshot_mb")

router = APIRouter(
    prefix="/workspaces/{ws}/snapshots",
    tags=["snapshots"],
    route_class=_OF_GRAPH_SIZE,
    dependencies=[requires(SUBMIT)],
)
_uploads = APIRouter(route_class=_OF_SNAPSHOT_SIZE)


@router.post("/missing", summary="Ask which files the store lacks")
def missing(body: schemas.DigestsBody, storage: StoreDep) -> schemas.Missing:
    """Those of the digests that have to be uploaded."""
    return schemas.Missing(missing=storage.missing_blobs(body.digests))


@_uploads.put("/blobs", summary="Upload files of a source folder")
async def upload_blobs(request: Request, storage: StoreDep, settings: SettingsDep) -> schemas.Stored:
    """The body is a stream of frames: 64 digits of digest, 8 bytes of length (big-endian), the content; repeated."""
    body = body_file(request)
    files, size = await in_thread(lambda: store_frames(body, storage, settings))
    return schemas.Stored(files=files, bytes=size)


router.include_router(_uploads)


@router.put("/{digest}", summary="Store a snapshot")
def put_snapshot(digest: str, manifest: TreeManifest, storage: StoreDep, settings: SettingsDep) -> schemas.SnapshotInfo:
    """The body is the manifest, whose files have to be stored already."""
    if manifest.digest != digest:
        raise BadRequest(
            f"The manifest has the digest {manifest.digest}, not {digest[:64]!r}.",
            hint="Send it again.",
            target=digest[:64],
        )
    _check_limits(manifest, settings)
    storage.put_snapshot(manifest)
    return schemas.SnapshotInfo(digest=digest, files=len(manifest.entries), size=manifest.total_size)


@router.get("/{digest}", summary="Read a snapshot's manifest")
def get_snapshot(digest: str, storage: StoreDep) -> dict[str, Any]:
    """The manifest: paths, sizes and digests of all files. A caller that finds it need not upload it again."""
    return storage.use_snapshot(digest).model_dump(mode="json")


def _check_limits(manifest: TreeManifest, settings: Settings) -> None:
    if len(manifest.entries) > settings.max_snapshot_files:
        raise LimitExceeded(
            f"The source folder has {len(manifest.entries)} files; {settings.max_snapshot_files} are allowed.",
            hint="List what the step does not need in .amlignore, or raise max_snapshot_files in section [airloom].",
        )
    if manifest.total_size > settings.max_snapshot_mb * MIB:
        raise LimitExceeded(
            f"The source folder has {manifest.total_size} bytes; {settings.max_snapshot_mb} MiB are allowed.",
            hint="Put data on a datastore, or raise max_snapshot_mb in section [airloom].",
        )
