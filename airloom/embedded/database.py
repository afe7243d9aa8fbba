"""Which database a home's server uses, and bringing it to the present version when it is not there yet.

It is the home's SQLite file unless an address was given. A given address is kept in a file of the home, since it
may hold a password, and used at every later start.
"""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path
from typing import Any

import airloom
from airloom.embedded import postgres
from airloom.embedded.home import Home, read_json, write_json

ARGUMENTS = ("db", "migrate")
VARIABLE = "AIRLOOM_DATABASE"
SQLITE = "sqlite"


def airflow_version() -> str:
    """The installed version of Airflow, or "" if there is none; Airflow is not imported."""
    try:
        return metadata.version("apache-airflow-core")
    except metadata.PackageNotFoundError:
        return ""


# --- which database -----------------------------------------------------------------------------------------------


def choose(home: Home, asked: str | None) -> None:
    """Take the database that was asked for, or that the home has had so far, and remember it.

    Raises AirloomError if it cannot be used; then the home keeps the one that it had.
    """
    address = given_address(home) if asked is None else _address(asked)
    if address is not None:
        postgres.check(address)
    if asked is not None:
        write_json(home.database_address, {"address": address or SQLITE})


def given_address(home: Home) -> str | None:
    """The address of the home's PostgreSQL database; None if it uses its own SQLite file."""
    known = str(read_json(home.database_address).get("address", SQLITE))
    return None if known == SQLITE else known


def shown(home: Home) -> str:
    """The home's database for people, without a password."""
    address = given_address(home)
    return str(home.database) if address is None else postgres.shown(address)


def settings(home: Home) -> dict[str, str]:
    """How Airflow connects: what goes into section [database] of its settings."""
    address = given_address(home)
    if address is None:
        return {
            "sql_alchemy_conn": f"sqlite:///{home.database}",
            # SQLite's own patience of 5 s is short for five processes on a busy machine.
            "sql_alchemy_connect_args": "airloom.embedded.sqlite.CONNECT_ARGS",
            "sql_alchemy_connect_args_async": "airloom.embedded.sqlite.CONNECT_ARGS",
        }
    return {"sql_alchemy_conn": address, "sql_alchemy_conn_async": postgres.asynchronous(address)}


def _address(asked: str) -> str | None:
    return None if asked.strip().lower() in (SQLITE, f"{SQLITE}://") else postgres.normalized(asked)


# --- its version --------------------------------------------------------------------------------------------------


def needs_migration(home: Home) -> bool:
    """True unless this very version of Airflow and Airloom has migrated this home's database."""
    if given_address(home) is None and not home.database.exists():
        return True
    return read_json(_stamp(home)) != _present(home)


def note_migrated(home: Home) -> None:
    """Remember that the database is at the present version."""
    write_json(_stamp(home), _present(home))


def _stamp(home: Home) -> Path:
    return home.airflow / "migrated.json"


def _present(home: Home) -> dict[str, Any]:
    folder = Path(airloom.__file__).parent / "plugins" / "db" / "migrations" / "versions"
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.py")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    versions = {"airflow": airflow_version(), "airloom": airloom.__version__, "migrations": digest.hexdigest()}
    return {**versions, **_identity(home)}


def _identity(home: Home) -> dict[str, Any]:
    """What tells one database from another. Others may have emptied, or restored, one that is not the home's own."""
    address = given_address(home)
    return {} if address is None else {"database": shown(home), "revisions": postgres.revisions(address)}
