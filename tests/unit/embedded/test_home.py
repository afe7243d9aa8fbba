"""The home: its lock, its secrets, and files that are never half written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airloom.embedded.home import Home, ensure_password, load_secrets, read_json, write_json


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_home_is_found_by_option_then_variable_then_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AIRLOOM_HOME", raising=False)
    assert Home.find().path == tmp_path / ".airloom"
    monkeypatch.setenv("AIRLOOM_HOME", str(tmp_path / "a"))
    assert Home.find().path == tmp_path / "a"
    assert Home.find(Path("b")).path == tmp_path / "b"


def test_a_home_is_for_its_owner_only_and_not_for_git(home: Home) -> None:
    assert mode(home.path) == 0o700
    assert (home.path / ".gitignore").read_text() == "*\n"


def test_the_same_folder_has_the_same_id_however_it_is_named(home: Home, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(home.path)
    assert Home.find(tmp_path / "link").id == home.id
    assert Home.find(tmp_path / "other").id != home.id


def test_secrets_are_made_once_and_kept_from_others(home: Home) -> None:
    first = load_secrets(home)
    assert load_secrets(home) == first
    assert len(set(first.values())) == 3
    assert mode(home.path / "secrets.json") == 0o600


def test_a_password_stays_when_there_is_one(home: Home) -> None:
    ensure_password(home)
    passwords = json.loads(home.passwords.read_text())
    assert len(passwords["admin"]) >= 20
    home.passwords.chmod(0o644)
    ensure_password(home)
    assert json.loads(home.passwords.read_text()) == passwords
    assert mode(home.passwords) == 0o600


def test_the_lock_is_taken_once_and_free_when_its_holder_is_killed(home: Home) -> None:
    hold = "import sys, time; from pathlib import Path; from airloom.embedded.home import Home; "
    hold += "Home(Path(sys.argv[1])).take_lock(); print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", hold, str(home.path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    assert home.is_locked()
    assert home.take_lock(patience=0.1) is None
    holder.kill()
    holder.communicate()
    assert not home.is_locked()


def test_looking_at_the_lock_does_not_keep_others_from_it(home: Home) -> None:
    lock = home.take_lock()
    assert lock is not None
    os.close(lock)
    for _ in range(20):
        assert not home.is_locked()
    lock = home.take_lock()
    assert lock is not None
    os.close(lock)


def test_json_is_replaced_whole_and_what_is_no_json_is_nothing(home: Home) -> None:
    file = home.path / "some.json"
    write_json(file, {"a": 1})
    write_json(file, {"a": 2})
    assert read_json(file) == {"a": 2}
    assert [path.name for path in home.path.iterdir() if path.name.startswith("some")] == ["some.json"]
    file.write_text('{"a":')
    assert read_json(file) == {}
