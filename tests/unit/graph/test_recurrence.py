"""Every rule of a recurrence against instants that dateutil works out, and some against those of a calendar."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airloom.graph.check_recurrence import check_recurrence
from airloom.graph.recurrence import Rule
from airloom.graph.time_zones import windows_zones, zone
from tests.unit.graph.rrules import expected

BERLIN, NEW_YORK, SYDNEY = "W. Europe Standard Time", "Eastern Standard Time", "AUS Eastern Standard Time"
WORKING_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]
MADE = datetime(2026, 3, 20, 10, 17, 42, tzinfo=UTC)
"""When the schedules of the table are made: a Friday."""


def case(frequency: str, begin: str, **others: Any) -> tuple[dict[str, Any], str]:
    """What is given, and from when on instants are compared."""
    names = {"start": "start_time", "zone": "time_zone"}
    return {"frequency": frequency, **{names.get(name, name): value for name, value in others.items()}}, begin


CASES = [
    # Minutes and hours: time that passes.
    case("Minute", "2026-03-20", interval=1),
    case("Minute", "2026-03-20", interval=7),
    case("Minute", "2026-03-28", interval=15, start="2026-03-29T00:05:00", zone=BERLIN),
    case("Minute", "2026-10-24", interval=30, start="2026-10-25T00:10:00", zone=BERLIN),
    case("Minute", "2026-03-20", interval=45, start="2025-01-01T00:00:00"),
    case("Minute", "2026-03-20", interval=1441, start="2026-05-01T12:00:00"),
    case("Hour", "2026-03-20", interval=1),
    case("Hour", "2026-03-20", interval=6, start="2026-03-28T20:00:00", zone=NEW_YORK),
    case("Hour", "2026-03-28", interval=2, start="2026-03-29T00:30:00", zone=BERLIN),
    case("Hour", "2026-10-24", interval=2, start="2026-10-25T00:30:00", zone=BERLIN),
    case("Hour", "2026-03-20", interval=100, start="2001-02-03T04:05:06"),
    case("Hour", "2026-03-20", interval=5, start="2026-06-01T00:00:00", zone="Nepal Standard Time"),
    # Days.
    case("Day", "2026-03-20", interval=1),
    case("Day", "2026-03-20", interval=1, zone="Pacific Standard Time"),
    case("Day", "2026-03-20", interval=2, hours=[22], minutes=[30]),
    case("Day", "2026-03-20", interval=3, start="2026-05-30T08:00:00", zone="Tokyo Standard Time"),
    case("Day", "2026-03-27", interval=1, start="2026-01-01T02:30:00", zone=BERLIN),
    case("Day", "2026-10-23", interval=1, start="2026-01-01T02:30:00", zone=BERLIN),
    case("Day", "2026-03-06", interval=1, start="2026-01-01T02:30:00", zone=NEW_YORK),
    case("Day", "2026-10-30", interval=1, start="2026-01-01T01:30:00", zone=NEW_YORK),
    case("Day", "2026-10-02", interval=1, start="2026-01-01T02:15:00", zone="Lord Howe Standard Time"),
    case("Day", "2026-04-03", interval=1, start="2026-01-01T01:45:00", zone="Lord Howe Standard Time"),
    case("Day", "2026-03-06", interval=1, start="2026-01-01T00:20:00", zone="Cuba Standard Time"),
    case("Day", "2026-03-28", hours=[1, 2, 3], minutes=[0, 30], start="2026-01-01T00:00:00", zone=BERLIN),
    case("Day", "2026-10-24", hours=[1, 2, 3], minutes=[0, 30], start="2026-01-01T00:00:00", zone=BERLIN),
    case("Day", "2026-03-20", hours=[10, 12, 14]),
    case("Day", "2026-03-20", hours=[10, 12, 14], start="2026-03-01T00:25:00"),
    case("Day", "2026-03-20", minutes=[5, 50], interval=2),
    case("Day", "2026-03-20", time_of_day="15:30", zone="India Standard Time"),
    case("Day", "2026-03-20", time_of_day="15:30", start="2026-06-01T15:30:00"),
    case("Day", "2026-03-20", interval=10, time_of_day="00:00", start="1999-12-31T23:59:59"),
    case("Day", "2026-03-20", interval=365, start="1980-02-29T06:00:00"),
    # Weeks.
    case("Week", "2026-03-20"),
    case("Week", "2026-03-20", interval=2, start="2026-03-01T09:00:00", zone=BERLIN),
    case("Week", "2026-03-20", week_days=WORKING_DAYS, time_of_day="07:45", zone=BERLIN),
    case("Week", "2026-03-20", week_days=["Monday"], start="2026-04-06T12:00:00"),
    case("Week", "2026-10-20", week_days=["Sunday"], hours=[2], minutes=[30], zone=NEW_YORK),
    case("Week", "2026-03-28", week_days=["Sunday"], hours=[2], minutes=[30], start="2026-01-01T00:00:00", zone=SYDNEY),
    case(
        "Week",
        "2026-03-20",
        interval=2,
        week_days=["Sunday", "Monday"],
        start="2026-03-04T00:00:00",
        time_of_day="12:00",
    ),
    case("Week", "2026-03-20", interval=3, week_days=["Saturday", "Tuesday"], hours=[0, 6, 12, 18], minutes=[15, 45]),
    case("Week", "2026-03-20", interval=5, hours=[23], minutes=[59], start="1990-01-01T00:00:00"),
    case("Week", "2026-03-20", minutes=[0], start="2026-03-15T00:00:00"),
    # Months, and their ends.
    case("Month", "2026-03-20"),
    case("Month", "2026-01-01", start="2026-01-31T09:00:00"),
    case("Month", "2026-03-20", start="2027-12-30T09:00:00", zone=BERLIN),
    case("Month", "2023-08-01", start="2023-08-29T23:30:00", zone="Pacific Standard Time"),
    case("Month", "2025-11-01", interval=3, start="2025-11-30T00:00:00"),
    case("Month", "2024-01-01", interval=12, start="2024-02-29T10:00:00"),
    case("Month", "2026-03-20", interval=5, start="1970-01-31T02:30:00", zone=BERLIN),
    case("Month", "2025-10-01", interval=1, start="2025-10-26T01:30:00", zone="GMT Standard Time"),
]


def instants(rule: Rule, after: datetime, count: int) -> list[datetime]:
    """The next so many instants."""
    found: list[datetime] = []
    for _ in range(count):
        following = rule.after(found[-1] if found else after)
        assert following is not None
        found.append(following)
    return found


def test_the_table_is_long_enough() -> None:
    assert len(CASES) >= 40
    assert {case["frequency"] for case, _ in CASES} == {"Minute", "Hour", "Day", "Week", "Month"}


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(("given", "begin"), CASES, ids=lambda part: str(part)[:90])
def test_instants_are_those_of_dateutil(given: dict[str, Any], begin: str, at_once: bool) -> None:
    rule = Rule(check_recurrence(given), MADE, at_once)
    after = datetime.fromisoformat(begin).replace(tzinfo=UTC)

    found = instants(rule, after, 14)

    wanted = expected(given, MADE, at_once, until=found[-1])
    assert found == [each for each in wanted if each > after]
    assert [rule.before(each) for each in found[1:]] == found[:-1]
    earlier = [each for each in wanted if each < found[0]]
    assert rule.before(found[0]) == (earlier[-1] if earlier else None)


LITERAL = [
    # The clocks skip from 2 to 3 in the night to 29 March: 2:30 happens at 3:30, which is 1:30 in UTC.
    (
        {"frequency": "Day", "start_time": "2026-03-28T02:30:00", "time_zone": BERLIN},
        ["2026-03-28T01:30", "2026-03-29T01:30", "2026-03-30T00:30"],
    ),
    # They show 2:30 twice in the night to 25 October: it happens at the first.
    (
        {"frequency": "Day", "start_time": "2026-10-24T02:30:00", "time_zone": BERLIN},
        ["2026-10-24T00:30", "2026-10-25T00:30", "2026-10-26T01:30"],
    ),
    # 2:30 and 3:30 are one instant in that night of spring, and fire once.
    (
        {
            "frequency": "Day",
            "start_time": "2026-03-28T23:00:00",
            "hours": [2, 3],
            "minutes": [30],
            "time_zone": BERLIN,
        },
        ["2026-03-29T01:30", "2026-03-30T00:30", "2026-03-30T01:30"],
    ),
    # Every six hours stays so, whatever the clocks do.
    (
        {"frequency": "Hour", "interval": 6, "start_time": "2026-03-28T22:00:00", "time_zone": BERLIN},
        ["2026-03-28T21:00", "2026-03-29T03:00", "2026-03-29T09:00"],
    ),
    (
        {"frequency": "Month", "start_time": "2027-12-31T08:00:00"},
        ["2027-12-31T08:00", "2028-01-31T08:00", "2028-02-29T08:00", "2028-03-31T08:00", "2028-04-30T08:00"],
    ),
    # A start that satisfies the days and times does not fire.
    (
        {"frequency": "Week", "week_days": ["Wednesday"], "time_of_day": "8:00", "start_time": "2026-07-01T08:00:00"},
        ["2026-07-08T08:00", "2026-07-15T08:00"],
    ),
    # The day that Samoa left out, to be on the other side of the date line.
    (
        {"frequency": "Day", "start_time": "2011-12-29T10:00:00", "time_zone": "Pacific/Apia"},
        ["2011-12-29T20:00", "2011-12-30T20:00", "2011-12-31T20:00"],
    ),
]


@pytest.mark.parametrize(("given", "wanted"), LITERAL, ids=lambda part: str(part)[:80])
def test_instants_are_those_of_the_calendar(given: dict[str, Any], wanted: list[str]) -> None:
    rule = Rule(check_recurrence(given), MADE)
    found = instants(rule, datetime(2000, 1, 1, tzinfo=UTC), len(wanted))
    assert [each.strftime("%Y-%m-%dT%H:%M") for each in found] == wanted


def test_a_new_schedule_without_a_start_fires_at_once() -> None:
    for given in ({"frequency": "Day", "time_of_day": "22:30"}, {"frequency": "Hour", "interval": 2}):
        rule = Rule(check_recurrence(given), MADE, at_once=True)
        assert rule.from_(MADE) == MADE
        later = Rule(check_recurrence(given), MADE, at_once=False)
        assert later.from_(MADE) == rule.after(MADE)


def test_there_is_nothing_before_the_start() -> None:
    rule = Rule(check_recurrence({"frequency": "Day", "start_time": "2030-01-01T00:00:00", "hours": [4]}), MADE)
    assert rule.before(datetime(2030, 1, 1, 4, tzinfo=UTC)) is None
    assert rule.from_(MADE) == datetime(2030, 1, 1, 4, tzinfo=UTC)


def test_there_is_nothing_after_the_end_of_all_dates() -> None:
    rule = Rule(
        check_recurrence({"frequency": "Month", "interval": 12 * 50, "start_time": "9890-01-01T00:00:00"}), MADE
    )
    assert rule.after(datetime(9960, 1, 1, tzinfo=UTC)) is None


def test_a_start_long_ago_costs_nothing() -> None:
    """In processor time; a walk from the start would take millions of times as long as this is allowed."""
    every_minute = {"hours": list(range(24)), "minutes": list(range(60))}
    for given in (
        {"frequency": "Minute"},
        {"frequency": "Week", "interval": 3, **every_minute},
        {"frequency": "Month"},
    ):
        rule = Rule(check_recurrence({**given, "start_time": "1901-01-31T00:00:00"}), MADE)
        begun = time.process_time()
        assert rule.after(MADE) is not None
        assert rule.before(MADE) is not None
        assert time.process_time() - begun < 1


def test_every_windows_zone_is_one() -> None:
    at = datetime(2026, 7, 1, tzinfo=UTC)
    offsets = {name: zone(name).utcoffset(at) for name in windows_zones()}
    assert len(offsets) > 130
    assert offsets["W. Europe Standard Time"] == timedelta(hours=2)
    assert offsets["UTC-11"] == -timedelta(hours=11)
    assert offsets["Kamchatka Standard Time"] == timedelta(hours=12)
