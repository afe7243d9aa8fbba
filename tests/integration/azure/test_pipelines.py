"""Steps and whole pipelines whose store is a container; their data lie on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from airloom.graph.results import Reason
from airloom.storage.azure_account import AzureAddress
from tests.support.builders import a_graph, a_step
from tests.support.in_process import DATASTORE, Workbench
from tests.unit.runner.support import Host

pytestmark = [pytest.mark.integration, pytest.mark.azurite]


def test_a_pipeline_is_reused_and_runs_again_from_where_it_changed(
    address: AzureAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRLOOM_CACHE_DIR", str(tmp_path / "cache"))
    bench = Workbench(tmp_path, address=str(address))
    bench.write("raw.txt", "some data")
    chain = a_graph(
        a_step("clean", reads=["raw"]), a_step("train", reads=["clean.out"]), sources={"raw": f"{DATASTORE}/raw.txt"}
    )
    scripts = {"clean": lambda texts: texts["raw"].strip(), "train": lambda texts: f"model of {texts['clean_out']}"}
    assert bench.run(chain, scripts).executed == ["clean", "train"]
    assert bench.run(chain, scripts).executed == []
    assert bench.run(chain, scripts).executed == []
    bench.write("raw.txt", "some data\n\n")
    cut_off = bench.run(chain, scripts)
    assert cut_off.executed == ["clean"]
    assert cut_off.results["train"].explanation is not None
    assert cut_off.results["train"].explanation.reason == Reason.EARLY_CUTOFF
    bench.write("raw.txt", "other data")
    assert bench.run(chain, scripts).executed == ["clean", "train"]


def test_a_step_finds_its_source_leaves_its_logs_and_gets_no_key_to_the_store(
    address: AzureAddress, tmp_path: Path
) -> None:
    host = Host(tmp_path, str(address))
    script = """
    import os, lib
    print(lib.GREETING, sorted(name for name in os.environ if name.startswith("AZURE_STORAGE")))
    open("outputs/model.txt", "w").write("m")
    """
    host.run(host.step(script, files={"lib.py": "GREETING = 'hello'"}))
    assert host.artifact("logs/stdout.txt") == "hello []\n"
    assert host.artifact("outputs/model.txt") == "m"
    assert "logs/job.txt" in host.store.list_artifacts("run-1", "step-1", "1")
