"""docs/reuse.md says of the key, the reasons, the modes and the times what the code says."""

from __future__ import annotations

import re
from typing import get_args

from airloom.execution.stop import WATCH_SECONDS
from airloom.graph.model import FromSource, InputPort, OutputPort, ParameterValue, ReuseMode, TabularSource
from airloom.graph.results import Reason
from airloom.reuse.hashing import StepKey, step_key
from airloom.reuse.leases import LEASE_SECONDS, RENEW_SECONDS
from airloom.reuse.records import HISTORY_LENGTH
from airloom.storage.stat_cache import RACY_NS
from tests.docs.support import ROOT, codes, first_codes, rows, section, text_of
from tests.support.builders import a_step

PAGE = "docs/reuse.md"


def a_key_of_every_part() -> StepKey:
    """The key of a step that has one of everything."""
    step = a_step(
        "step",
        writes=(),
        inputs=(InputPort(name="NAME", binding=FromSource(source="table"), mode="direct"),),
        outputs=(OutputPort(name="NAME"),),
        arguments=(ParameterValue(parameter="NAME"),),
    )
    return step_key(
        step,
        source_digest="0" * 64,
        input_digests={"NAME": "1" * 64},
        parameters={"NAME": 1},
        sources={"table": TabularSource(locations=())},
    )


def test_every_part_of_the_key_is_there() -> None:
    assert first_codes(section(PAGE, "The key").partition("###")[0]) == set(a_key_of_every_part().parts)


def test_what_parts_are_made_of_is_there() -> None:
    cells = {codes(row[0])[0]: row[1] for row in rows(section(PAGE, "The key").partition("###")[0])}
    for part, value in a_key_of_every_part().parts.items():
        if isinstance(value, dict):
            assert set(value) <= set(codes(cells[part])), part


def test_every_reason_is_there() -> None:
    reasons = {code for row in rows(section(PAGE, "Explanations")) for code in codes(row[0])}
    assert reasons == {str(reason) for reason in Reason}
    outcomes = {codes(row[0])[0]: row[1] for row in rows(section(PAGE, "Explanations"))}
    reused = {str(reason) for reason in (Reason.UNCHANGED, Reason.EARLY_CUTOFF, Reason.SHARED)}
    assert {reason for reason, outcome in outcomes.items() if outcome == "was reused"} == reused


def test_every_mode_is_there() -> None:
    assert first_codes(section(PAGE, "Modes")) == set(get_args(ReuseMode))


def test_numbers_are_those_of_the_code() -> None:
    text = " ".join(text_of(PAGE).split())
    assert f"A lease lasts {LEASE_SECONDS:.0f} seconds and is renewed every {RENEW_SECONDS:.0f} seconds" in text
    assert f"The {HISTORY_LENGTH} newest attempts" in text
    assert RACY_NS == 2_000_000_000 and "within the last two seconds" in text


def test_the_times_of_waiting_are_those_of_the_code() -> None:
    code = (ROOT / "operators" / "waiting.py").read_text()
    numbers = {name: float(value) for name, value in re.findall(r"^([A-Z_]+) = ([\d.]+)$", code, re.MULTILINE)}
    text = " ".join(text_of("docs/architecture.md").split())
    assert f"keeps its worker slot for {numbers['IN_SLOT_SECONDS']:.0f} seconds" in text
    assert f"comes back after {numbers['AWAY_SECONDS']:.0f} seconds" in text
    assert numbers["POLL_SECONDS"] == 0.25 and "looks four times a second" in text
    assert numbers["LOST_WORKER_RETRIES"] == 2 and "A task is tried three times at most" in text
    assert WATCH_SECONDS == 0.5 and "One that runs looks twice a second" in text
