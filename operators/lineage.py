"""Lineage of steps: what Airflow's asset views show of them, and what the OpenLineage provider tells of them.

Nothing here is needed to run a step. The provider asks while the task runs, in a process that it may end.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

from airloom.graph.lineage import Data, reads

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.providers.openlineage.extractors import OperatorLineage

    from airloom.graph.model import Definition, Step
    from airloom.graph.results import StepResult

GROUP = "airloom"
NAMESPACE = "airloom"


def assets_of(data: Iterable[Data]) -> list[Asset]:
    """The assets that stand for data. An asset is made once in a process: many tasks and definitions share it."""
    return [_asset(each.name, each.uri) for each in data]


@lru_cache(maxsize=10_000)
def _asset(name: str, uri: str) -> Asset:
    return Asset(name=name, uri=uri, group=GROUP)


def lineage_of(definition: Definition, step: Step, result: StepResult | None = None) -> OperatorLineage[Any, Any]:
    """What a step reads and writes, in OpenLineage's words; of a step that has ended, with the digests of outputs."""
    from airflow.providers.openlineage.extractors import OperatorLineage

    return OperatorLineage(
        inputs=[_dataset(each) for each in reads(definition, step)],
        outputs=_outputs(definition, step, result),
        job_facets=_job(definition, step),
    )


def _outputs(definition: Definition, step: Step, result: StepResult | None) -> list[Any]:
    from airloom.graph.lineage import output

    found = []
    for port in step.outputs:
        written = result.outputs.get(port.name) if result is not None else None
        found += [_dataset(each, written) for each in output(definition, step, port)]
    return found


def _dataset(data: Data, written: Any = None) -> Any:
    """One dataset; with what was written there, its version, size and place."""
    from openlineage.client.event_v2 import Dataset, OutputDataset
    from openlineage.client.facet_v2 import dataset_version_dataset, output_statistics_output_dataset, symlinks_dataset

    facets: dict[str, Any] = {}
    place = (written.datastore, written.path) if written is not None else None
    if place is None and data.location is not None:
        place = (data.location.datastore, data.location.path)
    if place is not None:
        link = symlinks_dataset.Identifier(namespace=f"{NAMESPACE}:{place[0]}", name=place[1] or "/", type="LOCATION")
        facets["symlinks"] = symlinks_dataset.SymlinksDatasetFacet(identifiers=[link])
    if written is None:
        return Dataset(namespace=NAMESPACE, name=data.name, facets=facets)
    facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=written.digest)
    statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(size=written.size)
    return OutputDataset(
        namespace=NAMESPACE, name=data.name, facets=facets, outputFacets={"outputStatistics": statistics}
    )


def _job(definition: Definition, step: Step) -> dict[str, Any]:
    from openlineage.client.facet_v2 import documentation_job

    text = f"Step {step.name} of {definition.experiment} in the workspace {definition.workspace}"
    return {"documentation": documentation_job.DocumentationJobFacet(description=text)}
