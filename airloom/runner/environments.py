"""The Python environments of steps: the worker's own, a given interpreter, or a folder made by uv, once per content.

An environment folder is complete when its marker file exists; the marker is written last. One maker at a time holds
a file lock, which the kernel releases when its holder dies, so a killed maker leaves nothing but a folder without a
marker, and the next one makes it again. Packages come from wherever the machine's uv or pip settings say.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from airloom.errors import EnvironmentFailed
from airloom.graph.canonical import digest_value
from airloom.graph.model import EnvironmentSpec
from airloom.runner.commands import Commands
from airloom.storage.durable import make_dirs, new_file, remove_tree, sync_dir, temporary_name

ENVIRONMENT_FORMAT = 1
"""Raised when environments are made in another way, so that old folders are not used any more."""

MARKER = "airloom-ready.json"
_LOCK_POLL_SECONDS = 0.1
_TAIL_LINES = 15


class EnvironmentCache:
    """Finds or makes the interpreter that runs a script. `say` takes lines about the progress."""

    def __init__(
        self, root: Path, *, commands: Commands, environ: Mapping[str, str], say: Callable[[str], None]
    ) -> None:
        self._root = root / "envs"
        self._commands = commands
        self._environ = dict(environ)
        self._say = say

    @contextmanager
    def in_use(self, spec: EnvironmentSpec) -> Iterator[Path]:
        """The interpreter as `interpreter` finds it; until the block ends, nobody removes its environment."""
        with ExitStack() as held:
            if not spec.is_default and spec.interpreter_path is None:
                make_dirs(self._root)
                held.enter_context(_held_for_use(self._root / f"{environment_digest(spec)}.use"))
            yield self.interpreter(spec)

    def interpreter(self, spec: EnvironmentSpec) -> Path:
        """The Python interpreter of the environment, made if need be. Raises EnvironmentFailed."""
        if spec.is_default:
            return Path(sys.executable)
        if spec.interpreter_path is not None:
            return self._given(spec.interpreter_path, spec)
        for package in spec.packages:
            _check_requirement(package)
        digest = environment_digest(spec)
        folder = self._root / digest
        if self._is_ready(folder):
            self._say(f"environment {digest[:16]} is ready")
            return _python_of(folder)
        make_dirs(self._root)
        with self._locked(digest):
            if not self._is_ready(folder):
                self._make(spec, digest, folder)
        return _python_of(folder)

    def _given(self, interpreter: str, spec: EnvironmentSpec) -> Path:
        if not (os.path.isabs(interpreter) and os.path.isfile(interpreter) and os.access(interpreter, os.X_OK)):
            raise EnvironmentFailed(
                f"The interpreter {interpreter!r} does not exist on this machine, or may not be executed.",
                hint="Give the absolute path of a Python on every machine of the compute target, or list packages "
                "instead and let Airloom make the environment.",
                target=interpreter,
            )
        if spec.packages:
            self._say("packages are not installed: the step brings its own interpreter")
        return Path(interpreter)

    def _is_ready(self, folder: Path) -> bool:
        """True if the environment is complete and its interpreter still starts."""
        if not (folder / MARKER).is_file():
            return False
        argv = [str(_python_of(folder)), "-I", "-S", "-c", "pass"]
        works = self._commands.run(argv, cwd=self._root, environ=self._environ, on_line=_ignore).returncode == 0
        self._commands.check()
        if not works:
            self._say(f"environment {folder.name[:16]} is broken: its interpreter does not start; making it again")
        return works

    @contextmanager
    def _locked(self, digest: str) -> Iterator[None]:
        """Hold the lock of one environment. The lock's file stays: removing it would let two makers in."""
        with (self._root / f"{digest}.lock").open("ab") as file:
            waits = False
            while not _try_lock(file.fileno()):
                if not waits:
                    self._say(f"environment {digest[:16]} is being made by another process; waiting for it")
                    waits = True
                self._commands.check()
                time.sleep(_LOCK_POLL_SECONDS)
            yield

    def _make(self, spec: EnvironmentSpec, digest: str, folder: Path) -> None:
        self._say(f"making environment {digest[:16]}: {_describe(spec)}")
        started = time.monotonic()
        self._discard(folder)
        self._uv(["venv", "--python", _python_request(spec), str(folder)], spec)
        if spec.packages:
            self._uv(["pip", "install", "--python", str(_python_of(folder)), "--", *spec.packages], spec)
        marker = {"format": ENVIRONMENT_FORMAT, **_content(spec)}
        with new_file(folder) as (file, temporary):
            file.write(json.dumps(marker, indent=1).encode())
        temporary.replace(folder / MARKER)
        sync_dir(folder)
        self._say(f"environment {digest[:16]} was made in {time.monotonic() - started:.1f} s")

    def _discard(self, folder: Path) -> None:
        """Remove an incomplete environment."""
        trash = _take_away(folder)
        if trash is not None:
            remove_tree(trash)

    def _uv(self, arguments: list[str], spec: EnvironmentSpec) -> None:
        """Run uv. Raises EnvironmentFailed with what it said last."""
        tail: deque[str] = deque(maxlen=_TAIL_LINES)

        def on_line(_: str, line: str) -> None:
            tail.append(line)
            self._say(f"uv: {line}")

        ended = self._commands.run([_uv_binary(), *arguments], cwd=self._root, environ=self._environ, on_line=on_line)
        self._commands.check()
        if ended.returncode != 0:
            said = "\n".join(tail) or ended.error or ended.signal_name
            raise EnvironmentFailed(
                f"The environment ({_describe(spec)}) could not be made; uv {arguments[0]} said:\n{said}\n",
                hint=_mend(arguments[0], spec),
                target="environment",
            )


def stored_environments(cache: Path) -> list[Path]:
    """The folders of all environments in a cache, complete or not."""
    folder = cache / "envs"
    names = os.listdir(folder) if folder.is_dir() else []
    return [folder / name for name in sorted(names) if re.fullmatch(r"[0-9a-f]{32}", name)]


def discard_unused(folder: Path, before: float, *, dry_run: bool = False) -> bool:
    """Remove an environment that no step has used since a time, in seconds. False if one has, or is using it now."""
    use, lock = folder.with_name(f"{folder.name}.use"), folder.with_name(f"{folder.name}.lock")
    last_used = max((path.stat().st_mtime for path in (folder, use) if path.exists()), default=before)
    if last_used >= before:
        return False
    with ExitStack() as held:
        for path in (use, lock):
            if not _try_lock(held.enter_context(path.open("ab")).fileno()):
                return False
        os.utime(use, (last_used, last_used))  # looking at it was no use
        trash = None if dry_run else _take_away(folder)
    if trash is not None:
        remove_tree(trash)
    return True


def _take_away(folder: Path) -> Path | None:
    """Move an environment to a name of nobody's. Its marker goes first: no crash leaves half of one with a marker."""
    (folder / MARKER).unlink(missing_ok=True)
    if not folder.exists():
        return None
    trash = folder.with_name(temporary_name())
    folder.rename(trash)
    return trash


@contextmanager
def _held_for_use(path: Path) -> Iterator[None]:
    """Hold a lock that many users share and a remover needs alone. Its file's time says when it was last used."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        os.utime(path)
        yield


def cache_folder() -> Path:
    """Where environments are kept unless the caller says otherwise: AIRLOOM_CACHE_DIR, else the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(os.environ.get("AIRLOOM_CACHE_DIR") or os.path.join(home, "airloom"))


def environment_digest(spec: EnvironmentSpec) -> str:
    """Names the folder of an environment: equal for equal content on the same kind of machine."""
    return digest_value({"format": ENVIRONMENT_FORMAT, **_content(spec)})[:32]


def _content(spec: EnvironmentSpec) -> dict[str, object]:
    return {
        "packages": sorted(set(spec.packages)),
        "python": spec.python_version or platform.python_version(),
        "platform": [sys.platform, platform.machine()],
    }


def _python_request(spec: EnvironmentSpec) -> str:
    """The worker's own Python when it fits, which saves uv a search; else the version, for uv to find."""
    version = spec.python_version
    if version is None or platform.python_version() == version or platform.python_version().startswith(f"{version}."):
        return sys.executable
    return version


def _python_of(folder: Path) -> Path:
    return folder / "bin" / "python"


def _describe(spec: EnvironmentSpec) -> str:
    packages = ", ".join(spec.packages) or "no packages"
    return f"Python {spec.python_version or platform.python_version()}, {packages}"


def _mend(command: str, spec: EnvironmentSpec) -> str:
    if command == "venv" and spec.python_version is not None:
        return f"Install Python {spec.python_version} on the worker, or ask for a version that it has."
    return "Check names and versions of the packages, and that this machine's uv settings reach a package index."


def _check_requirement(package: str) -> None:
    """Refuse what uv would take for an option: where packages come from is the worker's settings' business."""
    if not package.strip() or package.lstrip().startswith("-") or "\n" in package:
        raise EnvironmentFailed(
            f"{package!r} is not a package requirement.",
            hint="Write requirements like 'pandas>=2.2'; options such as index addresses are set on the worker.",
            target=package,
        )


def _uv_binary() -> str:
    """The uv of the package, else one on PATH. Raises EnvironmentFailed."""
    try:
        import uv
    except ImportError:
        found = shutil.which("uv")
    else:
        found = uv.find_uv_bin()
    if found is None:
        raise EnvironmentFailed("uv is not installed on this machine.", hint="Install it: pip install uv", target="uv")
    return found


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _ignore(_: str, __: str) -> None:
    """Takes the output of a command whose exit status says all."""
