"""Published pipelines and pipeline endpoints: what they are, how they are run, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airloom.core import Experiment, Workspace
from airloom.core._compat import IgnoredArgumentWarning
from airloom.exceptions import AlreadyExistsException, NotFoundException, UserErrorException
from airloom.pipeline.core import (
    InputPortBinding,
    Pipeline,
    PipelineEndpoint,
    PipelineParameter,
    PipelineRun,
    PublishedPipeline,
)
from airloom.pipeline.core.pipeline_endpoint import PipelineIdVersion, PipelineVersion
from tests.unit.sdk_pipeline.builders import a_path, a_step
from tests.unit.sdk_pipeline.server import PipelineState

pytestmark = pytest.mark.usefixtures("scripts")


@pytest.fixture
def pipeline(ws: Workspace) -> Pipeline:
    """One step with a number and a path as parameters."""
    rounds, folder = PipelineParameter("rounds", 5), PipelineParameter("folder", a_path())
    step = a_step("train", reads=[InputPortBinding("i", folder)], arguments=[rounds])
    return Pipeline(ws, [step], description="Titanic")


@pytest.fixture
def published(pipeline: Pipeline) -> PublishedPipeline:
    """The same, published."""
    return pipeline.publish("nightly", "every night", "1.0")


@pytest.fixture
def endpoint(ws: Workspace, published: PublishedPipeline) -> PipelineEndpoint:
    """An endpoint with one version."""
    return PipelineEndpoint.publish(ws, "score", "scores", published)


def other(ws: Workspace) -> PublishedPipeline:
    return Pipeline(ws, [a_step("other")]).publish("other")


class TestPublishing:
    def test_what_a_published_pipeline_is(self, published: PublishedPipeline, pipeline: Pipeline) -> None:
        assert (published.name, published.description, published.version) == ("nightly", "every night", "1.0")
        assert (published.status, published.total_run_steps, published.continue_on_step_failure) == ("Active", 1, False)
        assert published.endpoint.endswith(f"/PipelineRuns/PipelineSubmit/{published.id}")
        assert published.get_portal_url() == published.portal_url != published.endpoint
        assert published.get_step_names() == ["train"]
        assert published.get_graph() == pipeline.graph
        assert len(published.graph_id) == 64
        assert f"Id: {published.id}" in repr(published)

    def test_its_source_folders_are_on_the_server(self, published: PublishedPipeline, state: PipelineState) -> None:
        assert published.get_graph().definition.steps[0].settings.snapshot in state.snapshots

    def test_defaults(self, ws: Workspace, pipeline: Pipeline) -> None:
        made = pipeline.publish()
        assert made.name.startswith("Pipeline-")
        assert (made.description, made.version, made.tags) == ("Titanic", "", {})
        assert pipeline.publish(continue_on_step_failure=True).continue_on_step_failure is True

    def test_labels(self, pipeline: Pipeline) -> None:
        assert pipeline.publish("a", tags={"team": "x"}).tags == {"team": "x"}

    def test_what_cannot_run_is_not_published(self, ws: Workspace, state: PipelineState) -> None:
        first, second = a_step("first"), a_step("second")
        first.run_after(second)
        second.run_after(first)
        broken = Pipeline(ws, [first])
        state.requests.clear()
        with pytest.raises(UserErrorException, match="wait for each other in a circle"):
            broken.publish("broken")
        assert state.requests == []

    def test_a_run_is_published_with_its_scripts_as_they_were(self, ws: Workspace, pipeline: Pipeline) -> None:
        run = pipeline.submit("tests")
        Path("src/train.py").write_text("print('changed')\n")
        made = run.publish_pipeline("again", "from a run", "2", continue_on_step_failure=True)
        assert (made.name, made.version, made.continue_on_step_failure) == ("again", "2", True)
        assert made.get_graph().definition.steps == run.get_graph().definition.steps
        with pytest.raises(UserErrorException, match="publish_pipeline does not know"):
            run.publish_pipeline("again", "", "", nonsense=1)

    def test_finding_them(self, ws: Workspace, published: PublishedPipeline) -> None:
        second = other(ws)
        assert PublishedPipeline.get(ws, published.id) == published != second
        assert PublishedPipeline.list(ws) == PublishedPipeline.get_all(ws) == [second, published]
        second.disable()
        assert (second.status, PublishedPipeline.list(ws)) == ("Disabled", [published])
        assert PublishedPipeline.list(ws, active_only=False) == [second, published]
        assert len({published, second, PublishedPipeline.get(ws, second.id)}) == 2
        with pytest.raises(NotFoundException, match="nothing"):
            PublishedPipeline.get(ws, "nothing")

    def test_made_by_hand_as_v1_allows(self, ws: Workspace, published: PublishedPipeline) -> None:
        same = PublishedPipeline("n", "g", "d", "v", published.id, "Active", "http://e", 1, ws, True)
        assert (same.name, same.graph_id, same.version, same.endpoint) == ("n", "g", "v", "http://e")
        assert (same.total_run_steps, same.continue_on_step_failure, same.tags) == (1, True, {})
        assert same.get_step_names() == ["train"]
        assert same.portal_url == ws._endpoint
        with pytest.raises(UserErrorException, match="does not know"):
            PublishedPipeline("n", "g", "d", "v", "i", "Active", "e", 1, ws, nonsense=1)

    def test_yaml(self, ws: Workspace, published: PublishedPipeline, tmp_path: Path) -> None:
        assert Pipeline.load_yaml(ws, published.save(tmp_path / "p.yml")).graph == published.get_graph()


class TestRunning:
    def test_a_run_has_what_was_given(self, ws: Workspace, published: PublishedPipeline, state: PipelineState) -> None:
        run = published.submit(ws, "nights", {"rounds": 7, "folder": a_path("other")}, continue_on_step_failure=True)
        place = {"kind": "path", "location": {"datastore": "workspaceblobstore", "path": "other"}}
        (sent,) = state.published.runs
        assert sent["parameters"] == {"rounds": 7, "folder": place}
        assert (sent["experiment"], sent["continue_on_step_failure"], sent["reuse"]) == ("nights", True, "auto")
        assert isinstance(run, PipelineRun)
        assert (run.experiment.name, run.get_status()) == ("nights", "NotStarted")

    def test_through_an_experiment(self, ws: Workspace, published: PublishedPipeline, state: PipelineState) -> None:
        options: dict[str, Any] = {"pipeline_parameters": {"rounds": 1}, "regenerate_outputs": True}
        run = Experiment(ws, "nights").submit(published, tags={"a": 1}, display_name="n", **options)
        (sent,) = state.published.runs
        assert (sent["tags"], sent["display_name"], sent["reuse"]) == ({"a": "1"}, "n", "refresh")
        assert sent["continue_on_step_failure"] is None
        assert run.tags == {"a": "1"}

    def test_its_runs(self, ws: Workspace, published: PublishedPipeline) -> None:
        runs = [published.submit(ws, name) for name in ("a", "b")]
        other(ws).submit(ws, "a")
        found = PipelineRun.get_pipeline_runs(ws, published.id)
        assert found == runs[::-1]
        assert [run.experiment.name for run in found] == ["b", "a"]

    def test_what_is_refused(self, ws: Workspace, published: PublishedPipeline, state: PipelineState) -> None:
        refusals: list[tuple[Callable[[], Any], str]] = [
            (lambda: published.submit(ws, "e", {"round": 1}), "no pipeline parameter 'round'"),
            (lambda: published.submit(ws, "e", {"rounds": "many"}), "expects int"),
            (lambda: published.submit(ws, "not allowed"), "cannot be the name of the experiment"),
            (lambda: published.submit(ws, "e", nonsense=1), r"PublishedPipeline\.submit does not know"),
            (lambda: published.submit(ws, "e", [1]), "must be a dict"),  # type: ignore[arg-type]
        ]
        for call, complaint in refusals:
            with pytest.raises(UserErrorException, match=complaint):
                call()
        published.disable()
        with pytest.raises(UserErrorException, match="disabled"):
            published.submit(ws, "e")
        assert state.published.runs == []
        published.enable()
        published.submit(ws, "e")
        assert len(state.published.runs) == 1

    def test_a_parent_is_warned_about(self, ws: Workspace, published: PublishedPipeline) -> None:
        with pytest.warns(IgnoredArgumentWarning, match="parent_run_id has no effect"):
            published.submit(ws, "e", parent_run_id="x")


class TestEndpoints:
    def test_what_an_endpoint_is(self, endpoint: PipelineEndpoint, published: PublishedPipeline) -> None:
        assert (endpoint.name, endpoint.description, endpoint.status) == ("score", "scores", "Active")
        assert (endpoint.default_version, endpoint.get_default_version()) == ("0", "0")
        assert endpoint.endpoint.endswith(f"/PipelineEndpointSubmit/Id/{endpoint.id}")
        assert endpoint.swaggerurl.startswith("http")
        (only,) = endpoint.pipeline_version_list
        assert (only.version, only.pipeline_id) == ("0", published.id)
        assert endpoint.get_pipeline() == endpoint.get_pipeline("0") == published
        assert f"Id: {endpoint.id}" in repr(endpoint)

    def test_a_pipeline_is_published_first(self, ws: Workspace, pipeline: Pipeline) -> None:
        made = PipelineEndpoint.publish(ws, "score", "scores", pipeline)
        published = made.get_pipeline()
        assert published.name.startswith("score-") and published.name.endswith("-Pipeline")
        assert published.description == "scores"
        made.add(pipeline)
        assert made.get_pipeline("1").id != published.id

    def test_a_name_that_is_taken_publishes_nothing(
        self, ws: Workspace, endpoint: PipelineEndpoint, pipeline: Pipeline
    ) -> None:
        with pytest.raises(AlreadyExistsException, match="'score' already"):
            PipelineEndpoint.publish(ws, "score", "", pipeline)
        assert len(PublishedPipeline.list(ws)) == 1

    def test_something_else_is_no_pipeline(self, ws: Workspace) -> None:
        with pytest.raises(UserErrorException, match="Pass a Pipeline or a PublishedPipeline, not str"):
            PipelineEndpoint.publish(ws, "score", "", "pipeline")  # type: ignore[arg-type]

    def test_finding_them(self, ws: Workspace, endpoint: PipelineEndpoint, published: PublishedPipeline) -> None:
        second = PipelineEndpoint.publish(ws, "second", "", published)
        assert PipelineEndpoint.get(ws, id=endpoint.id) == PipelineEndpoint.get(ws, name="score") == endpoint != second
        assert set(PipelineEndpoint.list(ws)) == set(PipelineEndpoint.get_all(ws)) == {endpoint, second}
        assert len(PipelineEndpoint.list(ws, max_results=1)) == 1
        second.disable()
        assert PipelineEndpoint.list(ws) == [endpoint]
        assert set(PipelineEndpoint.list(ws, active_only=False)) == {endpoint, second}
        with pytest.raises(NotFoundException, match=r"no pipeline endpoint 'scor'\. Did you mean 'score'"):
            PipelineEndpoint.get(ws, name="scor")
        with pytest.raises(UserErrorException, match="either an id or a name"):
            PipelineEndpoint.get(ws)

    def test_versions(self, ws: Workspace, endpoint: PipelineEndpoint, published: PublishedPipeline) -> None:
        second, third = other(ws), other(ws)
        endpoint.add(second)
        assert (endpoint.default_version, endpoint.get_pipeline()) == ("0", published)
        endpoint.add_default(third)
        assert (endpoint.default_version, endpoint.get_pipeline()) == ("2", third)
        versions = [(each.version, each.pipeline) for each in endpoint.list_versions()]
        assert versions == [("0", published), ("1", second), ("2", third)]
        assert [each.version for each in endpoint.get_all_versions()] == ["0", "1", "2"]
        endpoint.set_default(second)
        assert endpoint.get_default_version() == "1"
        endpoint.set_default_version("0")
        assert endpoint.get_default_version() == "0"

    def test_the_newest_version_of_a_pipeline_becomes_the_default(
        self, endpoint: PipelineEndpoint, published: PublishedPipeline
    ) -> None:
        endpoint.add(published)
        endpoint.set_default(published)
        assert endpoint.default_version == "1"

    def test_versions_that_there_are_not(self, ws: Workspace, endpoint: PipelineEndpoint) -> None:
        with pytest.raises(UserErrorException, match="is no version of the endpoint 'score'"):
            endpoint.set_default(other(ws))
        with pytest.raises(NotFoundException, match="no version '7'"):
            endpoint.set_default_version("7")
        with pytest.raises(NotFoundException, match=r"has no version '7'\. It has 0"):
            endpoint.get_pipeline("7")

    def test_its_pipelines(self, ws: Workspace, endpoint: PipelineEndpoint, published: PublishedPipeline) -> None:
        second = other(ws)
        for pipeline in (second, published):
            endpoint.add(pipeline)
        assert endpoint.list_pipelines() == endpoint.get_all_pipelines() == [published, second]
        second.disable()
        assert endpoint.list_pipelines() == [published]
        assert endpoint.list_pipelines(active_only=False) == [published, second]

    def test_names(self, ws: Workspace, endpoint: PipelineEndpoint, published: PublishedPipeline) -> None:
        PipelineEndpoint.publish(ws, "taken", "", published)
        with pytest.raises(AlreadyExistsException, match="'taken'"):
            endpoint.set_name("taken")
        endpoint.set_name(name="free")
        endpoint.set_description("new")
        again = PipelineEndpoint.get(ws, name="free")
        assert (again, again.description) == (endpoint, "new")

    def test_archiving_frees_the_name(
        self, ws: Workspace, endpoint: PipelineEndpoint, published: PublishedPipeline
    ) -> None:
        endpoint.archive()
        assert endpoint.status == "Disabled" and endpoint.name != "score"
        PipelineEndpoint.publish(ws, "score", "", published)
        with pytest.raises(AlreadyExistsException):
            endpoint.reactivate("score")
        endpoint.reactivate("back")
        assert (endpoint.status, endpoint.name) == ("Active", "back")

    def test_running(self, ws: Workspace, endpoint: PipelineEndpoint, state: PipelineState) -> None:
        endpoint.add_default(other(ws))
        endpoint.submit("nights")
        endpoint.submit("nights", pipeline_parameters={"rounds": 3}, pipeline_version="0")
        run = Experiment(ws, "nights").submit(endpoint, tags={"a": "1"}, pipeline_version="0")
        ids = [each.pipeline_id for each in endpoint.pipeline_version_list]
        assert [each["pipeline_id"] for each in state.published.runs] == [ids[1], ids[0], ids[0]]
        assert state.published.runs[1]["parameters"] == {"rounds": 3}
        assert run.tags == {"a": "1"} and isinstance(run, PipelineRun)
        with pytest.raises(NotFoundException, match="no version '9'"):
            endpoint.submit("nights", pipeline_version="9")
        endpoint.disable()
        with pytest.raises(UserErrorException, match="disabled"):
            endpoint.submit("nights")
        endpoint.enable()
        endpoint.submit("nights")
        assert len(state.published.runs) == 4

    def test_made_by_hand_as_v1_allows(self, ws: Workspace, published: PublishedPipeline) -> None:
        versions = [PipelineIdVersion("0", published.id)]
        same = PipelineEndpoint(ws, "id", "n", "d", "Active", "0", "http://e", versions)
        assert (same.id, same.name, same.endpoint, same.get_pipeline()) == ("id", "n", "http://e", published)
        assert "Version: 0" in repr(versions[0]) and "Version: 3" in repr(PipelineVersion("3", published))
        assert hash(same) == hash("id")
