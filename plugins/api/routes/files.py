"""Files on datastores, streamed both ways. They take the right to submit: a submitted script could do the same."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from airloom.plugins.airflow_gateway import SUBMIT
from airloom.plugins.api import schemas
from airloom.plugins.api.auth import requires
from airloom.plugins.api.bodies import body_file, download, in_thread, limited_route
from airloom.plugins.api.deps import StoreDep

router = APIRouter(
    prefix="/workspaces/{ws}/datastores/{name}/files",
    tags=["files"],
    route_class=limited_route("max_upload_mb"),
    dependencies=[requires(SUBMIT)],
)


@router.get("", summary="List files")
def list_files(name: str, storage: StoreDep, prefix: Annotated[str, Query()] = "") -> schemas.FileList:
    """The files at a path, in a folder, or matched by a glob; sorted by path."""
    files = storage.datastore(name).list(prefix)
    return schemas.FileList(files=[schemas.FileInfo.model_validate(file, from_attributes=True) for file in files])


@router.get("/{path:path}", summary="Download a file", response_class=StreamingResponse)
def download_file(name: str, path: str, storage: StoreDep) -> StreamingResponse:
    """The bytes of one file."""
    return download(storage.datastore(name).open_read(path))


@router.put("/{path:path}", status_code=201, summary="Upload a file")
async def upload_file(
    name: str, path: str, request: Request, storage: StoreDep, overwrite: Annotated[bool, Query()] = False
) -> schemas.FileInfo:
    """The body is the file; it appears whole once all of it has arrived, or not at all."""
    body = body_file(request)
    written = await in_thread(lambda: storage.datastore(name).write(path, body, overwrite=overwrite))
    return schemas.FileInfo.model_validate(written, from_attributes=True)


@router.delete("/{path:path}", status_code=204, summary="Delete a file or folder")
def delete_file(name: str, path: str, storage: StoreDep) -> None:
    """No error if there is nothing at the path."""
    storage.datastore(name).delete(path)
