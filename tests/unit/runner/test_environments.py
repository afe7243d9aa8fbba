"""Environments of steps: made once, by uv, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from airloom.errors import EnvironmentFailed
from airloom.graph.model import EnvironmentSpec
from airloom.runner import ScriptFailed
from airloom.runner.commands import Commands
from airloom.runner.environments import MARKER, EnvironmentCache, cache_folder, environment_digest
from tests.unit.runner.support import Host, other_pythons, wait_for

pytestmark = pytest.mark.integration

BARE = EnvironmentSpec(python_version=f"{sys.version_info.major}.{sys.version_info.minor}")
TINY = EnvironmentSpec(packages=("iniconfig==2.0.0",))


class Maker:
    """An environment cache in a folder, and what it says."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.said: list[str] = []
        self.commands = Commands("train")
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self.cache = EnvironmentCache(root, commands=self.commands, environ=environ, say=self.said.append)

    def interpreter(self, spec: EnvironmentSpec) -> Path:
        """The interpreter of an environment."""
        return self.cache.interpreter(spec)

    def folder(self, spec: EnvironmentSpec) -> Path:
        """Where an environment lies."""
        return self.root / "envs" / environment_digest(spec)

    def made(self) -> int:
        """How many environments it has made."""
        return sum("was made in" in line for line in self.said)


def output_of(interpreter: Path, program: str) -> str:
    """What a program prints."""
    return subprocess.run([interpreter, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    """An empty cache."""
    return Maker(tmp_path)


def test_without_wishes_the_interpreter_is_the_workers_own(maker: Maker) -> None:
    assert maker.interpreter(EnvironmentSpec()) == Path(sys.executable)
    assert maker.interpreter(EnvironmentSpec(variables={"A": "b"})) == Path(sys.executable)
    assert list(maker.root.iterdir()) == []


def test_a_given_interpreter_is_used_as_it_is(maker: Maker) -> None:
    spec = EnvironmentSpec(interpreter_path=sys.executable, packages=("iniconfig",))
    assert maker.interpreter(spec) == Path(sys.executable)
    assert maker.said == ["packages are not installed: the step brings its own interpreter"]


@pytest.mark.parametrize("path", ["/no/python", "python3", "/"])
def test_a_given_interpreter_must_be_there(maker: Maker, path: str) -> None:
    with pytest.raises(EnvironmentFailed, match=f"{path!r} does not exist on this machine"):
        maker.interpreter(EnvironmentSpec(interpreter_path=path))


def test_an_environment_is_made_once_and_found_again(maker: Maker) -> None:
    first = maker.interpreter(BARE)
    assert output_of(first, "import sys; print(sys.prefix)") == str(maker.folder(BARE))
    assert maker.interpreter(BARE) == first
    assert maker.made() == 1
    assert maker.said[-1].endswith("is ready")


def test_equal_content_in_another_order_is_the_same_environment() -> None:
    assert environment_digest(EnvironmentSpec(packages=("a", "b"))) == environment_digest(
        EnvironmentSpec(packages=("b", "a", "b"), variables={"X": "y"}, image="debian")
    )
    assert environment_digest(EnvironmentSpec(packages=("a",))) != environment_digest(EnvironmentSpec(packages=("b",)))


def test_half_an_environment_is_made_again(maker: Maker) -> None:
    maker.interpreter(BARE)
    (maker.folder(BARE) / MARKER).unlink()
    shutil.rmtree(maker.folder(BARE) / "lib")
    interpreter = maker.interpreter(BARE)
    assert maker.made() == 2
    assert output_of(interpreter, "import site; print(1)") == "1"
    assert [path.name for path in maker.folder(BARE).parent.iterdir() if path.is_dir()] == [maker.folder(BARE).name]


@pytest.mark.parametrize("damage", ["gone", "not a program", "fails"])
def test_an_environment_whose_interpreter_is_broken_is_made_again(maker: Maker, damage: str) -> None:
    interpreter = maker.interpreter(BARE)
    interpreter.unlink()
    if damage != "gone":
        interpreter.write_text("#!/bin/sh\nexit 1\n" if damage == "fails" else "nonsense")
        interpreter.chmod(0o755)
    maker.interpreter(BARE)
    assert maker.made() == 2
    assert any("is broken" in line for line in maker.said)


def test_a_python_that_is_nowhere_is_named(maker: Maker) -> None:
    with pytest.raises(EnvironmentFailed, match=r"Python 3\.99(.|\n)*Install Python 3\.99 on the worker"):
        maker.interpreter(EnvironmentSpec(python_version="3.99"))
    assert not (maker.folder(EnvironmentSpec(python_version="3.99")) / MARKER).exists()


def test_another_python_is_used_if_the_machine_has_it(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    pythons = other_pythons()
    if not pythons:
        pytest.skip("this machine has no Python of another version, so nothing was tested")
    version, path = next(iter(pythons.items()))
    monkeypatch.setenv("PATH", f"{Path(path).parent}{os.pathsep}{os.environ['PATH']}")
    interpreter = Maker(maker.root).interpreter(EnvironmentSpec(python_version=version))
    assert output_of(interpreter, "import sys; print('%d.%d' % sys.version_info[:2])") == version


@pytest.mark.parametrize("package", ["--index-url=http://evil.example", "-r requirements.txt", "", "a\n-r b", " -e ."])
def test_options_are_not_packages(maker: Maker, package: str) -> None:
    with pytest.raises(EnvironmentFailed, match="is not a package requirement"):
        maker.interpreter(EnvironmentSpec(packages=(package,)))
    assert list(maker.root.iterdir()) == []


def test_the_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRLOOM_CACHE_DIR", "/one")
    assert cache_folder() == Path("/one")
    monkeypatch.delenv("AIRLOOM_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "/two")
    assert cache_folder() == Path("/two/airloom")


def test_a_second_maker_waits_says_so_and_makes_nothing(tmp_path: Path) -> None:
    first, second = Maker(tmp_path), Maker(tmp_path)
    (tmp_path / "envs").mkdir()
    found: list[Path] = []
    with first.cache._locked(environment_digest(BARE)):
        thread = threading.Thread(target=lambda: found.append(second.interpreter(BARE)))
        thread.start()
        wait_for(lambda: any("waiting for it" in line for line in second.said))
        first.cache._make(BARE, environment_digest(BARE), first.folder(BARE))
    thread.join(30)
    assert found == [first.folder(BARE) / "bin" / "python"]
    assert second.made() == 0


def test_waiting_for_another_maker_can_be_cancelled(tmp_path: Path) -> None:
    first, second = Maker(tmp_path), Maker(tmp_path)
    (tmp_path / "envs").mkdir()
    failures: list[BaseException] = []

    def wait() -> None:
        try:
            second.interpreter(BARE)
        except ScriptFailed as failure:
            failures.append(failure)

    with first.cache._locked(environment_digest(BARE)):
        thread = threading.Thread(target=wait)
        thread.start()
        wait_for(lambda: second.said)
        second.commands.cancel()
        thread.join(20)
    assert "cancelled" in str(failures[0])


def test_many_processes_make_one_environment(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from tests.unit.runner.test_environments import BARE, Maker; "
        f"maker = Maker(Path({str(tmp_path)!r})); print(maker.interpreter(BARE)); print(maker.made())"
    )
    running = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    answers = [process.communicate(timeout=120)[0].split() for process in running]
    assert len({interpreter for interpreter, _ in answers}) == 1
    assert sorted(made for _, made in answers) == ["0", "0", "0", "1"]


@pytest.mark.slow
def test_packages_are_installed_and_the_script_can_import_them(host: Host) -> None:
    """A real package from the index that the machine's settings name."""
    spec = host.step("import iniconfig, sys; print(iniconfig.__file__)", environment=TINY)
    host.run(spec)
    assert str(host.cache / "envs" / environment_digest(TINY)) in host.stream("stdout")[0]
    job = "\n".join(host.stream("job"))
    assert "making environment" in job and "uv: " in job and "was made in" in job
    marker = json.loads((host.cache / "envs" / environment_digest(TINY) / MARKER).read_text())
    assert marker["packages"] == ["iniconfig==2.0.0"]


@pytest.mark.slow
def test_a_package_that_does_not_exist_is_named_with_what_uv_said(host: Host) -> None:
    spec = host.step("", environment=EnvironmentSpec(packages=("iniconfig==0.0.0.1",)))
    with pytest.raises(EnvironmentFailed, match=r"uv pip said:(.|\n)*iniconfig==0\.0\.0\.1(.|\n)*Check names"):
        host.run(spec)
    assert "iniconfig==0.0.0.1" in host.artifact("logs/job.txt")
