"""`airloom publish`, `run`, `pipelines` and `endpoints`: what is published is run by its name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airloom.cli.finding import complete_endpoint, complete_pipeline
from airloom.cli.publish import _complete_name, _complete_source
from tests.unit.cli.conftest import Command
from tests.unit.cli.test_submit import PIPELINE, moments
from tests.unit.sdk_pipeline.server import PipelineState

WITH_PATH = PIPELINE.replace(
    "    word:",
    "    folder: {type: datapath, default: {datastore: workspaceblobstore, path_on_datastore: in}}\n    word:",
).replace(
    "      arguments: [{source: count}", "      inputs: {folder: {source: folder}}\n      arguments: [{source: count}"
)


@pytest.fixture
def file(folder: Path) -> str:
    """A pipeline of one step, with a number, a path and a text as parameters."""
    (folder / "src").mkdir()
    (folder / "src" / "greet.py").write_text("print('hi')\n")
    (folder / "greeting.yml").write_text(WITH_PATH)
    return "greeting.yml"


@pytest.fixture
def published(airloom: Command, state: PipelineState, file: str) -> str:
    """The id of the pipeline, published as `hello`."""
    made = airloom("publish", file, "--name", "hello", "--version", "1", "--description", "greets", "--json")
    return str(json.loads(made.out)["id"])


class TestPublish:
    def test_a_file(self, airloom: Command, state: PipelineState, file: str) -> None:
        done = airloom("publish", file, "--name", "hello", "--tag", "team=a", "--continue-on-step-failure")
        (made,) = state.of("default", "pipelines").values()
        assert done.status == 0
        assert f"published pipeline hello, id {made['id']}" in done.out
        assert f"`airloom run hello`, or POST to {made['endpoint']}" in done.out
        assert (made["tags"], made["continue_on_step_failure"]) == ({"team": "a"}, True)

    def test_a_run(self, airloom: Command, state: PipelineState, file: str) -> None:
        airloom("submit", file)
        made = json.loads(airloom("publish", "last", "--name", "again", "--json").out)
        assert (made["name"], made["steps"]) == ("again", ["greet"])

    def test_behind_an_endpoint(self, airloom: Command, state: PipelineState, file: str) -> None:
        first = airloom("publish", file, "--name", "hello", "--endpoint", "greeter")
        assert "version 0, the default, of endpoint greeter" in first.out
        second = json.loads(airloom("publish", file, "--name", "hello", "--endpoint", "greeter", "--json").out)
        assert second["pipeline_endpoint"]["default_version"] == "1"
        assert len(state.of("default", "endpoints")) == 1

    def test_what_is_neither_file_nor_run(self, airloom: Command, state: PipelineState) -> None:
        assert "no file 'nothing.yml'" in airloom("publish", "nothing.yml", "--name", "x").err
        assert "No run has an id that begins with 'nothing'" in airloom("publish", "nothing", "--name", "x").err
        assert airloom("publish", "last").status == 2
        assert state.of("default", "pipelines") == {}


class TestRun:
    def test_by_name(self, airloom: Command, state: PipelineState, published: str) -> None:
        options = ("-p", "count=3", "-p", "word=007", "-p", "folder=workspaceblobstore/new", "--tag", "a=b")
        done = airloom("run", "hello", *options, "--reuse", "off", "--stop-on-step-failure")
        (sent,) = state.published.runs
        assert done.status == 0
        assert f"run {sent['run_id']} of experiment hello: NotStarted" in done.out
        place = {"kind": "path", "location": {"datastore": "workspaceblobstore", "path": "new"}}
        assert sent["parameters"] == {"count": 3, "word": "007", "folder": place}
        assert (sent["reuse"], sent["continue_on_step_failure"], sent["tags"]) == ("off", False, {"a": "b"})

    def test_by_id_or_its_beginning(self, airloom: Command, state: PipelineState, published: str) -> None:
        for name in (published, published[:8]):
            assert airloom("run", name, "--experiment", "mine").status == 0
        assert [(each["pipeline_id"], each["experiment"]) for each in state.published.runs] == [(published, "mine")] * 2

    def test_the_newest_active_one_of_a_name(
        self, airloom: Command, state: PipelineState, file: str, published: str
    ) -> None:
        newer = json.loads(airloom("publish", file, "--name", "hello", "--json").out)["id"]
        airloom("run", "hello")
        airloom("pipelines", "disable", newer)
        airloom("run", "hello")
        assert [each["pipeline_id"] for each in state.published.runs] == [newer, published]

    @pytest.mark.parametrize(("ending", "status"), [("Finished", 0), ("Failed", 1)])
    def test_waiting_ends_with_the_run(
        self, airloom: Command, state: PipelineState, published: str, ending: str, status: int
    ) -> None:
        start = state.start

        def start_and_script(workspace: str, run_id: str, *rest: object, **facts: object) -> dict[str, object]:
            state.moments[run_id] = moments(state, run_id, ending)[1:]
            return start(workspace, run_id, *rest, **facts)  # type: ignore[arg-type]

        state.start = start_and_script  # type: ignore[method-assign]
        done = airloom("run", "hello", "--wait")
        assert done.status == status
        assert f"is {ending} after" in done.out
        assert f"{ending}  greet (1.5 s)" in done.err

    def test_the_same_key_is_the_same_run(self, airloom: Command, state: PipelineState, published: str) -> None:
        runs = [json.loads(airloom("run", "hello", "--idempotency-key", "k", "--json").out)["id"] for _ in range(2)]
        assert runs[0] == runs[1]
        assert len(state.published.runs) == 1

    def test_versions_of_an_endpoint(self, airloom: Command, state: PipelineState, file: str, published: str) -> None:
        airloom("endpoints", "create", "greeter", "hello")
        other = json.loads(airloom("publish", file, "--name", "other", "--endpoint", "greeter", "--json").out)["id"]
        for options in (["--endpoint"], ["--version", "0"], ["--endpoint", "--version", "1"]):
            assert airloom("run", "greeter", *options, "-p", "word=1").status == 0
        assert [each["pipeline_id"] for each in state.published.runs] == [other, published, other]
        assert {each["experiment"] for each in state.published.runs} == {"greeter"}
        assert [each["parameters"] for each in state.published.runs] == [{"word": "1"}] * 3
        assert "no version '9'" in airloom("run", "greeter", "--version", "9", "-p", "word=1").err

    def test_mistakes(self, airloom: Command, state: PipelineState, published: str) -> None:
        airloom("endpoints", "create", "greeter", "hello")
        assert "'greeter' is an endpoint: add --endpoint" in airloom("run", "greeter").err
        unknown = airloom("run", "helo")
        assert "There is no published pipeline 'helo'" in unknown.err and "Did you mean 'hello'" in unknown.err
        assert "no pipeline parameter 'cuont'" in airloom("run", "hello", "-p", "cuont=1").err
        assert airloom("run", "hello", "-p", "count").status == 2
        assert "not a value that YAML can read" in airloom("run", "hello", "-p", "count=[").err
        airloom("pipelines", "disable", "hello")
        assert "is disabled" in airloom("run", "hello").err
        assert state.published.runs == []


class TestPipelines:
    def test_list(self, airloom: Command, state: PipelineState, file: str, published: str) -> None:
        other = json.loads(airloom("publish", file, "--name", "other", "--json").out)["id"]
        airloom("pipelines", "disable", "other")
        assert published in airloom("pipelines", "list").out
        assert other not in airloom("pipelines", "list").out
        assert [each["id"] for each in json.loads(airloom("pipelines", "list", "--all", "--json").out)] == [
            other,
            published,
        ]
        assert len(json.loads(airloom("pipelines", "list", "-a", "-n", "1", "--json").out)) == 1

    def test_none(self, airloom: Command, state: PipelineState) -> None:
        assert "No published pipelines. Publish one with" in airloom("pipelines", "list").out

    def test_show(self, airloom: Command, state: PipelineState, published: str) -> None:
        shown = airloom("pipelines", "show", "hello").out
        for word in (published, "greets", "PipelineSubmit", "greet", "count", "workspaceblobstore/in"):
            assert word in shown
        assert json.loads(airloom("pipelines", "show", "hello", "--json").out)["id"] == published

    def test_enable_and_disable(self, airloom: Command, state: PipelineState, published: str) -> None:
        assert f"{published}: Disabled" in airloom("pipelines", "disable", "hello").out
        assert json.loads(airloom("pipelines", "enable", published, "--json").out)["status"] == "Active"

    def test_ids_that_begin_alike(self, airloom: Command, state: PipelineState, published: str) -> None:
        known = state.of("default", "pipelines")
        for last in "12":
            known[f"0000-{last}"] = {**known[published], "id": f"0000-{last}", "name": last}
        assert "2 published pipelines have an id that begins with '0000'" in airloom("pipelines", "show", "0000").err


class TestEndpoints:
    @pytest.fixture
    def endpoint(self, airloom: Command, published: str) -> str:
        """The id of an endpoint called `greeter`."""
        return str(json.loads(airloom("endpoints", "create", "greeter", "hello", "--json").out)["id"])

    def test_show(self, airloom: Command, state: PipelineState, endpoint: str, published: str) -> None:
        shown = airloom("endpoints", "show", "greeter").out
        for word in (endpoint, published, "PipelineEndpointSubmit", "default"):
            assert word in shown
        assert json.loads(airloom("endpoints", "show", endpoint, "--json").out)["id"] == endpoint

    def test_list(self, airloom: Command, state: PipelineState, endpoint: str) -> None:
        assert endpoint in airloom("endpoints", "list").out
        airloom("endpoints", "disable", "greeter")
        assert "No endpoints. Make one with" in airloom("endpoints", "list").out
        assert [each["id"] for each in json.loads(airloom("endpoints", "list", "--all", "--json").out)] == [endpoint]

    def test_its_life(self, airloom: Command, state: PipelineState, endpoint: str) -> None:
        kept = state.of("default", "endpoints")[endpoint]
        assert "versions 0, 1; the default is 0" in airloom("endpoints", "add", "greeter", "hello").out
        airloom("endpoints", "add", "greeter", "hello", "--default")
        assert kept["default_version"] == "2"
        assert "the default is 1" in airloom("endpoints", "default", "greeter", "1").out
        assert "endpoint hi, id" in airloom("endpoints", "rename", "greeter", "hi").out
        assert "Disabled" in airloom("endpoints", "disable", "hi").out
        assert "Active" in airloom("endpoints", "enable", "hi").out
        assert "Disabled" in airloom("endpoints", "archive", "hi").out
        assert kept["name"] != "hi"
        assert "endpoint back, id" in airloom("endpoints", "reactivate", endpoint, "back").out

    def test_mistakes(self, airloom: Command, state: PipelineState, endpoint: str) -> None:
        assert "called 'greeter' already" in airloom("endpoints", "create", "greeter", "hello").err
        assert "no version '7'" in airloom("endpoints", "default", "greeter", "7").err
        assert "no endpoint 'greter'" in airloom("endpoints", "show", "greter").err


def test_a_shell_is_offered_names_and_files(airloom: Command, state: PipelineState, published: str) -> None:
    airloom("endpoints", "create", "heaven", "hello")
    assert complete_pipeline("he") == [("hello", "greets")]
    assert [name for name, _ in complete_endpoint("")] == ["heaven"]
    assert [name for name, _ in _complete_name("he")] == ["hello", "heaven"]
    assert [name for name, _ in _complete_source("gre")] == ["greeting.yml"]


def test_a_shell_is_offered_nothing_where_no_server_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRLOOM_ENDPOINT", "http://127.0.0.1:9")
    assert complete_pipeline("") == []


@pytest.mark.parametrize("group", ["pipelines", "endpoints", "schedules", "drafts"])
def test_a_group_without_a_command_shows_its_commands(airloom: Command, group: str) -> None:
    told = airloom(group)
    assert "list" in told.out + told.err and "show" in told.out + told.err
