"""The database of a home: its own file, or one whose address was given; no message ever shows the password."""

from __future__ import annotations

import json
import socket
import stat
from contextlib import closing
from pathlib import Path

import pytest

from airloom.embedded import database, postgres
from airloom.embedded.home import Home, write_json
from airloom.embedded.profile import airflow_settings, environment
from airloom.errors import AirloomError

PASSWORD = "hush-hush-8-r"
ADDRESS = f"postgresql://ann:{PASSWORD}@db.example.org:5433/airflow"


def using(home: Home, address: str) -> Home:
    """The home as it is after a start with this address."""
    write_json(home.database_address, {"address": postgres.normalized(address)})
    return home


def test_the_default_is_a_file_in_the_home(home: Home) -> None:
    database.choose(home, None)
    settings = airflow_settings(home, 8080)["database"]
    assert settings["sql_alchemy_conn"] == f"sqlite:///{home.database}"
    assert not home.database_address.exists()


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_airflow_gets_an_address_for_each_of_its_drivers(home: Home, scheme: str) -> None:
    using(home, ADDRESS.replace("postgresql", scheme))
    settings = airflow_settings(home, 8080)["database"]
    place = f"ann:{PASSWORD}@db.example.org:5433/airflow"
    assert settings["sql_alchemy_conn"] == f"postgresql+psycopg2://{place}"
    assert settings["sql_alchemy_conn_async"] == f"postgresql+asyncpg://{place}"
    assert "sql_alchemy_connect_args" not in settings, "those are SQLite's"


def test_ssl_has_another_name_in_the_other_driver(home: Home) -> None:
    using(home, ADDRESS + "?sslmode=require")
    settings = airflow_settings(home, 8080)["database"]
    assert str(settings["sql_alchemy_conn"]).endswith("?sslmode=require")
    assert str(settings["sql_alchemy_conn_async"]).endswith("?ssl=require")


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("not an address", "is no address of a database"),
        (f"mysql://ann:{PASSWORD}@host/airflow", "begins with 'mysql'"),
        ("sqlite:////tmp/other.db", "begins with 'sqlite'"),
        (f"postgresql+pg8000://ann:{PASSWORD}@host/airflow", "begins with 'postgresql\\+pg8000'"),
        (f"postgresql://ann:{PASSWORD}@host:port/airflow", "is no address of a database"),
        (f"postgresql://ann:{PASSWORD}@host", "postgresql://ann:\\*\\*\\*@host names no database"),
        (ADDRESS + "?application_name=x", "options other than sslmode: application_name"),
    ],
)
def test_other_addresses_are_refused(home: Home, address: str, complaint: str) -> None:
    with pytest.raises(AirloomError, match=complaint) as refused:
        database.choose(home, address)
    assert refused.value.hint
    assert PASSWORD not in str(refused.value)
    assert not home.database_address.exists()


def test_a_database_that_cannot_be_reached_is_said_at_once_and_not_remembered(home: Home) -> None:
    using(home, ADDRESS)
    with closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        with pytest.raises(AirloomError, match=f"127.0.0.1:{port}/airflow cannot be used: .*refused") as refused:
            database.choose(home, f"postgresql://ann:{PASSWORD}@127.0.0.1:{port}/airflow")
    assert PASSWORD not in str(refused.value)
    assert database.shown(home) == "postgresql://ann:***@db.example.org:5433/airflow", "as before"


def test_sqlite_goes_back_to_the_file(home: Home) -> None:
    using(home, ADDRESS)
    database.choose(home, "sqlite")
    assert database.given_address(home) is None
    assert json.loads(home.database_address.read_text()) == {"address": "sqlite"}
    assert stat.S_IMODE(home.database_address.stat().st_mode) == 0o600


def test_step_scripts_do_not_inherit_the_address(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(database.VARIABLE, ADDRESS)
    assert [value for value in environment(home, "scheduler", Path("/bin")).values() if PASSWORD in value] == []
