"""Making Airflow know what a schedule is now: its DAG is written as the DAG processor would write it."""

from __future__ import annotations

import logging
import threading

from airloom.plugins.airflow_gateway import CannotWriteDag, bundle_of_class, request_parsing, write_dag
from airloom.plugins.loader_files import schedule_file
from airloom.plugins.schedule_dag import build_schedule_dag
from airloom.plugins.visibility import BUNDLE_CLASS
from airloom.storage.schedules import ScheduleDocument, shard_of

log = logging.getLogger(__name__)

_writing = threading.Lock()
"""Held while a DAG is written: of changes of one schedule at a time, one is written after the other."""


def make_known(document: ScheduleDocument) -> None:
    """Let Airflow have the DAG of a schedule as its document says, which is stored: at once where that can be.

    The DAG processor is asked to parse it in any case: it may be writing at this moment what it has read before.
    """
    bundle, file = bundle_of_class(BUNDLE_CLASS), schedule_file(shard_of(document.short_id))
    if bundle is None:
        log.warning("The schedule %s is left to the DAG processor: no bundle is configured.", document.dag_id)
        return
    try:
        with _writing:
            write_dag(build_schedule_dag(document), bundle, file, anew=True)
    except CannotWriteDag as reason:
        log.warning("The schedule %s is left to the DAG processor: %s", document.dag_id, reason)
    request_parsing(bundle, file)


def forget(short_id: str) -> None:
    """Let Airflow drop the DAG of a schedule whose document is gone."""
    bundle = bundle_of_class(BUNDLE_CLASS)
    if bundle is not None:
        request_parsing(bundle, schedule_file(shard_of(short_id)))
