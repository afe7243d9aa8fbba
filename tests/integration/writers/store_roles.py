"""What each of eight processes does to one store. Every function is the whole work of one process."""

from __future__ import annotations

import json
import os
import random
import time
from multiprocessing.synchronize import Barrier

from airloom.graph.canonical import digest_bytes
from airloom.graph.model import Definition
from airloom.graph.results import Origin, OutputRef
from airloom.reuse.leases import LeaseStore, Owner
from airloom.reuse.records import Record, RecordStore
from airloom.storage.definitions import DefinitionStore
from airloom.storage.object_store import open_store

Interval = tuple[float, float]


def record_of(who: int, key: str, size: int = 2000) -> Record:
    """A record that tells its writer everywhere, so that a mixture of two would show."""
    return Record(
        key=key,
        parts={"writer": str(who), "text": str(who) * size},
        outputs={"out": OutputRef(datastore="d", path=f"p/{who}", digest=f"{who:064d}", size=who, is_file=True)},
        origin=Origin(run_id=str(who), step_id="train", attempt=str(who)),
        step_name="train",
        created_at="2026-01-01T00:00:00Z",
    )


def writer_of(record: Record | None) -> int:
    """Who wrote a record, all of it."""
    assert record is not None
    assert record == record_of(int(record.origin.run_id), record.key)
    return int(record.origin.run_id)


def true_digest(datastore: str, path: str) -> str:
    """Every output is what its record says."""
    return f"{int(path.removeprefix('p/')):064d}"


def add_records(who: int, barrier: Barrier, address: str, rounds: int) -> list[tuple[bool, int]]:
    """Race for the record of one key after another; for each: whether it was won, and whose record is read then."""
    records = RecordStore(open_store(address), "reuse")
    told = []
    for number in range(rounds):
        key = digest_bytes(b"%d" % number)
        barrier.wait()
        won = records.add(record_of(who, key))
        told.append((won, writer_of(records.find(key, true_digest))))
    return told


def refresh_or_find(who: int, barrier: Barrier, address: str, rounds: int) -> int:
    """Half of the processes replace one record, the others read it; returns how many records were looked at."""
    records = RecordStore(open_store(address), "reuse")
    for number in range(rounds):
        if who % 2:
            records.add(record_of(who + 8 * number, "k"), replace=True)
        else:
            writer_of(records.find("k", true_digest))
    return rounds


def hold_lease(who: int, barrier: Barrier, address: str, rounds: int) -> list[Interval]:
    """Take one lease again and again; the times, on a clock that all processes share, between which it was held."""
    leases = LeaseStore(open_store(address), "reuse")
    owner = Owner.of_this_process(f"run-{who}", "train", str(who))
    held: list[Interval] = []
    while len(held) < rounds:
        lease = leases.acquire("k", owner)
        if lease is None:
            time.sleep(random.uniform(0, 0.05))
            continue
        begin = time.monotonic()
        assert leases.holder("k") == owner
        with lease:
            time.sleep(0.002)
            assert leases.holder("k") == owner
            held.append((begin, time.monotonic()))
    return held


def die_holding_a_lease(who: int, barrier: Barrier, address: str, rounds: int) -> list[str]:
    """In each round a process that holds the lease dies, and all race for what it left; who got it."""
    leases = LeaseStore(open_store(address), "reuse")
    owner = Owner.of_this_process(f"run-{who}", "train", str(who))
    got = []
    for number in range(rounds):
        if who == 0:
            _hold_and_die(address, number)
        barrier.wait()
        lease = leases.acquire(str(number), owner)
        got.append("" if lease is None else owner.run_id)
        barrier.wait()
    return got


def _hold_and_die(address: str, number: int) -> None:
    child = os.fork()
    if child == 0:
        leases = LeaseStore(open_store(address), "reuse")
        taken = leases.acquire(str(number), Owner.of_this_process("dead", "train", "1"))
        os._exit(0 if taken else 1)
    assert os.waitpid(child, 0)[1] == 0


def put_definitions(who: int, barrier: Barrier, address: str, rounds: list[list[Definition]]) -> None:
    """In each round put one's own definition of those given; all of them belong to one shard."""
    definitions = DefinitionStore(open_store(address))
    for definition_of in rounds:
        barrier.wait()
        digest = definitions.put(definition_of[who])
        assert definitions.get(digest) == definition_of[who]


def append(who: int, barrier: Barrier, address: str, rounds: int) -> None:
    """Add one's name to a list that all add to."""
    store = open_store(address)

    for number in range(rounds):

        def add(old: bytes | None, entry: str = f"{who}-{number}") -> bytes:
            return json.dumps([*json.loads(old or b"[]"), entry]).encode()

        store.update("list", add)
