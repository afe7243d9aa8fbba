"""Eight processes and one key, in a local folder and in Azure Blob Storage: one wins, none is lost, none is mixed."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise

import pytest

from airloom.graph.canonical import digest_bytes
from airloom.graph.model import Definition
from airloom.reuse.records import RecordStore
from airloom.storage.definitions import DefinitionStore, digest16, shard_of
from airloom.storage.object_store import open_store
from tests.integration.writers import store_roles
from tests.integration.writers.conftest import WRITERS
from tests.support.builders import a_graph, a_step
from tests.support.crew import Crew

pytestmark = [pytest.mark.integration, pytest.mark.thorough, pytest.mark.timeout(1800)]

Rounds = Callable[[int, int], int]


def test_of_eight_records_of_one_key_exactly_one_is_added(writers: Crew, any_address: str, rounds: Rounds) -> None:
    count = rounds(20, 200)
    told = writers.run(store_roles.add_records, any_address, count)
    records = RecordStore(open_store(any_address), "reuse")
    for number, round_of in enumerate(zip(*told, strict=True)):
        winners = [who for who, (won, _) in enumerate(round_of) if won]
        assert len(winners) == 1, f"round {number} was won by {winners}"
        assert {read for _, read in round_of} == set(winners)
        found = records.find(digest_bytes(b"%d" % number), store_roles.true_digest)
        assert store_roles.writer_of(found) == winners[0]


def test_who_reads_while_others_refresh_finds_a_whole_record(writers: Crew, any_address: str, rounds: Rounds) -> None:
    records = RecordStore(open_store(any_address), "reuse")
    records.add(store_roles.record_of(0, "k"))
    writers.run(store_roles.refresh_or_find, any_address, rounds(20, 200))
    assert store_roles.writer_of(records.find("k", store_roles.true_digest)) % 2 == 1


def test_a_lease_never_has_two_owners(writers: Crew, any_address: str, rounds: Rounds) -> None:
    count = rounds(3, 40)
    held = writers.run(store_roles.hold_lease, any_address, count)
    intervals = sorted((begin, end, who) for who, times in enumerate(held) for begin, end in times)
    assert len(intervals) == WRITERS * count
    overlaps = [(earlier, later) for earlier, later in pairwise(intervals) if later[0] < earlier[1]]
    assert overlaps == []


def test_the_lease_of_the_dead_goes_to_exactly_one(writers: Crew, any_address: str, rounds: Rounds) -> None:
    got = writers.run(store_roles.die_holding_a_lease, any_address, rounds(5, 40))
    for number, owners in enumerate(zip(*got, strict=True)):
        assert len(list(filter(None, owners))) == 1, f"round {number}: {owners}"


def test_definitions_put_into_one_shard_at_once_are_all_listed(writers: Crew, any_address: str, rounds: Rounds) -> None:
    count = rounds(5, 40)
    definitions = in_one_shard(WRITERS * count)
    writers.run(store_roles.put_definitions, any_address, [definitions[n::count] for n in range(count)])
    digests = sorted(map(digest16, definitions))
    store = DefinitionStore(open_store(any_address))
    assert store.shard(shard_of(digests[0])) == digests
    assert [digest16(store.get(digest)) for digest in digests] == digests


def test_no_update_is_lost_or_done_twice(writers: Crew, any_address: str, rounds: Rounds) -> None:
    count = rounds(20, 200)
    writers.run(store_roles.append, any_address, count)
    entries = json.loads(open_store(any_address).get("list"))
    assert sorted(entries) == sorted(f"{who}-{number}" for who in range(WRITERS) for number in range(count))
    for who in range(WRITERS):
        own = [entry for entry in entries if entry.startswith(f"{who}-")]
        assert own == [f"{who}-{number}" for number in range(count)], "each writer's updates are in his order"


def in_one_shard(count: int) -> list[Definition]:
    """Definitions whose digests all belong to one shard."""
    graph = a_graph(a_step("train"))
    found: list[Definition] = []
    number = 0
    while len(found) < count:
        number += 1
        definition = Definition(
            workspace="lab", experiment=f"e{number}", store="file:///x", default_datastore="blob", graph=graph
        )
        if shard_of(digest16(definition)) == 3:
            found.append(definition)
    return found
