"""What holds for the instants of any recurrence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from airloom.graph.check_recurrence import check_recurrence
from airloom.graph.recurrence import FREQUENCIES, WEEK_DAYS, Rule
from airloom.graph.recurrence_words import in_full, in_short
from tests.unit.graph.rrules import IANA, expected

ZONES = [*IANA, "UTC", "Pacific/Apia", "Africa/Casablanca"]
MOMENTS = st.datetimes(datetime(1995, 1, 1), datetime(2035, 1, 1)).map(lambda each: each.replace(microsecond=0))
SPAN = {"Minute": 0.01, "Hour": 0.2, "Day": 3, "Week": 15, "Month": 70}


@st.composite
def recurrences(draw: st.DrawFn) -> dict[str, Any]:
    frequency = draw(st.sampled_from(FREQUENCIES))
    found: dict[str, Any] = {"frequency": frequency, "interval": draw(st.integers(1, 9))}
    optional = {"start_time": MOMENTS.map(datetime.isoformat), "time_zone": st.sampled_from(ZONES)}
    if frequency in ("Day", "Week"):
        if draw(st.booleans()):
            optional["time_of_day"] = st.times().map(lambda each: each.strftime("%H:%M"))
        else:
            optional["hours"] = st.lists(st.integers(0, 23), min_size=1, max_size=4, unique=True)
            optional["minutes"] = st.lists(st.integers(0, 59), min_size=1, max_size=3, unique=True)
    if frequency == "Week":
        optional["week_days"] = st.lists(st.sampled_from(WEEK_DAYS), min_size=1, unique=True)
    for name, values in optional.items():
        if draw(st.booleans()):
            found[name] = draw(values)
    return found


@st.composite
def rules(draw: st.DrawFn) -> tuple[dict[str, Any], Rule]:
    described = draw(recurrences())
    anchor = draw(MOMENTS).replace(tzinfo=UTC)
    return described, Rule(check_recurrence(described), anchor, draw(st.booleans()))


@given(rules(), MOMENTS)
def test_next_and_previous_are_inverse_and_monotone(rule_as: tuple[dict[str, Any], Rule], at: datetime) -> None:
    """Nothing is skipped and nothing comes twice: each instant is the next of the one before it."""
    _, rule = rule_as
    instant = at.replace(tzinfo=UTC)
    following = rule.after(instant)
    assert following is not None
    assert following > instant
    assert rule.from_(following) == following
    assert rule.after(following - timedelta.resolution) == following
    second = rule.after(following)
    assert second is not None
    assert rule.before(second) == following
    previous = rule.before(following)
    assert previous is None or (previous <= instant and rule.after(previous) == following)


@given(rules(), MOMENTS, st.integers(0, 5000))
def test_later_questions_have_later_answers(rule_as: tuple[dict[str, Any], Rule], at: datetime, minutes: int) -> None:
    _, rule = rule_as
    one = rule.after(at.replace(tzinfo=UTC))
    other = rule.after(at.replace(tzinfo=UTC) + timedelta(minutes=minutes))
    assert one is not None
    assert other is not None
    assert one <= other


@settings(max_examples=60, deadline=None)  # dateutil takes its time
@given(rules())
def test_the_first_instants_are_those_of_dateutil(rule_as: tuple[dict[str, Any], Rule]) -> None:
    described, rule = rule_as
    until = rule.start + timedelta(days=SPAN[described["frequency"]] * described["interval"])
    found, at = [], rule.start - timedelta(days=1)
    while (following := rule.after(at)) is not None and following <= until:
        found.append(following)
        at = following
    assert found == expected(described, rule.anchor, rule.at_once, until)


@given(rules())
def test_words_are_one_line_and_name_the_zone(rule_as: tuple[dict[str, Any], Rule]) -> None:
    described, rule = rule_as
    assert in_short(rule).isprintable()
    assert described.get("time_zone", "UTC") in in_full(rule)
