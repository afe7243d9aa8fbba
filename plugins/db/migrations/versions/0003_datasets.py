"""Registered datasets, their versions, and the outputs of runs that became them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    table = "airloom_dataset"
    op.create_table(
        table,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.UniqueConstraint("workspace_id", "name", name=f"uq_{table}_workspace_id_name"),
        _refers(table, "workspace_id", "airloom_workspace.id"),
    )
    _create_versions()
    _create_registrations()


def downgrade() -> None:
    """Drop the tables; those that refer to others go first."""
    for name in ("dataset_registration", "dataset_version", "dataset"):
        op.drop_table(f"airloom_{name}")


def _refers(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    """What goes with what it refers to."""
    return sa.ForeignKeyConstraint([column], [to], name=f"fk_{table}_{column}", ondelete="CASCADE")


def _create_versions() -> None:
    table = "airloom_dataset_version"
    op.create_table(
        table,
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("source", sa.JSON(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("run_id", sa.String(255), nullable=True),
        sa.Column("step_id", sa.String(255), nullable=True),
        sa.Column("registration_id", sa.String(36), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(255), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.UniqueConstraint("dataset_id", "version", name=f"uq_{table}_dataset_id_version"),
        _refers(table, "dataset_id", "airloom_dataset.id"),
    )


def _create_registrations() -> None:
    table = "airloom_dataset_registration"
    op.create_table(
        table,
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("version_id", sa.String(36), nullable=False),
        sa.Column("run_id", sa.String(255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        _refers(table, "version_id", "airloom_dataset_version.id"),
    )
    for column in ("version_id", "run_id"):
        op.create_index(f"ix_{table}_{column}", table, [column])
