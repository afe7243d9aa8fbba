"""Making Airflow know a new pipeline at once.

Airflow's DAG processor looks for changes every so often, and then parses all pipelines of a loader file. Nobody waits
for it: a submission builds the DAG itself and writes it as the processor would. Where that cannot be, the processor is
asked to parse the loader file, as the button "Reparse Dag" does, and the submission waits until the DAG is there.
"""

from __future__ import annotations

import logging
import threading
import time

from airloom.graph.model import Definition
from airloom.plugins.airflow_gateway import (
    CannotWriteDag,
    bundle_of_class,
    dag_is_known,
    import_errors,
    open_session,
    request_parsing,
    write_dag,
)
from airloom.plugins.dag_factory import build_dag
from airloom.plugins.db.published import PipelineRow
from airloom.plugins.errors import DagNotReady
from airloom.plugins.loader_files import loader_file
from airloom.storage.definitions import DefinitionStore, digest16_of_dag_id, shard_of

log = logging.getLogger(__name__)

BUNDLE_CLASS = "airloom.plugins.dag_bundle.AirloomDagBundle"
POLL_SECONDS = 0.05
ASK_AGAIN_SECONDS = 2.0
"""A request may meet a parsing under way that began too early to see the new pipeline."""

_writing = threading.Lock()
"""Held while a DAG is written: of many submits of one new pipeline, one writes it and the others find it."""


def make_known(definition: Definition, dag: str, definitions: DefinitionStore, timeout: float) -> None:
    """Store a pipeline, and return once Airflow can run its DAG. Raises DagNotReady when the time is over.

    The pipeline is listed only after Airflow knows it, as the DAG processor parses what is listed and not known.
    """
    definitions.keep(definition)
    known = dag_is_known(dag) or _write(definition, dag)
    definitions.enlist(digest16_of_dag_id(dag))
    if not known:
        _wait_until_known(dag, timeout)


def publish_dag(
    definition: Definition, dag: str, definitions: DefinitionStore, timeout: float, row: PipelineRow
) -> None:
    """Store a pipeline, and return once it has its row and Airflow can run its DAG. Raises DagNotReady.

    Where the server cannot write the DAG itself, the row comes first: a pipeline with a row is one that is published,
    and what it lacks is made up for. A DAG without a row would be one that nobody has published.
    """
    digest = definitions.hold(definition)
    written = _write(definition, dag, row)
    if not written:
        with open_session() as session:
            session.add(row)
    definitions.release(digest)
    try:
        if not written:
            _wait_until_known(dag, timeout)
    except DagNotReady:
        definitions.withhold(digest)
        with open_session() as session:
            session.delete(row)
        raise


def _write(definition: Definition, dag: str, row: PipelineRow | None = None) -> bool:
    """Write the DAG, and the row with it; False if that is left to the DAG processor."""
    bundle = bundle_of_class(BUNDLE_CLASS)
    if bundle is None:
        return False
    try:
        with _writing:
            if not dag_is_known(dag):
                write_dag(build_dag(definition, dag), bundle, _file(dag), row)
    except CannotWriteDag as reason:
        log.warning("The DAG %s is left to the DAG processor: %s", dag, reason)
        return False
    return True


def _file(dag: str) -> str:
    return loader_file(shard_of(digest16_of_dag_id(dag)))


def _wait_until_known(dag: str, timeout: float) -> None:
    started = time.monotonic()
    bundle, file = bundle_of_class(BUNDLE_CLASS), _file(dag)
    ask_at = started
    while not dag_is_known(dag):
        now = time.monotonic()
        if now - started > timeout:
            raise _not_ready(dag, timeout, bundle, file)
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
