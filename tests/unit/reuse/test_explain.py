"""Decisions in words: each explanation as a user reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from airloom.errors import AirloomError, NotFound
from airloom.graph.model import ReuseMode
from airloom.graph.results import Change, Explanation, Origin, Reason
from airloom.reuse import explain
from airloom.reuse.decide import effective_mode
from airloom.reuse.hashing import StepKey
from airloom.reuse.plan import Decision, Plan
from airloom.reuse.records import LostRecord, Record
from tests.support.builders import a_step

STEP = a_step("train").model_copy(update={"name": "train it"})
ORIGIN = Origin(run_id="run-1", step_id="train", attempt="1")


def a_record(parts: dict[str, Any], run_id: str = "run-1") -> Record:
    origin = ORIGIN.model_copy(update={"run_id": run_id})
    return Record(key="k", parts=parts, outputs={}, origin=origin, step_name="train it", created_at="2026")


def no_files(digest: str) -> Mapping[str, str]:
    raise NotFound(f"There is no snapshot {digest}.")


def missed(before: dict[str, Any], now: dict[str, Any], files: dict[str, dict[str, str]] | None = None) -> Explanation:
    files_of = no_files if files is None else files.__getitem__
    return explain.missed(STEP, StepKey("n", now), [a_record(before)], files_of)


def the_rest(explanation: Explanation) -> dict[str, Any]:
    return explanation.model_dump(exclude={"message", "changed"})


def test_changes_are_listed_in_the_order_of_the_new_key_then_what_is_gone() -> None:
    before = {"gone": 1, "same": 2, "other": None, "none": None, "gone too": None}
    now = {"new": None, "other": 3, "same": 2, "none": None}
    assert explain.changes(before, now) == [
        Change(part="new", before=None, now=None),
        Change(part="other", before=None, now=3),
        Change(part="gone", before=1, now=None),
        Change(part="gone too", before=None, now=None),
    ]
    assert explain.changes(now, now) == []


def test_the_nearest_attempt_differs_in_the_fewest_parts_and_of_equals_is_the_newest() -> None:
    newest, near, far = a_record({"a": 1, "b": 9}, "3"), a_record({"a": 9, "b": 1}, "2"), a_record({}, "1")
    assert explain.nearest({"a": 1, "b": 1}, [newest, near, far]) == newest
    assert explain.nearest({"a": 9, "b": 1}, [newest, near, far]) == near
    assert explain.nearest({"a": 0, "b": 0}, [newest, near]) == newest
    assert explain.nearest({}, []) is None


@pytest.mark.parametrize("now", [{"a": 1}, {"a": 2}])
def test_no_more_of_the_history_is_read_once_an_attempt_differs_in_one_part_at_most(now: dict[str, Any]) -> None:
    history = iter([a_record({"b": 3}), a_record({"a": 1}), a_record({"a": 2})])
    assert explain.nearest(now, history) == a_record({"a": 1})
    assert list(history) == [a_record({"a": 2})]


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        (Reason.UNCHANGED, "Nothing that counts has changed: reused from run run-1."),
        (Reason.EARLY_CUTOFF, "Steps before it ran, but gave the same bytes as before: reused from run run-1."),
        (Reason.SHARED, "Another live run computed the same step: reused from run run-1."),
    ],
)
def test_reused(reason: Reason, message: str) -> None:
    expected = Explanation(
        step_id="train", name="train it", action="reused", reason=reason, message=message, compared_to=ORIGIN
    )
    assert explain.reused(STEP, ORIGIN, reason) == expected


@pytest.mark.parametrize(
    ("explained", "reason", "message"),
    [
        (
            lambda: explain.not_wanted(STEP, "refresh"),
            Reason.REFRESH,
            "A refresh was asked for: computed anew, and the record replaced.",
        ),
        (lambda: explain.not_wanted(STEP, "off"), Reason.REUSE_OFF, "Reuse is off for this step or this run."),
        (
            lambda: explain.no_key(STEP, AirloomError("It is gone.")),
            Reason.NO_KEY,
            "What counts for it could not be read, so nothing can be reused. It is gone.",
        ),
        (
            lambda: explain.missed(STEP, StepKey("n", {}), [], no_files),
            Reason.FIRST_RUN,
            "No earlier attempt of this step is on record.",
        ),
    ],
)
def test_executed_without_comparison(explained: Callable[[], Explanation], reason: Reason, message: str) -> None:
    assert explained() == Explanation(
        step_id="train", name="train it", action="executed", reason=reason, message=message
    )


def test_a_record_that_is_gone() -> None:
    found = missed({"a": 1}, {"a": 1})
    assert found == Explanation(
        step_id="train",
        name="train it",
        action="executed",
        reason=Reason.RECORD_LOST,
        message="An earlier attempt had the same key, but its record is gone.",
        compared_to=ORIGIN,
    )


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        ({"version": "1"}, {"version": "2"}, "version (was '1', is '2')"),
        ({}, {"parameter:rate": 0.1}, "parameter:rate is new"),
        ({"parameter:rate": 0.1}, {}, "parameter:rate is gone"),
        ({"a": "x" * 58}, {"a": "y" * 59}, f"a (was '{'x' * 58}', is '{'y' * 56}...)"),
        ({"i": {"mode": 1, "path": 2, "old": 3}}, {"i": {"mode": 1, "path": 3, "new": 4}}, "i (path, new)"),
        ({"i": {"mode": 1}}, {"i": "text"}, "i (was {'mode': 1}, is 'text')"),
        ({"i": "text"}, {"i": {"mode": 1}}, "i (was 'text', is {'mode': 1})"),
        ({"a": 1, "b": 1}, {"a": 2, "b": 2}, "a (was 1, is 2); b (was 1, is 2)"),
        ({"source": "d1"}, {"source": "d2"}, "source (was 'd1', is 'd2')"),
        ({}, {"source": "d2"}, "source is new"),
        ({"source": "d1"}, {}, "source is gone"),
    ],
)
def test_what_changed(before: dict[str, Any], now: dict[str, Any], words: str) -> None:
    found = missed(before, now)
    assert found.message == f"Changed since run run-1: {words}."
    assert found.changed == tuple(explain.changes(before, now))
    assert the_rest(found) == {
        "step_id": "train",
        "name": "train it",
        "action": "executed",
        "reason": Reason.CHANGED,
        "compared_to": ORIGIN.model_dump(),
    }


def test_changed_files_are_named_five_at_most() -> None:
    before = {"same": "1", "altered": "1", "removed": "1"}
    now = {"same": "1", "altered": "2", "added": "1"}
    found = missed({"source": "d1"}, {"source": "d2"}, {"d1": before, "d2": now})
    assert found.message == "Changed since run run-1: source (altered, added added, removed removed)."
    assert found.changed == (
        Change(part="source", before={"altered": "1", "removed": "1"}, now={"altered": "2", "added": "1"}),
    )
    for count, rest in ((5, ""), (6, " and 1 more"), (8, " and 3 more")):
        files = {str(number): "1" for number in range(count)}
        message = missed({"source": "d1"}, {"source": "d2"}, {"d1": {}, "d2": files}).message
        assert message == f"Changed since run run-1: source (0 added, 1 added, 2 added, 3 added, 4 added{rest})."


@pytest.mark.parametrize("part", ["source", "script"])
@pytest.mark.parametrize("unknown", ["d1", "d2"])
def test_files_are_named_only_for_source_folders_that_are_known(part: str, unknown: str) -> None:
    def files_of(digest: str) -> Mapping[str, str]:
        return no_files(digest) if digest == unknown else {"a": digest}

    found = explain.missed(STEP, StepKey("n", {part: "d2"}), [a_record({part: "d1"})], files_of)
    assert found.message == f"Changed since run run-1: {part} (was 'd1', is 'd2')."


@pytest.mark.parametrize(("before", "now", "fate"), [({}, {"source": "d"}, "new"), ({"source": "d"}, {}, "gone")])
def test_no_files_are_named_of_a_source_folder_that_was_not_there(
    before: dict[str, Any], now: dict[str, Any], fate: str
) -> None:
    assert missed(before, now, {"d": {"main.py": "1"}}).message == f"Changed since run run-1: source is {fate}."


@pytest.mark.parametrize(
    ("allowed", "own", "run", "expected"),
    [
        (True, "auto", "auto", "auto"),
        (True, "refresh", "auto", "refresh"),
        (True, "off", "auto", "off"),
        (True, "auto", "refresh", "refresh"),
        (True, "off", "refresh", "refresh"),
        (True, "refresh", "off", "off"),
        (False, "refresh", "refresh", "off"),
        (False, "auto", "auto", "off"),
    ],
)
def test_who_decides_about_the_mode(allowed: bool, own: ReuseMode, run: ReuseMode, expected: ReuseMode) -> None:
    assert effective_mode(STEP.model_copy(update={"allow_reuse": allowed, "reuse": own}), run) == expected


def test_a_lost_record_says_why() -> None:
    lost = LostRecord("It is torn.")
    assert (str(lost), lost.cause, lost.output_lost, lost.keep) == ("It is torn.", "It is torn.", False, False)
    kept = LostRecord("It is new.", output_lost=True, keep=True)
    assert (kept.output_lost, kept.keep) == (True, True)


def test_a_plan_leaves_steps_to_decide_for_themselves() -> None:
    run = Decision(action="run", message="It runs.")
    plan = Plan(decisions={"a": run, "b": run})
    assert plan.without([]) is plan
    later = Decision(action="later", message="Decided when the tasks before it have run.")
    assert plan.without(["b"]).decisions == {"a": run, "b": later}


@pytest.mark.parametrize(
    ("actions", "expected"),
    [([], False), (["run"], False), (["wait"], True), (["wait", "run"], False), (["wait", "later", "reuse"], True)],
)
def test_a_plan_waits_only_if_nothing_can_start(actions: list[Any], expected: bool) -> None:
    decisions = {str(number): Decision(action=action, message="") for number, action in enumerate(actions)}
    assert Plan(decisions=decisions).must_wait is expected
