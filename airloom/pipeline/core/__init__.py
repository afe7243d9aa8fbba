"""Pipelines and their runs: the names of `azureml.pipeline.core`."""

from __future__ import annotations

from airloom.pipeline.core.builder import PipelineData, PipelineStep, StepSequence
from airloom.pipeline.core.graph import (
    InputPortBinding,
    OutputPortBinding,
    PipelineDataset,
    PipelineParameter,
    PortDataReference,
)
from airloom.pipeline.core.pipeline import Pipeline
from airloom.pipeline.core.pipeline_draft import PipelineDraft
from airloom.pipeline.core.pipeline_endpoint import PipelineEndpoint
from airloom.pipeline.core.published_pipeline import PublishedPipeline
from airloom.pipeline.core.run import PipelineRun, StepRun, StepRunOutput
from airloom.pipeline.core.schedule import Schedule, ScheduleRecurrence, TimeZone

__all__ = [
    "InputPortBinding",
    "OutputPortBinding",
    "Pipeline",
    "PipelineData",
    "PipelineDataset",
    "PipelineDraft",
    "PipelineEndpoint",
    "PipelineParameter",
    "PipelineRun",
    "PipelineStep",
    "PortDataReference",
    "PublishedPipeline",
    "Schedule",
    "ScheduleRecurrence",
    "StepRun",
    "StepRunOutput",
    "StepSequence",
    "TimeZone",
]
