"""The external DB manager: Airflow's own database commands create, migrate and drop Airloom's tables through it."""

from __future__ import annotations

from pathlib import Path

from airflow import settings
from airflow.utils.db_manager import BaseDBManager
from alembic import command
from alembic.config import Config

from airloom.plugins.db import datasets, published  # noqa: F401  # their tables are part of the metadata
from airloom.plugins.db.models import Base

VERSION_TABLE = "airloom_alembic_version"
MIGRATIONS = Path(__file__).parent / "migrations"


class AirloomDBManager(BaseDBManager):
    """Named in `[database] external_db_managers`."""

    metadata = Base.metadata
    migration_dir = str(MIGRATIONS)
    version_table_name = VERSION_TABLE
    supports_table_dropping = True
    revision_heads_map = {"0.1.0": "0003"}  # noqa: RUF012 - so declared by the base class

    def get_alembic_config(self) -> Config:
        """The configuration, made in code: there is no .ini file that a package could lack."""
        config = Config()
        config.set_main_option("script_location", self.migration_dir.replace("%", "%%"))
        config.set_main_option("sqlalchemy.url", str(settings.SQL_ALCHEMY_CONN).replace("%", "%%"))
        return config

    def downgrade(self, to_revision: str, from_revision: str | None = None, show_sql_only: bool = False) -> None:
        """Go back to an earlier revision; `base` drops the tables. The SQL can be shown instead of executed."""
        if show_sql_only:
            current = from_revision or self.get_current_revision()
            command.downgrade(self.get_alembic_config(), revision=f"{current}:{to_revision}", sql=True)
        else:
            command.downgrade(self.get_alembic_config(), revision=to_revision)
