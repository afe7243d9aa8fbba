"""A data-change schedule that watches a bucket: files that others put there start a run, which reads them there."""

from __future__ import annotations

from pathlib import Path

import pytest

from airloom.core import Datastore
from tests.integration.changes.watching import publish, watch
from tests.support.airflow_api import AirflowApi, eventually
from tests.support.datastores import SECRET
from tests.support.moto_s3 import MotoS3
from tests.support.server import RunningServer

pytestmark = pytest.mark.integration


def test_files_that_appear_in_a_bucket_start_a_run_that_reads_them(
    server: RunningServer, airflow: AirflowApi, moto_s3: MotoS3, tmp_path: Path
) -> None:
    bucket, others = moto_s3.new_bucket(), moto_s3.client
    Datastore.register_object_store(
        server.workspace(),
        "bucket",
        f"s3://{bucket}/lake",
        options=moto_s3.options,
        secret_options={"key": "AKIAEXAMPLE", "secret": SECRET},
    )
    others.put_object(Bucket=bucket, Key="lake/incoming/before.csv", Body=b"1")
    pipeline = publish(server, tmp_path / "source", "watching-a-bucket")
    with watch(server, pipeline, "bucket", "incoming", datastore="bucket") as watched:
        others.put_object(Bucket=bucket, Key="lake/incoming/new.csv", Body=b"2")
        eventually(watched.runs, 180)
        (run,) = watched.runs()
        airflow.wait_for_run(watched.dag_id, run["dag_run_id"])
        told = airflow.log(watched.dag_id, run["dag_run_id"], "take")
    assert "incoming/new.csv" in told
    assert "['before.csv', 'new.csv']" in told
    assert SECRET not in told
