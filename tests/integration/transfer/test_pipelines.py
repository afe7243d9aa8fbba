"""Transfers as steps: of a submitted pipeline, with steps before and after them, and of a hand-written DAG."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from airloom.core import Datastore, Experiment, Workspace
from airloom.core.compute import ComputeTarget, DataFactoryCompute
from airloom.data.data_reference import DataReference
from airloom.data.sql_data_reference import SqlDataReference
from airloom.pipeline.core import Pipeline, PipelineData, PipelineRun
from airloom.pipeline.steps import DataTransferStep, PythonScriptStep
from tests.support.airflow_api import AirflowApi
from tests.support.postgres import PostgresServer
from tests.support.server import RunningServer

pytestmark = [pytest.mark.integration, pytest.mark.postgres]

USER, PASSWORD = "loader", "secret-of-the-loader"


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> str:
    name = postgres_server.new_database()
    postgres_server.execute(f"CREATE ROLE {USER} LOGIN IN ROLE guarded PASSWORD '{PASSWORD}'")
    postgres_server.execute(f'ALTER DATABASE "{name}" OWNER TO {USER}')
    return name


@pytest.fixture
def ask(postgres_server: PostgresServer, database: str) -> Any:
    def execute(statement: str) -> list[tuple[Any, ...]]:
        with closing(psycopg2.connect(postgres_server.address(database))) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    return execute


@pytest.fixture
def db(ws: Workspace, postgres_server: PostgresServer, database: str) -> Any:
    """The database as a datastore; its password lies in a connection of Airflow."""
    return Datastore.register_azure_postgre_sql(
        ws,
        "sales_db",
        "127.0.0.1",
        database,
        USER,
        PASSWORD,
        port_number=postgres_server.port,
        overwrite=True,
        enforce_ssl=False,
    )


def actions(run: PipelineRun) -> dict[str, str]:
    return {step.name: "reused" if step.is_reused else "executed" for step in run.get_steps()}


def test_rows_become_a_file_a_script_reads_it_and_its_result_goes_to_a_table(
    ws: Workspace, db: Any, ask: Any, tmp_path: Path
) -> None:
    ask("CREATE TABLE sales AS SELECT i AS id, (i * 1.25)::numeric(12,2) AS price FROM generate_series(1, 100) i")
    ask(f"ALTER TABLE sales OWNER TO {USER}")
    (tmp_path / "main.py").write_text(
        "import sys, pyarrow.parquet as pq, pyarrow.csv as csv\n"
        "table = pq.read_table(sys.argv[1])\n"
        "csv.write_csv(table.filter(table['id'].to_numpy() > 90), sys.argv[2])\n"
    )
    store = ws.get_default_datastore()
    adf = ComputeTarget.attach(
        ws, "adf", DataFactoryCompute.attach_configuration(resource_group="group", factory_name="factory")
    )
    out = DataReference(store, "filtered", "transfer/filtered.csv")
    read = DataTransferStep(
        "read",
        source_data_reference=SqlDataReference(db, "rows", sql_query="SELECT * FROM sales ORDER BY id"),
        destination_data_reference=DataReference(store, "sales", "transfer/sales.parquet"),
        compute_target=adf,
        destination_reference_type="file",
    )
    result = PipelineData("result")
    script = PythonScriptStep(
        "main.py",
        "filter",
        [read.get_output(), result],
        inputs=[read.get_output()],
        outputs=[result],
        source_directory=str(tmp_path),
    )
    keep = DataTransferStep("keep", source_data_reference=result, destination_data_reference=out, compute_target="adf")
    load = DataTransferStep(
        "load",
        source_data_reference=keep.get_output(),
        destination_data_reference=SqlDataReference(db, sql_table="filtered"),
        compute_target=adf,
    )
    pipeline = Pipeline(ws, [load, keep, script])
    first = Experiment(ws, "transfer").submit(pipeline)
    first.wait_for_completion(show_output=False)
    assert actions(first) == dict.fromkeys(("read", "filter", "keep", "load"), "executed")
    assert ask("SELECT count(*), sum(price) FROM filtered") == [(10, pytest.approx(1193.75))]
    (step,) = first.find_step_run("read")
    log = step.get_job_log()
    assert "100 rows read from sales_db" in log
    assert PASSWORD not in log

    second = Experiment(ws, "transfer").submit(pipeline)
    second.wait_for_completion(show_output=False)
    assert actions(second) == {"read": "executed", "filter": "reused", "keep": "reused", "load": "executed"}

    store_file = Path(store.root) / "transfer" / "filtered.csv"
    store_file.write_text("somebody else's\n")
    third = Experiment(ws, "transfer").submit(pipeline)
    third.wait_for_completion(show_output=False)
    assert actions(third)["keep"] == "executed"
    assert "somebody" not in store_file.read_text()


HAND_WRITTEN = """
from airflow.sdk import DAG
from airloom.graph.step_settings import SqlRows, SqlTable
from airloom.operators import DataTransferOperator, SkipIfUnchangedSensor

with DAG("copies", schedule=None):
    copy = DataTransferOperator(
        task_id="copy", source="workspaceblobstore/to_copy", destination="workspacefilestore/copied"
    )
    again = DataTransferOperator(
        task_id="again", source=copy.port(), destination="workspaceblobstore/copied_again"
    )
    load = DataTransferOperator(
        task_id="load", source=again.port(), destination=SqlTable(datastore="sales_db", table="loaded")
    )
    read = DataTransferOperator(
        task_id="read", source=SqlRows(datastore="sales_db", table="loaded"), destination="workspaceblobstore/read.csv"
    )
    SkipIfUnchangedSensor(task_id="root") >> copy
    load >> read
"""


def test_a_hand_written_dag_copies_too(
    airloom_server: RunningServer, airflow: AirflowApi, ws: Workspace, db: Any, ask: Any
) -> None:
    root = Path(ws.get_default_datastore().root)
    (root / "to_copy").mkdir(parents=True)
    (root / "to_copy" / "a.csv").write_text("i,t\n1,one\n2,two\n")
    (airloom_server.home / "airflow" / "dags" / "copies.py").write_text(HAND_WRITTEN)
    airflow.wait_for_dag("copies")
    ran = {"root": "success", "copy": "success", "again": "success", "load": "success", "read": "success"}
    assert airflow.task_states("copies", airflow.trigger("copies")) == ran
    assert ask("SELECT * FROM loaded ORDER BY i") == [(1, "one"), (2, "two")]
    assert (root / "read.csv").read_text() == '"i","t"\n1,"one"\n2,"two"\n'
    assert airflow.task_states("copies", airflow.trigger("copies")) == {**ran, "copy": "skipped", "again": "skipped"}


@pytest.fixture
def airflow(airloom_server: RunningServer) -> Iterator[AirflowApi]:
    with AirflowApi(airloom_server) as api:
        yield api
