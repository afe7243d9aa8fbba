"""Environments of steps: the unused are freed, one that a step uses never is."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airloom.graph.model import EnvironmentSpec
from airloom.runner.commands import Commands
from airloom.runner.environments import MARKER, EnvironmentCache, environment_digest, stored_environments
from airloom.upkeep.environments import free_environments

DAY = 24 * 3600
SPEC = EnvironmentSpec(python_version="3.11", packages=("nothing",))


@pytest.fixture
def cache(folder: Path) -> Path:
    """A cache with one complete environment, whose interpreter is that of the tests, last used ten days ago."""
    environment = folder / "envs" / environment_digest(SPEC)
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(sys.executable)
    (environment / MARKER).write_text("{}")
    make_old(folder)
    return folder


def make_old(cache: Path) -> None:
    then = time.time() - 10 * DAY
    for path in [*(cache / "envs").iterdir(), *(cache / "envs").glob("*/*")]:
        os.utime(path, (then, then))


def environments(cache: Path) -> EnvironmentCache:
    return EnvironmentCache(cache, commands=Commands("step"), environ=dict(os.environ), say=lambda _: None)


def test_an_environment_that_was_not_used_for_long_is_freed(cache: Path) -> None:
    assert free_environments(cache, 11 * DAY).count == 0
    foretold = free_environments(cache, 9 * DAY, dry_run=True)
    assert foretold.count == 1 and foretold.bytes > 0 and len(stored_environments(cache)) == 1
    assert free_environments(cache, 9 * DAY) == foretold
    assert stored_environments(cache) == []
    assert [path.name for path in (cache / "envs").iterdir() if path.name.startswith(".")] == []


def test_using_one_makes_it_new(cache: Path) -> None:
    with environments(cache).in_use(SPEC) as interpreter:
        assert interpreter.parent.parent == stored_environments(cache)[0]
    assert free_environments(cache, 9 * DAY).count == 0


def test_one_that_is_in_use_stays_however_old(cache: Path) -> None:
    with environments(cache).in_use(SPEC):
        make_old(cache)
        assert free_environments(cache, 9 * DAY).count == 0
    make_old(cache)
    assert free_environments(cache, 9 * DAY).count == 1


def test_one_whose_user_was_killed_is_free_again(cache: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path\n"
        "from tests.unit.upkeep.test_environments import SPEC, environments\n"
        "with environments(Path(sys.argv[1])).in_use(SPEC): print('using', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(cache)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as user:
        assert user.stdout is not None and user.stdout.readline() == "using\n"
        make_old(cache)
        assert free_environments(cache, 9 * DAY).count == 0
        user.kill()
    make_old(cache)
    assert free_environments(cache, 9 * DAY).count == 1


def test_a_machine_without_a_cache_has_nothing_to_free(folder: Path) -> None:
    assert free_environments(folder / "none", 0).count == 0
