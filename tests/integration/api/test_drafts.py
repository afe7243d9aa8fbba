"""Drafts: made from anything that has a graph, changed, run, published, found and removed."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from airloom.graph.model import ParameterDef
from tests.integration.api.bench import EXPERIMENT, WORKSPACE, Bench, graph

GRAPH = graph(parameters=(ParameterDef(name="rate", type="float", default=0.5),))


class Drafts:
    """The routes of drafts, as a caller without an SDK meets them."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def send(self, method: str, path: str = "", **options: Any) -> httpx.Response:
        return self._http.request(method, f"/workspaces/{WORKSPACE}/drafts{path}", **options)

    def create(self, **body: Any) -> dict[str, Any]:
        answer = self.send("POST", json=body)
        assert answer.status_code == 201, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def a_draft(self, **body: Any) -> dict[str, Any]:
        return self.create(**{"graph": GRAPH.model_dump(mode="json"), "name": "a draft", **body})

    def get(self, draft_id: str, part: str = "") -> dict[str, Any]:
        document: dict[str, Any] = self.send("GET", f"/{draft_id}{part}").raise_for_status().json()
        return document

    def graph(self, draft_id: str) -> dict[str, Any]:
        document: dict[str, Any] = self.get(draft_id, "/graph")["graph"]
        return document


@pytest.fixture(scope="module")
def drafts(bench: Bench) -> Drafts:
    return Drafts(bench.server.http("user"))


class TestMaking:
    def test_from_a_graph(self, drafts: Drafts) -> None:
        draft = drafts.a_draft(experiment="made", parameters={"rate": 1}, tags={"a": "b"}, properties={"c": "d"})
        assert drafts.get(draft["id"]) == draft
        assert (draft["name"], draft["experiment"], draft["parameters"]) == ("a draft", "made", {"rate": 1})
        assert (draft["tags"], draft["properties"], draft["created_by"]) == ({"a": "b"}, {"c": "d"}, "user")
        assert {draft[f"parent_{kind}_id"] for kind in ("pipeline", "run", "draft")} == {None}
        assert drafts.graph(draft["id"]) == GRAPH.model_dump(mode="json")

    def test_from_a_run(self, drafts: Drafts, bench: Bench) -> None:
        body = {"graph": GRAPH.model_dump(mode="json"), "parameters": {"rate": 2}, "continue_on_step_failure": True}
        run = bench.client.submit_run(WORKSPACE, "drafted", {**body, "tags": {"a": "b"}})
        draft = drafts.create(run_id=run["id"], tags={"own": ""})
        assert (draft["name"], draft["experiment"], draft["parameters"]) == ("drafted", "drafted", {"rate": 2.0})
        assert (draft["continue_on_step_failure"], draft["parent_run_id"]) == (True, run["id"])
        assert draft["tags"] == {"own": ""}
        assert drafts.graph(draft["id"]) == bench.client.get_graph(WORKSPACE, run["id"])

    def test_from_a_published_pipeline_and_from_a_draft(self, drafts: Drafts) -> None:
        first = drafts.a_draft(name="prices", description="of cars", experiment="e")
        published = drafts.send("POST", f"/{first['id']}/publish").json()
        copied = drafts.create(pipeline_id=published["id"])
        assert (copied["name"], copied["description"], copied["experiment"]) == ("prices", "of cars", "e")
        assert copied["parent_pipeline_id"] == published["id"]
        again = drafts.create(draft_id=copied["id"], name="other")
        assert (again["name"], again["description"], again["parent_draft_id"]) == ("other", "of cars", copied["id"])
        assert again["parent_pipeline_id"] is None
        assert drafts.graph(again["id"]) == GRAPH.model_dump(mode="json")

    @pytest.mark.parametrize(
        ("body", "status", "word"),
        [
            ({"name": "x"}, 400, "one of graph, pipeline_id, run_id and draft_id"),
            (
                {"name": "x", "graph": {"steps": []}, "run_id": "y"},
                400,
                "one of graph, pipeline_id, run_id and draft_id",
            ),
            ({"graph": {"steps": []}}, 400, "cannot be the name of a draft"),
            ({"name": "x", "graph": {"stpes": []}}, 400, "'stpes' is not a known field"),
            ({"name": "x", "graph": {"steps": []}, "experiment": "a/b"}, 400, "a/b"),
            ({"name": "x", "graph": {"steps": []}, "tag": {}}, 400, "tag"),
            ({"name": "x", "run_id": "none"}, 404, "has no run 'none'"),
            ({"name": "x", "pipeline_id": "none"}, 404, "no published pipeline 'none'"),
            ({"name": "x", "draft_id": "none"}, 404, "no draft 'none'"),
        ],
    )
    def test_what_cannot_be_one(self, drafts: Drafts, body: dict[str, Any], status: int, word: str) -> None:
        before = len(drafts.send("GET").json()["drafts"])
        answer = drafts.send("POST", json=body)
        assert answer.status_code == status
        assert word in answer.json()["Error"]["Message"]
        assert len(drafts.send("GET").json()["drafts"]) == before

    def test_only_of_what_one_may_read(self, drafts: Drafts, bench: Bench) -> None:
        """The test's auth manager hides the DAGs of the experiment `secret` from all but the administrator."""
        body = {"graph": graph().model_dump(mode="json")}
        run = bench.server.client("admin").submit_run(WORKSPACE, "secret", body)
        answer = drafts.send("POST", json={"run_id": run["id"]})
        assert answer.status_code == 403
        assert "may not read the run" in answer.json()["Error"]["Message"]


class TestUsing:
    def test_what_is_given_changes(self, drafts: Drafts) -> None:
        draft = drafts.a_draft(experiment="first", tags={"a": "b"})
        other = graph(description="another")
        changes = {"graph": other.model_dump(mode="json"), "experiment": "second", "continue_on_step_failure": False}
        changed = drafts.send("PATCH", f"/{draft['id']}", json=changes).raise_for_status().json()
        assert (changed["experiment"], changed["continue_on_step_failure"]) == ("second", False)
        assert (changed["name"], changed["tags"]) == ("a draft", {"a": "b"})
        assert changed["modified_at"] > draft["modified_at"]
        assert drafts.graph(draft["id"])["description"] == "another"
        refused = drafts.send("PATCH", f"/{draft['id']}", json={"name": ""})
        assert refused.status_code == 400

    def test_it_may_be_wrong_until_it_runs(self, drafts: Drafts) -> None:
        draft = drafts.create(name="empty", graph={"steps": []}, experiment="e")
        answer = drafts.send("POST", f"/{draft['id']}/runs")
        assert (answer.status_code, answer.json()["Error"]["Code"]) == (400, "InvalidGraph")
        assert "has no steps" in answer.json()["Error"]["Message"]
        assert drafts.send("POST", f"/{draft['id']}/publish").status_code == 400
        assert drafts.get(draft["id"])["last_submitted_run_id"] is None

    def test_running(self, drafts: Drafts, bench: Bench) -> None:
        draft = drafts.a_draft(experiment=EXPERIMENT, parameters={"rate": "0.25"}, continue_on_step_failure=True)
        key = {"Idempotency-Key": str(uuid4())}
        answer = drafts.send("POST", f"/{draft['id']}/runs", headers=key)
        assert answer.status_code == 201
        run = answer.json()
        assert (run["experiment"], run["display_name"], run["parameters"]) == (EXPERIMENT, "a draft", {"rate": 0.25})
        assert run["continue_on_step_failure"] is True
        assert drafts.get(draft["id"])["last_submitted_run_id"] == run["id"]
        assert drafts.send("POST", f"/{draft['id']}/runs", headers=key).json()["id"] == run["id"]
        again = drafts.send("POST", f"/{draft['id']}/runs").json()
        assert again["id"] != run["id"]
        assert drafts.get(draft["id"])["last_submitted_run_id"] == again["id"]

    def test_running_without_an_experiment(self, drafts: Drafts) -> None:
        answer = drafts.send("POST", f"/{drafts.a_draft()['id']}/runs")
        assert (answer.status_code, answer.json()["Error"]["Target"]) == (400, "experiment")

    def test_publishing_fixes_the_parameters(self, drafts: Drafts) -> None:
        draft = drafts.a_draft(parameters={"rate": "0.25"}, tags={"a": "b"})
        answer = drafts.send("POST", f"/{draft['id']}/publish")
        assert answer.status_code == 201
        published = answer.json()
        assert (published["name"], published["tags"]) == ("a draft", {"a": "b"})
        assert published["parameters"] == [{"name": "rate", "type": "float", "default": 0.25}]
        wrong = drafts.a_draft(parameters={"rat": 1})
        refused = drafts.send("POST", f"/{wrong['id']}/publish")
        assert (refused.status_code, refused.json()["Error"]["Target"]) == (400, "parameters")

    def test_finding_by_tags(self, drafts: Drafts) -> None:
        mark = uuid4().hex
        ids = [drafts.a_draft(tags=tags)["id"] for tags in ({mark: "1"}, {mark: "2", "ä": "ö"}, {})]

        def found(*tags: str, **more: Any) -> list[int]:
            listed = drafts.send("GET", params={"tag": tags, **more}).raise_for_status().json()["drafts"]
            return [ids.index(each["id"]) for each in listed]

        assert found(mark) == [1, 0]
        assert found(f"{mark}:1") == [0]
        assert found(mark, "ä:ö") == [1]
        assert found(mark, limit=1) == [1]
        assert found(f"{mark}:3") == []

    def test_deleting(self, drafts: Drafts, bench: Bench) -> None:
        draft = drafts.a_draft(experiment=EXPERIMENT)
        run = drafts.send("POST", f"/{draft['id']}/runs").json()
        assert drafts.send("DELETE", f"/{draft['id']}").status_code == 204
        for method, path in (("GET", ""), ("GET", "/graph"), ("DELETE", ""), ("POST", "/runs"), ("POST", "/publish")):
            assert drafts.send(method, f"/{draft['id']}{path}").status_code == 404, (method, path)
        assert bench.run(run["id"])["status"] == "NotStarted"
