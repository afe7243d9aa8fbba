"""The client against a server that misbehaves on demand."""

from __future__ import annotations

import base64
import inspect
import io
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from airloom.client import Client, PasswordCredentials, TokenCredentials, find_credentials
from airloom.exceptions import (
    AlreadyExistsException,
    AuthenticationException,
    AzureMLException,
    NotFoundException,
    ServiceException,
    UserErrorException,
)
from tests.unit.client.server import Answer, Received, Reset, ScriptedServer, error_body


def signed_in(server: ScriptedServer) -> Client:
    return Client(server.url, PasswordCredentials("ann", password="secret"))


def first(count: int, otherwise: Answer, then: Answer) -> Answer:
    """An answer that is one thing the first times, then another."""
    seen: list[Received] = []

    def answer(request: Received) -> tuple[int, Any]:
        seen.append(request)
        return otherwise(request) if len(seen) <= count else then(request)

    return answer


def reset(_: Received) -> tuple[int, Any]:
    raise Reset


def ok(_: Received) -> tuple[int, Any]:
    return 200, {"name": "default"}


def refused(_: Received) -> tuple[int, Any]:
    return 401, error_body("Unauthenticated", "Token Expired")


# --- signing in -------------------------------------------------------------------------------------------------


def test_signs_in_once() -> None:
    """The token is fetched at the first call and used for all."""
    with ScriptedServer(ok) as server:
        client = signed_in(server)
        client.get_workspace("a")
        client.get_workspace("b")
        assert server.logins == [{"username": "ann", "password": "secret"}]
        assert [request.headers["authorization"] for request in server.received] == ["Bearer token-1"] * 2


@pytest.mark.parametrize(
    "refusal", [refused, lambda _: (403, error_body("Forbidden", "Invalid JWT token"))], ids=["expired", "other key"]
)
def test_renews_a_refused_token(refusal: Answer) -> None:
    """A token that the server no longer takes is replaced, and the request sent again, a POST as well."""
    with ScriptedServer(first(1, refusal, ok)) as server:
        signed_in(server).create_workspace({"name": "a"})
        assert [request.headers["authorization"] for request in server.received] == ["Bearer token-1", "Bearer token-2"]
        assert len({request.body for request in server.received}) == 1


def test_gives_up_after_one_renewal() -> None:
    """A server that refuses the new token as well is believed."""
    with ScriptedServer(refused) as server, pytest.raises(AuthenticationException, match="Token Expired"):
        signed_in(server).get_workspace("a")
    assert len(server.received) == 2


def test_renews_before_expiry() -> None:
    """A token that says that it ends within a minute is not used any more."""
    claims = base64.urlsafe_b64encode(json.dumps({"exp": time.time() + 30}).encode()).decode().rstrip("=")
    asked: list[dict[str, str]] = []

    def request_token(login: dict[str, str]) -> str:
        asked.append(login)
        return f"head.{claims}.signature"

    credentials = PasswordCredentials("ann", password="secret")
    credentials.token(request_token)
    credentials.token(request_token)
    assert len(asked) == 2


def test_lacking_a_right_is_no_reason_to_renew() -> None:
    """The server's words reach the user."""
    with ScriptedServer(lambda _: (403, error_body("Forbidden", "User 'ann' lacks the right"))) as server:
        with pytest.raises(AuthenticationException, match="lacks the right"):
            signed_in(server).get_workspace("a")
        assert len(server.logins) == 1


def test_wrong_password(tmp_path: Path) -> None:
    """The message names the server and the user, never the password."""
    (tmp_path / "passwords").write_text('{"ann": "wrong-password"}')
    with ScriptedServer(ok) as server, pytest.raises(AuthenticationException, match="refuses user 'ann'") as caught:
        Client(server.url, PasswordCredentials("ann", password_file=tmp_path / "passwords")).health()
    assert "wrong-password" not in str(caught.value)


@pytest.mark.parametrize("content", [None, "not json", "{}", "[]"])
def test_password_file_that_does_not_help(tmp_path: Path, content: str | None) -> None:
    """Missing, broken or silent about the user: the file is named."""
    file = tmp_path / "passwords"
    if content is not None:
        file.write_text(content)
    with pytest.raises(AuthenticationException, match=re.escape(f"{file} gives no password for user 'ann'")):
        Client("http://127.0.0.1:9", PasswordCredentials("ann", password_file=file)).health()


def test_where_credentials_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """AIRLOOM_TOKEN counts before a configuration file; with neither, the error says what to do."""
    with ScriptedServer(ok) as server:
        monkeypatch.setenv("AIRLOOM_TOKEN", "given")
        Client(server.url, find_credentials("ann", None)).health()
        assert server.received[0].headers["authorization"] == "Bearer given"
        monkeypatch.delenv("AIRLOOM_TOKEN")
        with pytest.raises(AuthenticationException, match="Set AIRLOOM_TOKEN"):
            Client(server.url).health()
        with pytest.raises(AuthenticationException, match="Name a password_file"):
            Client(server.url, find_credentials("ann")).health()


def test_given_token_is_not_renewed() -> None:
    """There is nothing to renew it with."""
    with ScriptedServer(refused) as server, pytest.raises(AuthenticationException, match="Token Expired"):
        Client(server.url, TokenCredentials("given")).health()
    assert len(server.received) == 1


# --- connections ------------------------------------------------------------------------------------------------


def test_nobody_listens() -> None:
    """The address and the command that starts a server are named, at once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    start = time.monotonic()
    with pytest.raises(ServiceException, match=f"Cannot reach the Airloom server at {url}.*`airloom up`"):
        Client(url, TokenCredentials("t")).health()
    assert time.monotonic() - start < 2


def test_repeats_what_may_be_repeated() -> None:
    """A connection that is reset under a GET, PUT or DELETE is tried anew."""
    calls: list[Callable[[Client], Any]] = [
        lambda client: client.get_workspace("a"),
        lambda client: client.set_default_datastore("a", "b"),
        lambda client: client.delete_workspace("a"),
        lambda client: client.upload_file("a", "b", "c", b"x", overwrite=True),
    ]
    for call in calls:
        with ScriptedServer(first(2, reset, ok)) as server:
            call(signed_in(server))
            assert len(server.received) == 3


def test_does_not_repeat_what_may_have_happened() -> None:
    """A POST is sent once, and so is an upload that must not find its own file in the way."""
    calls: list[Callable[[Client], Any]] = [
        lambda client: client.create_workspace({"name": "a"}),
        lambda client: client.cancel_run("a", "b"),
        lambda client: client.resume_run("a", "b"),
        lambda client: client.upload_file("a", "b", "c", b"x"),
    ]
    for call in calls:
        with ScriptedServer(reset) as server:
            with pytest.raises(ServiceException, match="Lost the connection"):
                call(signed_in(server))
            assert len(server.received) == 1


def test_repeats_a_submission_under_its_key() -> None:
    """What starts a run is sent again with the key of the first time, by which the server knows it."""
    calls: list[Callable[[Client], Any]] = [
        lambda client: client.submit_run("a", "b", {}),
        lambda client: client.run_pipeline("a", "b", {}),
        lambda client: client.run_endpoint("a", "b", {}),
        lambda client: client.run_draft("a", "b"),
    ]
    keys = set()
    for call in calls:
        with ScriptedServer(first(2, reset, ok)) as server:
            call(signed_in(server))
            (key,) = {request.headers["idempotency-key"] for request in server.received}
            assert len(server.received) == 3
        keys.add(key)
    assert len(keys) == len(calls)


def test_a_submission_takes_the_key_that_it_is_given() -> None:
    """A caller that may itself be started again names the run it means."""
    with ScriptedServer(ok) as server:
        signed_in(server).run_pipeline("a", "b", {}, idempotency_key="nightly-7")
        assert [request.headers["idempotency-key"] for request in server.received] == ["nightly-7"]


def test_gives_up_in_the_end() -> None:
    """A server that resets every connection is reported as out of reach."""
    with ScriptedServer(reset) as server:
        with pytest.raises(ServiceException, match="Lost the connection"):
            signed_in(server).get_workspace("a")
        assert len(server.received) == 3


def test_proxy_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy set for the outside does not break `airloom up`."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with ScriptedServer(ok) as server:
        assert signed_in(server).health() == {"name": "default"}


def test_download_that_breaks_off() -> None:
    """Half a file is an error, not a short file."""
    with ScriptedServer(lambda _: (200, b"half"), withheld=4) as server, pytest.raises(ServiceException, match="Lost"):
        list(Client(server.url, TokenCredentials("t")).download_file("a", "b", "c"))


def test_many_threads_renew_once() -> None:
    """When a token ends under many requests, one new one serves them all."""

    def only_second(request: Received) -> tuple[int, Any]:
        return refused(request) if request.headers["authorization"] == "Bearer token-1" else ok(request)

    with ScriptedServer(only_second) as server, ThreadPoolExecutor(8) as pool:
        client = signed_in(server)
        assert list(pool.map(client.get_workspace, "abcdefgh")) == [{"name": "default"}] * 8
        assert len(server.logins) == 2


# --- errors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "BadRequest", UserErrorException),
        (401, "Unauthenticated", AuthenticationException),
        (403, "Forbidden", AuthenticationException),
        (404, "NotFound", NotFoundException),
        (409, "AlreadyExists", AlreadyExistsException),
        (409, "Conflict", UserErrorException),
        (413, "LimitExceeded", UserErrorException),
        (500, "InternalError", ServiceException),
        (503, "DagNotReady", ServiceException),
    ],
)
def test_errors_become_exceptions(status: int, code: str, expected: type[AzureMLException]) -> None:
    """Of exactly the class that v1's users catch, with the server's words and target."""
    body = error_body(code, "what is wrong", "it")
    with ScriptedServer(lambda _: (status, body)) as server, pytest.raises(AzureMLException, match="wrong") as caught:
        Client(server.url, TokenCredentials("t")).get_workspace("a")
    assert type(caught.value) is expected
    assert caught.value.target == "it"


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, b"<html>Airflow</html>", "not as an Airloom server does"),
        (404, b'{"detail": "Not Found"}', "not as an Airloom server does"),
        (502, b"Bad Gateway", "answered with HTTP status 502: Bad Gateway"),
    ],
)
def test_other_servers(status: int, body: bytes, message: str) -> None:
    """An Airflow without Airloom, or a gateway in between, is recognised as such."""
    with ScriptedServer(lambda _: (status, body)) as server, pytest.raises(ServiceException, match=message):
        Client(server.url, TokenCredentials("t")).get_workspace("a")


# --- bodies -----------------------------------------------------------------------------------------------------


def test_upload_starts_again_with_the_file() -> None:
    """After a refused token the file is read again from where it stood."""
    with ScriptedServer(first(1, refused, ok)) as server:
        stream = io.BytesIO(b"skipped" + b"x" * 3_000_000)
        stream.seek(7)
        signed_in(server).upload_file("a", "b", "c", stream)
        assert [len(request.body) for request in server.received] == [3_000_000] * 2


def test_upload_of_what_can_be_read_once() -> None:
    """It is sent once; half of it must never be taken for the whole."""

    class Pipe:
        def __init__(self) -> None:
            self.pieces = [b"one", b"two"]

        def read(self, size: int = -1, /) -> bytes:
            return self.pieces.pop(0) if self.pieces else b""

    with ScriptedServer(ok) as server:
        signed_in(server).upload_file("a", "b", "c", Pipe(), overwrite=True)
        assert server.received[0].body == b"onetwo"
    with ScriptedServer(refused) as server, pytest.raises(AuthenticationException):
        signed_in(server).upload_file("a", "b", "c", Pipe(), overwrite=True)
    assert len(server.received) == 1


def test_paths_are_quoted() -> None:
    """Names with any characters stay one part of the path; the slashes of a file's path stay slashes."""
    with ScriptedServer(ok) as server:
        client = signed_in(server)
        client.upload_file("w", "d", "a b/ü?#%.txt", b"")
        client.get_experiment("w", "my first? experiment")
        assert server.received[0].path.startswith(
            "/airloom/api/v1/workspaces/w/datastores/d/files/a%20b/%C3%BC%3F%23%25.txt?"
        )
        assert server.received[1].path.endswith("/experiments/my%20first%3F%20experiment")


def test_many_blobs_go_in_several_requests(tmp_path: Path) -> None:
    """No request is larger or has more files than the server takes."""
    file = tmp_path / "file"
    file.write_bytes(b"123")
    files: list[tuple[str, Path | bytes]] = [("0" * 64, file), *((f"{index:064}", b"x") for index in range(1100))]
    with ScriptedServer(lambda request: (200, {"bytes": len(request.body)})) as server:
        sent = list(signed_in(server).upload_blobs("w", files))
        assert sum(sent) == 1101 * 72 + 3 + 1100
        assert [len(request.body) for request in server.received] == sent and len(sent) == 3
        assert server.received[0].body.startswith(b"0" * 64 + (3).to_bytes(8, "big") + b"123")


def test_logs() -> None:
    """Text and the offset to go on from; bytes that are no text do no harm."""
    with ScriptedServer(lambda _: (200, b"caf\xc3\xa9\xff")) as server:
        assert signed_in(server).read_log("w", "r", "s", offset=3) == ("caf\u00e9\ufffd", 7)
        assert server.received[0].path.endswith("/steps/s/logs/stdout?offset=3")


def test_absent_filters_are_not_sent() -> None:
    """None means: not asked for."""
    with ScriptedServer(lambda _: (200, {"runs": []})) as server:
        signed_in(server).list_runs("w", status="Failed")
        assert server.received[0].path.endswith("/runs?status=Failed&limit=1000")


# --- the module itself ------------------------------------------------------------------------------------------


def test_import_is_light() -> None:
    """httpx is loaded by the first request, not by the import."""
    script = (
        "import sys, airloom.client; print([name for name in ('httpx', 'airflow', 'pandas') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_method_is_typed_and_described() -> None:
    """The client is what the SDK is built on."""
    methods = {name: value for name, value in inspect.getmembers(Client, inspect.isfunction) if name[0] != "_"}
    assert len(methods) > 60
    assert [name for name, method in methods.items() if not method.__doc__] == []
    assert [name for name, method in methods.items() if "return" not in method.__annotations__] == []
