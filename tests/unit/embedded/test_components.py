"""Restarts, logs, migrations and health: what the supervisor decides by."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from airloom.embedded import database
from airloom.embedded.components import COMPONENTS, LONGEST_PAUSE, Managed, last_lines
from airloom.embedded.health import healthy_components
from airloom.embedded.home import Home
from airloom.embedded.state import ServerState, read_state, write_state

NOW = datetime.now(UTC)


def test_pauses_between_restarts_grow_up_to_a_limit() -> None:
    managed = Managed(COMPONENTS[0])
    pauses = []
    for _ in range(9):
        managed.plan_restart()
        pauses.append(managed.next_start - time.monotonic())
    assert pauses[:4] == pytest.approx([0.5, 1, 2, 4], abs=0.2)
    assert pauses[-1] == pytest.approx(LONGEST_PAUSE, abs=0.2)
    assert managed.state.restarts == 9


def test_one_that_ran_for_long_starts_again_at_once() -> None:
    managed = Managed(COMPONENTS[0], failures=8, started_at=NOW - timedelta(hours=1))
    managed.plan_restart()
    assert managed.next_start - time.monotonic() < 1


def test_the_end_of_a_log_is_its_last_lines(home: Home) -> None:
    log = home.log("scheduler")
    log.write_text("".join(f"line {number}\n" for number in range(5000)))
    assert last_lines(log, 2) == "line 4998\nline 4999"
    assert last_lines(home.log("none")) == ""


def test_a_database_is_migrated_once_per_version(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert database.needs_migration(home)
    home.database.touch()
    database.note_migrated(home)
    assert not database.needs_migration(home)
    monkeypatch.setattr("airloom.__version__", "99")
    assert database.needs_migration(home)


def test_a_lost_database_is_made_again(home: Home) -> None:
    database.note_migrated(home)
    assert database.needs_migration(home)


def test_a_state_of_another_form_is_no_state(home: Home) -> None:
    write_state(home, ServerState(pid=1, port=8080))
    known = read_state(home)
    assert known is not None
    assert known.url == "http://127.0.0.1:8080"
    home.state.write_text('{"pid": "x"}')
    assert read_state(home) is None


@pytest.fixture
def monitor() -> Iterator[tuple[int, dict[str, object]]]:
    """Airflow's health route: its port, and what it answers."""
    report: dict[str, object] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(report).encode()
            self.send_response(200 if report else 503)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_port, report
    server.shutdown()
    server.server_close()
    thread.join()


def test_only_signs_of_life_after_the_start_count(monitor: tuple[int, dict[str, object]]) -> None:
    port, report = monitor
    report["scheduler"] = {"status": "healthy", "latest_scheduler_heartbeat": NOW.isoformat()}
    report["dag_processor"] = {"status": "unhealthy", "latest_dag_processor_heartbeat": None}
    before, after = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)
    asked = {"api-server": before, "scheduler": before, "dag-processor": before}
    assert healthy_components(port, asked) == {"api-server", "scheduler"}
    assert healthy_components(port, {**asked, "scheduler": after}) == {"api-server"}


def test_a_server_that_does_not_answer_is_not_well(monitor: tuple[int, dict[str, object]]) -> None:
    assert healthy_components(monitor[0], {"api-server": NOW}) == set()
    assert healthy_components(9, {"api-server": NOW}) == set()
