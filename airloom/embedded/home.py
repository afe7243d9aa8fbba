"""The folder that holds one embedded server: settings, secrets, database, store and logs."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airloom.errors import AirloomError

HOME_VARIABLE = "AIRLOOM_HOME"
DEFAULT_HOME = ".airloom"
USERNAME = "admin"


@dataclass(frozen=True)
class Home:
    """Where things lie in a home. `path` is absolute and free of symbolic links."""

    path: Path

    @classmethod
    def find(cls, given: Path | None = None) -> Home:
        """The home asked for: by option, by AIRLOOM_HOME, or `.airloom` in the working folder."""
        chosen = given or Path(os.environ.get(HOME_VARIABLE) or DEFAULT_HOME)
        return cls(chosen.expanduser().resolve())

    @property
    def id(self) -> str:
        """Marks the environment of every process that belongs to this home."""
        return hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME: settings and database."""
        return self.path / "airflow"

    @property
    def airflow_cfg(self) -> Path:
        """Airflow's settings file; made anew at each start."""
        return self.airflow / "airflow.cfg"

    @property
    def database(self) -> Path:
        """Airflow's SQLite database, which holds Airloom's tables too."""
        return self.airflow / "airflow.db"

    @property
    def database_address(self) -> Path:
        """The file, readable by its owner only, that holds the address of a database which is used in its place."""
        return self.path / "database.json"

    @property
    def passwords(self) -> Path:
        """The file, readable by its owner only, that maps user names to passwords."""
        return self.airflow / "passwords.json"

    @property
    def schedulers(self) -> Path:
        """Which of Airflow's jobs each scheduler is, and which of them have died."""
        return self.airflow / "schedulers"

    @property
    def store(self) -> Path:
        """The deployment store, with definitions and the workspaces' data."""
        return self.path / "store"

    @property
    def logs(self) -> Path:
        """One log file per component, and the folder of the task logs."""
        return self.path / "logs"

    @property
    def config_json(self) -> Path:
        """What `Workspace.from_config` reads to reach this server."""
        return self.path / "config.json"

    @property
    def state(self) -> Path:
        """What the supervisor says of itself; true only while the lock is held."""
        return self.path / "state.json"

    def log(self, component: str) -> Path:
        """The log file of a component."""
        return self.logs / f"{component}.log"

    def create(self) -> None:
        """Make the folders that are missing, for their owner's eyes only."""
        try:
            for folder in (self.path, self.airflow, self.airflow / "dags", self.store, self.logs):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # A home often lies in a project's folder, and nothing of it belongs into version control.
            (self.path / ".gitignore").write_text("*\n")
        except OSError as error:
            raise AirloomError(
                f"The home {self.path} cannot be made: {error.strerror or error}.",
                hint="Choose another with --home or AIRLOOM_HOME.",
                target=str(self.path),
            ) from error

    def take_lock(self, patience: float = 1.0) -> int | None:
        """Take the home's lock; returns the open file that holds it, or None if another process has it.

        The kernel frees it when the last process that has the file open ends, in whatever way. `patience` is for
        those who only look whether it is taken, as `is_locked` does.
        """
        until = time.monotonic() + patience
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return lock
            except BlockingIOError:
                if time.monotonic() >= until:
                    os.close(lock)
                    return None
                time.sleep(0.05)

    def is_locked(self) -> bool:
        """True while a supervisor runs in this home."""
        if not (self.path / "lock").exists():
            return False
        lock = self.take_lock(patience=0)
        if lock is None:
            return True
        os.close(lock)
        return False


def write_json(path: Path, content: Mapping[str, Any], mode: int = 0o600) -> None:
    """Replace a file at one stroke: a reader sees the old content or the new, never a part."""
    write_text(path, json.dumps(content, indent=2) + "\n", mode)


def write_text(path: Path, text: str, mode: int = 0o600) -> None:
    """As `write_json`, for any text."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    temporary.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """The content of a JSON file, or an empty dict where there is none that can be read."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def load_secrets(home: Home) -> dict[str, str]:
    """The home's keys, made at the first call and kept: changed keys would void stored connections and sessions."""
    path = home.path / "secrets.json"
    known = read_json(path)
    fresh = {
        "fernet_key": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "api_secret_key": secrets.token_urlsafe(32),
        "jwt_secret": secrets.token_urlsafe(48),
    }
    if missing := fresh.keys() - known.keys():
        known |= {name: fresh[name] for name in missing}
        write_json(path, known)
    return {name: str(known[name]) for name in fresh}


def ensure_password(home: Home) -> None:
    """Give the administrator a password before Airflow starts; Airflow itself would print the one that it makes."""
    passwords = read_json(home.passwords)
    if USERNAME not in passwords:
        write_json(home.passwords, {**passwords, USERNAME: secrets.token_urlsafe(18)})
    home.passwords.chmod(0o600)
