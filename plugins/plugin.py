"""The Airflow plugin. Airflow imports this module in every process, so it loads nothing that only servers need."""

from __future__ import annotations

from functools import cached_property
from typing import Any
from urllib.parse import quote

from airflow.plugins_manager import AirflowPlugin

_PAGE = "airloom/runs/{RUN_ID}?dag_id={DAG_ID}"
"""The run's page, with Airflow's placeholders; relative, so that it stays below whatever path Airflow is served at."""


def _icon(colour: str) -> str:
    """A piece of cloth, as an image in an address."""
    lines = "M5 2v16M10 2v16M15 2v16M2 6h2M6 6h8M16 6h2M2 10h7M11 10h7M2 14h2M6 14h8M16 14h2"
    drawn = f"fill='none' stroke='{colour}' stroke-width='1.8' stroke-linecap='round'"
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 20 20'><path {drawn} d='{lines}'/></svg>"
    return f"data:image/svg+xml,{quote(svg)}"


def _tab(name: str, destination: str, url_route: str, href: str) -> dict[str, Any]:
    icons = {"icon": _icon("#3e577d"), "icon_dark_mode": _icon("#b5c0cf")}
    return {"name": name, "destination": destination, "url_route": url_route, "href": href, **icons}


class AirloomPlugin(AirflowPlugin):
    """Registers Airloom with Airflow."""

    name = "airloom"

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # read once, on the instance
        """The REST APIs; built when the api-server asks for them, which other processes never do."""
        from airloom.plugins.api.app import URL_PREFIX, create_app
        from airloom.plugins.wire.addresses import URL_PREFIX as WIRE_PREFIX
        from airloom.plugins.wire.app import create_app as create_wire_app

        return [
            {"app": create_app(), "url_prefix": URL_PREFIX, "name": "Airloom"},
            {"app": create_wire_app(), "url_prefix": WIRE_PREFIX, "name": "Airloom, as Azure ML v1"},
        ]

    @cached_property
    def operator_extra_links(self) -> list[Any]:  # type: ignore[override]  # as above
        """Links on the pages of steps; asked for by the api-server only."""
        from airloom.operators.links import OutputsLink, WhyLink
        from airloom.operators.python_script import PythonScriptOperator  # noqa: F401  # a step type that has them

        return [OutputsLink(), WhyLink()]

    @cached_property
    def timetables(self) -> list[Any]:  # type: ignore[override]  # as above
        """The timetable of schedules; asked for by those who read or write DAGs that have timetables of a plugin."""
        from airloom.plugins.timetables import RecurrenceTimetable

        return [RecurrenceTimetable]

    @cached_property
    def external_views(self) -> list[dict[str, Any]]:  # type: ignore[override]  # as above
        """The run's page as a tab on the page of a run and on that of a task."""
        return [
            _tab("Steps and reuse", "dag_run", "airloom-run", _PAGE),
            _tab("Reuse", "task_instance", "airloom-step", f"{_PAGE}#{{TASK_ID}}"),
        ]
