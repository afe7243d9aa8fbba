"""The page of a run, as a person reads it."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from airloom.core import Workspace
from airloom.plugins.pages.words import ABSENT
from tests.integration.pages.conftest import HOSTILE, Runs
from tests.integration.pages.html import Page
from tests.support.small_pipeline import SmallPipeline

pytestmark = pytest.mark.integration
STEPS = ("clean", "train", "score")


@pytest.fixture(scope="module")
def page(web: httpx.Client, runs: Runs) -> Page:
    answer = web.get(f"/airloom/runs/{runs.second.id}")
    assert answer.status_code == 200
    return Page(answer.text)


def test_it_tells_what_ran_what_was_reused_and_why(page: Page, runs: Runs) -> None:
    origin = runs.first.id[:8]
    assert page.row("clean") == f"clean Reused {ABSENT} Nothing that counts has changed {origin}"
    assert page.row("score") == f"score Reused {ABSENT} The steps before it gave the same bytes as before {origin}"
    assert page.row("train").startswith("train Executed")
    assert "Changed: train.py, arguments" in page.row("train")
    assert "3 steps: 2 reused, 1 executed" in page.text
    assert "Experiment small" in page.text and "Parameter seed 1" in page.text


def test_it_shows_what_changed_file_by_file(page: Page) -> None:
    part, *digests = page.row("source train.py").rsplit(" ", 2)
    assert part == "source train.py"
    assert len({*digests}) == 2 and all(len(digest) == 12 for digest in digests)
    before = "<input table> <output model> <parameter seed>"
    assert page.row("arguments") == f"arguments {before} {before} {HOSTILE}"


def test_nothing_that_an_author_writes_becomes_html(web: httpx.Client, runs: Runs, page: Page) -> None:
    """It is escaped, and the page's policy would not let it run if it were not."""
    answer = web.get(f"/airloom/runs/{runs.second.id}")
    assert HOSTILE not in answer.text
    assert page.scripts == 1
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "frame-ancestors 'self'" in policy


def test_every_step_can_be_pointed_at(page: Page) -> None:
    assert {*STEPS, *(f"why-{step}" for step in STEPS)} <= page.ids


def test_links_lead_to_the_earlier_run_and_to_airflow(web: httpx.Client, page: Page, runs: Runs) -> None:
    assert f"/airloom/runs/{runs.first.id}#clean" in page.links[runs.first.id[:8]]
    assert page.links["Run in Airflow"] == [f"/dags/{runs.dag_id}/runs/{runs.second.id}"]
    assert f"/dags/{runs.dag_id}/runs/{runs.second.id}/tasks/train" in page.links["Task in Airflow"]
    earlier = web.get(page.links[runs.first.id[:8]][0])
    assert "3 steps: 3 executed" in Page(earlier.text).text


def test_logs_and_files_can_be_read(web: httpx.Client, page: Page) -> None:
    stdout = next(link for link in page.links["stdout"] if "/clean/" in link)
    assert web.get(stdout).text == "cleaned\n"
    files = Page(web.get(next(link for link in page.links["files"] if "/train?" in link)).text)
    (model,) = files.links["model.txt"]
    downloaded = web.get(model)
    assert downloaded.text == "model of 'some data' with seed 1"
    assert downloaded.headers["content-type"] == "application/octet-stream"
    assert web.get(files.links["logs/job.txt"][0]).status_code == 200
    assert {"output-model", "artifacts"} <= files.ids
    assert files.links["Back to the run"][0].endswith("#train")


def test_who_is_not_signed_in_is_sent_to_sign_in_and_back(stranger: httpx.Client, runs: Runs) -> None:
    for path in (f"/airloom/runs/{runs.second.id}", f"/airloom/runs/{runs.second.id}/steps/train"):
        answer = stranger.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/api/v2/auth/login?next={quote(path, safe='')}"
        assert answer.content == b""
    login = stranger.get(answer.headers["location"])
    assert login.status_code == 307
    assert login.headers["location"].startswith("/auth/login?next=")


@pytest.mark.parametrize("headers", [{}, {"cookie": "_token=wrong"}, {"authorization": "Bearer wrong"}])
def test_no_data_without_a_user(stranger: httpx.Client, runs: Runs, headers: dict[str, str]) -> None:
    answer = stranger.get(f"/airloom/runs/{runs.second.id}", headers={"accept": "*/*", **headers})
    assert answer.status_code in (401, 403)
    assert answer.headers["content-type"].startswith("text/html")
    assert "train" not in Page(answer.text).text


@pytest.mark.parametrize("path", ["none", "none?dag_id=none", "{run}?dag_id=other", "{run}/steps/none"])
def test_what_is_not_there(web: httpx.Client, runs: Runs, path: str) -> None:
    answer = web.get(f"/airloom/runs/{path.format(run=runs.second.id)}")
    assert answer.status_code == 404
    assert "Not found" in Page(answer.text).text


def test_tabs_in_airflow_lead_here(web: httpx.Client, runs: Runs) -> None:
    """The addresses are relative, as Airflow's UI resolves them against the path that it is served at."""
    (plugin,) = [each for each in web.get("/api/v2/plugins").json()["plugins"] if each["name"] == "airloom"]
    tabs = {view["destination"]: view["href"] for view in plugin["external_views"]}
    assert tabs.keys() == {"dag_run", "task_instance"}
    names = {"DAG_ID": runs.dag_id, "RUN_ID": runs.second.id, "TASK_ID": "score"}
    for address in tabs.values():
        filled = "/" + address.format(**names)
        answer = web.get(filled)
        assert answer.status_code == 200
        assert filled.partition("#")[2] in {"", *Page(answer.text).ids}


def test_links_of_a_step(web: httpx.Client, runs: Runs) -> None:
    """One that the plan skipped has them too, although its task never ran."""
    links = {step: links_in_airflow(web, runs, step) for step in STEPS}
    page = f"/airloom/runs/{runs.second.id}?dag_id={runs.dag_id}"
    for step in STEPS:
        assert links[step] == {"Outputs": f"{page}#{step}", "Why did this run?": f"{page}#why-{step}"}
    ids = Page(web.get(page).text).ids
    assert {"train", "why-train"} <= ids


def links_in_airflow(web: httpx.Client, runs: Runs, step: str) -> dict[str, str | None]:
    path = f"/api/v2/dags/{runs.dag_id}/dagRuns/{runs.second.id}/taskInstances/{step}/links"
    links: dict[str, str | None] = web.get(path).json()["extra_links"]
    return links


def test_a_run_that_was_started_in_airflow(web: httpx.Client, runs: Runs) -> None:
    """Its id is not Airloom's, so the address needs the DAG too."""
    started = web.post(f"/api/v2/dags/{runs.dag_id}/dagRuns", json={"logical_date": None}).json()
    run_id = started["dag_run_id"]
    wait_for_end(web, runs.dag_id, run_id)
    address = f"/airloom/runs/{quote(run_id, safe='')}"
    assert web.get(address).status_code == 404
    page = Page(web.get(address, params={"dag_id": runs.dag_id}).text)
    assert "3 steps: 3 reused" in page.text
    assert "started in Airflow" in page.text
    assert page.row("train").endswith(runs.second.id[:8])
    (files,) = (link for link in page.links["files"] if "/train?" in link)
    assert Page(web.get(files).text).links.keys() == {"Back to the run", "model.txt"}


def wait_for_end(web: httpx.Client, dag_id: str, run_id: str) -> None:
    until = time.monotonic() + 60
    path = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"
    while (run := web.get(path).json())["state"] not in ("success", "failed"):
        assert time.monotonic() < until, run
        time.sleep(0.2)


def test_a_failed_step_shows_what_it_said_last(ws: Workspace, web: httpx.Client, tmp_path: Path) -> None:
    pipeline = SmallPipeline(ws, tmp_path)
    pipeline.prepare()
    pipeline.script("train").write_text(f"raise ValueError({HOSTILE!r})\n")
    run = pipeline.start()
    run.wait_for_completion(show_output=False, raise_on_error=False)
    page = Page(web.get(f"/airloom/runs/{run.id}").text)
    assert "3 steps: 1 executed, 1 failed, 1 canceled" in page.text
    assert page.row("train").startswith("train Failed")
    assert page.row("train").endswith(f"exited with code 1. ValueError: {HOSTILE} {ABSENT}")
    assert "Last lines on stderr: Traceback (most recent call last):" in page.text
    assert page.row("score").endswith(f"A step before it failed. {ABSENT}")
    assert page.scripts == 1
    assert "Failed: 'train'." in page.text
