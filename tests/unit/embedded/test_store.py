"""The store of a home: its own folder, or a container whose address was given."""

from __future__ import annotations

from pathlib import Path

import pytest

from airloom.embedded import store
from airloom.embedded.home import Home
from airloom.embedded.profile import airflow_settings
from airloom.errors import AirloomError


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


def test_it_is_the_folder_of_the_home(home: Home) -> None:
    store.choose(home, None)
    assert airflow_settings(home, 8080)["airloom"]["store"] == home.store.as_uri()
    assert list(home.path.glob("store.json")) == []


def test_another_is_remembered_until_the_folder_is_asked_for(home: Home, tmp_path: Path) -> None:
    other = (tmp_path / "other").as_uri()
    store.choose(home, other)
    store.choose(home, None)
    assert airflow_settings(home, 8080)["airloom"]["store"] == other
    store.choose(home, "folder")
    assert store.address(home) == home.store.as_uri()


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [("s3://bucket", "unknown scheme"), ("azure://acme", "no account and container"), ("azure://k@a/b", "credentials")],
)
def test_one_that_cannot_be_used_is_not_taken(home: Home, asked: str, complaint: str) -> None:
    with pytest.raises(AirloomError, match=complaint):
        store.choose(home, asked)
    assert store.address(home) == home.store.as_uri()


def test_credentials_are_looked_for_at_once(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountName=other;AccountKey=a2V5")
    with pytest.raises(AirloomError, match="is for the account 'other'"):
        store.choose(home, "azure://acme/airloom")
    assert store.address(home) == home.store.as_uri()
