"""The first tables: workspaces with their datastores, computes and experiments, and runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "airloom_workspace",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("friendly_name", sa.String(255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("default_datastore", sa.String(255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_airloom_workspace"),
        sa.UniqueConstraint("name", name="uq_airloom_workspace_name"),
    )
    _create_of_workspace(
        "airloom_datastore",
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
    )
    _create_of_workspace(
        "airloom_compute",
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("provisioning", sa.JSON(), nullable=False),
        sa.Column("pool", sa.String(510), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.UniqueConstraint("pool", name="uq_airloom_compute_pool"),
    )
    _create_of_workspace("airloom_experiment", sa.Column("archived", sa.Boolean(), nullable=False))
    _create_runs()


def downgrade() -> None:
    """Drop the tables; those that refer to others go first."""
    for name in ("run", "experiment", "compute", "datastore", "workspace"):
        op.drop_table(f"airloom_{name}")


def _create_of_workspace(table: str, *columns: sa.Column[object] | sa.UniqueConstraint) -> None:
    op.create_table(
        table,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["airloom_workspace.id"], name=f"fk_{table}_workspace_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("workspace_id", "name", name=f"uq_{table}_workspace_id_name"),
    )


def _create_runs() -> None:
    op.create_table(
        "airloom_run",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("dag_id", sa.String(255), nullable=False),
        sa.Column("definition", sa.String(16), nullable=False),
        sa.Column("display_name", sa.String(255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("reuse", sa.String(16), nullable=False),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_airloom_run"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["airloom_workspace.id"], name="fk_airloom_run_workspace_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["airloom_experiment.id"], name="fk_airloom_run_experiment_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_airloom_run_dag_id", "airloom_run", ["dag_id"])
    for owner in ("workspace", "experiment"):
        op.create_index(f"ix_airloom_run_{owner}_id_created_at", "airloom_run", [f"{owner}_id", "created_at"])
