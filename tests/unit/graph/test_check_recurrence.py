"""Recurrences that make no sense are refused, by the field at fault."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import Any

import pytest

from airloom.errors import InvalidSchedule
from airloom.graph.check_recurrence import check_recurrence
from airloom.graph.recurrence import Recurrence

REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({}, "frequency", "cannot be None"),
    ({"frequency": "minute"}, "frequency", "It is one of Minute, Hour, Day, Week, Month"),
    ({"frequency": ["Day"]}, "frequency", "cannot be"),
    ({"frequency": "Day", "interval": 0}, "interval", "a whole number from 1"),
    ({"frequency": "Day", "interval": True}, "interval", "a whole number from 1"),
    ({"frequency": "Day", "interval": "2"}, "interval", "a whole number from 1"),
    ({"frequency": "Month", "interval": 10**7}, "interval", "can never fire"),
    ({"frequency": "Hour", "interval": 10**30}, "interval", "can never fire"),
    ({"frequency": "Day", "interval": 10**7, "start_time": "2026-01-01T00:00:00", "hours": [1]}, "interval", "never"),
    ({"frequency": "Day", "start_time": datetime(2026, 1, 1, tzinfo=UTC)}, "start_time", "a time zone of its own"),
    ({"frequency": "Day", "start_time": "2026-01-01T00:00:00Z"}, "start_time", "must be written like"),
    ({"frequency": "Day", "start_time": "2026-01-01T00:00:00+01:00"}, "start_time", "must be written like"),
    ({"frequency": "Day", "start_time": "2026-02-30T00:00:00"}, "start_time", "does not exist"),
    ({"frequency": "Day", "start_time": "0001-01-01T00:00:00"}, "start_time", "between the years"),
    ({"frequency": "Day", "start_time": "9999-12-31T23:59:59"}, "start_time", "between the years"),
    ({"frequency": "Day", "start_time": 5}, "start_time", "a datetime or a text"),
    ({"frequency": "Day", "time_zone": "Berlin"}, "time_zone", "Did you mean 'Europe/Berlin'"),
    ({"frequency": "Day", "time_zone": "../../etc/passwd"}, "time_zone", "There is no time zone"),
    ({"frequency": "Day", "time_zone": 1}, "time_zone", "must be a name"),
    ({"frequency": "Minute", "hours": [1]}, "hours", "cannot be given with the frequency Minute"),
    ({"frequency": "Hour", "minutes": [1]}, "minutes", "cannot be given with the frequency Hour"),
    ({"frequency": "Month", "time_of_day": "10:00"}, "time_of_day", "It goes with Day and Week"),
    ({"frequency": "Day", "week_days": ["Monday"]}, "week_days", "It goes with Week"),
    ({"frequency": "Week", "week_days": ["Mon"]}, "week_days", "not the name of a day"),
    ({"frequency": "Week", "week_days": "Monday"}, "week_days", "must be a list"),
    ({"frequency": "Week", "week_days": []}, "week_days", "can never fire"),
    ({"frequency": "Day", "hours": []}, "hours", "can never fire"),
    ({"frequency": "Day", "hours": [24]}, "hours", "from 0 to 23"),
    ({"frequency": "Day", "hours": [True]}, "hours", "from 0 to 23"),
    ({"frequency": "Day", "minutes": [60]}, "minutes", "from 0 to 59"),
    ({"frequency": "Day", "minutes": 5}, "minutes", "must be a list"),
    ({"frequency": "Day", "time_of_day": "24:00"}, "time_of_day", "must be written like 15:30"),
    ({"frequency": "Day", "time_of_day": 15}, "time_of_day", "must be written like 15:30"),
    ({"frequency": "Day", "time_of_day": "1:00", "hours": [1]}, "time_of_day", "together with hours or minutes"),
    ({"frequency": "Day", "hour": [1]}, "hour", "Did you mean 'hours'"),
]


@pytest.mark.parametrize(("given", "field", "reason"), REFUSED, ids=lambda part: str(part)[:60])
def test_refused(given: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(InvalidSchedule, match=reason) as refused:
        check_recurrence(given)
    assert refused.value.target in (f"recurrence.{field}", field)


class WindowsZone(Enum):
    """As v1's TimeZone: the name is in the value."""

    PACIFIC = "Pacific Standard Time"


def test_what_is_equal_is_stored_equal() -> None:
    described = {"frequency": "Week", "start_time": datetime(2026, 7, 1, 8, 0, 0, 5), "time_zone": WindowsZone.PACIFIC}
    times = {"week_days": ("Sunday", "Monday", "Sunday"), "hours": (4, 1, 4), "minutes": None}
    assert check_recurrence({**described, **times}) == Recurrence(
        frequency="Week",
        interval=1,
        start_time="2026-07-01T08:00:00",
        time_zone="Pacific Standard Time",
        week_days=("Monday", "Sunday"),
        hours=(1, 4),
    )
    assert check_recurrence({"frequency": "Day", "time_of_day": "7:05"}).time_of_day == "07:05"
