"""Make the screenshots of the documentation again: `python -m docs.images.make_screenshots` in the repository's root.

Starts a server in a temporary folder, runs the example pipeline three times, and photographs the third run, in which
one script was edited. Needs Chromium and its driver; installs them if it may.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from airloom.core import Workspace
from examples.automobile.run_demo import run_three_times, server
from tests.support.browser import Browser, Theme, running_browser

HERE = Path(__file__).parent
WIDTH = 1280
GRAPH_PANELS = "react-resizable-panels:graph-ltr"


def main() -> None:
    """Make all screenshots."""
    with tempfile.TemporaryDirectory(prefix="airloom-screenshots-") as folder:
        home = Path(folder) / "home"
        with server(home, 0), running_browser() as browser:
            run = run_three_times(Workspace.from_config(str(home / "config.json")), home)[-1].run
            address = run.get_portal_url()
            root = "{0.scheme}://{0.netloc}".format(urlsplit(address))
            browser.sign_in(root, sign_in(home, root))
            photograph_graph(browser, address)
            photograph_page(browser, f"{root}/airloom/runs/{run.id}", "light", HERE / "run-page.png")
            photograph_page(browser, f"{root}/airloom/runs/{run.id}", "dark", HERE / "run-page-dark.png")


def sign_in(home: Path, root: str) -> str:
    """A token of the server's only user."""
    ((name, password),) = json.loads((home / "airflow" / "passwords.json").read_text()).items()
    answer = httpx.post(f"{root}/auth/token", json={"username": name, "password": password}, timeout=60)
    return str(answer.raise_for_status().json()["access_token"])


def photograph_graph(browser: Browser, run: str) -> None:
    """Airflow's own view of the run: the graph, and beside it the tab with the steps."""
    browser.shows_as("light", WIDTH, 800)
    browser.open(run)
    layout = {"details-panel,main-panel": {"expandToSizes": {}, "layout": [48, 52]}}
    browser.script("localStorage.setItem('default_dag_view', '\"graph\"')")
    browser.script("localStorage.setItem(arguments[0], arguments[1])", GRAPH_PANELS, json.dumps(layout))
    browser.open(f"{run}/plugin/airloom-run")
    browser.wait_for("document.querySelectorAll('.react-flow__node').length >= 5 && document.querySelector('iframe')")
    settle(browser, lambda: browser.screenshot(HERE / "run-graph.png"))


def photograph_page(browser: Browser, page: str, theme: Theme, target: Path) -> None:
    """The run's page on its own, down to the end of the second step."""
    browser.shows_as(theme, WIDTH, 1060)
    browser.open(page)
    browser.wait_for("document.querySelectorAll('section.step').length === 4")
    settle(browser, lambda: browser.screenshot(target))


def settle(browser: Browser, photograph: Callable[[], None]) -> None:
    """Photograph when fonts are there and everything has come to rest."""
    browser.wait_for("document.fonts.status === 'loaded'")
    time.sleep(2)
    photograph()


if __name__ == "__main__":
    main()
