"""Listings of a container, with metadata.

They are asked for through the pipeline of azure-storage-blob, which signs the requests, and read here: the library's
own reading takes six times as long, which for a folder of many files is longer than all else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote, unquote
from xml.etree import ElementTree

from azure.core.exceptions import HttpResponseError, IncompleteReadError
from azure.core.pipeline.transport import HttpRequest
from azure.storage.blob import BlobProperties, ContainerClient


class Blob(NamedTuple):
    """A blob as a listing or a question about it shows it; its name is that in the container."""

    name: str
    size: int
    modified: datetime
    etag: str
    metadata: Mapping[str, str]
    is_block_blob: bool
    is_leased: bool

    @classmethod
    def of(cls, found: BlobProperties) -> Blob:
        """From the answer to a question about one blob."""
        return cls(
            name=str(found.name),
            size=int(found.size),
            modified=found.last_modified,
            etag=str(found.etag).strip('"'),
            metadata=found.metadata or {},
            is_block_blob=found.blob_type == "BlockBlob",
            is_leased=found.lease.status == "locked",
        )


Ask = Callable[[Callable[[], ElementTree.Element]], ElementTree.Element]


def list_blobs(client: ContainerClient, prefix: str, ask: Ask) -> Iterator[Blob]:
    """The blobs whose names begin with these characters, in the order of the service. `ask` sends one request."""
    question = f"restype=container&comp=list&include=metadata&prefix={quote(prefix, safe='')}"
    address = f"{client.url}{'&' if '?' in client.url else '?'}{question}"
    marker: str | None = ""
    while marker is not None:
        page = address + (f"&marker={quote(marker, safe='')}" if marker else "")
        root = ask(lambda page=page: _get(client, page))  # type: ignore[misc]
        yield from map(_blob, root.iterfind("Blobs/Blob"))
        marker = root.findtext("NextMarker") or None


def _get(client: ContainerClient, address: str) -> ElementTree.Element:
    request = HttpRequest("GET", address, headers={"Accept": "application/xml"})
    response: Any = client._pipeline.run(request).http_response
    content = response.body()
    if response.status_code != 200:
        raise _error(response)
    try:
        return ElementTree.fromstring(content)
    except ElementTree.ParseError:
        raise IncompleteReadError("The listing broke off.") from None


def _error(response: Any) -> HttpResponseError:
    """The error that the library would raise."""
    error = HttpResponseError(response=response)
    error.error_code = response.headers.get("x-ms-error-code")  # type: ignore[attr-defined]
    return error


def _blob(element: ElementTree.Element) -> Blob:
    name, properties = element.find("Name"), element.find("Properties")
    if name is None or properties is None:
        raise IncompleteReadError("The listing has a blob without name or properties.")
    text = name.text or ""
    metadata = element.find("Metadata")
    return Blob(
        name=unquote(text) if name.get("Encoded") == "true" else text,
        size=int(properties.findtext("Content-Length") or 0),
        modified=_time(properties.findtext("Last-Modified") or ""),
        etag=(properties.findtext("Etag") or "").strip('"'),
        metadata={item.tag: item.text or "" for item in metadata} if metadata is not None else {},
        is_block_blob=properties.findtext("BlobType") == "BlockBlob",
        is_leased=properties.findtext("LeaseStatus") == "locked",
    )


@lru_cache(maxsize=4096)
def _time(text: str) -> datetime:
    """A time as the service writes it. Files that came together have few different ones."""
    return parsedate_to_datetime(text)
