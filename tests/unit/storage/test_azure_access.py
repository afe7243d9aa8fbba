"""Which credentials the parts of a connection are, and how an identity of Azure is asked for a token."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from azure.identity import ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential

from airloom.errors import StoreUnavailable
from airloom.storage.azure_access import AzureAccess, connection_access, storage_token
from airloom.storage.secrets import Connection

KEY = "a2V5IG9mIGFuIGFjY291bnQ="


def access(connection: Connection, endpoint: str | None = None) -> AzureAccess:
    return connection_access("mine", connection, "acc", endpoint)


def test_an_account_key() -> None:
    for connection in (Connection(login="acc", password=KEY), Connection(extra={"shared_access_key": KEY})):
        opened = access(connection)
        assert (opened.key, opened.sas, opened.secret) == (KEY, "", "")
        assert opened.endpoint == "https://acc.blob.core.windows.net"
        assert opened.source == "the connection 'mine'"
        assert KEY not in repr(opened)


def test_a_signature_in_any_form() -> None:
    for text in ("sv=1&sig=x", "?sv=1&sig=x", "https://acc.blob.core.windows.net/?sv=1&sig=x"):
        opened = access(Connection(extra={"sas_token": text}))
        assert (opened.key, opened.sas) == ("", "sv=1&sig=x")
        assert "sig" not in repr(opened)


def test_a_connection_string_and_where_it_leads() -> None:
    text = f"DefaultEndpointsProtocol=https;AccountName=acc;AccountKey={KEY};EndpointSuffix=core.chinacloudapi.cn"
    given = Connection(extra={"connection_string": text})
    assert access(given).endpoint == "https://acc.blob.core.chinacloudapi.cn"
    assert access(given, "http://127.0.0.1:1/acc").endpoint == "http://127.0.0.1:1/acc"
    for text in ("", "AccountName=acc;AccountKey", "BlobEndpoint=https://acc.blob.x;SharedAccessSignature="):
        with pytest.raises(StoreUnavailable, match="the connection 'mine' is not a connection string"):
            access(Connection(extra={"connection_string": text or " "}))


def test_a_service_principal() -> None:
    opened = access(Connection(login="client", password="hidden", extra={"tenant_id": "tenant"}))
    assert (opened.tenant, opened.client, opened.key) == ("tenant", "client", "")
    assert isinstance(opened.credential(), ClientSecretCredential)
    assert "hidden" not in repr(opened)


def test_the_identity_of_the_machine() -> None:
    named = access(Connection(extra={"managed_identity_client_id": "client"}))
    assert isinstance(named.credential(), ManagedIdentityCredential)
    assert isinstance(access(Connection()).credential(), DefaultAzureCredential)


class _Identity(BaseHTTPRequestHandler):
    """What a machine of Azure has: an address that gives out tokens of its identity."""

    def do_GET(self) -> None:
        assert self.headers["X-IDENTITY-HEADER"] == "proof"
        assert "resource=https%3A%2F%2Fstorage.azure.com" in self.path.replace(":", "%3A").replace("//", "%2F%2F")
        token = {"access_token": "a token", "expires_on": str(int(time.time()) + 3600), "resource": "r"}
        content = json.dumps({**token, "token_type": "Bearer"}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with HTTPServer(("127.0.0.1", 0), _Identity) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{server.server_port}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "proof")
        yield
        server.shutdown()


@pytest.mark.usefixtures("identity")
def test_a_managed_identity_gives_a_token_for_storage() -> None:
    assert storage_token(access(Connection(extra={"managed_identity_client_id": "another"}))) == "a token"
