"""Published pipelines, endpoints, schedules and drafts; and where a run comes from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables and the columns of runs."""
    _create_pipelines()
    _create_endpoints()
    _create_schedules()
    _create_drafts()
    _extend_runs()


def downgrade() -> None:
    """Drop what upgrade made. Runs that Airflow made by itself are forgotten: their ids do not fit the old column."""
    op.execute("DELETE FROM airloom_run WHERE id <> airflow_run_id")
    with op.batch_alter_table("airloom_run") as table:
        table.drop_constraint("uq_airloom_run_workspace_id_idempotency_key", type_="unique")
        table.drop_constraint("uq_airloom_run_dag_id_airflow_run_id", type_="unique")
        for owner in ("pipeline", "endpoint", "schedule"):
            table.drop_index(f"ix_airloom_run_{owner}_id")
            table.drop_column(f"{owner}_id")
        for name in (
            "airflow_run_id",
            "source",
            "idempotency_key",
            "idempotency_digest",
            "continue_on_step_failure",
        ):
            table.drop_column(name)
        table.alter_column("id", existing_type=sa.String(255), type_=sa.String(36), existing_nullable=False)
    for name in ("draft", "schedule", "endpoint_version", "endpoint", "pipeline"):
        op.drop_table(f"airloom_{name}")


def _create(table: str, *columns: sa.Column[object] | sa.UniqueConstraint | sa.ForeignKeyConstraint) -> None:
    """Create a table of things that have a UUID and belong to a workspace."""
    op.create_table(
        table,
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(255), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        _refers(table, "workspace"),
    )
    op.create_index(f"ix_{table}_workspace_id", table, ["workspace_id"])


def _refers(table: str, to: str) -> sa.ForeignKeyConstraint:
    """What goes with what it refers to."""
    return sa.ForeignKeyConstraint([f"{to}_id"], [f"airloom_{to}.id"], name=f"fk_{table}_{to}_id", ondelete="CASCADE")


def _create_pipelines() -> None:
    _create(
        "airloom_pipeline",
        sa.Column("version", sa.String(255), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("dag_id", sa.String(255), nullable=False),
        sa.Column("definition", sa.String(16), nullable=False),
        sa.Column("graph_digest", sa.String(64), nullable=False),
        sa.Column("total_steps", sa.Integer(), nullable=False),
        sa.Column("continue_on_step_failure", sa.Boolean(), nullable=False),
        sa.UniqueConstraint("dag_id", name="uq_airloom_pipeline_dag_id"),
    )


def _create_endpoints() -> None:
    _create(
        "airloom_endpoint",
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("default_version", sa.Integer(), nullable=False),
        sa.UniqueConstraint("workspace_id", "name", name="uq_airloom_endpoint_workspace_id_name"),
    )
    table = "airloom_endpoint_version"
    op.create_table(
        table,
        sa.Column("endpoint_id", sa.String(36), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("pipeline_id", sa.String(36), nullable=False),
        sa.PrimaryKeyConstraint("endpoint_id", "version", name=f"pk_{table}"),
        _refers(table, "endpoint"),
        _refers(table, "pipeline"),
    )
    op.create_index(f"ix_{table}_pipeline_id", table, ["pipeline_id"])


def _create_schedules() -> None:
    table = "airloom_schedule"
    _create(
        table,
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("pipeline_id", sa.String(36), nullable=True),
        sa.Column("endpoint_id", sa.String(36), nullable=True),
        sa.Column("experiment", sa.String(255), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("continue_on_step_failure", sa.Boolean(), nullable=True),
        sa.Column("recurrence", sa.JSON(), nullable=True),
        sa.Column("data_trigger", sa.JSON(), nullable=True),
        sa.Column("dag_id", sa.String(255), nullable=False),
        sa.UniqueConstraint("workspace_id", "name", name=f"uq_{table}_workspace_id_name"),
        sa.UniqueConstraint("dag_id", name=f"uq_{table}_dag_id"),
        _refers(table, "pipeline"),
        _refers(table, "endpoint"),
    )
    for owner in ("pipeline", "endpoint"):
        op.create_index(f"ix_{table}_{owner}_id", table, [f"{owner}_id"])


def _create_drafts() -> None:
    _create(
        "airloom_draft",
        sa.Column("experiment", sa.String(255), nullable=False),
        sa.Column("graph", sa.JSON(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("continue_on_step_failure", sa.Boolean(), nullable=True),
        sa.Column("parent_pipeline_id", sa.String(36), nullable=True),
        sa.Column("parent_run_id", sa.String(255), nullable=True),
        sa.Column("parent_draft_id", sa.String(36), nullable=True),
        sa.Column("last_submitted_run_id", sa.String(255), nullable=True),
    )


def _extend_runs() -> None:
    """Until now each run was submitted by the SDK or the command, under one id for both."""
    with op.batch_alter_table("airloom_run") as table:
        table.alter_column("id", existing_type=sa.String(36), type_=sa.String(255), existing_nullable=False)
        table.add_column(sa.Column("airflow_run_id", sa.String(255), nullable=True))
        table.add_column(sa.Column("source", sa.String(32), nullable=False, server_default="SDK"))
        table.add_column(sa.Column("idempotency_key", sa.String(255), nullable=True))
        table.add_column(sa.Column("idempotency_digest", sa.String(64), nullable=True))
        table.add_column(sa.Column("continue_on_step_failure", sa.Boolean(), nullable=True))
        for owner in ("pipeline", "endpoint", "schedule"):
            table.add_column(sa.Column(f"{owner}_id", sa.String(36), nullable=True))
    op.execute("UPDATE airloom_run SET airflow_run_id = id")
    with op.batch_alter_table("airloom_run") as table:
        table.alter_column("airflow_run_id", existing_type=sa.String(255), nullable=False)
        table.alter_column("source", existing_type=sa.String(32), server_default=None)
        table.create_unique_constraint("uq_airloom_run_dag_id_airflow_run_id", ["dag_id", "airflow_run_id"])
        table.create_unique_constraint(
            "uq_airloom_run_workspace_id_idempotency_key", ["workspace_id", "idempotency_key"]
        )
        for owner in ("pipeline", "endpoint", "schedule"):
            table.create_index(f"ix_airloom_run_{owner}_id", [f"{owner}_id"])
