"""The page in a real browser: as a tab of Airflow's UI, and on its own."""

from __future__ import annotations

import pytest

from tests.integration.pages.conftest import Runs
from tests.support.browser import Browser, until
from tests.support.server import RunningServer

pytestmark = [pytest.mark.integration, pytest.mark.browser]

WHITE = "rgb(255, 255, 255)"
BACKGROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture
def signed_in(browser: Browser, airloom_server: RunningServer, token: str) -> Browser:
    browser.sign_in(airloom_server.url, token)
    browser.shows_as("light")
    return browser


def test_the_tab_of_a_run(signed_in: Browser, airloom_server: RunningServer, runs: Runs) -> None:
    """It looks like the UI around it, and its links to Airflow open in the whole window."""
    run = f"{airloom_server.url}/dags/{runs.dag_id}/runs/{runs.second.id}"
    signed_in.open(run)
    signed_in.wait_for("[...document.querySelectorAll('a')].find(a => a.innerText === 'Steps and reuse')")
    signed_in.open(f"{run}/plugin/airloom-run")
    signed_in.wait_for("document.querySelector('iframe')")
    signed_in.enter_frame()
    signed_in.wait_for("document.body.innerText.includes('3 steps: 2 reused, 1 executed')")
    assert signed_in.script(f"return {BACKGROUND}") == WHITE
    assert signed_in.script("return window.hacked") is None

    signed_in.leave_frame()
    signed_in.shows_as("dark")
    signed_in.enter_frame()
    signed_in.wait_for(f"{BACKGROUND} !== '{WHITE}'")

    signed_in.click("section.step#train .away")
    signed_in.leave_frame()
    until(lambda: signed_in.address() == f"{run}/tasks/train", "the task's own page is shown")


def test_the_tab_of_a_reused_step(signed_in: Browser, airloom_server: RunningServer, runs: Runs) -> None:
    """A step that the plan skipped has no links, but this tab, which shows its part of the page."""
    tab = f"/dags/{runs.dag_id}/runs/{runs.second.id}/tasks/clean/plugin/airloom-step"
    signed_in.open(f"{airloom_server.url}{tab}")
    signed_in.wait_for("document.querySelector('iframe')")
    signed_in.enter_frame()
    signed_in.wait_for("document.querySelector(':target')?.id === 'clean'")
    assert "Reused from run" in str(signed_in.script("return document.querySelector(':target').innerText"))
    signed_in.leave_frame()


@pytest.mark.parametrize("width", [1280, 700])
def test_it_needs_no_scrolling_sideways(
    signed_in: Browser, airloom_server: RunningServer, runs: Runs, width: int
) -> None:
    signed_in.shows_as("light", width)
    signed_in.open(f"{airloom_server.url}/airloom/runs/{runs.second.id}")
    assert signed_in.script("return document.documentElement.scrollWidth") == width


def test_the_theme_chosen_in_airflow_counts(signed_in: Browser, airloom_server: RunningServer, runs: Runs) -> None:
    """Also where the page stands alone, whatever the system prefers."""
    page = f"{airloom_server.url}/airloom/runs/{runs.second.id}"
    signed_in.open(page)
    assert signed_in.script(f"return {BACKGROUND}") == WHITE
    signed_in.script("localStorage.setItem('theme', 'dark')")
    try:
        signed_in.open(page)
        assert signed_in.script(f"return {BACKGROUND}") != WHITE
    finally:
        signed_in.script("localStorage.removeItem('theme')")
