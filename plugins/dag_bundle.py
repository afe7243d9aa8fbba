"""The DAG bundle that offers every submitted and published pipeline, and every schedule, to Airflow.

Definitions are spread over a fixed number of loader files, so that Airflow parses a few files and not one per
pipeline. A loader's modification time is the signal to parse it: `refresh` touches those whose shard has changed and
no others. The loader files are the same on every host; a worker fetches just the definition that it runs.
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow.dag_processing.bundles.base import BaseDagBundle
from airflow.sdk import DAG, get_parsing_context

from airloom.errors import AirloomError
from airloom.operators.definition import store_address
from airloom.plugins.dag_factory import build_dag
from airloom.plugins.loader_files import loader_file, schedule_file, write_if_changed
from airloom.plugins.schedule_dag import build_schedule_dag
from airloom.storage import schedules
from airloom.storage.definitions import SHARDS, DefinitionStore, dag_id_of, digest16_of_dag_id, name_of
from airloom.storage.object_store import open_store

log = logging.getLogger(__name__)

# Airflow's discovery parses a file only if it holds the words "airflow" and "DAG".
_LOADER = '''"""Airloom pipelines, shard {shard}: each DAG that airflow finds here is built from a stored definition."""

from airloom.plugins.dag_bundle import load_shard

globals().update(load_shard({shard}))
'''
_SCHEDULES = '''"""Airloom schedules, shard {shard}: each DAG that airflow finds here fires one schedule."""

from airloom.plugins.dag_bundle import load_schedules

globals().update(load_schedules({shard}))
'''


class AirloomDagBundle(BaseDagBundle):
    """All pipelines of one deployment store. Configure it in `[dag_processor] dag_bundle_config_list`."""

    supports_versioning = False

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self._etags: dict[int, str | None] = {}

    @property
    def path(self) -> Path:
        """The folder of the loader files."""
        return self.base_dir

    def initialize(self) -> None:
        """Write the loader files that are missing or of another version."""
        self.path.mkdir(parents=True, exist_ok=True)
        for shard in range(SHARDS):
            write_if_changed(self._loader(shard), _LOADER.format(shard=shard))
        for shard in range(schedules.SHARDS):
            write_if_changed(self.path / schedule_file(shard), _SCHEDULES.format(shard=shard))
        super().initialize()

    def refresh(self) -> None:
        """Touch the loaders whose shard has changed since the last refresh, if Airflow does not know of it.

        Mostly it does: a submission writes the DAG itself. Schedules are not looked at: whoever changes one writes its
        DAG, and asks for parsing besides.
        """
        definitions = DefinitionStore(open_store(store_address()))
        for shard in range(SHARDS):
            etag = definitions.shard_etag(shard)
            changed = shard in self._etags and self._etags[shard] != etag
            if changed and set(definitions.shard(shard)) != self._known(shard):
                os.utime(self._loader(shard))
            self._etags[shard] = etag

    def _known(self, shard: int) -> set[str]:
        """The digests of the definitions that Airflow has from a loader."""
        from airloom.plugins.airflow_gateway import known_dags  # loads what only servers have

        return {digest16_of_dag_id(dag) for dag in known_dags(self.name, loader_file(shard))}

    def get_current_version(self) -> None:
        """None: definitions are immutable, so there is nothing that a version would pin."""
        return None

    def _loader(self, shard: int) -> Path:
        return self.path / loader_file(shard)


def load_shard(shard: int) -> dict[str, DAG]:
    """The DAGs of one shard by DAG id, or just the one that Airflow asks for, wherever it is."""
    definitions = DefinitionStore(open_store(store_address()))
    wanted = get_parsing_context().dag_id
    if wanted is not None:
        return {wanted: build_dag(definitions.get(digest16_of_dag_id(wanted)), wanted)}
    with _no_collecting():
        return dict(_dags_of(definitions, definitions.shard(shard)))


def _dags_of(definitions: DefinitionStore, digests: Iterable[str]) -> Iterator[tuple[str, DAG]]:
    for digest in digests:
        try:
            definition = definitions.get(digest)
            dag = build_dag(definition, dag_id_of(name_of(definition), digest))
        except AirloomError as error:
            # One damaged definition must not take the others of its shard away from Airflow.
            log.error("Pipeline definition %s is left out: %s", digest, error)
            continue
        yield dag.dag_id, dag


def load_schedules(shard: int) -> dict[str, DAG]:
    """The DAGs of the schedules of one shard by DAG id, or just the one that Airflow asks for."""
    stored = schedules.ScheduleStore(open_store(store_address()))
    wanted = get_parsing_context().dag_id
    if wanted is not None:
        return {wanted: build_schedule_dag(stored.of_dag(wanted))}
    return dict(_dags_of_schedules(stored, shard))


def _dags_of_schedules(stored: schedules.ScheduleStore, shard: int) -> Iterator[tuple[str, DAG]]:
    for short in stored.shard(shard):
        try:
            dag = build_schedule_dag(stored.get(short))
        except AirloomError as error:
            log.error("The schedule %s is left out: %s", short, error)
            continue
        yield dag.dag_id, dag


@contextmanager
def _no_collecting() -> Iterator[None]:
    """Keep Python from looking for garbage while objects are made of which none is: it takes up to half of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
