"""Drafts: made from whatever is a pipeline, changed, run and published."""

from __future__ import annotations

from pathlib import Path

import pytest

from airloom.core import Workspace
from airloom.exceptions import NotFoundException, UserErrorException
from airloom.pipeline.core import Pipeline, PipelineDraft, PipelineParameter, PipelineRun
from tests.unit.sdk_pipeline.builders import a_path, a_step
from tests.unit.sdk_pipeline.server import PipelineState

pytestmark = pytest.mark.usefixtures("scripts")


@pytest.fixture
def pipeline(ws: Workspace) -> Pipeline:
    """One step with a number as parameter."""
    return Pipeline(ws, [a_step("train", arguments=[PipelineParameter("rounds", 5)])])


@pytest.fixture
def draft(ws: Workspace, pipeline: Pipeline) -> PipelineDraft:
    """A draft of it."""
    return PipelineDraft.create(
        ws,
        name="first",
        description="a try",
        experiment_name="drafts",
        pipeline=pipeline,
        pipeline_parameters={"rounds": 7},
        continue_on_step_failure=True,
        tags={"dev": "true", "n": 1},  # type: ignore[dict-item]  # v1 takes numbers too
        properties={"train": "value"},
    )


def test_what_a_draft_is(ws: Workspace, draft: PipelineDraft, pipeline: Pipeline) -> None:
    assert (draft.name, draft.description, draft.experiment_name) == ("first", "a try", "drafts")
    assert (draft.tags, draft.properties) == ({"dev": "true", "n": "1"}, {"train": "value"})
    assert draft.get_graph() == pipeline.graph
    assert (draft.parent_pipeline_id, draft.parent_pipeline_run_id, draft.parent_pipeline_draft_id) == (None,) * 3
    assert (draft.parent_step_run_ids, draft.last_submitted_pipeline_run_id) == ([], None)
    assert PipelineDraft.get(ws, id=draft.id) == draft
    assert f"Id: {draft.id}" in repr(draft)


def test_a_draft_of_a_pipeline_needs_a_name_and_an_experiment(ws: Workspace, pipeline: Pipeline) -> None:
    with pytest.raises(UserErrorException, match="needs a name and an experiment_name"):
        PipelineDraft.create(ws, pipeline, name="first")


def test_drafts_of_what_there_is(ws: Workspace, draft: PipelineDraft, pipeline: Pipeline) -> None:
    published, run = pipeline.publish("nightly"), pipeline.submit("tests")
    of_pipeline = PipelineDraft.create(ws, published, experiment_name="drafts")
    of_run, of_draft = PipelineDraft.create(ws, run), PipelineDraft.create(ws, draft, name="copy")
    assert of_pipeline.parent_pipeline_id == published.id
    assert (of_run.parent_pipeline_run_id, of_run.experiment_name) == (run.id, "tests")
    assert (of_draft.parent_pipeline_draft_id, of_draft.name) == (draft.id, "copy")
    assert of_pipeline.get_graph() == of_run.get_graph() == of_draft.get_graph() == pipeline.graph
    with pytest.raises(UserErrorException, match="not from str"):
        PipelineDraft.create(ws, "pipeline")  # type: ignore[arg-type]


def test_listing_by_tags(ws: Workspace, draft: PipelineDraft, pipeline: Pipeline) -> None:
    second = PipelineDraft.create(ws, pipeline, "second", experiment_name="drafts", tags={"dev": "false"})
    assert PipelineDraft.list(ws) == [second, draft]
    assert PipelineDraft.list(ws, tags={"dev": "true"}) == [draft]
    assert PipelineDraft.list(ws, tags={"other": "true"}) == []


def test_what_is_given_changes_and_the_rest_stays(ws: Workspace, draft: PipelineDraft, state: PipelineState) -> None:
    before = draft.get_graph()
    draft.update(name="renamed", pipeline_parameters={"folder": a_path()}, tags={})
    again = PipelineDraft.get(ws, draft.id)
    assert (again.name, again.description, again.tags) == ("renamed", "a try", {})
    assert again.get_graph() == before
    assert state.of("default", "drafts")[draft.id]["parameters"]["folder"]["kind"] == "path"


def test_another_pipeline_takes_the_place_of_its_graph(ws: Workspace, draft: PipelineDraft) -> None:
    new = Pipeline(ws, [a_step("other", script_name="extract.py")])
    draft.update(pipeline=new, description="new")
    assert draft.get_graph() == new.graph
    assert (draft.name, draft.description) == ("first", "new")


def test_running_remembers_the_run(ws: Workspace, draft: PipelineDraft) -> None:
    run = draft.submit_run()
    assert isinstance(run, PipelineRun)
    assert run.experiment.name == "drafts"
    assert run.get_details()["parameters"] == {"rounds": 7}
    assert draft.last_submitted_pipeline_run_id == PipelineDraft.get(ws, draft.id).last_submitted_pipeline_run_id
    assert draft.last_submitted_pipeline_run_id == run.id


def test_publishing(draft: PipelineDraft) -> None:
    published = draft.publish()
    assert (published.name, published.description) == ("first", "a try")
    assert published.get_graph() == draft.get_graph()


def test_deleting(ws: Workspace, draft: PipelineDraft) -> None:
    draft.delete()
    with pytest.raises(NotFoundException, match=draft.id):
        PipelineDraft.get(ws, draft.id)


def test_yaml(ws: Workspace, draft: PipelineDraft, tmp_path: Path) -> None:
    assert Pipeline.load_yaml(ws, draft.save(tmp_path / "draft.yml")).graph == draft.get_graph()


def test_made_by_hand_as_v1_allows(ws: Workspace) -> None:
    made = PipelineDraft(ws, "id", "n", parent_pipeline_id="p", last_submitted_pipeline_run_id="r")
    assert (made.id, made.name, made.description, made.tags) == ("id", "n", "", {})
    assert (made.parent_pipeline_id, made.last_submitted_pipeline_run_id) == ("p", "r")
