"""Work folders: made empty, removed at the end, and removed by a later attempt if their own was killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from airloom.runner.work_folder import WorkFolder

HOLDER = """
import sys
from pathlib import Path
from airloom.runner.work_folder import WorkFolder
folder = WorkFolder("train", Path(sys.argv[1]))
(folder.path / "inputs").mkdir(mode=0o500)
print(folder.path, flush=True)
sys.stdin.read()
"""


def held_by_another_process(root: Path) -> tuple[subprocess.Popen[str], Path]:
    command = [sys.executable, "-c", HOLDER, str(root)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_what_a_killed_attempt_left_is_removed_by_the_next_one_and_not_before(tmp_path: Path) -> None:
    process, left = held_by_another_process(tmp_path)
    first = WorkFolder("score", tmp_path)
    assert left.is_dir(), "its attempt is alive"
    process.kill()
    process.communicate()
    second = WorkFolder("score", tmp_path)
    assert not left.exists()
    assert first.path.is_dir()
    first.release()
    second.release()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_kept_stays(tmp_path: Path) -> None:
    kept = WorkFolder("train", tmp_path)
    (kept.path / "evidence").touch()
    kept.release(keep=True)
    WorkFolder("train", tmp_path).release()
    assert [file.name for file in kept.path.iterdir()] == ["evidence"]


def test_other_folders_of_that_place_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "airloom-of-somebody").mkdir()
    (tmp_path / "unrelated").mkdir()
    (tmp_path / "unrelated" / ".lock").touch()
    WorkFolder("train", tmp_path).release()
    assert {folder.name for folder in tmp_path.iterdir()} == {"airloom-of-somebody", "unrelated"}
