"""Whether a datastore that is to be registered can be used: asked once, with the credentials that it is given."""

from __future__ import annotations

from collections.abc import Callable

from airloom.errors import AirloomError, InvalidGraph
from airloom.plugins.errors import BadRequest
from airloom.storage.datastore_config import (
    AzureBlobConfig,
    AzureFileShareConfig,
    DatastoreConfig,
    LocalConfig,
    SqlConfig,
)
from airloom.storage.open_datastore import open_datastore
from airloom.storage.secrets import Secrets
from airloom.storage.stat_cache import null_cache

PROBE = "airloom-check"
"""A name that is asked for; whether there is such a file does not matter."""


def check_reachable(config: DatastoreConfig, secrets: Secrets, *, create: bool) -> None:
    """BadRequest, with the cause, if the datastore cannot be used. With `create`, its container or share is made."""
    if create:
        _told(config, lambda: _create(config, secrets))
    if not isinstance(config, LocalConfig | SqlConfig):
        _told(config, lambda: open_datastore(config, null_cache(), secrets).exists(PROBE))


def _told(config: DatastoreConfig, work: Callable[[], object]) -> None:
    try:
        work()
    except AirloomError as error:
        raise BadRequest(
            f"The datastore {config.name!r} was not registered. {error.message}",
            hint=f"{error.hint} To register it all the same, skip the validation.".strip(),
            target=config.name,
        ) from None


def _create(config: DatastoreConfig, secrets: Secrets) -> None:
    """Make the container or share, unless it is there."""
    if isinstance(config, AzureBlobConfig):
        from airloom.storage.azure_container import AzureContainer

        container = AzureContainer(config, secrets)
        container.ask("", lambda: container.client.exists() or container.client.create_container())
    elif isinstance(config, AzureFileShareConfig):
        from airloom.storage.file_share import create_file_share

        create_file_share(config, secrets)
    else:
        raise InvalidGraph(
            f"Nothing can be made for a datastore of type {config.type}.", hint="Leave out create_if_not_exists."
        )
