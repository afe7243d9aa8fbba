"""`airloom schedules` and `airloom drafts`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Command
from tests.unit.cli.test_submit import PIPELINE
from tests.unit.sdk_pipeline.server import NOW, PipelineState


@pytest.fixture
def file(folder: Path) -> str:
    """A pipeline of one step, with a number and a text as parameters."""
    (folder / "src").mkdir()
    (folder / "src" / "greet.py").write_text("print('hi')\n")
    (folder / "greeting.yml").write_text(PIPELINE)
    return "greeting.yml"


@pytest.fixture
def published(airloom: Command, state: PipelineState, file: str) -> str:
    """The id of the pipeline, published as `hello`."""
    return str(json.loads(airloom("publish", file, "--name", "hello", "--json").out)["id"])


class TestSchedules:
    def made(self, state: PipelineState) -> dict[str, Any]:
        (schedule,) = state.of("default", "schedules").values()
        return schedule

    def test_by_the_clock(self, airloom: Command, state: PipelineState, published: str) -> None:
        options = ("--every", "Week", "--interval", "2", "--at", "22:30", "--on", "Monday", "--on", "Friday")
        zone = ("--time-zone", "Europe/Berlin", "--start", "2026-07-01T08:00")
        done = airloom("schedules", "create", "nightly", "--pipeline", "hello", *options, *zone, "-p", "word=@runId()")
        made = self.made(state)
        assert done.status == 0, done.err
        assert "every 2 weeks, at 22:30, week_days Monday Friday (Europe/Berlin)" in done.out
        assert "it fires next at 2026-07-01" in done.out
        assert (made["pipeline_id"], made["experiment"]) == (published, "nightly")
        assert made["parameters"] == {"word": "@runId()"}
        assert made["recurrence"]["start_time"] == "2026-07-01T08:00:00"

    def test_of_data(self, airloom: Command, state: PipelineState, published: str) -> None:
        options = ("--datastore", "workspaceblobstore", "--path", "in", "--polling-interval", "0.5")
        done = airloom("schedules", "create", "arrivals", "--pipeline", "hello", *options, "--one-run-per", "file")
        assert "changes on workspaceblobstore/in, looked for every 0.5 min" in done.out
        data = {"datastore": "workspaceblobstore", "path": "in", "polling_interval": 0.5, "one_run_per": "file"}
        assert self.made(state)["data"] == data

    def test_of_an_endpoint_from_a_file(
        self, airloom: Command, state: PipelineState, published: str, folder: Path
    ) -> None:
        airloom("endpoints", "create", "greeter", "hello")
        (folder / "s.yml").write_text(
            "Schedule: {description: d, pipeline_parameters: {count: 2}, recurrence: {frequency: Hour, interval: 1}}\n"
        )
        made = airloom(
            "schedules", "create", "s", "--endpoint", "greeter", "-f", "s.yml", "-e", "x", "-p", "word=7", "--json"
        )
        document = json.loads(made.out)
        (endpoint,) = state.of("default", "endpoints")
        assert (document["endpoint_id"], document["pipeline_id"]) == (endpoint, None)
        assert (document["description"], document["experiment"]) == ("d", "x")
        assert document["parameters"] == {"count": 2, "word": "7"}

    @pytest.mark.parametrize(
        ("options", "complaint"),
        [
            (["--every", "Day"], "either --pipeline or --endpoint"),
            (["--pipeline", "hello", "--endpoint", "x", "--every", "Day"], "either --pipeline or --endpoint"),
            (["--pipeline", "hello"], "one of --every, --datastore and --file"),
            (["--pipeline", "hello", "--every", "Day", "--datastore", "d"], "one of --every, --datastore and --file"),
            (["--pipeline", "hello", "--every", "Day", "--path", "in"], "--path goes with --datastore only"),
            (["--pipeline", "hello", "--datastore", "d", "--at", "1:00"], "--at goes with --every only"),
            (["--pipeline", "hello", "--every", "Year"], "Year"),
        ],
    )
    def test_options_that_do_not_go_together(
        self, airloom: Command, state: PipelineState, published: str, options: list[str], complaint: str
    ) -> None:
        told = airloom("schedules", "create", "s", *options)
        assert told.status == 2
        assert complaint in " ".join(told.err.replace("│", " ").split())
        assert state.of("default", "schedules") == {}

    def test_recurrences_that_make_no_sense(self, airloom: Command, state: PipelineState, published: str) -> None:
        told = airloom("schedules", "create", "s", "--pipeline", "hello", "--every", "Hour", "--at", "1:00")
        assert (told.status, state.of("default", "schedules")) == (1, {})
        assert "time_of_day cannot be given with the frequency Hour" in told.err

    def test_its_life(self, airloom: Command, state: PipelineState, published: str) -> None:
        assert "No schedules. Make one with" in airloom("schedules", "list").out
        airloom("schedules", "create", "nightly", "--pipeline", "hello", "--every", "Day")
        made = self.made(state)
        assert made["id"] in airloom("schedules", "list", "--pipeline", "hello").out
        assert "has started no runs" in airloom("schedules", "runs", "nightly").out
        state.add_run("r1", "nightly", schedule_id=made["id"])
        assert "r1" in airloom("schedules", "runs", "nightly").out
        assert [run["id"] for run in json.loads(airloom("schedules", "runs", "nightly", "--json").out)] == ["r1"]
        assert "Disabled" in airloom("schedules", "disable", "nightly").out
        assert made["id"] not in airloom("schedules", "list").out
        assert made["id"] in airloom("schedules", "list", "--all").out
        assert json.loads(airloom("schedules", "enable", made["id"][:6], "--json").out)["status"] == "Active"
        assert "no schedule 'nightli'" in airloom("schedules", "show", "nightli").err

    def test_show(self, airloom: Command, state: PipelineState, published: str) -> None:
        airloom("schedules", "create", "arrivals", "--pipeline", "hello", "--datastore", "workspaceblobstore")
        self.made(state)["last_check"] = {"at": NOW, "outcome": "changed", "changes": 3, "message": "3 files"}
        shown = airloom("schedules", "show", "arrivals").out
        assert "changed. 3 files" in shown and published in shown
        assert json.loads(airloom("schedules", "show", "arrivals", "--json").out)["last_check"]["changes"] == 3


class TestDrafts:
    def test_its_life(self, airloom: Command, state: PipelineState, file: str) -> None:
        assert "No drafts. Make one with" in airloom("drafts", "list").out
        options = ("--file", file, "-e", "tries", "--tag", "dev=true", "--description", "d", "-p", "count=3")
        created = airloom("drafts", "create", "first", *options)
        (draft,) = state.of("default", "drafts").values()
        assert f"draft first, id {draft['id']}" in created.out
        assert (draft["experiment"], draft["tags"], draft["parameters"]) == ("tries", {"dev": "true"}, {"count": 3})
        assert draft["id"] in airloom("drafts", "list", "--tag", "dev=true").out
        assert draft["id"] not in airloom("drafts", "list", "--tag", "dev=false", "--json").out
        started = json.loads(airloom("drafts", "run", "first", "--json").out)
        assert (started["experiment"], started["parameters"]["count"]) == ("tries", 3)
        shown = airloom("drafts", "show", "first").out
        assert started["id"] in shown and "count=3" in shown
        made = airloom("drafts", "publish", "first")
        assert "published pipeline first, id" in made.out
        assert f"{draft['id']}: deleted" in airloom("drafts", "delete", "first").out
        assert state.of("default", "drafts") == {}

    def test_from_what_there_is(self, airloom: Command, state: PipelineState, file: str, published: str) -> None:
        run_id = json.loads(airloom("submit", file, "--json").out)["id"]
        airloom("drafts", "create", "a", "--pipeline", "hello", "-e", "x")
        airloom("drafts", "create", "b", "--run", "last")
        airloom("drafts", "create", "c", "--draft", "a")
        a, b, c = state.of("default", "drafts").values()
        assert (a["parent_pipeline_id"], b["parent_run_id"], c["parent_draft_id"]) == (published, run_id, a["id"])

    def test_update(self, airloom: Command, state: PipelineState, file: str, folder: Path) -> None:
        airloom("drafts", "create", "first", "--file", file, "-e", "tries")
        (folder / "other.yml").write_text(PIPELINE.replace("greet:", "salute:"))
        changed = airloom(
            "drafts", "update", "first", "--file", "other.yml", "--name", "second", "-p", "word=1", "--json"
        )
        document = json.loads(changed.out)
        assert (document["name"], document["experiment"], document["parameters"]) == ("second", "tries", {"word": "1"})
        assert state.published.graphs[document["id"]]["steps"][0]["id"] == "salute"

    def test_mistakes(self, airloom: Command, state: PipelineState, file: str) -> None:
        assert airloom("drafts", "create", "x").status == 2
        assert airloom("drafts", "create", "x", "--file", file, "--run", "last").status == 2
        told = airloom("drafts", "create", "x", "--file", file)
        assert (told.status, "needs an --experiment" in told.err) == (2, True)
        assert "There is no draft 'nothing'" in airloom("drafts", "show", "nothing").err
        assert state.of("default", "drafts") == {}
