"""What of a run configuration a step can honour; the rest is refused or warned about, never lost."""

from __future__ import annotations

from typing import NamedTuple

from airloom.core._compat import ignored_unless_default, not_yet, refuse_unless_default
from airloom.core.environment_spec import environment_spec
from airloom.core.runconfig import DockerConfiguration, HistoryConfiguration, RunConfiguration
from airloom.graph.model import EnvironmentSpec


class RunSettings(NamedTuple):
    """The settings of a step that come from its run configuration. `target` None leaves the choice to the step."""

    environment: EnvironmentSpec = EnvironmentSpec()
    timeout_seconds: int | None = None
    target: str | None = None


def run_settings(configuration: RunConfiguration | None) -> RunSettings:
    """Translate a run configuration. Raises UserErrorException for what would change the result and cannot be had."""
    if configuration is None:
        return RunSettings()
    _refuse_distribution(configuration)
    _refuse_data(configuration)
    _warn_of_the_rest(configuration)
    return RunSettings(
        environment=environment_spec(configuration.environment),
        timeout_seconds=configuration.max_run_duration_seconds,
        target=None if configuration.target == "local" else configuration.target,
    )


def _refuse_distribution(configuration: RunConfiguration) -> None:
    if configuration.framework == "PySpark":
        raise not_yet("The framework PySpark", "Start Spark in the script itself.")
    refuse_unless_default(
        "RunConfiguration",
        {
            "communicator": (configuration.communicator or "None", "None"),
            "node_count": (configuration.node_count, 1),
            "mpi.process_count_per_node": (configuration.mpi.process_count_per_node, 1),
            "mpi.node_count": (configuration.mpi.node_count, 1),
        },
        "A step is one process on one node.",
    )


def _refuse_data(configuration: RunConfiguration) -> None:
    refuse_unless_default(
        "RunConfiguration",
        {
            "data_references": (configuration.data_references, {}),
            "data": (configuration.data, {}),
            "output_data": (configuration.output_data, {}),
        },
        "Pass data as the inputs, outputs and arguments of the step.",
    )


def _warn_of_the_rest(configuration: RunConfiguration) -> None:
    ignored_unless_default(
        "RunConfiguration",
        {"docker": (configuration.docker, DockerConfiguration())},
        "steps run in the worker's own system in this version.",
    )
    ignored_unless_default(
        "RunConfiguration",
        {"history": (configuration.history, HistoryConfiguration())},
        "logs, the outputs folder and the snapshot are always kept.",
    )
    ignored_unless_default(
        "RunConfiguration",
        {
            "priority": (configuration.priority, None),
            "credential_passthrough": (configuration.credential_passthrough, False),
            "source_directory_data_store": (configuration.source_directory_data_store, None),
        },
        "Airloom has no counterpart.",
    )
