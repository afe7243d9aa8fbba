"""Pages of runs: who may see what, states that pass quickly, and DAGs that were written by hand."""

from __future__ import annotations

import os
import subprocess
import sys

import httpx
import pytest

from airloom.graph.results import Reason, StepResult
from airloom.plugins.pages.words import ABSENT
from airloom.reuse.plan import Decision, Plan
from tests.integration.api.bench import ORIGIN, OUTPUT, WORKSPACE, Bench, as_body, explanation, graph
from tests.integration.api.server import ApiServer
from tests.integration.pages.html import Page

pytestmark = pytest.mark.integration


def page_of(bench: Bench, run_id: str, role: str = "viewer") -> Page:
    return Page(get(bench, f"/airloom/runs/{run_id}", role).raise_for_status().text)


def get(bench: Bench, path: str, role: str) -> httpx.Response:
    headers = {"cookie": f"_token={bench.server.token(role)}", "accept": "text/html"}
    return httpx.get(f"{bench.server.url}{path}", headers=headers, timeout=60)


def reused(step_id: str) -> StepResult:
    because = explanation(step_id, Reason.UNCHANGED, compared_to=ORIGIN)
    return StepResult(
        status="reused", outputs={"out": OUTPUT}, key="k", attempt="1-a", reused_from=ORIGIN, explanation=because
    )


def test_before_anything_has_happened(bench: Bench) -> None:
    run_id = bench.submit(display_name="Try <1>", tags={"team": "a&b"})
    page = page_of(bench, run_id)
    assert page.text.startswith("Try <1> - Airloom Try <1> Not started")
    assert "Tag team a&b" in page.text
    assert "2 steps: 2 not started" in page.text
    assert page.row("Prepare data") == f"Prepare data Not started {ABSENT} {ABSENT}"
    answer = get(bench, f"/airloom/runs/{run_id}", "viewer")
    assert 'http-equiv="refresh"' in answer.text


def test_while_it_runs(bench: Bench) -> None:
    run_id = bench.submit()
    bench.push(run_id, "reuse", "airloom_plan", Plan(reused={"prepare": reused("prepare")}))
    bench.set(run_id, reuse="success", prepare="skipped", train="running", run="running")
    page = page_of(bench, run_id)
    assert "2 steps: 1 reused, 1 running" in page.text
    assert page.row("train").startswith("train Running")


def test_a_run_that_ended_is_not_loaded_again(bench: Bench) -> None:
    run_id = bench.submit()
    bench.set(run_id, reuse="failed", run="failed")
    answer = get(bench, f"/airloom/runs/{run_id}", "viewer")
    assert "refresh" not in answer.text
    assert "The run could not be planned." in Page(answer.text).text


def test_only_who_may_submit_sees_files(bench: Bench) -> None:
    """As in the API: the files of a datastore are for those whose scripts could read them."""
    run_id = bench.submit()
    bench.push(run_id, "reuse", "airloom_plan", Plan(reused={"prepare": reused("prepare")}))
    bench.set(run_id, reuse="success", prepare="skipped")
    assert "files" not in page_of(bench, run_id, "viewer").links
    links = page_of(bench, run_id, "user").links["files"]
    files = Page(get(bench, links[0], "user").text)
    assert "Nothing is there any more." in files.text
    assert "Output out" not in Page(get(bench, links[0], "viewer").text).text


def test_a_run_of_a_hidden_pipeline(bench: Bench) -> None:
    """Whoever may not read the DAG learns nothing, with whatever DAG he names in the address."""
    boss = bench.server.client("admin")
    run_id = boss.submit_run(WORKSPACE, "secret", as_body(graph()))["id"]
    assert "2 steps" in page_of(bench, run_id, "admin").text
    for path in (f"/airloom/runs/{run_id}", f"/airloom/runs/{run_id}/steps/train"):
        refused = get(bench, path, "user")
        assert refused.status_code == 403
        assert "No access" in refused.text and "Prepare data" not in refused.text
        assert get(bench, f"{path}?dag_id={bench.dag_id}", "user").status_code == 404


def test_a_dag_written_by_hand(bench: Bench) -> None:
    """Airloom has no definition of it; what its tasks have told is shown, whatever they are called."""
    dag_id = "by_hand"
    dag = (
        "from airflow.sdk import DAG\n"
        "from airflow.providers.standard.operators.empty import EmptyOperator\n"
        f"with DAG({dag_id!r}, schedule=None, is_paused_upon_creation=False):\n"
        "    EmptyOperator(task_id='plan') >> EmptyOperator(task_id='prepare') >> EmptyOperator(task_id='train')\n"
    )
    (bench.server.home / "dags" / "by_hand.py").write_text(dag)
    bench.server.airflow("dags", "reserialize", "--bundle-name", "stand-in")
    run_id = "manual__2030-01-01T00:00:00+00:00"
    body = {"logical_date": None, "dag_run_id": run_id}
    url = f"{bench.server.url}/api/v2/dags/{dag_id}/dagRuns"
    headers = {"authorization": f"Bearer {bench.server.token('admin')}"}
    httpx.post(url, json=body, headers=headers, timeout=60).raise_for_status()
    address = f"/airloom/runs/{run_id.replace('+', '%2B')}?dag_id={dag_id}"

    assert "no steps that Airloom knows of" in Page(get(bench, address, "viewer").text).text
    waits = Decision(action="run", message="Its turn comes.")
    bench.push(run_id, "plan", "airloom_plan", Plan(reused={"prepare": reused("prepare")}, decisions={"train": waits}))
    bench.push(run_id, "prepare", "airloom_result", reused("prepare"))
    bench.set(run_id, plan="success", prepare="skipped")
    page = Page(get(bench, address, "viewer").text)
    assert page.row("prepare") == f"prepare Reused {ABSENT} Nothing that counts has changed earlier"
    assert page.row("train") == f"train Not started {ABSENT} Its turn comes. {ABSENT}"
    assert "stdout" not in page.links


@pytest.mark.parametrize(
    ("base_url", "prefix"), [("http://h:1/some/path/", "/some/path"), ("http://h:1", ""), ("", "")]
)
def test_links_stay_below_the_path_of_airflow(base_url: str, prefix: str, sqlite_server: ApiServer) -> None:
    script = (
        "from airloom.operators.links import run_page\n"
        "from airloom.plugins.pages import addresses\n"
        "print(run_page('a/b', 'why-x', dag_id='d+1'))\n"
        "print(addresses.airflow_task('d', 'r+1', 't'))\n"
        "print(addresses.login('/x?y=z'))\n"
    )
    environment = {**sqlite_server.environment, "AIRFLOW__API__BASE_URL": base_url}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split(os.linesep)[-4:-1] == [
        f"{prefix}/airloom/runs/a%2Fb?dag_id=d%2B1#why-x",
        f"{prefix}/dags/d/runs/r%2B1/tasks/t",
        f"{prefix}/api/v2/auth/login?next=%2Fx%3Fy%3Dz",
    ]


def test_a_failed_step_whose_worker_left_no_message(bench: Bench) -> None:
    """The end of its stderr is what there is, for who may read logs."""
    run_id = bench.submit()
    bench.storage.write_artifact(run_id, "train", "1-a", "logs/stderr.txt", b"x" * 9000 + b"\nlost \xff\n")
    bench.set(run_id, reuse="success", prepare="success", train="failed", run="failed")
    page = page_of(bench, run_id)
    assert page.row("train").startswith("train Failed")
    assert "End of stderr xxx" in page.text
    assert "lost \N{REPLACEMENT CHARACTER}" in page.text
    assert len(page.text) < 9000
