"""Work that tells its progress in lines of JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airloom.client import Client, PasswordCredentials
from airloom.exceptions import ServiceException, UserErrorException
from tests.unit.client.server import ScriptedServer, error_body

PROGRESS = {"progress": {"phase": "reading", "done": 1, "total": None}}
REPORT = {"report": {"freed": {}}}
ERROR = {"error": {"Code": "IntegrityError", "Message": "What a run uses cannot be read.", "Target": ""}}


def lines(*messages: Any) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def collect(server: ScriptedServer, body: dict[str, Any] | None = None) -> tuple[dict[str, Any], list[Any]]:
    seen: list[Any] = []
    with Client(server.url, PasswordCredentials("ann", password="secret")) as client:
        return client.collect_garbage("default", body or {}, seen.append), seen


def test_progress_is_told_and_the_report_returned() -> None:
    with ScriptedServer(lambda _: (200, lines(PROGRESS, PROGRESS, REPORT))) as server:
        assert collect(server, {"dry_run": True}) == (REPORT["report"], [PROGRESS["progress"]] * 2)
    (request,) = server.received
    assert (request.method, request.path) == ("POST", "/airloom/api/v1/workspaces/default/gc")
    assert json.loads(request.body) == {"dry_run": True}
    assert request.headers["accept-encoding"] == "identity", "a compressor would hold lines back"


def test_an_error_in_the_middle_is_an_exception() -> None:
    with (
        ScriptedServer(lambda _: (200, lines(PROGRESS, ERROR))) as server,
        pytest.raises(ServiceException, match=r"What a run uses cannot be read\."),
    ):
        collect(server)


@pytest.mark.parametrize("answer", [b"", lines(PROGRESS)])
def test_work_that_ends_without_a_report_is_an_exception(answer: bytes) -> None:
    with ScriptedServer(lambda _: (200, answer)) as server, pytest.raises(ServiceException, match="without a report"):
        collect(server)


def test_a_refusal_is_that_of_any_route() -> None:
    refusal = error_body("BadRequest", "older_than_seconds is too small.")
    with ScriptedServer(lambda _: (400, refusal)) as server, pytest.raises(UserErrorException, match="too small"):
        collect(server)
