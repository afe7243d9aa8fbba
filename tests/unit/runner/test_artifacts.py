"""Logs and files of an attempt reach the store, also one that is not on this machine."""

from __future__ import annotations

from pathlib import Path

from airloom.runner.artifacts import Artifacts
from airloom.storage.local import LocalStore
from airloom.storage.workspace import WorkspaceStore
from tests.unit.runner.support import Host


class RemoteStore(LocalStore):
    """A store whose objects this machine has no path to."""

    def local_path(self, key: str) -> Path | None:
        """Nowhere."""
        return None


def test_logs_are_uploaded_to_a_remote_store_at_the_end(host: Host, tmp_path: Path) -> None:
    spec = host.step("")
    store = WorkspaceStore(RemoteStore(tmp_path / "remote"), "default")
    with Artifacts(store, spec, tmp_path / "work") as artifacts:
        artifacts.write("stdout", "line")
        artifacts.write("job", "noted \udcff")
        assert store.list_artifacts("run-1", "step-1", "1") == []
    assert store.list_artifacts("run-1", "step-1", "1") == ["logs/job.txt", "logs/stderr.txt", "logs/stdout.txt"]
    with store.open_artifact("run-1", "step-1", "1", "logs/stdout.txt") as file:
        assert file.read() == b"line\n"
    with store.open_artifact("run-1", "step-1", "1", "logs/job.txt") as file:
        assert file.read().endswith(b"+00:00 noted \\udcff\n")


def test_a_name_that_the_store_refuses_is_noted_and_the_rest_is_kept(host: Host, tmp_path: Path) -> None:
    (tmp_path / "step/outputs").mkdir(parents=True)
    (tmp_path / "step/outputs/good").write_text("g")
    (tmp_path / "step/outputs/.airloom-x").write_text("b")
    with Artifacts(host.store, host.step(""), tmp_path / "work") as artifacts:
        notes = artifacts.keep(tmp_path / "step", tmp_path / "run")
    assert len(notes) == 1 and notes[0].startswith("outputs/.airloom-x was not kept: ")
    assert "outputs/good" in host.artifacts()
