"""Alembic's entry: connects the migrations to Airflow's database and to Airloom's own version table."""

from __future__ import annotations

from airflow import settings
from alembic import context

from airloom.plugins.db.manager import VERSION_TABLE
from airloom.plugins.db.models import Base


def _is_ours(_object: object, name: str | None, kind: str, *_: object) -> bool:
    """Leave Airflow's tables out of comparisons: they share the database."""
    return kind != "table" or name in Base.metadata.tables


def run_offline() -> None:
    """Print the SQL instead of executing it."""
    context.configure(
        url=settings.SQL_ALCHEMY_CONN,
        target_metadata=Base.metadata,
        literal_binds=True,
        render_as_batch=True,
        include_object=_is_ours,
        version_table=VERSION_TABLE,
    )
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    """Execute the migrations, each in its own transaction."""
    with settings.get_engine().connect() as connection:
        context.configure(
            connection=connection,
            transaction_per_migration=True,
            target_metadata=Base.metadata,
            render_as_batch=True,
            include_object=_is_ours,
            version_table=VERSION_TABLE,
        )
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
