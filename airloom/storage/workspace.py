"""Everything of one workspace in the deployment's store, and the only place that knows where it lies there."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pydantic import ValidationError

from airloom.errors import AirloomError, IntegrityError, NotFound
from airloom.graph.canonical import canonical_json, digest_bytes
from airloom.storage.datastore_config import DatastoreConfig, parse_config
from airloom.storage.datastores import DatastoreHandle
from airloom.storage.envelope import seal, unseal
from airloom.storage.freshness import freshen
from airloom.storage.open_datastore import open_datastore
from airloom.storage.paths import check_digest, check_name, validate_relative
from airloom.storage.secrets import EnvironmentSecrets, Secrets
from airloom.storage.stat_cache import StatCache, shared_cache
from airloom.storage.tree import TreeManifest

if TYPE_CHECKING:
    from airloom.storage.object_store import ObjectStore


class WorkspaceStore:
    """The part of a deployment's store that belongs to one workspace."""

    def __init__(
        self, store: ObjectStore, workspace: str, cache: StatCache | None = None, secrets: Secrets | None = None
    ) -> None:
        self.store = store
        self.workspace = check_name("workspace", workspace)
        self.cache = cache or shared_cache()
        self.secrets = secrets or EnvironmentSecrets()

    def with_cache(self, cache: StatCache) -> WorkspaceStore:
        """The same, with another memory of digests."""
        return WorkspaceStore(self.store, self.workspace, cache, self.secrets)

    # --- keys -------------------------------------------------------------------------------------------------

    def key(self, *parts: str) -> str:
        """The key of an object of this workspace."""
        return "/".join(("workspaces", self.workspace, *parts))

    def datastore_key(self, name: str) -> str:
        """Key of a datastore's configuration."""
        return self.key("datastores", f"{check_name('datastore', name)}.json")

    def snapshot_key(self, digest: str) -> str:
        """Key of a snapshot's tree manifest."""
        return self.key("snapshots", f"{check_digest(digest)}.json")

    def blob_key(self, digest: str) -> str:
        """Key of the content of a file of a snapshot."""
        return self.key("blobs", check_digest(digest)[:2], digest)

    def artifact_key(self, run_id: str, step_id: str, attempt: str, name: str = "") -> str:
        """Key of a file that an attempt of a step left; without a name, the folder of all of them."""
        folder = [check_name(kind, part) for kind, part in (("run", run_id), ("step", step_id), ("attempt", attempt))]
        return self.key("runs", *folder, *filter(None, [validate_relative(name)]))

    # --- datastores -------------------------------------------------------------------------------------------

    def datastores(self) -> dict[str, DatastoreConfig]:
        """The configurations of all datastores, by name."""
        configs = [self._datastore_config(key) for key in self.store.list(self.key("datastores", ""))]
        return {config.name: config for config in configs}

    def datastore(self, name: str) -> DatastoreHandle:
        """A datastore, ready for use. NotFound names those that exist."""
        try:
            config = self._datastore_config(self.datastore_key(name))
        except NotFound:
            raise self._no_datastore(name) from None
        return open_datastore(config, self.cache, self.secrets)

    def put_datastore(self, config: DatastoreConfig) -> None:
        """Make or replace the configuration of a datastore; its data is not touched."""
        self.store.put(self.datastore_key(config.name), seal(config))

    def delete_datastore(self, name: str) -> None:
        """Forget a datastore; its data stays. No error if there is none."""
        self.store.delete(self.datastore_key(name))

    def default_datastore_root(self, name: str) -> Path:
        """The folder in which a local datastore of this workspace lies unless another is asked for."""
        root = self.store.local_path(self.key("data", check_name("datastore", name)))
        if root is None:
            raise NotFound(
                f"The datastore {name!r} has no default folder, as the store of the workspace is remote.",
                hint="Set data_root in section [airloom] of airflow.cfg, or give the datastore's root explicitly.",
                target=name,
            )
        return root

    def _datastore_config(self, key: str) -> DatastoreConfig:
        data = self.store.get(key)
        try:
            config = parse_config(unseal(data, "It"))
        except IntegrityError as error:
            return _unsealed_config(data, key, error.message)
        except ValidationError as error:
            raise _unreadable_config(key, f"{error.errors()[0]['msg']}.") from None
        if self.datastore_key(config.name) != key:
            raise _unreadable_config(key, f"It is that of the datastore {config.name!r}.")
        return config

    def _no_datastore(self, name: str) -> NotFound:
        keys = self.store.list(self.key("datastores", ""))
        names = [key.rpartition("/")[2].removesuffix(".json") for key in keys]
        close = difflib.get_close_matches(name, names)
        question = f"Did you mean {close[0]!r}? " if close else ""
        return NotFound(
            f"The workspace {self.workspace!r} has no datastore {name!r}.",
            hint=f"{question}It has: {', '.join(names) or 'none'}.",
            target=name,
        )

    # --- snapshots --------------------------------------------------------------------------------------------

    def missing_blobs(self, digests: Iterable[str]) -> list[str]:
        """Those of the digests whose content the store lacks, each once, in the order given. The others are in use."""
        return [digest for digest in dict.fromkeys(digests) if not freshen(self.store, self.blob_key(digest))]

    def put_blob(self, digest: str, content: bytes | Path) -> None:
        """Store the content of a file under its digest; IntegrityError if it has another."""
        key = self.blob_key(digest)
        if isinstance(content, Path):
            self.store.put_file(key, content, digest=digest)
        elif digest_bytes(content) == digest:
            self.store.put(key, content)
        else:
            raise IntegrityError(
                f"Content sent as {digest} has the digest {digest_bytes(content)}.",
                hint="Send it again.",
                target=digest,
            )

    def put_snapshot(self, manifest: TreeManifest) -> str:
        """Store a manifest, whose files must all be stored already; NotFound names one that is not."""
        missing = set(self.missing_blobs(entry.digest for entry in manifest.entries))
        if missing:
            first = next(entry.path for entry in manifest.entries if entry.digest in missing)
            raise NotFound(
                f"The snapshot {manifest.digest} cannot be stored: {len(missing)} of its files are not in the store,"
                f" among them {first!r}.",
                hint="Upload the missing files first.",
                target=first,
            )
        key = self.snapshot_key(manifest.digest)
        while not (self.store.put_if_absent(key, canonical_json(manifest)) or freshen(self.store, key)):
            pass  # the collector took the old one in between
        return manifest.digest

    def use_snapshot(self, digest: str) -> TreeManifest:
        """A stored manifest that the caller is about to rely on, with its files; it is marked as used."""
        manifest = self.snapshot(digest)
        if not freshen(self.store, self.snapshot_key(digest)):
            raise NotFound(f"The snapshot {digest} was removed.", hint="Upload it again.", target=digest)
        return manifest

    def snapshot(self, digest: str) -> TreeManifest:
        """A stored manifest; NotFound if there is none, IntegrityError if it is not what was stored."""
        key = self.snapshot_key(digest)
        data = self.store.get(key)
        try:
            manifest = TreeManifest.model_validate_json(data)
        except (ValidationError, AirloomError) as error:
            raise _altered(key, f"it is not a manifest ({str(error).splitlines()[0]})") from None
        if manifest.digest != digest:
            raise _altered(key, f"its content has the digest {manifest.digest}")
        return manifest

    # --- what attempts of steps leave -------------------------------------------------------------------------

    def artifact_path(self, run_id: str, step_id: str, attempt: str, name: str = "") -> Path | None:
        """Where an artifact lies, or may be written, on this machine's disk; None if the store is remote."""
        return self.store.local_path(self.artifact_key(run_id, step_id, attempt, name))

    def write_artifact(self, run_id: str, step_id: str, attempt: str, name: str, content: bytes | Path) -> None:
        """Make or replace an artifact."""
        key = self.artifact_key(run_id, step_id, attempt, name)
        if isinstance(content, Path):
            self.store.put_file(key, content)
        else:
            self.store.put(key, content)

    def open_artifact(self, run_id: str, step_id: str, attempt: str, name: str) -> BinaryIO:
        """An artifact as a stream, to be closed by the caller; NotFound if there is none."""
        return self.store.open_read(self.artifact_key(run_id, step_id, attempt, name))

    def list_artifacts(self, run_id: str, step_id: str, attempt: str) -> list[str]:
        """The names of an attempt's artifacts, sorted."""
        folder = self.artifact_key(run_id, step_id, attempt) + "/"
        return [key.removeprefix(folder) for key in self.store.list(folder)]


def _unsealed_config(data: bytes, key: str, cause: str) -> DatastoreConfig:
    """The configuration in bytes without an envelope, as earlier versions wrote it."""
    try:
        return parse_config(json.loads(data))
    except ValueError:
        raise _unreadable_config(key, cause) from None


def _unreadable_config(key: str, cause: str) -> IntegrityError:
    return IntegrityError(
        f"The datastore configuration {key!r} cannot be read. {cause}", hint="Register the datastore again.", target=key
    )


def _altered(key: str, cause: str) -> IntegrityError:
    return IntegrityError(
        f"The stored snapshot {key!r} was altered: {cause}.",
        hint="Delete it from the store and submit the pipeline again.",
        target=key,
    )
