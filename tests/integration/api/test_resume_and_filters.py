"""Runs that go on after a failure, and runs found by what they are labelled with."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airloom.exceptions import NotFoundException, UserErrorException
from airloom.graph.results import Reason, StepResult
from airloom.reuse.plan import Decision, Plan
from tests.integration.api.bench import ORIGIN, OUTPUT, WORKSPACE, Bench, explanation
from tests.support.airflow_api import eventually

EXECUTED = StepResult(status="executed", outputs={"out": OUTPUT}, key=None, attempt="1-aaaa")


def states(bench: Bench, run_id: str) -> dict[str, str]:
    return {name: step["status"] for name, step in bench.steps(run_id).items()}


def a_failed_run(bench: Bench, **tasks: str) -> str:
    run_id = bench.submit()
    bench.set(run_id, run="failed", **{"reuse": "success", **tasks})
    return run_id


class TestResume:
    def test_what_ended_well_is_kept(self, bench: Bench) -> None:
        run_id = a_failed_run(bench, prepare="success", train="failed")
        bench.push(run_id, "prepare", "airloom_result", EXECUTED)
        assert bench.client.resume_run(WORKSPACE, run_id)["status"] == "NotStarted"
        assert states(bench, run_id) == {"prepare": "Finished", "train": "NotStarted"}

    def test_what_follows_a_failed_step_runs_again(self, bench: Bench) -> None:
        run_id = a_failed_run(bench, prepare="failed", train="success")
        bench.client.resume_run(WORKSPACE, run_id)
        assert states(bench, run_id) == {"prepare": "NotStarted", "train": "NotStarted"}

    def test_a_reused_step_is_kept_and_a_stopped_one_is_not(self, bench: Bench) -> None:
        """Airflow calls both skipped."""
        run_id = a_failed_run(bench, prepare="skipped", train="skipped")
        reused = StepResult(status="reused", outputs={"out": OUTPUT}, key="k", attempt="1-aaaa", reused_from=ORIGIN)
        why = explanation("prepare", Reason.UNCHANGED)
        decision = Decision(action="reuse", message="unchanged", explanation=why)
        bench.push(run_id, "reuse", "airloom_plan", Plan(reused={"prepare": reused}, decisions={"prepare": decision}))
        bench.client.resume_run(WORKSPACE, run_id)
        assert states(bench, run_id) == {"prepare": "Finished", "train": "NotStarted"}

    def test_a_run_that_was_not_planned_begins_anew(self, bench: Bench) -> None:
        run_id = a_failed_run(bench, reuse="failed", prepare="upstream_failed", train="upstream_failed")
        assert bench.run(run_id)["error"]["code"] == "PlanningFailed"
        resumed = bench.client.resume_run(WORKSPACE, run_id)
        assert (resumed["status"], resumed["error"]) == ("NotStarted", None)
        assert states(bench, run_id) == {"prepare": "NotStarted", "train": "NotStarted"}

    def test_a_canceled_run(self, bench: Bench) -> None:
        run_id = bench.submit()
        bench.set(run_id, run="running", reuse="success", prepare="running")
        bench.client.cancel_run(WORKSPACE, run_id)
        bench.client.resume_run(WORKSPACE, run_id)
        bench.set(run_id, run="failed", prepare="failed")
        assert bench.run(run_id)["status"] == "Failed", "it is no longer taken for canceled"

    @pytest.mark.parametrize(("state", "word"), [("running", "Running"), ("success", "Finished")])
    def test_a_run_that_did_not_fail(self, bench: Bench, state: str, word: str) -> None:
        run_id = bench.submit()
        bench.set(run_id, run=state)
        with pytest.raises(UserErrorException, match=f"is {word}. Only a run that failed"):
            bench.client.resume_run(WORKSPACE, run_id)

    def test_nothing_left_to_do(self, bench: Bench) -> None:
        run_id = a_failed_run(bench, prepare="success", train="success")
        with pytest.raises(UserErrorException, match="nothing is left to be done"):
            bench.client.resume_run(WORKSPACE, run_id)

    def test_runs_that_there_are_not(self, bench: Bench) -> None:
        with pytest.raises(NotFoundException):
            bench.client.resume_run(WORKSPACE, "none")
        run_id = a_failed_run(bench)
        bench.server.act("delete_run", run_id=run_id)
        with pytest.raises(UserErrorException, match="Airflow no longer has the run"):
            bench.client.resume_run(WORKSPACE, run_id)

    def test_of_several_at_once_one_resumes_it(self, bench: Bench) -> None:
        run_id = a_failed_run(bench, prepare="failed")

        def resume(_: int) -> bool:
            try:
                bench.client.resume_run(WORKSPACE, run_id)
            except UserErrorException:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(resume, range(4))) == 1
        eventually(lambda: states(bench, run_id)["prepare"] == "NotStarted")


class TestFilters:
    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            (["season:winter"], [1, 0]),
            (["season"], [2, 1, 0]),
            (["season:winter", "ä b.c:1"], [1]),
            (["season:"], [2]),
            (['a"b\\c'], [1]),
            (['a"b\\c:D'], []),
            (["odd:a:b"], [0]),
            (["season:winter' OR 1=1"], []),
            (["sea"], []),
        ],
    )
    def test_by_tags(self, bench: Bench, labelled: list[str], wanted: list[str], found: list[int]) -> None:
        runs = self.listed(bench, tag=wanted)
        assert [labelled.index(run_id) for run_id in runs if run_id in labelled] == found

    @pytest.mark.parametrize("wanted", [":x", ""])
    def test_what_is_no_tag(self, bench: Bench, wanted: str) -> None:
        answer = bench.server.http("user").get(f"/workspaces/{WORKSPACE}/runs", params={"tag": wanted})
        assert (answer.status_code, answer.json()["Error"]["Target"]) == (400, "tag")

    def test_by_what_started_them(self, bench: Bench, labelled: list[str]) -> None:
        assert self.listed(bench, pipeline_id="none") == []
        assert self.listed(bench, schedule_id="none") == []

    @pytest.fixture(scope="class")
    def labelled(self, bench: Bench) -> list[str]:
        tags: list[dict[str, str]] = [
            {"season": "winter", "odd": "a:b"},
            {"season": "winter", "ä b.c": "1", 'a"b\\c': "d"},
            {"season": ""},
        ]
        return [bench.submit(tags=each) for each in tags]

    @staticmethod
    def listed(bench: Bench, **filters: Any) -> list[str]:
        answer = bench.server.http("user").get(f"/workspaces/{WORKSPACE}/runs", params=filters)
        return [run["id"] for run in answer.raise_for_status().json()["runs"]]
