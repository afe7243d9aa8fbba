"""A real browser for tests and screenshots: Chromium, driven through its WebDriver server with plain HTTP requests.

Both are installed if they can be. Everything runs on 127.0.0.1, in a profile that is thrown away.
"""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx
import psutil
import pytest

TOKEN_COOKIE = "_token"
START_SECONDS = 60.0
WAIT_SECONDS = 30.0
Theme = Literal["light", "dark"]
Found = TypeVar("Found")


class Browser:
    """A session of a browser. `address` is that of the session at the WebDriver server."""

    def __init__(self, address: str) -> None:
        self._http = httpx.Client(base_url=address, timeout=120, trust_env=False)

    def open(self, url: str) -> None:
        """Load a page and wait until it has loaded."""
        self._post("/url", {"url": url})

    def sign_in(self, url: str, token: str) -> None:
        """Have the cookie of a signed-in user; `url` is the server's."""
        self.cdp("Network.setCookie", name=TOKEN_COOKIE, value=token, url=url, httpOnly=True)

    def script(self, body: str, *arguments: Any) -> Any:
        """Run JavaScript as the body of a function in the page, and return what it returns."""
        return self._post("/execute/sync", {"script": body, "args": list(arguments)})

    def wait_for(self, condition: str, *arguments: Any) -> Any:
        """What a JavaScript expression yields once that is true."""
        return until(lambda: self.script(f"return {condition}", *arguments), f"{condition} in {self.text()[:500]!r}")

    def text(self) -> str:
        """The text of the page that a person sees."""
        return str(self.script("return document.body.innerText"))

    def address(self) -> str:
        """Where the browser is now."""
        return str(self._http.get("/url").json()["value"])

    def enter_frame(self) -> None:
        """Go on inside the only frame of the page."""
        frame = self._post("/element", {"using": "css selector", "value": "iframe"})
        self._post("/frame", {"id": frame})

    def leave_frame(self) -> None:
        """Go on in the page itself."""
        self._post("/frame", {"id": None})

    def click(self, selector: str) -> None:
        """Click on the first element that a CSS selector matches, as a person does."""
        element = self._post("/element", {"using": "css selector", "value": selector})
        self._post(f"/element/{next(iter(element.values()))}/click", {})

    def shows_as(self, theme: Theme, width: int = 1280, height: int = 800) -> None:
        """Set the size of the page and whether the system prefers light or dark colours."""
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def screenshot(self, target: Path, *, whole_page: bool = False) -> None:
        """Save what is shown, or all of the page, as PNG."""
        taken = self.cdp("Page.captureScreenshot", format="png", captureBeyondViewport=whole_page)
        target.write_bytes(base64.b64decode(taken["data"]))

    def cdp(self, command: str, **parameters: Any) -> Any:
        """Send a command of the Chrome DevTools protocol."""
        return self._post("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def close(self) -> None:
        """End the browser."""
        self._http.delete("")
        self._http.close()

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        answer = self._http.post(path, json=body)
        if answer.is_error:
            raise RuntimeError(answer.json()["value"]["message"])
        return answer.json()["value"]


@contextmanager
def running_browser() -> Iterator[Browser]:
    """A browser and its driver; both have ended when the block is left. RuntimeError if there is none to be had."""
    driver, chromium = _programs()
    port = _free_port()
    profile = Path(tempfile.mkdtemp(prefix="airloom-browser-"))
    process = subprocess.Popen(
        [driver, f"--port={port}", "--log-level=OFF"],
        env={**os.environ, "HOME": str(profile), "TMPDIR": str(profile)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        browser = Browser(_new_session(f"http://127.0.0.1:{port}", chromium, profile))
        try:
            yield browser
        finally:
            browser.close()
    finally:
        _end_all(process.pid, profile)
        process.wait(20)
        shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for the whole session."""
    try:
        _programs()
    except RuntimeError as error:
        pytest.skip(str(error))
    with running_browser() as browser:
        yield browser


def until(attempt: Callable[[], Found], what: str, seconds: float = WAIT_SECONDS) -> Found:
    """The first true value that `attempt` returns."""
    deadline = time.monotonic() + seconds
    while not (found := attempt()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Not within {seconds:.0f} s: {what}")
        time.sleep(0.1)
    return found


def _programs() -> tuple[str, str]:
    """The paths of the driver and of Chromium; installed first if they are missing and can be."""
    found = _find() or (_install() and _find())
    if not found:
        raise RuntimeError("Chromium is missing: install the packages chromium and chromium-driver, or run as root")
    return found


def _find() -> tuple[str, str] | None:
    driver = shutil.which("chromedriver")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return (driver, chromium) if driver and chromium else None


def _install() -> bool:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    packages = ["chromium", "chromium-driver", "fonts-inter", "fonts-dejavu-core"]
    install = ["apt-get", "install", "--quiet", "--yes", "--no-install-recommends", *packages]
    return all(
        subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0
        for command in (["apt-get", "update", "--quiet"], install)
    )


def _new_session(server: str, chromium: str, profile: Path) -> str:
    """The address of a new session; Chromium's own sandbox cannot be had as root or in most containers."""
    arguments = [
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--hide-scrollbars",
        "--no-proxy-server",
        f"--user-data-dir={profile / 'profile'}",
    ]
    wanted = {"browserName": "chrome", "goog:chromeOptions": {"binary": chromium, "args": arguments}}
    body = {"capabilities": {"alwaysMatch": wanted}}
    until(lambda: _answers(server), "the driver of the browser answers", START_SECONDS)
    answer = httpx.post(f"{server}/session", json=body, timeout=START_SECONDS, trust_env=False)
    if answer.is_error:
        raise RuntimeError(f"Chromium did not start: {answer.text}")
    return f"{server}/session/{answer.json()['value']['sessionId']}"


def _end_all(driver: int, profile: Path) -> None:
    """End the driver and every process of its browser; some of them leave the family, but all keep the profile's name.

    The driver gives up on a browser that is slow to end and would leave it behind.
    """
    mine = [process for process in psutil.process_iter() if process.pid == driver or _home(process) == str(profile)]
    for process in mine:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs([process for process in mine if process.pid != driver], timeout=10)


def _home(process: psutil.Process) -> str:
    try:
        return process.environ().get("HOME", "")
    except psutil.Error:
        return ""


def _answers(server: str) -> bool:
    try:
        return bool(httpx.get(f"{server}/status", timeout=5, trust_env=False).json()["value"]["ready"])
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
