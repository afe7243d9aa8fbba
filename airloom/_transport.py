"""HTTP to the server: sign-in, retries, and errors as exceptions of the SDK. `Client` stands on this."""

from __future__ import annotations

import base64
import json
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from airloom.exceptions import (
    AlreadyExistsException,
    AuthenticationException,
    AzureMLException,
    NotFoundException,
    ServiceException,
    UserErrorException,
)

if TYPE_CHECKING:
    import httpx

TOKEN_VARIABLE = "AIRLOOM_TOKEN"
API = "/airloom/api/v1"
# The server itself waits up to a minute for Airflow to take a pipeline in.
TIMEOUTS = {"connect": 10.0, "read": 180.0, "write": 60.0, "pool": 60.0}
RETRY_DELAYS = (0.2, 1.0)
IDEMPOTENCY_KEY = "Idempotency-Key"
IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
RENEW_BEFORE_SECONDS = 60
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

Body = Callable[[], Iterable[bytes]]
"""Makes the body of a request anew for each try."""


class Credentials(Protocol):
    """How to get a token. `request_token` posts a JSON object to the server's token address and returns the answer."""

    def token(self, request_token: Callable[[dict[str, str]], str]) -> str:
        """A token to try first."""

    def renew(self, request_token: Callable[[dict[str, str]], str]) -> str | None:
        """A new token after the server refused the last one; None if there is no way to get one."""


class TokenCredentials:
    """A token that was given, such as by AIRLOOM_TOKEN. It cannot be renewed."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self, request_token: Callable[[dict[str, str]], str]) -> str:
        """The token itself."""
        return self._token

    def renew(self, request_token: Callable[[dict[str, str]], str]) -> str | None:
        """None."""
        return None


class PasswordCredentials:
    """A user with a password, given or in a file `{"user": "password"}`, which is read only when it is needed."""

    def __init__(self, username: str, *, password: str | None = None, password_file: Path | None = None) -> None:
        self._username = username
        self._password = password
        self._password_file = password_file
        self._token = ""
        self._lock = threading.Lock()

    def token(self, request_token: Callable[[dict[str, str]], str]) -> str:
        """The last token, or a new one if there is none or it is about to expire."""
        with self._lock:
            if not self._token or _expires_soon(self._token):
                self._token = request_token({"username": self._username, "password": self._read_password()})
            return self._token

    def renew(self, request_token: Callable[[dict[str, str]], str]) -> str | None:
        """A new token; the password is read again, as it may be new too."""
        with self._lock:
            self._token = ""
        return self.token(request_token)

    def _read_password(self) -> str:
        if self._password is not None:
            return self._password
        if self._password_file is None:
            raise AuthenticationException(
                f"There is no password for user {self._username!r}. "
                f"Name a password_file in config.json, or set {TOKEN_VARIABLE}."
            )
        try:
            return str(json.loads(self._password_file.read_text(encoding="utf-8"))[self._username])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise AuthenticationException(
                f"The password file {self._password_file} gives no password for user {self._username!r} "
                f"({type(error).__name__}: {error}). Is the server of this workspace still there?"
            ) from error


class NoCredentials:
    """Nothing to sign in with; the first request says so."""

    def token(self, request_token: Callable[[dict[str, str]], str]) -> str:
        """Raises AuthenticationException."""
        raise AuthenticationException(
            f"There are no credentials for the Airloom server. Set {TOKEN_VARIABLE}, or use a config.json that names "
            "a username and a password_file, such as the one that `airloom up` writes."
        )

    def renew(self, request_token: Callable[[dict[str, str]], str]) -> str | None:
        """None."""
        return None


def find_credentials(username: str | None = None, password_file: Path | None = None) -> Credentials:
    """The token in AIRLOOM_TOKEN if it is set, else the user of a configuration file, else none."""
    token = os.environ.get(TOKEN_VARIABLE)
    if token:
        return TokenCredentials(token)
    if username:
        return PasswordCredentials(username, password_file=password_file)
    return NoCredentials()


def _expires_soon(token: str) -> bool:
    """True if the token says that it ends within a minute; False if it does not say."""
    try:
        claims = token.split(".")[1]
        expiry = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]
        return float(expiry) - time.time() < RENEW_BEFORE_SECONDS
    except (IndexError, ValueError, KeyError, TypeError):
        return False


class Transport:
    """Sends requests to one server. Safe for many threads."""

    def __init__(self, endpoint: str, credentials: Credentials) -> None:
        self.endpoint = endpoint.rstrip("/")
        self._credentials = credentials
        self._lock = threading.Lock()
        self._renewing = threading.Lock()
        self._http: httpx.Client | None = None

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._http is not None:
                self._http.close()
            self._http = None

    def json(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Send JSON and return the JSON answered; None for an empty answer."""
        sent = {**(headers or {}), **({"content-type": "application/json"} if body is not None else {})}
        content = [json.dumps(body, allow_nan=False).encode()] if body is not None else []
        with self.open(method, path, params=params, headers=sent, body=lambda: content) as response:
            return self.decode(response)

    def decode(self, response: httpx.Response) -> Any:
        """The JSON of a response; None if it is empty."""
        data = response.read()
        return self._decode(response, data) if data else None

    @contextmanager
    def open(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        body: Body = tuple,
        replayable: bool = True,
        idempotent: bool = True,
    ) -> Iterator[httpx.Response]:
        """A response whose body has not been read yet. Whatever fails becomes an exception of the SDK.

        With `replayable` False the body can be made only once, so the request is never sent again; with `idempotent`
        False (like any POST without an idempotency key) it is not sent again after a lost connection, since it may
        have had its effect.
        """
        given = {name: value for name, value in (params or {}).items() if value is not None}
        harmless = method in IDEMPOTENT or IDEMPOTENCY_KEY in (headers or {})
        retries = iter(RETRY_DELAYS if idempotent and replayable and harmless else ())

        def send(token: str) -> httpx.Response:
            signed = {**(headers or {}), "authorization": f"Bearer {token}"}
            return self._send(method, path, given, signed, body, retries)

        token = self._credentials.token(self._request_token)
        response = send(token)
        if replayable and _refuses_token(response):
            renewed = self._renew(token)
            if renewed is not None:
                response.close()
                response = send(renewed)
        with self._closing(response):
            yield response

    def _send(
        self,
        method: str,
        path: str,
        params: dict[str, Any],
        headers: dict[str, str],
        body: Body,
        retries: Iterator[float],
    ) -> httpx.Response:
        """Send a request, and again after each delay in `retries` if the connection was lost."""
        import httpx

        lost = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
        while True:
            client = self._client()
            request = client.build_request(
                method, f"{self.endpoint}{path}", params=params, headers=headers, content=_as_content(body)
            )
            try:
                return client.send(request, stream=True)
            except httpx.TransportError as error:
                delay = next(retries, None) if isinstance(error, lost) else None
                if delay is None:
                    raise self._broken(error) from error
                time.sleep(delay)

    @contextmanager
    def _closing(self, response: httpx.Response) -> Iterator[None]:
        """Raise what the response says is wrong, and what goes wrong while its body is read."""
        import httpx

        try:
            if response.is_error:
                response.read()
                raise to_exception(response.status_code, response.text, self.endpoint)
            yield
        except httpx.TransportError as error:
            raise self._broken(error) from error
        finally:
            response.close()

    def _renew(self, refused: str) -> str | None:
        """A token in place of a refused one. Of many threads that need one, the first fetches it for all."""
        with self._renewing:
            present = self._credentials.token(self._request_token)
            return present if present != refused else self._credentials.renew(self._request_token)

    def _request_token(self, login: dict[str, str]) -> str:
        import httpx

        try:
            response = self._client().post(f"{self.endpoint}/auth/token", json=login)
        except httpx.TransportError as error:
            raise self._broken(error) from error
        if response.status_code in (401, 403):
            raise AuthenticationException(
                f"The server at {self.endpoint} refuses user {login['username']!r}: the password is not right."
            )
        if response.is_error:
            raise to_exception(response.status_code, response.text, self.endpoint)
        return str(self._decode(response, response.content)["access_token"])

    def _client(self) -> httpx.Client:
        import httpx

        with self._lock:
            if self._http is None:
                # A proxy set for the outside must not be asked for a server on this machine.
                local = urlsplit(self.endpoint).hostname in LOOPBACK
                self._http = httpx.Client(timeout=httpx.Timeout(**TIMEOUTS), trust_env=not local)
                weakref.finalize(self, self._http.close)
            return self._http

    def _decode(self, response: httpx.Response, data: bytes) -> Any:
        try:
            return json.loads(data)
        except ValueError as error:
            raise _no_airloom(self.endpoint, response.status_code) from error

    def _broken(self, error: httpx.TransportError) -> ServiceException:
        """What to tell the user when there was no answer, or not all of one."""
        import httpx

        reason = str(error) or type(error).__name__
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            what, mend = "Cannot reach", "Start it with `airloom up`, or check the endpoint in config.json."
        else:
            what, mend = "Lost the connection to", "Try again; if that fails too, look at the server's log."
        message = f"{what} the Airloom server at {self.endpoint}: {reason}. {mend}"
        return ServiceException(message, inner_exception=error)


def _refuses_token(response: httpx.Response) -> bool:
    """True if the server does not take the token; False if it takes it, but the user lacks a right."""
    if response.status_code == 403:
        return "JWT" in response.read().decode("utf-8", "replace")
    return response.status_code == 401


def _as_content(body: Body) -> Any:
    """The body for httpx: bytes are sent with their length, anything else in chunks; nothing means no body."""
    pieces = body()
    if isinstance(pieces, list | tuple):
        return b"".join(pieces) if pieces else None
    return pieces


def to_exception(status: int, text: str, endpoint: str) -> AzureMLException:
    """The exception of the SDK for an answer that is an error."""
    try:
        error = json.loads(text)["Error"]
        message, code, details = str(error["Message"]), str(error["Code"]), list(error["Details"])
    except (ValueError, KeyError, TypeError):
        return _foreign_error(status, text, endpoint)
    target = error.get("Target") or None
    if status in (401, 403):
        return AuthenticationException(message, target=target, details=details)
    if status == 404:
        return NotFoundException(message, target=target, details=details)
    if code == "AlreadyExists":
        return AlreadyExistsException(message, target=target, details=details)
    if status < 500:
        return UserErrorException(message, target=target, details=details)
    return ServiceException(message, status_code=status, target=target, details=details)


def _foreign_error(status: int, text: str, endpoint: str) -> AzureMLException:
    """An error that something other than Airloom's API answered."""
    if status == 404:
        return _no_airloom(endpoint, status)
    message = f"{endpoint} answered with HTTP status {status}: {text[:200]}"
    if status in (401, 403):
        return AuthenticationException(message)
    return ServiceException(message, status_code=status)


def _no_airloom(endpoint: str, status: int) -> ServiceException:
    return ServiceException(
        f"{endpoint} answers (HTTP status {status}), but not as an Airloom server does. "
        "Is the endpoint right, and is airloom installed in that Airflow?",
        status_code=status,
    )
