"""Asking a running server which of its components are well."""

from __future__ import annotations

import http.client
import json
from datetime import datetime
from typing import Any

from airloom.embedded.ports import HOST

API_SERVER = "api-server"
SCHEDULER = "scheduler"
PATH = "/api/v2/monitor/health"
EXECUTION_PATH = "/execution/health"


def healthy_components(port: int, since: dict[str, datetime]) -> set[str]:
    """The components, of those in `since`, that answer or have given a sign of life after the time given there.

    Without that time a component that was killed a moment ago would count as well for half a minute. Of several
    schedulers Airflow tells the latest sign of life of any, so it says little of one of them.
    """
    report = _ask(port, PATH, timeout=5) if since else None
    if report is None:
        return set()
    well = {API_SERVER} & since.keys()
    for name, started in since.items():
        part = SCHEDULER if name.startswith(SCHEDULER) else name.replace("-", "_")
        heartbeat = report.get(part, {}).get(f"latest_{part}_heartbeat")
        if heartbeat and datetime.fromisoformat(heartbeat) >= started:
            well.add(name)
    return well


def warm_up(port: int) -> None:
    """Let the server build the routes that tasks use; it does so at their first request, which takes two seconds."""
    _ask(port, EXECUTION_PATH, timeout=15)


def _ask(port: int, path: str, timeout: float) -> dict[str, Any] | None:
    # http.client and not httpx: it costs nothing to import, and never asks a proxy.
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        report = json.loads(response.read()) if response.status == 200 else None
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return report if isinstance(report, dict) else None
