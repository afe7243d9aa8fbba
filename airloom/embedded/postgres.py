"""A PostgreSQL database for the embedded server in place of its SQLite file: the address, and whether it serves.

SQLAlchemy and the driver are imported only once there is an address: they come with `airloom[airflow,postgres]`.
"""

from __future__ import annotations

from contextlib import closing
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from airloom.errors import AirloomError

if TYPE_CHECKING:
    from sqlalchemy import URL

SCHEMES = ("postgresql", "postgres")
DRIVER = "postgresql+psycopg2"
ASYNC_DRIVER = "postgresql+asyncpg"
# The two drivers agree on no other option, and they call this one by different names.
SSL_MODE = "sslmode"
CONNECT_SECONDS = 10
VERSION_TABLES = ("alembic_version", "airloom_alembic_version")


def normalized(address: str) -> str:
    """The address with the driver that Airflow uses. Raises AirloomError; no message shows the password."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(address.strip())
    except (ArgumentError, ValueError):
        raise _refused("is no address of a database", _example()) from None
    if url.get_backend_name() not in SCHEMES or url.drivername not in (*SCHEMES, DRIVER):
        raise _refused(f"begins with {url.drivername!r}, which is none that Airloom knows", _example())
    if not url.database:
        raise _refused(f"{shown(address)} names no database", _example())
    if unknown := sorted(url.query.keys() - {SSL_MODE}):
        hint = "Set them as environment variables of PostgreSQL, like PGAPPNAME, which both drivers read."
        raise _refused(f"{shown(address)} has options other than {SSL_MODE}: {', '.join(unknown)}", hint)
    return _text(url.set(drivername=DRIVER))


def asynchronous(address: str) -> str:
    """The same address for Airflow's asynchronous connections."""
    from sqlalchemy import make_url

    url = make_url(address)
    mode = {"ssl": url.query[SSL_MODE]} if SSL_MODE in url.query else {}
    return _text(url.set(drivername=ASYNC_DRIVER, query=mode))


def shown(address: str) -> str:
    """The address for people: without driver and password."""
    from sqlalchemy import make_url

    return make_url(address).set(drivername=SCHEMES[0]).render_as_string(hide_password=True)


def check(address: str) -> None:
    """Raise AirloomError unless a server can work with the database at a normalized address."""
    missing = [name for name in ("psycopg2", "asyncpg") if find_spec(name) is None]
    if missing:
        raise AirloomError(
            f"PostgreSQL needs {' and '.join(missing)}, not installed in this environment.",
            hint="Install it: pip install 'airloom[airflow,postgres]'.",
        )
    may_create = _ask(address, "SELECT current_user, has_schema_privilege(current_schema(), 'CREATE')")
    for user, allowed in may_create:
        if not allowed:
            raise AirloomError(
                f"User {user!r} may not make tables in the database {shown(address)}.",
                hint=f"As its owner: GRANT CREATE ON SCHEMA public TO {user}; or make {user} the database's owner.",
                target=shown(address),
            )


def revisions(address: str) -> dict[str, str]:
    """The revisions at which Airflow's and Airloom's tables are; empty for a database without tables."""
    found = {}
    for table in VERSION_TABLES:
        if _ask(address, f"SELECT to_regclass('{table}')")[0][0] is not None:
            rows = _ask(address, f"SELECT version_num FROM {table}")
            found[table] = ",".join(sorted(row[0] for row in rows))
    return found


def _ask(address: str, question: str) -> list[tuple[Any, ...]]:
    import psycopg2

    plain = address.replace(DRIVER, SCHEMES[0], 1)
    try:
        with closing(psycopg2.connect(plain, connect_timeout=CONNECT_SECONDS)) as connection:
            cursor = connection.cursor()
            cursor.execute(question)
            return list(cursor.fetchall())
    except psycopg2.Error as error:
        reason = " ".join(str(error).split())
        raise AirloomError(
            f"The database {shown(address)} cannot be used: {_without_password(reason, address)}.",
            hint="Check its host, port, user, password and name, and that PostgreSQL runs there.",
            target=shown(address),
        ) from None


def _without_password(text: str, address: str) -> str:
    from sqlalchemy import make_url

    password = make_url(address).password
    return text.replace(password, "***") if password else text


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def _refused(fault: str, hint: str) -> AirloomError:
    return AirloomError(f"The address given with --database {fault}.", hint=hint, target="--database")


def _example() -> str:
    return "Write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or `sqlite` for the home's own file."
