"""Making Airflow see a new pipeline at once.

Airflow's DAG processor looks for changes of a bundle as often as `refresh_interval` says, by default every five
minutes. So a submission asks it to parse the one loader file that holds the new pipeline, as the button "Reparse Dag"
does, and waits until the DAG is there.
"""

from __future__ import annotations

import time

from airloom.plugins.airflow_gateway import bundle_of_class, dag_is_known, import_errors, request_parsing
from airloom.plugins.errors import DagNotReady
from airloom.plugins.loader_files import loader_file
from airloom.storage.definitions import digest16_of_dag_id, shard_of

BUNDLE_CLASS = "airloom.plugins.dag_bundle.AirloomDagBundle"
POLL_SECONDS = 0.05
ASK_AGAIN_SECONDS = 2.0
"""A request may meet a parsing under way that began too early to see the new pipeline."""


def wait_until_known(dag_id: str, timeout: float) -> None:
    """Return once Airflow has parsed the DAG. Raises DagNotReady when the time is over."""
    started = time.monotonic()
    bundle, file = bundle_of_class(BUNDLE_CLASS), loader_file(shard_of(digest16_of_dag_id(dag_id)))
    ask_at = started
    while not dag_is_known(dag_id):
        now = time.monotonic()
        if now - started > timeout:
            raise _not_ready(dag_id, timeout, bundle, file)
        if bundle is not None and now >= ask_at:
            request_parsing(bundle, file)
            ask_at = now + ASK_AGAIN_SECONDS
        time.sleep(POLL_SECONDS)


def _not_ready(dag_id: str, timeout: float, bundle: str | None, file: str) -> DagNotReady:
    message = f"Airflow has not taken the pipeline {dag_id!r} in within {timeout:.0f} seconds."
    if bundle is None:
        hint = f"Its dag_bundle_config_list in section [dag_processor] does not name {BUNDLE_CLASS}."
    elif errors := import_errors(bundle, file):
        hint = f"The file {file} of bundle {bundle!r} cannot be imported: {errors[0]}"
    else:
        hint = "Check that `airflow dag-processor` is running, and what its log says of this pipeline."
    return DagNotReady(message, hint=hint, target=dag_id)
