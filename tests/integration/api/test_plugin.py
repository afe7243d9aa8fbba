"""Airflow imports the plugin in every process; only the api-server may pay for the API."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.integration.api.server import ApiServer

LOADED = """
import json, sys
import airflow.plugins_manager
before = set(sys.modules)
from airloom.plugins.plugin import AirloomPlugin
plugin = AirloomPlugin()
after = set(sys.modules) - before
plugin.fastapi_apps
print(json.dumps([sorted(after), "airloom.plugins.api.app" in sys.modules]))
"""


def test_import_is_cheap(sqlite_server: ApiServer) -> None:
    """The plugin adds no module but its own until the api-server asks for the application.

    The package itself is there before: Airflow's settings name how to connect to SQLite by a module of it.
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOADED], env=sqlite_server.environment, capture_output=True, check=True
    )
    added, built = json.loads(done.stdout.splitlines()[-1])
    assert added == ["airloom.plugins", "airloom.plugins.plugin"]
    assert built


def test_airflow_lists_the_plugin(sqlite_server: ApiServer) -> None:
    """Airflow has loaded it without an import error, and mounted its application."""
    http = sqlite_server.http("admin")
    plugins = http.get(f"{sqlite_server.url}/api/v2/plugins").json()["plugins"]
    ours = next(plugin for plugin in plugins if plugin["name"] == "airloom")
    assert [app["url_prefix"] for app in ours["fastapi_apps"]] == ["/airloom", "/pipelines"]
    errors = http.get(f"{sqlite_server.url}/api/v2/plugins/importErrors").json()["import_errors"]
    # Airflow finds it twice where the source folder holds the metadata of a build.
    assert [error for error in errors if "already registered" not in error["error"]] == []
