"""What people write as ages and sizes, and how reports are shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
import typer

from airloom.cli import upkeep


@pytest.mark.parametrize(
    ("text", "seconds"), [("2h", 7200), ("90d", 90 * 86400), ("8w", 56 * 86400), (" 12h ", 12 * 3600)]
)
def test_ages(text: str, seconds: int) -> None:
    assert upkeep.parse_age(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "d", "1.5d", "-3d", "90 d", "1m", "1h", "0d"])
def test_what_is_no_age_or_too_short_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        upkeep.parse_age(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("512", 512),
        ("10kB", 10_000),
        ("500MB", 500_000_000),
        ("50GB", 50_000_000_000),
        ("1.5 TB", 1_500_000_000_000),
        ("1KiB", 1024),
        ("2Gi", 2 * 1024**3),
        ("3g", 3_000_000_000),
    ],
)
def test_sizes(text: str, count: int) -> None:
    assert upkeep.parse_size(text) == count


@pytest.mark.parametrize("text", ["", "GB", "1,5GB", "-1GB", "1 i", "1PB", "ten"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a size"):
        upkeep.parse_size(text)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2_500_000, "2.5 MB"), (7 * 10**12, "7.0 TB")]
)
def test_bytes_for_people(count: int, text: str) -> None:
    assert upkeep.size(count) == text


def test_the_report_of_a_collection_names_each_kind_once(capsys: pytest.CaptureFixture[str]) -> None:
    report: dict[str, Any] = {
        "dry_run": True,
        "unused_since": "2026-01-01T00:00:00+00:00",
        "max_bytes": 10,
        "freed": {"records": {"count": 2, "bytes": 20}, "void leases": {"count": 1, "bytes": 5}},
        "kept": {"records": {"count": 3, "bytes": 30}, "outputs": {"count": 0, "bytes": 0}},
        "problems": ["The datastore 'x' cannot be used."],
    }
    upkeep._tell_freed(report)
    said = capsys.readouterr()
    assert said.out.count("records") == 1 and "void leases" in said.out and "outputs" not in said.out
    assert "25 B would be freed, 30 B kept" in said.out and "More than 10 B are in use" in said.out
    assert "Left alone: The datastore 'x'" in said.err


def test_the_report_of_a_check_says_what_to_do_or_what_was_done(capsys: pytest.CaptureFixture[str]) -> None:
    finding = {"kind": "record", "where": "key", "what": "It is torn.", "means": "A rerun.", "mend": "Nothing."}
    report: dict[str, Any] = {"checked": {"record": {"count": 1, "bytes": 9}}, "findings": [{**finding, "done": ""}]}
    upkeep._tell_findings(report)
    assert "record key" in (said := capsys.readouterr().out) and "Nothing." in said and "1 things are not" in said
    report["findings"][0]["done"] = "moved to there"
    upkeep._tell_findings(json.loads(json.dumps(report)))
    assert "Moved to there" in capsys.readouterr().out
    upkeep._tell_findings({**report, "findings": []})
    assert "All is as it was stored." in capsys.readouterr().out
