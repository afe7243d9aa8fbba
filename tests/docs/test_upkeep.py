"""docs/upkeep.md says of the limits, the kinds and the names what the code says."""

from __future__ import annotations

from datetime import timedelta

from airloom.cli.upkeep import parse_age
from airloom.runner.outputs import STAGING_PREFIX
from airloom.storage.durable import PRIVATE_PREFIX
from airloom.storage.freshness import FRESH
from airloom.upkeep.collect import MINIMAL_AGE, OLDER_THAN
from airloom.upkeep.quarantine import FOLDER
from airloom.upkeep.words import WORDS
from tests.docs.support import codes, rows, section, text_of

PAGE = "docs/upkeep.md"


def test_the_limits_are_those_of_the_code() -> None:
    text = " ".join(text_of(PAGE).split())
    assert timedelta(hours=2) == MINIMAL_AGE and "younger than two hours is never taken" in text
    assert timedelta(hours=1) == FRESH and "within the last hour" in text
    assert timedelta(days=90) == OLDER_THAN and "90 days is the default" in text
    assert parse_age("90d") == OLDER_THAN.total_seconds()


def test_everything_that_is_checked_is_there() -> None:
    assert {row[0] for row in rows(section(PAGE, "Checking what is stored"))} == set(WORDS)


def test_names_are_those_of_the_code() -> None:
    named = set(codes(text_of(PAGE)))
    assert {f"{PRIVATE_PREFIX}tmp-", STAGING_PREFIX, f"workspaces/<ws>/{FOLDER}/<time>/"} <= named
