"""Values in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from airloom.graph.results import Change, Explanation, Reason
from airloom.plugins.pages import words
from airloom.plugins.pages.words import ABSENT

A, B = "a" * 64, "b" * 64


def rows(part: str, before: Any, now: Any) -> list[tuple[str, str, str, str]]:
    """The lines of one change."""
    found = words.change_rows([Change(part=part, before=before, now=now)])
    return [(row.part, row.detail, row.before, row.now) for row in found]


def explained(reason: Reason, *changed: Change) -> Explanation:
    action: Any = "executed"
    return Explanation(step_id="a", name="a", action=action, reason=reason, message="m", changed=changed)


def test_a_source_folder_file_by_file() -> None:
    changed = rows("source", {"edited.py": A, "gone.py": A}, {"edited.py": B, "new.py": B})
    assert changed == [
        ("source", "edited.py", A[:12], B[:12]),
        ("source", "new.py", ABSENT, B[:12]),
        ("source", "gone.py", A[:12], ABSENT),
    ]


def test_a_part_with_named_values_shows_only_those_that_differ() -> None:
    before = {"python": "3.11", "packages": ["pandas==2.3.3"]}
    now = {"python": "3.11", "packages": ["pandas==2.3.4"]}
    assert rows("environment", before, now) == [("environment", "packages", '["pandas==2.3.3"]', '["pandas==2.3.4"]')]


@pytest.mark.parametrize(
    ("part", "before", "now", "expected"),
    [
        ("parameter:rate", 1, 2, ("parameter rate", "", "1", "2")),
        ("parameter:rate", None, "x", ("parameter rate", "", ABSENT, "x")),
        ("source", A, B, ("source", "", A[:12], B[:12])),
        (
            "arguments",
            [["literal", "--out"], ["output", "model"]],
            [["literal", "--out"], ["parameter", "where"]],
            ("arguments", "", "--out <output model>", "--out <parameter where>"),
        ),
    ],
)
def test_a_single_value(part: str, before: Any, now: Any, expected: tuple[str, ...]) -> None:
    assert rows(part, before, now) == [expected]


def test_named_settings_that_hold_one_token_each() -> None:
    assert rows("params", {"rate": ["literal", 1]}, {"rate": ["parameter", "rate"]}) == [
        ("params", "rate", "1", "<parameter rate>")
    ]


def test_long_values_are_cut() -> None:
    assert len(words.text("x" * 10_000)) == 400
    many = words.change_rows([Change(part="source", before={}, now={str(n): A for n in range(500)})])
    some, left_out = words.shown(many)
    assert (len(some), left_out) == (200, 300)


def test_every_reason_has_words() -> None:
    for reason in set(Reason) - {Reason.CHANGED}:
        assert words.reason(explained(reason))


def test_a_change_is_named_by_file_or_part() -> None:
    source = Change(part="source", before={"train.py": A}, now={"train.py": B})
    data = Change(part="input:table", before={"content": A, "mode": "mount"}, now={"content": B, "mode": "download"})
    assert words.reason(explained(Reason.CHANGED, source)) == "Changed: train.py"
    assert words.reason(explained(Reason.CHANGED, source, data)) == "Changed: train.py, input table"
    many = Change(part="source", before={}, now=dict.fromkeys("abcde", A))
    assert words.reason(explained(Reason.CHANGED, many)) == "Changed: a, b, c and 2 more"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(None, ABSENT), (0.04, "0.0 s"), (59.94, "59.9 s"), (125, "2 min 5 s"), (3900, "1 h 5 min")],
)
def test_durations(seconds: float | None, expected: str) -> None:
    assert words.duration(seconds) == expected


@pytest.mark.parametrize(
    ("count", "expected"), [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (3 * 1024**5, "3072.0 TiB")]
)
def test_sizes(count: int, expected: str) -> None:
    assert words.size(count) == expected


def test_moments_are_in_utc() -> None:
    assert words.moment(None) == ABSENT
    east = datetime(2030, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    assert words.moment(east) == "2030-01-02 03:04:05 UTC"
    assert words.seconds_between(east, east.astimezone(UTC)) == 0
    assert words.seconds_between(None, east) is None
