"""A real Airflow api-server with the plugin, in a folder of its own."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from airloom.client import Client, PasswordCredentials

ROOT = Path(__file__).parents[3]
ROLES = ("viewer", "user", "op", "admin")
DB_MANAGER = "airloom.plugins.db.manager.AirloomDBManager"
STAND_IN_BUNDLE = "stand-in"
BUNDLES = [
    {"name": STAND_IN_BUNDLE, "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle", "kwargs": {}},
    {"name": "airloom", "classpath": "airloom.plugins.dag_bundle.AirloomDagBundle", "kwargs": {}},
]
START_SECONDS = 120


@dataclass
class ApiServer:
    """The folder, settings and process of a server; each role of SimpleAuthManager is a user of the same name."""

    home: Path
    database: str
    port: int = field(default_factory=lambda: free_port())
    process: subprocess.Popen[bytes] | None = None
    helper: subprocess.Popen[str] | None = None
    opened: ExitStack = field(default_factory=ExitStack)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def store(self) -> Path:
        return self.home / "store"

    @property
    def password_file(self) -> Path:
        return self.home / "passwords.json"

    @property
    def environment(self) -> dict[str, str]:
        settings = {
            "CORE__LOAD_EXAMPLES": "False",
            # By default a DAG written half a minute ago is not looked at again, whatever a parsing has found.
            "CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
            "CORE__PLUGINS_FOLDER": str(self.home / "plugins"),
            "CORE__DAGS_FOLDER": str(self.home / "dags"),
            "CORE__AUTH_MANAGER": "tests.integration.api.auth_manager.AuthManagerWithSecrets",
            "CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{role}:{role}" for role in ROLES),
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.password_file),
            "DATABASE__SQL_ALCHEMY_CONN": self.database,
            "DATABASE__EXTERNAL_DB_MANAGERS": DB_MANAGER,
            "DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(BUNDLES),
            "DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(self.home / "bundles"),
            "API_AUTH__JWT_SECRET": "a-secret-of-the-tests-that-is-long-enough-for-the-signature-of-tokens",
            "API__BASE_URL": self.url,
            "AIRLOOM__STORE": self.store.as_uri(),
            "AIRLOOM__LOCAL_ROOTS": str(self.home / "shared"),
            "AIRLOOM__MAX_GRAPH_MB": "2",
            "AIRLOOM__MAX_UPLOAD_MB": "4",
            "AIRLOOM__MAX_SNAPSHOT_MB": "4",
            "AIRLOOM__MAX_SNAPSHOT_FILE_MB": "2",
            "AIRLOOM__MAX_SNAPSHOT_FILES": "50",
            "AIRLOOM__DAG_TIMEOUT_SECONDS": "2",
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        return {
            **kept,
            "AIRFLOW_HOME": str(self.home),
            "PYTHONPATH": os.pathsep.join([str(self.home / "installed"), str(ROOT)]),
            **{f"AIRFLOW__{name}": value for name, value in (settings | self._connecting).items()},
        }

    @property
    def _connecting(self) -> dict[str, str]:
        """On SQLite, how the embedded server connects: a writer waits for the one before him."""
        if not self.database.startswith("sqlite"):
            return {}
        return {
            "DATABASE__SQL_ALCHEMY_CONNECT_ARGS": "airloom.embedded.sqlite.CONNECT_ARGS",
            "DATABASE__SQL_ALCHEMY_CONNECT_ARGS_ASYNC": "airloom.embedded.sqlite.CONNECT_ARGS",
        }

    def prepare(self) -> None:
        """Make the folders, the passwords and the database."""
        for folder in ("plugins", "dags", "shared"):
            (self.home / folder).mkdir(parents=True)
        self._announce_plugin()
        self.password_file.write_text(json.dumps({role: secrets.token_urlsafe(16) for role in ROLES}))
        self.airflow("db", "migrate")

    def _announce_plugin(self) -> None:
        """Metadata as pip leaves them, so that Airflow finds the plugin even if Airloom is only on the path."""
        folder = self.home / "installed" / "airloom-0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: airloom\nVersion: 0\n")
        (folder / "entry_points.txt").write_text("[airflow.plugins]\nairloom = airloom.plugins.plugin:AirloomPlugin\n")

    def airflow(self, *arguments: str, database: str | None = None) -> str:
        """Run an airflow command to its end, on this database or another one."""
        return run_airflow(arguments, replace(self, database=database or self.database).environment)

    def act(self, command: str, **arguments: object) -> None:
        """Do what a scheduler and workers would; see airflow_side, which is started once."""
        if self.helper is None:
            self.helper = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "tests.integration.api.airflow_side"],
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self.helper.stdin is not None and self.helper.stdout is not None
        self.helper.stdin.write(json.dumps([command, arguments]) + "\n")
        self.helper.stdin.flush()
        for line in self.helper.stdout:
            if line == "done\n":
                return
        raise RuntimeError(f"{command} failed; see above")

    def start(self) -> None:
        """Start the server and wait until it answers."""
        command = [sys.executable, "-m", "airflow", "api-server", "--host", "127.0.0.1", "--port", str(self.port)]
        with (self.home / "server.log").open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--workers", "1"],
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The server did not start:\n{self.log()[-5000:]}")
            time.sleep(0.2)

    def stop(self) -> None:
        """End the server and its children, the helper, and the connections of tests."""
        self.opened.close()
        if self.helper is not None:
            self.helper.communicate()
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def log(self) -> str:
        return (self.home / "server.log").read_text(errors="replace")

    def client(self, role: str = "admin") -> Client:
        """A client that signs in as the user of a role."""
        return self.opened.enter_context(Client(self.url, PasswordCredentials(role, password_file=self.password_file)))

    def token(self, role: str) -> str:
        """A token of the user of a role, for requests that no client would make."""
        password = json.loads(self.password_file.read_text())[role]
        answer = httpx.post(f"{self.url}/auth/token", json={"username": role, "password": password})
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def http(self, role: str | None) -> httpx.Client:
        """A bare HTTP client, signed in as the user of a role or as nobody."""
        headers = {"authorization": f"Bearer {self.token(role)}"} if role else {}
        http = httpx.Client(base_url=f"{self.url}/airloom/api/v1", headers=headers, timeout=60)
        self.opened.callback(http.close)
        return http

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/api/v2/version", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


def run_airflow(arguments: tuple[str, ...], environment: Mapping[str, str]) -> str:
    """Run an airflow command to its end and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "airflow", *arguments],
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode != 0:
        raise RuntimeError(f"airflow {' '.join(arguments)} failed:\n{done.stdout[-5000:]}")
    return done.stdout


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
