"""What the SDK's test server knows of published pipelines, endpoints, schedules and drafts.

It refuses what the real one refuses: unknown fields and ids, names that are taken, runs of what is disabled.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airloom.errors import AirloomError, AlreadyExists, NotFound
from airloom.graph.canonical import digest_value
from airloom.graph.parse import parse_graph
from airloom.graph.validate import check_parameters
from tests.unit.sdk_core.server import NOW, BadRequest, check

if TYPE_CHECKING:
    from tests.unit.sdk_pipeline.server import PipelineState

Document = dict[str, Any]
LABELS = {"name", "description", "tags", "properties"}
RUN = {"experiment", "parameters", "reuse", "description", "display_name", "tags", "properties"}
RUN |= {"continue_on_step_failure", "source"}
SCHEDULE = {"name", "description", "pipeline_id", "endpoint_id", "experiment", "parameters", "recurrence", "data"}
SCHEDULE |= {"continue_on_step_failure"}
DRAFT = {"name", "description", "experiment", "parameters", "continue_on_step_failure", "tags", "properties"}


class Conflict(AirloomError):
    """It is not in a state for this."""

    code = "Conflict"


class Published:
    """The routes of what is published. `runs` keeps the body of every run with what it was of."""

    def __init__(self, state: PipelineState) -> None:
        self._state = state
        self.runs: list[Document] = []
        self.keys: dict[str, Document] = {}
        self.graphs: dict[str, Document] = {}

    def answer(
        self, method: str, workspace: str, rest: list[str], query: dict[str, str], body: Document, key: str
    ) -> Any:
        """The answer of a route below /pipelines, /endpoints, /schedules or /drafts."""
        kind = rest[0]
        if len(rest) == 1 and method == "POST":
            makers = {
                "pipelines": self.publish,
                "endpoints": self._new_endpoint,
                "schedules": self._new_schedule,
                "drafts": self._new_draft,
            }
            return makers[kind](workspace, body)
        if len(rest) == 1:
            return {kind: self._listed(workspace, kind, query)}
        thing = self._state.one(workspace, kind, rest[1])
        match [method, *rest[2:]]:
            case ["GET"]:
                return thing
            case ["GET", "graph"]:
                return {"graph": self.graphs[thing["id"]]}
            case ["GET", "runs"]:
                return {"runs": self._runs_of(workspace, "schedule_id", thing["id"], int(query["limit"]))}
            case ["DELETE"]:
                return self._state.of(workspace, kind).pop(thing["id"]) and None
            case ["PATCH"]:
                return self._change(workspace, kind, thing, body)
            case ["POST", what]:
                return self._act(workspace, kind, thing, what, body, key)
        raise NotFound("There is no such route.")

    def _act(self, workspace: str, kind: str, thing: Document, what: str, body: Document, key: str) -> Any:
        match kind, what:
            case "pipelines", "runs":
                return self._run(workspace, thing, body, key)
            case "endpoints", "runs":
                return self._run_endpoint(workspace, thing, body, key)
            case "endpoints", "versions":
                check(body, {"pipeline_id", "default"})
                return self._add_version(workspace, thing, body)
            case "endpoints", "archive":
                thing.update(status="Disabled", name=str(uuid.uuid4()))
                return thing
            case "endpoints", "reactivate":
                self._check_free(workspace, "endpoints", body["name"])
                thing.update(status="Active", name=body["name"])
                return thing
            case "drafts", "runs":
                return self._run_draft(workspace, thing)
            case "drafts", "publish":
                labels = {label: thing[label] for label in LABELS}
                return self.publish(workspace, {**labels, "graph": self.graphs[thing["id"]]})
        raise NotFound("There is no such route.")

    # --- pipelines -------------------------------------------------------------------------------------------------

    def publish(self, workspace: str, body: Document) -> Document:
        """A published pipeline, from a graph or a run."""
        check(body, {*LABELS, "graph", "run_id", "version", "continue_on_step_failure", "experiment"})
        document = body.get("graph") or self._state.of(workspace, "graphs")[body["run_id"]]
        graph = parse_graph(document)
        if body.get("continue_on_step_failure") is not None:
            graph = graph.model_copy(update={"continue_on_step_failure": body["continue_on_step_failure"]})
        digest = digest_value(graph)
        made = self._new(workspace, "pipelines", body)
        dag_id = f"{made['name']}.{digest[:16]}"
        made |= {
            "version": body.get("version", ""),
            "dag_id": dag_id,
            "graph_digest": digest,
            "continue_on_step_failure": graph.continue_on_step_failure,
            "total_steps": len(graph.steps),
            "steps": [step.name for step in graph.steps],
            "parameters": [parameter.model_dump(mode="json") for parameter in graph.parameters],
            "endpoint": f"http://server/PipelineRuns/PipelineSubmit/{made['id']}",
            "url": f"http://server/dags/{dag_id}",
        }
        self.graphs[made["id"]] = graph.model_dump(mode="json")
        return made

    def _run(self, workspace: str, pipeline: Document, body: Document, key: str, **facts: Any) -> Document:
        check(body, RUN)
        if key in self.keys:
            return self.keys[key]
        if pipeline["status"] != "Active":
            raise Conflict(f"The pipeline {pipeline['name']!r} is disabled.")
        graph = parse_graph(self.graphs[pipeline["id"]])
        parameters = check_parameters(graph, body.get("parameters") or {})
        labels = {name: body[name] for name in ("tags", "display_name", "reuse") if name in body}
        run_id = str(uuid.uuid4())
        facts = {"pipeline_id": pipeline["id"], "endpoint_id": None, "schedule_id": None, **facts}
        run = self._state.start(workspace, run_id, body["experiment"], graph, parameters, **labels, **facts)
        self.runs.append({**body, **facts, "run_id": run_id})
        self.keys[key] = run
        return run

    def _runs_of(self, workspace: str, what: str, value: str, limit: int) -> list[Document]:
        runs = [run for run in self._state.of(workspace, "runs").values() if run.get(what) == value]
        return runs[::-1][:limit]

    # --- endpoints -------------------------------------------------------------------------------------------------

    def _new_endpoint(self, workspace: str, body: Document) -> Document:
        check(body, {*LABELS, "pipeline_id"})
        self._check_free(workspace, "endpoints", body["name"])
        self._state.one(workspace, "pipelines", body["pipeline_id"])
        made = self._new(workspace, "endpoints", body)
        endpoint = f"http://server/PipelineRuns/PipelineEndpointSubmit/Id/{made['id']}"
        versions = [{"version": "0", "pipeline_id": body["pipeline_id"]}]
        made |= {"default_version": "0", "versions": versions, "endpoint": endpoint}
        return made

    def _add_version(self, workspace: str, endpoint: Document, body: Document) -> Document:
        self._state.one(workspace, "pipelines", body["pipeline_id"])
        version = str(len(endpoint["versions"]))
        endpoint["versions"].append({"version": version, "pipeline_id": body["pipeline_id"]})
        if body["default"]:
            endpoint["default_version"] = version
        return endpoint

    def _run_endpoint(self, workspace: str, endpoint: Document, body: Document, key: str) -> Document:
        check(body, {*RUN, "version"})
        if endpoint["status"] != "Active":
            raise Conflict(f"The endpoint {endpoint['name']!r} is disabled.")
        wanted = body.pop("version", None) or endpoint["default_version"]
        ids = {each["version"]: each["pipeline_id"] for each in endpoint["versions"]}
        if wanted not in ids:
            raise NotFound(f"The endpoint has no version {wanted!r}.")
        pipeline = self._state.one(workspace, "pipelines", ids[wanted])
        return self._run(workspace, pipeline, body, key, endpoint_id=endpoint["id"])

    # --- schedules -------------------------------------------------------------------------------------------------

    def _new_schedule(self, workspace: str, body: Document) -> Document:
        check(body, SCHEDULE)
        self._check_free(workspace, "schedules", body["name"])
        made = self._new(workspace, "schedules", body)
        made |= {field: body.get(field) for field in SCHEDULE - LABELS}
        made |= {"next_run_at": NOW, "last_check": None, "provisioning_status": "Completed"}
        made |= {"dag_id": f"{made['name']}.dag", "url": f"http://server/dags/{made['name']}"}
        return made

    # --- drafts ----------------------------------------------------------------------------------------------------

    def _new_draft(self, workspace: str, body: Document) -> Document:
        check(body, {*DRAFT, "graph", "pipeline_id", "run_id", "draft_id"})
        source, graph = self._source(workspace, body)
        made = self._new(workspace, "drafts", {**source, **body})
        fields = ("experiment", "parameters", "continue_on_step_failure")
        made |= {field: body.get(field, source.get(field)) for field in fields}
        made |= {f"parent_{kind}_id": body.get(f"{kind}_id") for kind in ("pipeline", "run", "draft")}
        made["last_submitted_run_id"] = None
        self.graphs[made["id"]] = graph
        return made

    def _source(self, workspace: str, body: Document) -> tuple[Document, Document]:
        for kind in ("pipeline", "run", "draft"):
            if f"{kind}_id" in body:
                source_id = body[f"{kind}_id"]
                graphs = self._state.of(workspace, "graphs") if kind == "run" else self.graphs
                source = self._state.one(workspace, f"{kind}s", source_id)
                return {"name": source.get("name", ""), "experiment": source.get("experiment", "")}, graphs[source_id]
        return {}, body["graph"]

    def _run_draft(self, workspace: str, draft: Document) -> Document:
        graph = parse_graph(self.graphs[draft["id"]])
        parameters = check_parameters(graph, draft["parameters"] or {})
        run = self._state.start(workspace, str(uuid.uuid4()), draft["experiment"], graph, parameters)
        draft["last_submitted_run_id"] = run["id"]
        return run

    # --- all -------------------------------------------------------------------------------------------------------

    def _new(self, workspace: str, kind: str, body: Document) -> Document:
        made = {
            "id": str(uuid.uuid4()),
            "name": body["name"],
            "description": body.get("description") or "",
            "status": "Active",
            "tags": body.get("tags") or {},
            "properties": body.get("properties") or {},
            "created_at": NOW,
            "created_by": "admin",
            "modified_at": NOW,
        }
        self._state.of(workspace, kind)[made["id"]] = made
        return made

    def _check_free(self, workspace: str, kind: str, name: str) -> None:
        if any(thing["name"] == name for thing in self._state.of(workspace, kind).values()):
            raise AlreadyExists(f"There is one of {kind} called {name!r} already.")

    def _listed(self, workspace: str, kind: str, query: dict[str, str]) -> list[Document]:
        filters: dict[str, Callable[[Document, str], bool]] = {
            "active_only": lambda thing, value: value == "false" or thing["status"] == "Active",
            "name": lambda thing, value: thing["name"] == value,
            "pipeline_id": lambda thing, value: thing["pipeline_id"] == value,
            "endpoint_id": lambda thing, value: thing["endpoint_id"] == value,
            "tag": lambda thing, value: thing["tags"].get(value.partition(":")[0]) == value.partition(":")[2],
        }
        things = reversed(self._state.of(workspace, kind).values())
        chosen = [each for each in things if all(filters[k](each, v) for k, v in query.items() if k != "limit")]
        return chosen[: int(query.get("limit", 100))]

    def _change(self, workspace: str, kind: str, thing: Document, body: Document) -> Document:
        known = {
            "pipelines": {"status"},
            "endpoints": {"name", "description", "status", "default_version"},
            "schedules": {*SCHEDULE, "status"},
            "drafts": {*DRAFT, "graph"},
        }[kind]
        check(body, known)
        if kind == "endpoints" and "name" in body:
            self._check_free(workspace, kind, body["name"])
        versions = [each["version"] for each in thing.get("versions", ())]
        if "default_version" in body and body["default_version"] not in versions:
            raise NotFound(f"The endpoint has no version {body['default_version']!r}.")
        if (
            kind == "schedules"
            and {"recurrence", "data"} & body.keys()
            and any(thing[field] is None for field in ("recurrence", "data") if field in body)
        ):
            raise BadRequest("A schedule by the clock cannot become one of data, nor the other way round.")
        if "graph" in body:
            self.graphs[thing["id"]] = body.pop("graph")
        thing.update(body)
        return thing
