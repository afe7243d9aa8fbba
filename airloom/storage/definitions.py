"""Definitions: immutable, found by digest, and listed in a fixed number of shards that Airflow's parser watches."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import datetime

from pydantic import ValidationError

from airloom.errors import AirloomError, IntegrityError, InvalidName, NotFound
from airloom.graph.canonical import canonical_json, digest_bytes, digest_value
from airloom.graph.model import Definition
from airloom.storage.envelope import seal, unseal
from airloom.storage.freshness import freshen
from airloom.storage.object_store import ObjectInfo, ObjectStore
from airloom.storage.paths import slug

log = logging.getLogger(__name__)

SHARDS = 16
_DIGEST16 = re.compile(r"[0-9a-f]{16}")


def digest16(definition: Definition) -> str:
    """The short digest by which a definition is stored and found."""
    return digest_value(definition)[:16]


def dag_id(definition: Definition) -> str:
    """The id of the Airflow DAG that runs a definition: readable, and another for each content."""
    return dag_id_of(name_of(definition), digest16(definition))


def name_of(definition: Definition) -> str:
    """What the readable part of a DAG's id is made from: the published pipeline's name, or the experiment."""
    return definition.publication.name if definition.publication else definition.experiment


def dag_id_of(name: str, digest: str) -> str:
    """The id of the Airflow DAG that runs the definition of this short digest, which bears this name."""
    return f"{slug(name)}.{digest}"


def is_dag_of_definition(dag_id: str) -> bool:
    """True for the ids of DAGs that run stored definitions."""
    return "." in dag_id and _DIGEST16.fullmatch(dag_id.rpartition(".")[2]) is not None


def digest16_of_dag_id(dag_id: str) -> str:
    """The short digest in the id of a DAG of ours; InvalidName for the id of any other DAG."""
    if not is_dag_of_definition(dag_id):
        raise InvalidName(
            f"The DAG {dag_id!r} was not made by Airloom.",
            hint="The ids of its DAGs end with '.' and 16 hexadecimal digits.",
            target=dag_id,
        )
    return dag_id.rpartition(".")[2]


def shard_of(digest: str) -> int:
    """The shard in whose index a definition is listed."""
    return int(digest[:2], 16) % SHARDS


class DefinitionStore:
    """The definitions of a deployment. What was put stays as it is; a changed pipeline is another definition."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def put(self, definition: Definition) -> str:
        """Store a definition and list it in its shard; returns its short digest. Putting it again changes nothing.

        The index comes last, so that a listed definition can always be read.
        """
        digest = self.keep(definition)
        self.enlist(digest)
        return digest

    def keep(self, definition: Definition) -> str:
        """Store a definition, so that it can be read but is not listed; returns its short digest."""
        data = canonical_json(definition)
        digest = digest_bytes(data)[:16]
        self._keep(digest, data)
        return digest

    def _keep(self, digest: str, data: bytes) -> None:
        key = _definition_key(digest)
        while not self._store.put_if_absent(key, data):
            if not freshen(self._store, key):
                continue  # the collector took the old one in between
            if self._store.get(key) != data:
                raise _altered(key)
            break

    def hold(self, definition: Definition) -> str:
        """Store a definition that is to be published, so that it can be read; returns its short digest.

        Until it is released it is no part of what an index lists when it is made anew: that it is there does not mean
        that anybody has published it.
        """
        data = canonical_json(definition)
        digest = digest_bytes(data)[:16]
        self._store.put(held_key(digest), data)
        return digest

    def release(self, digest: str) -> None:
        """Let a definition that was held be one like others, and list it. Doing it again changes nothing."""
        try:
            self._keep(digest, self._store.get(held_key(digest)))
        except NotFound:
            pass  # it was released before
        self.settle(digest)
        self._store.delete(held_key(digest))

    def withhold(self, digest: str) -> None:
        """Take a release back: the definition can still be read, and that is all."""
        self._store.put(held_key(digest), self._store.get(_definition_key(digest)))
        self.unlist(digest)
        self._store.delete(_definition_key(digest))

    def held(self) -> Iterator[str]:
        """The short digests of the definitions that were not released, or are just being so."""
        return self._digests_below("held/")

    def enlist(self, digest: str) -> None:
        """List a stored definition in its shard."""
        self._list(shard_of(digest), digest)

    def unlist(self, digest: str) -> None:
        """Take a definition out of its shard, so that Airflow drops its DAG; the definition stays."""
        number = shard_of(digest)
        stored = self._stored(number)

        def drop(old: bytes | None) -> bytes:
            before = _index_entries(number, old)
            return _index_json({*(stored if before is None else before)} - {digest})

        self._store.update(index_key(number), drop)

    def settle(self, digest: str) -> None:
        """Let the index list a definition if it is stored and only then, whatever others do to it meanwhile.

        Whoever removes one, or lists one that he has not just put, calls this afterwards: of two who come between
        each other's steps the later one leaves the index right.
        """
        listed = None
        while listed != (stored := self.info(digest) is not None):
            if stored:
                self.enlist(digest)
            else:
                self.unlist(digest)
            listed = stored

    def mend_shard(self, number: int) -> None:
        """Let a shard list what is stored, and nothing else."""
        stored = set(self._stored(number))
        foreign = set(self.listed(number) or ()) - stored
        self._store.update(
            index_key(number), lambda old: _index_json({*(_index_entries(number, old) or ()), *stored} - foreign)
        )

    def delete_if_unused(self, digest: str, before: datetime) -> bool:
        """Remove a definition that is not listed, unless it was put at or after this time. True if it is gone."""
        return self._store.delete_if_unused(_definition_key(digest), before)

    def stored(self) -> Iterator[str]:
        """The short digests of all definitions, listed or not."""
        return self._digests_below("definitions/")

    def _digests_below(self, folder: str) -> Iterator[str]:
        names = (key.removeprefix(folder).removesuffix(".json") for key in self._store.list(folder))
        return (name for name in names if _DIGEST16.fullmatch(name))

    def info(self, digest: str) -> ObjectInfo | None:
        """Size of a definition and when it was last put; None if there is none."""
        return self._store.info(_definition_key(digest))

    def get(self, digest: str) -> Definition:
        """The definition of this short digest. NotFound if there is none, IntegrityError if it was altered."""
        if not _DIGEST16.fullmatch(digest):
            raise InvalidName(
                f"{digest[:80]!r} is not the digest of a definition.",
                hint="It has 16 hexadecimal digits.",
                target=digest[:80],
            )
        key = _definition_key(digest)
        try:
            data = self._read(digest)
        except NotFound:
            raise NotFound(
                f"There is no pipeline definition {digest}.",
                hint="`airloom gc` removes those that were not used for long. Submit the pipeline again.",
                target=digest,
            ) from None
        if digest_bytes(data)[:16] != digest:
            raise _altered(key)
        try:
            return Definition.model_validate_json(data)
        except ValidationError as error:
            raise IntegrityError(
                f"The definition {key!r} cannot be read by this version of Airloom: {error.errors()[0]['msg']}.",
                hint="Use the version that wrote it, or submit the pipeline again.",
                target=key,
            ) from None

    def _read(self, digest: str) -> bytes:
        try:
            return self._store.get(_definition_key(digest))
        except NotFound:
            return self._store.get(held_key(digest))

    def shard(self, number: int) -> list[str]:
        """The short digests of the definitions in a shard, sorted. An index that is lost or damaged is made anew."""
        listed = self.listed(number)
        if listed is not None:
            return listed
        stored = self._stored(number)
        if stored:
            log.warning("The index %s was lost or damaged; it is made anew.", index_key(number))
            try:
                self._list(number, *stored)
            except (AirloomError, OSError) as error:
                log.warning("The index %s cannot be written: %s", index_key(number), error)
        return stored

    def _list(self, number: int, *digests: str) -> None:
        """Enter definitions into the index of a shard, which is made from all stored ones if it cannot be read."""
        listed = self.listed(number)
        if listed is not None and set(digests) <= set(listed):
            return
        stored = self._stored(number) if listed is None else []

        def enter(old: bytes | None) -> bytes:
            before = _index_entries(number, old)
            return _index_json({*(stored if before is None else before), *digests})

        self._store.update(index_key(number), enter)

    def listed(self, number: int) -> list[str] | None:
        """What the index of a shard lists; None if it is missing or damaged."""
        try:
            return _index_entries(number, self._store.get(index_key(number)))
        except NotFound:
            return None

    def _stored(self, number: int) -> list[str]:
        """The definitions of a shard that are in the store, listed or not."""
        return [digest for digest in self.stored() if shard_of(digest) == number]

    def shard_etag(self, number: int) -> str | None:
        """A text that is another after each change of the shard; None while it is empty."""
        return self._store.etag(index_key(number))


def _definition_key(digest: str) -> str:
    return f"definitions/{digest}.json"


def held_key(digest: str) -> str:
    """Key of a definition that is to be published."""
    return f"held/{digest}.json"


def index_key(number: int) -> str:
    """Key of the index object of a shard."""
    if not 0 <= number < SHARDS:
        raise InvalidName(f"There is no shard {number}.", hint=f"Shards are 0 to {SHARDS - 1}.", target=str(number))
    return f"index/{number:02x}.json"


def _index_json(digests: set[str]) -> bytes:
    return seal({"definitions": sorted(digests)})


def _index_entries(number: int, data: bytes | None) -> list[str] | None:
    """What an index lists; None if there is none, if it was damaged, or if it is that of another shard."""
    if data is None:
        return None
    try:
        digests: list[str] = unseal(data, "The index")["definitions"]
    except (IntegrityError, KeyError):
        return None
    return digests if all(shard_of(digest) == number for digest in digests) else None


def _altered(key: str) -> IntegrityError:
    return IntegrityError(
        f"The definition {key!r} was altered: its content does not have its digest.",
        hint="Delete it from the store and submit the pipeline again.",
        target=key,
    )
