"""Addresses of object stores, and the names under which their options and secrets are known.

Options may be written as fsspec, Airflow's connections or obstore name them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from airloom.errors import InvalidName
from airloom.storage.paths import validate_relative
from airloom.storage.secrets import Connection

NATIVE = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}
"""What obstore reaches, by the schemes that people write. All others are left to fsspec."""

_OBSTORE_NAMES = {
    "key": "access_key_id",
    "secret": "secret_access_key",
    "token": "session_token",
    "anon": "skip_signature",
    "endpoint_url": "endpoint",
    "region_name": "region",
    "service_config": None,
    "config_kwargs": None,
    "extra_args": None,
    "verify": None,
    "key_path": "service_account",
    "keyfile_dict": "service_account_key",
    "project": None,
}
"""fsspec's and Airflow's names in obstore's words; None: what means nothing to it."""


@dataclass(frozen=True)
class ObjectAddress:
    """A place such as `s3://bucket/prefix`. What comes behind the scheme is for others than obstore one path."""

    scheme: str
    bucket: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}://{'/'.join(filter(None, (self.bucket, self.prefix)))}"

    @property
    def is_native(self) -> bool:
        """True for what obstore reaches."""
        return self.scheme in NATIVE.values()

    @classmethod
    def parse(cls, url: str) -> ObjectAddress:
        """The place that an address names. Raises InvalidName, which never repeats a secret."""
        parts = urlsplit(url)
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise InvalidName(
                "The address of a datastore may hold no credentials, as it is stored and shown.",
                hint="Keep them in an Airflow connection, and name that.",
                target="url",
            )
        scheme = NATIVE.get(parts.scheme, parts.scheme)
        if not parts.scheme or (scheme in NATIVE.values() and not parts.netloc):
            raise InvalidName(
                f"{url!r} is not the address of an object store.", hint="Write s3://BUCKET/prefix.", target=url
            )
        return cls(scheme, parts.netloc, validate_relative(unquote(parts.path).lstrip("/")))


def obstore_options(scheme: str, options: Mapping[str, Any], connection: Connection | None) -> dict[str, Any]:
    """Options and secrets in obstore's words. The connection's own fields are an access key and its secret."""
    found: dict[str, Any] = dict(options)
    if connection is not None:
        if scheme == "s3" and connection.login:
            found |= {"access_key_id": connection.login, "secret_access_key": connection.password}
        found |= connection.extra
    found |= found.pop("client_kwargs", None) or {}
    named = {_obstore_name(name): value for name, value in found.items()}
    return {name: _as_text(value) for name, value in named.items() if name is not None and value is not None}


def _obstore_name(name: str) -> str | None:
    bare = name.removeprefix("extra__google_cloud_platform__").removeprefix("aws_")
    return _OBSTORE_NAMES.get(bare, bare)


def _as_text(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict) else value


def fsspec_options(options: Mapping[str, Any], connection: Connection | None) -> dict[str, Any]:
    """Options and secrets in fsspec's words, which are those of `options` and of a connection's extra."""
    if connection is None:
        return dict(options)
    own = {"username": connection.login, "password": connection.password, "port": connection.port}
    return {**options, **{name: value for name, value in own.items() if value}, **connection.extra}
