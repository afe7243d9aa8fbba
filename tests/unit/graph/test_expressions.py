"""Parameter expressions: what they give, and where they say that they are wrong."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airloom.errors import InvalidSchedule
from airloom.graph.expressions import Moment, evaluate, evaluate_all

MOMENT = Moment(
    scheduled_time=datetime(2026, 7, 1, 8, tzinfo=UTC),
    start_time=datetime(2026, 7, 1, 8, 0, 3, 250000, tzinfo=UTC),
    run_id="5c3a8f5e-0000-5000-8000-000000000000",
    created_by="ann",
)
NOON = "'2026-03-29T12:34:56Z'"

VALUES = [
    ("@trigger().scheduledTime", "2026-07-01T08:00:00.0000000Z"),
    ("@trigger().startTime", "2026-07-01T08:00:03.2500000Z"),
    ("@createdBy()", "ann"),
    ("@runId()", "5c3a8f5e-0000-5000-8000-000000000000"),
    ("@utcNow()", "2026-07-01T08:00:03.2500000Z"),
    ("@utcNow('yyyy/MM/dd')", "2026/07/01"),
    ("@formatDateTime(subtractFromTime(utcNow(),1,'Day'),'yyyy-MM-dd')", "2026-06-30"),
    ("@ formatDateTime( trigger().scheduledTime , 'HH:mm' ) ", "08:00"),
    (f"@addDays({NOON}, -29)", "2026-02-28T12:34:56.0000000Z"),
    (f"@addHours({NOON}, 12, 's')", "2026-03-30T00:34:56"),
    (f"@addMinutes({NOON}, 26, 'HH:mm')", "13:00"),
    (f"@addSeconds({NOON}, 4, 'T')", "12:35:00"),
    ("@addToTime('2024-02-29T00:00:00Z', 1, 'Year', 'yyyy-MM-dd')", "2025-02-28"),
    ("@addToTime('2026-01-31T00:00:00Z', 1, 'Month', 'yyyy-MM-dd')", "2026-02-28"),
    ("@subtractFromTime('2026-03-31T00:00:00Z', 1, 'Month', 'yyyy-MM-dd')", "2026-02-28"),
    (f"@subtractFromTime({NOON}, 2, 'Week', 'd')", "03/15/2026"),
    (f"@subtractFromTime({NOON}, 90, 'Second', 'mm:ss')", "33:26"),
    (f"@convertFromUtc({NOON}, 'Pacific Standard Time')", "2026-03-29T05:34:56.0000000"),
    ("@convertFromUtc('2026-03-29T00:59:59', 'Europe/Berlin', 's')", "2026-03-29T01:59:59"),
    ("@convertToUtc('2026-03-29T03:30:00', 'W. Europe Standard Time', 'o')", "2026-03-29T01:30:00.0000000Z"),
    ("@convertTimeZone('2026-07-01T09:00:00', 'W. Europe Standard Time', 'Tokyo Standard Time', 'HH:mm')", "16:00"),
    ("@dayOfWeek('2026-03-29')", "0"),
    ("@dayOfWeek('2026-04-04T00:00:00')", "6"),
    ("@dayOfMonth('2026-03-29')", "29"),
    ("@dayOfYear('2024-12-31')", "366"),
    (f"@startOfDay({NOON})", "2026-03-29T00:00:00.0000000Z"),
    (f"@startOfHour({NOON}, 'HH:mm:ss')", "12:00:00"),
    (f"@startOfMonth({NOON}, 'yyyy-MM-dd')", "2026-03-01"),
    ("@formatDateTime('2026-03-29T12:34:56.7+02:00', 'o')", "2026-03-29T10:34:56.7000000Z"),
    # Formats of .NET.
    (f"@formatDateTime({NOON}, 'dddd, d. MMMM yy h tt')", "Sunday, 29. March 26 12 PM"),
    (f"@formatDateTime({NOON}, 'ddd MMM d yyyy')", "Sun Mar 29 2026"),
    ("@formatDateTime('2026-03-09T00:05:06.123456Z', 'hh.mm.ss.fff t')", "12.05.06.123 A"),
    ("@formatDateTime('2026-03-09T00:05:06.120000Z', 'ss.FFFFFFF')", "06.12"),
    (f"@formatDateTime({NOON}, 'yyyyMMddTHHmmsszzz')", "20260329T123456+00:00"),
    (f"@formatDateTime({NOON}, '%d')", "29"),
    (f"@formatDateTime({NOON}, 'r')", "Sun, 29 Mar 2026 12:34:56 GMT"),
    (f"@formatDateTime({NOON}, 'u')", "2026-03-29 12:34:56Z"),
    (f"@formatDateTime({NOON}, 'year=yyyy')", "26ear=2026"),
    (f"@formatDateTime({NOON}, '''day'' d')", "day 29"),
    (f"@formatDateTime({NOON}, '\\d\\a\\y d')", "day 29"),
    # No expressions.
    ("@@home", "@home"),
    ("home@", "home@"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "value"), VALUES, ids=lambda part: str(part)[:70])
def test_values(text: str, value: str) -> None:
    assert evaluate(text, MOMENT) == value


def test_what_is_no_text_stays() -> None:
    for value in (1, 0.5, True, None, {"kind": "path", "location": {"datastore": "@utcNow()", "path": ""}}):
        assert evaluate(value, MOMENT) == value


WRONG = [
    ("@", 2, "a function, a text in single quotes or a number was expected"),
    ("@home", 2, "there is no function 'home'"),
    ("@utcnow()", 2, "Did you mean 'utcNow'"),
    ("@utcNow", 8, "'(' was expected"),
    ("@utcNow(", 9, "was expected"),
    ("@utcNow()x", 10, "should end here"),
    ("@utcNow('d',)", 13, "was expected"),
    ("@utcNow('d' 'e')", 12, "')' was expected"),
    ("@utcNow('d)", 9, "was expected"),
    ("@'text'", 2, "a function was expected"),
    ("@5", 2, "a function was expected"),
    ("@trigger()", 11, "'.' was expected"),
    ("@trigger().endTime", 12, "scheduledTime and startTime"),
    ("@createdBy().name", 13, "should end here"),
    ("@addDays(utcNow())", 2, "takes 2 to 3 arguments, not 1"),
    ("@formatDateTime(addDays('x',1),'d')", 17, "'x' is not a time"),
    ("@addDays(utcNow(),'1')", 2, "not a whole number"),
    ("@addDays(1,1)", 2, "1 is not a time"),
    ("@addDays(utcNow(),99999999)", 2, "addDays"),
    ("@addDays(utcNow(),999999999999)", 2, "addDays"),
    ("@addToTime(utcNow(),1,'day')", 2, "not a unit of time"),
    ("@addToTime(utcNow(),99999,'Year')", 2, "addToTime"),
    ("@convertFromUtc(utcNow(),'Nowhere')", 2, "no time zone"),
    ("@formatDateTime(utcNow(),'Q')", 2, "not a format"),
    ("@formatDateTime(utcNow(),'')", 2, "empty"),
    ("@formatDateTime(utcNow(),'ffffffff')", 2, "more digits"),
    ("@formatDateTime('2026-02-30','d')", 2, "formatDateTime"),
    ("@formatDateTime('2026-02-03T00:00:00+99:00','d')", 2, "formatDateTime"),
    ("@formatDateTime(utcNow(), 5)", 2, "5 is not a text"),
    ("@__import__('os')", 2, "there is no function"),
    ("@utcNow().__class__", 10, "should end here"),
]


@pytest.mark.parametrize(("text", "position", "reason"), WRONG, ids=lambda part: str(part)[:60])
def test_errors_name_the_position(text: str, position: int, reason: str) -> None:
    with pytest.raises(InvalidSchedule, match=f"at character {position}: .*{re.escape(reason)}"):
        evaluate(text, MOMENT)


def test_long_and_deep_expressions_are_refused() -> None:
    deep = "startOfDay(" * 30 + "utcNow()" + ")" * 30
    with pytest.raises(InvalidSchedule, match="nested more than 20 deep"):
        evaluate(f"@{deep}", MOMENT)
    with pytest.raises(InvalidSchedule, match="at most 2000 characters"):
        evaluate("@utcNow('" + "y" * 3000 + "')", MOMENT)


def test_errors_name_the_parameter() -> None:
    assert evaluate_all({"day": "@dayOfMonth(utcNow())", "rate": 0.5}, MOMENT) == {"day": "1", "rate": 0.5}
    with pytest.raises(InvalidSchedule, match="Parameter 'day': ") as wrong:
        evaluate_all({"day": "@x()"}, MOMENT)
    assert wrong.value.target == "parameters.day"


@given(st.text(alphabet="@utcNow()addDays'.,-12 trigger", max_size=40))
def test_any_text_is_a_value_or_refused(text: str) -> None:
    try:
        assert isinstance(evaluate(f"@{text}", MOMENT), str)
    except InvalidSchedule as error:
        assert "at character" in str(error)
