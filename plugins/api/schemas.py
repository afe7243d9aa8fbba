"""What travels in requests and answers. Field names are the contract of API version 1."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from airloom.graph.model import ReuseMode
from airloom.graph.results import Explanation, OutputRef
from airloom.upkeep.collect import MINIMAL_AGE, OLDER_THAN

Tags = dict[str, str]
RunStatus = Literal["NotStarted", "Running", "Failed", "Finished", "Canceled"]
StepStatus = Literal["NotStarted", "Queued", "Running", "Failed", "Finished", "Canceled"]
EntityStatus = Literal["Active", "Disabled"]
RunSource = Literal["SDK", "HTTP", "Schedule", "Portal"]
JsonObject = dict[str, Any]
_LONGEST_AGE = 100 * 365 * 24 * 3600


class Body(BaseModel):
    """Base of what callers send: a misspelt field is an error, not silently ignored."""

    model_config = ConfigDict(extra="forbid")


# --- workspaces -------------------------------------------------------------------------------------------------


class Health(BaseModel):
    """Versions of what answers."""

    version: str
    airflow_version: str


class WorkspaceBody(Body):
    """A workspace to be created; with `exist_ok` one that is there already is returned as it is."""

    name: str
    friendly_name: str = ""
    description: str = ""
    tags: Tags = Field(default_factory=dict)
    exist_ok: bool = False


class Workspace(BaseModel):
    """A workspace."""

    name: str
    friendly_name: str
    description: str
    tags: Tags
    default_datastore: str
    created_at: datetime
    created_by: str


class WorkspaceList(BaseModel):
    """All workspaces, by name."""

    workspaces: list[Workspace]


class DatastoreBody(Body):
    """A datastore to be registered. Without `root` the files lie in the deployment's store."""

    name: str
    type: Literal["local"] = "local"
    root: str | None = None
    description: str = ""
    tags: Tags = Field(default_factory=dict)
    overwrite: bool = False


class Datastore(BaseModel):
    """A datastore; nothing secret is ever in here."""

    name: str
    type: str
    root: str
    description: str
    tags: Tags
    is_default: bool
    created_at: datetime


class DatastoreList(BaseModel):
    """The datastores of a workspace, by name."""

    datastores: list[Datastore]


class DefaultDatastoreBody(Body):
    """The datastore that outputs go to when they name none."""

    name: str


class FileInfo(BaseModel):
    """A file on a datastore."""

    path: str
    size: int
    modified: datetime


class FileList(BaseModel):
    """Files on a datastore, by path."""

    files: list[FileInfo]


class Digest(BaseModel):
    """The digest of the content at a path: that of the tree manifest."""

    datastore: str
    path: str
    digest: str


# --- computes and experiments -----------------------------------------------------------------------------------


class Provisioning(Body):
    """How a compute target is to be sized. Only `max_nodes` counts here: it is the number of steps at a time."""

    model_config = ConfigDict(extra="allow")

    min_nodes: int = Field(default=0, ge=0)
    max_nodes: int = Field(default=4, ge=1, le=10_000)
    vm_size: str | None = None
    vm_priority: str | None = None
    idle_seconds_before_scaledown: int | None = None


class ComputeBody(Body):
    """A compute target to be created; with `exist_ok` one that is there already is returned as it is."""

    name: str
    type: Literal["AmlCompute", "ComputeInstance", "Local"] = "AmlCompute"
    provisioning: Provisioning = Provisioning()
    description: str = ""
    tags: Tags = Field(default_factory=dict)
    exist_ok: bool = False


class ComputePatch(Body):
    """What may change of a compute target; what is left out stays."""

    min_nodes: int | None = Field(default=None, ge=0)
    max_nodes: int | None = Field(default=None, ge=1, le=10_000)
    idle_seconds_before_scaledown: int | None = None
    description: str | None = None
    tags: Tags | None = None


class Compute(BaseModel):
    """A compute target, and the Airflow pool that limits it."""

    name: str
    type: str
    provisioning: JsonObject
    state: Literal["Succeeded"] = "Succeeded"
    pool: str
    slots: int
    description: str
    tags: Tags
    created_at: datetime


class ComputeList(BaseModel):
    """The compute targets of a workspace, by name."""

    computes: list[Compute]


class ExperimentBody(Body):
    """An experiment to be created; one that is there already is returned as it is."""

    name: str
    description: str = ""
    tags: Tags = Field(default_factory=dict)


class ExperimentPatch(Body):
    """What may change of an experiment; what is left out stays."""

    description: str | None = None
    tags: Tags | None = None
    archived: bool | None = None


class Experiment(BaseModel):
    """An experiment."""

    name: str
    workspace: str
    description: str
    tags: Tags
    archived: bool
    created_at: datetime


class ExperimentList(BaseModel):
    """The experiments of a workspace, by name."""

    experiments: list[Experiment]


# --- snapshots and graphs ---------------------------------------------------------------------------------------


class DigestsBody(Body):
    """Digests of files, up to as many as a source folder may have."""

    digests: list[str] = Field(max_length=100_000)


class Missing(BaseModel):
    """Those of the digests asked for that the store lacks."""

    missing: list[str]


class Stored(BaseModel):
    """What an upload has added."""

    files: int
    bytes: int


class SnapshotInfo(BaseModel):
    """A source folder that the store holds whole."""

    digest: str
    files: int
    size: int


class GraphBody(Body):
    """A pipeline."""

    graph: JsonObject


class Problem(BaseModel):
    """One thing that keeps a pipeline from running."""

    code: str
    message: str
    target: str
    hint: str


class Problems(BaseModel):
    """All that is wrong with a pipeline; nothing means that it can run."""

    errors: list[Problem]


# --- runs -------------------------------------------------------------------------------------------------------


class RunBody(GraphBody):
    """A pipeline to be run. `regenerate_outputs` means the same as reuse `refresh`.

    `continue_on_step_failure` of null leaves it to the pipeline.
    """

    continue_on_step_failure: bool | None = None
    parameters: JsonObject = Field(default_factory=dict)
    tags: Tags = Field(default_factory=dict)
    properties: Tags = Field(default_factory=dict)
    description: str = ""
    display_name: str = Field(default="", max_length=255)
    reuse: ReuseMode = "auto"
    regenerate_outputs: bool = False


class RunPatch(Body):
    """What may change of a run; what is left out stays."""

    tags: Tags | None = None
    display_name: str | None = Field(default=None, max_length=255)
    description: str | None = None


class RunError(BaseModel):
    """Why a run failed."""

    code: str
    message: str
    steps: list[str]


class Run(BaseModel):
    """A run of a pipeline."""

    id: str
    workspace: str
    experiment: str
    display_name: str
    status: RunStatus
    dag_id: str
    url: str
    created_at: datetime
    created_by: str
    started_at: datetime | None
    ended_at: datetime | None
    description: str
    tags: Tags
    properties: Tags
    parameters: JsonObject
    reuse: ReuseMode
    continue_on_step_failure: bool | None
    pipeline_id: str | None
    endpoint_id: str | None
    schedule_id: str | None
    source: str
    error: RunError | None


class RunList(BaseModel):
    """Runs, the newest first."""

    runs: list[Run]


class GraphOfRun(BaseModel):
    """The pipeline that a run runs."""

    graph: JsonObject


class ReusedFrom(BaseModel):
    """The attempt of a step whose outputs were reused."""

    run_id: str
    step_id: str


class StepState(BaseModel):
    """A step of a run. `reason` says in a sentence why it ran, was reused, or has not run."""

    step_id: str
    name: str
    status: StepStatus
    reused: bool
    reused_from: ReusedFrom | None
    started_at: datetime | None
    ended_at: datetime | None
    seconds: float | None
    outputs: dict[str, OutputRef]
    attempt: str | None
    reason: str


class StepList(BaseModel):
    """The steps of a run, in the order of the graph."""

    steps: list[StepState]


class Explanations(BaseModel):
    """Why each step ran or was reused; steps that are not decided yet are left out."""

    steps: list[Explanation]


class Artifact(BaseModel):
    """A file that an attempt of a step has left."""

    path: str
    size: int


class ArtifactList(BaseModel):
    """The files that an attempt of a step has left, by path."""

    artifacts: list[Artifact]


# --- published pipelines and endpoints --------------------------------------------------------------------------


class PipelineBody(Body):
    """A pipeline to be published: a graph, or that of the run `run_id`.

    `continue_on_step_failure` None leaves it as the graph has it. `experiment` is that of runs which name none; by
    default they are gathered under the pipeline's own name.
    """

    name: str
    graph: JsonObject | None = None
    run_id: str | None = None
    description: str = ""
    version: str = Field(default="", max_length=255)
    tags: Tags = Field(default_factory=dict)
    properties: Tags = Field(default_factory=dict)
    continue_on_step_failure: bool | None = None
    experiment: str = ""


class PipelinePatch(Body):
    """What may change of a published pipeline: whether runs of it can be made."""

    status: EntityStatus


class PublishedParameter(BaseModel):
    """A parameter of a published pipeline."""

    name: str
    type: str
    default: Any


class PublishedPipeline(BaseModel):
    """A published pipeline. `endpoint` takes submits as Azure ML's did; `url` is its page in Airflow."""

    id: str
    name: str
    description: str
    version: str
    status: EntityStatus
    dag_id: str
    graph_digest: str
    tags: Tags
    properties: Tags
    continue_on_step_failure: bool
    total_steps: int
    steps: list[str]
    parameters: list[PublishedParameter]
    endpoint: str
    url: str
    created_at: datetime
    created_by: str
    modified_at: datetime


class PipelineList(BaseModel):
    """Published pipelines, the newest first."""

    pipelines: list[PublishedPipeline]


class StartBody(Body):
    """A run of a published pipeline to be made."""

    experiment: str
    parameters: JsonObject = Field(default_factory=dict)
    reuse: ReuseMode = "auto"
    description: str = ""
    display_name: str = Field(default="", max_length=255)
    tags: Tags = Field(default_factory=dict)
    properties: Tags = Field(default_factory=dict)
    continue_on_step_failure: bool | None = None
    source: RunSource = "SDK"


class EndpointBody(Body):
    """An endpoint to be created; the pipeline becomes its version 0, which is the default."""

    name: str
    pipeline_id: str
    description: str = ""
    tags: Tags = Field(default_factory=dict)
    properties: Tags = Field(default_factory=dict)


class EndpointPatch(Body):
    """What may change of an endpoint; what is left out stays."""

    name: str | None = None
    description: str | None = None
    status: EntityStatus | None = None
    default_version: str | None = None


class EndpointVersionBody(Body):
    """A published pipeline to be added as the next version."""

    pipeline_id: str
    default: bool = False


class ReactivateBody(Body):
    """The name that an archived endpoint gets."""

    name: str


class StartEndpointBody(StartBody):
    """A run of an endpoint to be made: of the default version, unless another is named."""

    version: str | None = None


class EndpointVersion(BaseModel):
    """A version of an endpoint."""

    version: str
    pipeline_id: str


class Endpoint(BaseModel):
    """A stable name in front of published pipelines. `endpoint` takes submits as Azure ML's did."""

    id: str
    name: str
    description: str
    status: EntityStatus
    default_version: str
    versions: list[EndpointVersion]
    endpoint: str
    tags: Tags
    properties: Tags
    created_at: datetime
    created_by: str
    modified_at: datetime


class EndpointList(BaseModel):
    """Endpoints, by name."""

    endpoints: list[Endpoint]


# --- drafts -----------------------------------------------------------------------------------------------------


class DraftPatch(Body):
    """What may change of a draft; what is left out, or null, stays."""

    graph: JsonObject | None = None
    name: str | None = None
    description: str | None = None
    experiment: str | None = None
    parameters: JsonObject | None = None
    continue_on_step_failure: bool | None = None
    tags: Tags | None = None


class DraftBody(DraftPatch):
    """A draft to be made from one of `graph`, `pipeline_id`, `run_id` and `draft_id`.

    What is left out is that of the pipeline, run or draft; with a `graph` it is empty, but for the name, which is
    needed.
    """

    pipeline_id: str | None = None
    run_id: str | None = None
    draft_id: str | None = None
    properties: Tags | None = None


class Draft(BaseModel):
    """A pipeline in the making."""

    id: str
    name: str
    description: str
    experiment: str
    parameters: JsonObject
    continue_on_step_failure: bool | None
    tags: Tags
    properties: Tags
    parent_pipeline_id: str | None
    parent_run_id: str | None
    parent_draft_id: str | None
    last_submitted_run_id: str | None
    created_at: datetime
    created_by: str
    modified_at: datetime


class DraftList(BaseModel):
    """Drafts, the newest first."""

    drafts: list[Draft]


# --- upkeep -----------------------------------------------------------------------------------------------------


class GcBody(Body):
    """How long things are kept without being used, and how many bytes they may have; nothing goes in a `dry_run`."""

    older_than_seconds: int = Field(
        default=int(OLDER_THAN.total_seconds()), ge=int(MINIMAL_AGE.total_seconds()), le=_LONGEST_AGE
    )
    max_bytes: int | None = Field(default=None, ge=0)
    dry_run: bool = False


class VerifyBody(Body):
    """Whether damaged objects are put aside; else nothing is changed."""

    quarantine: bool = False
