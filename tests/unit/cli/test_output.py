"""How values are shown to people."""

from __future__ import annotations

import pytest

from airloom.cli.output import between, duration, print_table


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, ""), (0.42, "0.4 s"), (12.4, "12 s"), (59.6, "1 min 0 s"), (185, "3 min 5 s"), (7_800, "2 h 10 min")],
)
def test_durations(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


def test_time_between_moments_of_any_zone() -> None:
    assert between("2026-01-01T12:00:00+00:00", "2026-01-01T14:00:30+02:00") == 30.0
    assert between(None, None) is None


def test_names_are_never_read_as_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name",), [("[red]x[/red]",), ("y" * 300,)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.rstrip() for line in lines] == ["name", "[red]x[/red]", "y" * 300]
