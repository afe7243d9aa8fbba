"""Airflow's settings in a home, and the environment of its processes."""

from __future__ import annotations

import configparser
import os
import stat
from pathlib import Path

import pytest

from airloom.embedded.home import Home
from airloom.embedded.processes import COMPONENT_VARIABLE, MARKER
from airloom.embedded.profile import airflow_settings, environment, render, write_profile


def test_settings_survive_being_written(home: Home) -> None:
    settings = airflow_settings(home, 8080)
    settings["core"]["dags_folder"] = "/a%20b"
    parser = configparser.ConfigParser()
    parser.read_string(render(settings))
    assert parser["core"]["dags_folder"] == "/a%20b"
    assert parser["airloom"]["store"] == home.store.as_uri()
    assert {name: set(parser[name]) for name in parser.sections()} == {n: set(v) for n, v in settings.items()}


def test_the_server_listens_on_this_machine_only(home: Home) -> None:
    api = airflow_settings(home, 8123)["api"]
    assert (api["host"], api["port"], api["base_url"]) == ("127.0.0.1", 8123, "http://127.0.0.1:8123")


def test_keys_are_in_a_file_that_only_the_owner_reads(home: Home) -> None:
    write_profile(home, 8080)
    assert stat.S_IMODE(home.airflow_cfg.stat().st_mode) == 0o600
    secrets = [airflow_settings(home, 1)[section][name] for section, name in SECRETS]
    inherited = environment(home, "scheduler", Path("/bin")).values()
    assert [secret for secret in secrets if secret in inherited] == []


SECRETS = (("core", "fernet_key"), ("api", "secret_key"), ("api_auth", "jwt_secret"))


def test_settings_of_another_airflow_do_not_reach_the_server(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://production/airflow")
    monkeypatch.setenv("AIRFLOW_CONN_SECRET", "http://secret")
    monkeypatch.setenv("SOMETHING_ELSE", "kept")
    variables = environment(home, "scheduler", Path("/venv/bin"))
    assert [name for name in variables if name.startswith("AIRFLOW_")] == ["AIRFLOW_HOME", "AIRFLOW_CONFIG"]
    assert variables["AIRFLOW_HOME"] == str(home.airflow)
    assert variables["SOMETHING_ELSE"] == "kept"
    assert variables["PATH"].split(os.pathsep)[0] == "/venv/bin"


def test_processes_carry_the_marks_and_keep_them_readable(home: Home) -> None:
    variables = environment(home, "triggerer", Path("/bin"))
    assert (variables[MARKER], variables[COMPONENT_VARIABLE]) == (home.id, "triggerer")
    assert variables["SPT_NOENV"] == "1"


def test_a_proxy_is_never_asked_for_this_machine(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "example.org")
    assert environment(home, "x", Path("/bin"))["no_proxy"] == "example.org,127.0.0.1,localhost"
