"""Time zones by the names that Azure ML uses, which are those of Windows, and by their IANA names."""

from __future__ import annotations

from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from airloom.errors import InvalidSchedule
from airloom.graph.suggest import did_you_mean

UTC_NAME = "UTC"

# Names that Windows and Azure ML still know, and Unicode's table, from which tzlocal's is made, no longer has.
_WITHDRAWN = {
    "Kamchatka Standard Time": "Asia/Kamchatka",
    "Mid-Atlantic Standard Time": "Etc/GMT+2",
}


@cache
def windows_zones() -> dict[str, str]:
    """The IANA name for each name of Windows."""
    from tzlocal.windows_tz import win_tz  # only schedules need it

    return {**_WITHDRAWN, **win_tz}


@cache
def zone(name: str) -> ZoneInfo:
    """The time zone of a name of either kind. Raises InvalidSchedule."""
    try:
        return ZoneInfo(windows_zones().get(name, name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = [*windows_zones(), *available_timezones()]
        raise InvalidSchedule(
            f"There is no time zone {name[:80]!r}.",
            hint=f"{did_you_mean(name[:80], known)} Names are those of Windows, or of the IANA database.",
            target="time_zone",
        ) from None
