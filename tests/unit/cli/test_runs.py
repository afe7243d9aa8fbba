"""`airloom runs`, `logs` and `explain` against a server whose runs the test makes up."""

from __future__ import annotations

import json

import pytest

from tests.unit.cli.conftest import Command
from tests.unit.sdk_core.server import NOW
from tests.unit.sdk_pipeline.server import PipelineState, a_state

FIRST = "aaaaaaaa-0000-4000-8000-000000000001"
SECOND = "bbbbbbbb-0000-4000-8000-000000000002"


@pytest.fixture(autouse=True)
def two_runs(state: PipelineState) -> None:
    """A finished run of two steps, and a newer one that goes on."""
    state.add_run(FIRST, "cars", status="Finished", ended_at=NOW)
    state.add_run(SECOND, "boats", status="Running")
    state.steps[FIRST] = {
        "prepare": a_state("prepare", "prepare data", status="Finished", reused=True),
        "train": a_state("train", "train", status="Finished", seconds=2.5),
    }
    state.steps[SECOND] = {"sail": a_state("sail", "sail", status="Running")}
    state.logs[FIRST, "prepare", "stdout"] = "reading\n"
    state.logs[FIRST, "train", "stdout"] = "epoch 1\nepoch 2\n"
    state.logs[FIRST, "train", "stderr"] = "a warning"
    state.explanations[FIRST] = [
        explanation("prepare", "prepare data", "reused", "Nothing that counts has changed: reused from run 7."),
        explanation("train", "train", "executed", "The script has changed.", changed=[("script", "1" * 99, None)]),
    ]


def explanation(
    step_id: str, name: str, action: str, message: str, changed: list[tuple[str, object, object]] | None = None
) -> dict[str, object]:
    return {
        "step_id": step_id,
        "name": name,
        "action": action,
        "reason": "changed",
        "message": message,
        "changed": [{"part": part, "before": before, "now": now} for part, before, now in changed or ()],
        "compared_to": {"run_id": "run-7", "step_id": step_id, "attempt": "1"},
    }


def test_runs_come_newest_first_with_whole_ids(airloom: Command) -> None:
    lines = airloom("runs").out.splitlines()
    assert [line.split()[0] for line in lines] == ["run", SECOND, FIRST]
    assert "Finished" in lines[2]


def test_runs_of_one_experiment(airloom: Command) -> None:
    shown = airloom("runs", "--experiment", "cars").out
    assert FIRST in shown
    assert SECOND not in shown


def test_runs_as_json_are_what_the_server_says(airloom: Command) -> None:
    assert [run["id"] for run in json.loads(airloom("runs", "--json").out)] == [SECOND, FIRST]


def test_no_runs_says_how_to_get_one(airloom: Command, state: PipelineState) -> None:
    state.of("default", "runs").clear()
    assert "airloom submit" in airloom("runs").out


def test_logs_of_all_steps_are_headed_by_their_names(airloom: Command) -> None:
    shown = airloom("logs", FIRST).out
    assert shown == "--- prepare data\nreading\n--- train\nepoch 1\nepoch 2\n"


def test_a_step_is_found_by_name_and_a_run_by_the_beginning_of_its_id(airloom: Command) -> None:
    assert airloom("logs", "aaaa", "prepare data").out == "reading\n"


def test_the_other_streams(airloom: Command) -> None:
    assert airloom("logs", FIRST, "train", "--stream", "stderr").out == "a warning\n"


def test_logs_longer_than_a_piece_are_whole(airloom: Command, state: PipelineState) -> None:
    text = "".join(f"line {number}\n" for number in range(2000))
    state.logs[FIRST, "train", "stdout"] = text
    assert airloom("logs", FIRST, "train").out == text


def test_following_prints_lines_as_they_come_until_the_step_ends(airloom: Command, state: PipelineState) -> None:
    key = (SECOND, "sail", "stdout")
    state.moments[SECOND] = [
        lambda: None,
        lambda: state.logs.update({key: "hoist\nhalf a "}),
        lambda: state.logs.update({key: "hoist\nhalf a line\nno end"}),
        lambda: state.step(SECOND, "sail", status="Finished"),
    ]
    assert airloom("logs", SECOND, "sail", "--follow").out == "hoist\nhalf a line\nno end\n"


def test_following_outlasts_a_server_that_is_started_again(
    airloom: Command, state: PipelineState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airloom.cli.follow.POLL_SECONDS", 0.01)
    state.logs[SECOND, "sail", "stdout"] = "hoist\n"
    state.moments[SECOND] = [
        lambda: None,
        lambda: setattr(state, "outages", 3),
        lambda: state.step(SECOND, "sail", status="Finished"),
    ]
    followed = airloom("logs", SECOND, "sail", "--follow")
    assert (followed.status, followed.out) == (0, "hoist\n")
    assert followed.err.count("waiting for it") == 1


def test_a_server_that_stays_away_is_told_at_last(
    airloom: Command, state: PipelineState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airloom.cli.follow.PATIENCE_SECONDS", 0.0)
    state.moments[SECOND] = [lambda: None, lambda: setattr(state, "outages", 99)]
    assert airloom("logs", SECOND, "sail", "--follow").status == 1


def test_following_a_whole_run_says_whose_line_it_is(airloom: Command) -> None:
    shown = airloom("logs", FIRST, "--follow").out
    assert shown == "prepare data | reading\ntrain | epoch 1\ntrain | epoch 2\n"


def test_last_is_the_newest_run(airloom: Command, state: PipelineState) -> None:
    state.logs[SECOND, "sail", "stdout"] = "wind\n"
    assert airloom("logs", "last", "sail").out == "wind\n"


def test_an_unknown_run_says_where_to_look(airloom: Command) -> None:
    told = airloom("logs", "cccc")
    assert told.status == 1
    assert "No run has an id that begins with 'cccc'" in told.err
    assert "airloom runs" in told.err


def test_a_mistyped_step_is_helped(airloom: Command) -> None:
    told = airloom("logs", FIRST, "trian")
    assert told.status == 1
    assert "Did you mean 'train'?" in told.err


def test_explain_tells_reuse_and_what_changed(airloom: Command) -> None:
    shown = airloom("explain", FIRST).out
    assert "prepare data  reused" in shown
    assert "Nothing that counts has changed: reused from run 7." in shown
    assert f"script: {'1' * 77}... -> nothing" in shown
    assert shown.count("compared to run run-7") == 1


def test_explain_one_step_as_json(airloom: Command) -> None:
    told = json.loads(airloom("explain", FIRST, "--step", "train", "--json").out)
    assert [step["step_id"] for step in told["steps"]] == ["train"]


def test_explain_names_steps_that_are_not_decided(airloom: Command, state: PipelineState) -> None:
    state.explanations[SECOND] = []
    assert "sail  Running, not decided yet" in airloom("explain", "last").out


def test_runs_by_tags_and_by_what_made_them(airloom: Command, state: PipelineState) -> None:
    state.of("default", "runs")[FIRST].update(tags={"season": "winter"}, pipeline_id="1" * 36, schedule_id=None)
    for options in (["--tag", "season"], ["--tag", "season=winter"]):
        shown = airloom("runs", *options, "--json").out
        assert [run["id"] for run in json.loads(shown)] == [FIRST]
    assert "No runs." in airloom("runs", "--tag", "season=summer").out
    missing = airloom("runs", "--schedule", "nightly")
    assert (missing.status, "nightly" in missing.err) == (1, True)


def test_a_run_is_resumed(airloom: Command, state: PipelineState) -> None:
    refused = airloom("resume", FIRST[:6])
    assert (refused.status, "is Finished" in refused.err) == (1, True)
    state.end(FIRST, "Failed")
    told = airloom("resume", FIRST[:6]).out
    assert f"run {FIRST} of experiment cars: NotStarted" in told
    assert f"airloom logs {FIRST} --follow" in told
    state.end(FIRST, "Canceled")
    assert json.loads(airloom("resume", FIRST, "--json").out)["status"] == "NotStarted"
