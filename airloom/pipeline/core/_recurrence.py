"""How often a schedule fires, as v1 writes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from airloom.errors import AirloomError
from airloom.exceptions import UserErrorException
from airloom.graph.check_recurrence import check_recurrence
from airloom.pipeline.core._time_zones import TimeZone

_BY_VALUE = {zone.value: zone for zone in TimeZone}


class ScheduleRecurrence:
    """How often a schedule fires: every so many (`interval`) of a `frequency`, Minute, Hour, Day, Week or Month.

    `start_time` is the first time, on the clocks of `time_zone`: a datetime without a zone of its own, or text like
    2026-07-01T22:30:00. Without it the first run is at once. With frequency Day or Week, `hours` and `minutes` name the
    times of a day, all of them combined, or `time_of_day` ("22:30") names one; with Week, `week_days` names the days.
    `time_zone` is a TimeZone, and new here also the IANA name of one; without it, it is UTC.
    """

    def __init__(
        self,
        frequency: str,
        interval: int,
        start_time: datetime | str | None = None,
        time_zone: TimeZone | str | None = None,
        hours: Sequence[int] | None = None,
        minutes: Sequence[int] | None = None,
        week_days: Sequence[str] | None = None,
        time_of_day: str | None = None,
    ) -> None:
        self.frequency = frequency
        self.interval = interval
        self.start_time = start_time
        self.time_zone = _BY_VALUE.get(time_zone, time_zone) if isinstance(time_zone, str) else time_zone
        self.hours = hours
        self.minutes = minutes
        self.week_days = week_days
        self.time_of_day = time_of_day

    @staticmethod
    def _of(document: Mapping[str, Any]) -> ScheduleRecurrence:
        return ScheduleRecurrence(**document)

    def validate(self) -> None:
        """Raise UserErrorException if parts contradict each other, are out of range, or never come true."""
        self._checked()

    def _checked(self) -> dict[str, Any]:
        """The recurrence as JSON, without what was left out."""
        try:
            return check_recurrence(vars(self)).model_dump(mode="json", exclude_none=True)
        except AirloomError as error:
            raise UserErrorException(str(error), inner_exception=error) from error

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if value is not None)
        return f"ScheduleRecurrence({given})"
