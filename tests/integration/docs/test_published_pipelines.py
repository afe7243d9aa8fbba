"""The page of published pipelines and the README's part of it, run from top to bottom in a workspace of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from airloom.core import Workspace
from airloom.pipeline.core import PipelineDraft, PipelineEndpoint, PipelineRun, PublishedPipeline, Schedule
from tests.docs.support import Block, blocks, section
from tests.support.server import RunningServer

SCRIPT = "import sys\nprint('trained', sys.argv[1:])\n"
PIPELINE = """\
pipeline:
  name: prices
  parameters:
    rate: {type: float, default: 0.1}
  steps:
    train:
      type: PythonScriptStep
      script_name: train.py
      source_directory: src
      arguments: ["--rate", {source: rate}]
"""


class Reader:
    """Somebody who does what a page says, in a folder whose config.json names a workspace."""

    def __init__(self, server: RunningServer, folder: Path) -> None:
        self.folder = folder
        config = json.loads((server.home / "config.json").read_text())
        config["workspace_name"] = f"docs-{uuid.uuid4().hex[:8]}"
        config["airloom"]["password_file"] = str(server.home / config["airloom"]["password_file"])
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "src").mkdir()
        (folder / "src" / "train.py").write_text(f"# {folder}\n{SCRIPT}")
        (folder / "prices.yml").write_text(PIPELINE)
        default = server.workspace()
        default._client.create_workspace({"name": config["workspace_name"]})
        self.ws = Workspace.from_config(str(folder / "config.json"))
        tools = str(Path(sys.executable).parent)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRLOOM_")}
        token = default._client._transport._credentials.token(default._client._transport._request_token)
        self.surroundings = {**kept, "PATH": f"{tools}{os.pathsep}{kept['PATH']}", "TOKEN": token}

    def do(self, block: Block) -> str:
        """Run a block of a page; what it prints."""
        program = [sys.executable, "-c"] if block.language == "python" else ["bash", "-euo", "pipefail", "-c"]
        done = subprocess.run(
            [*program, block.text],
            cwd=self.folder,
            env=self.surroundings,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, f"{block.text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def end(self) -> None:
        """Let nothing go on by itself."""
        for schedule in Schedule.list(self.ws):
            schedule.disable()


@pytest.fixture
def reader(airloom_server: RunningServer, tmp_path: Path) -> Reader:
    return Reader(airloom_server, tmp_path)


def test_the_page_does_what_it_says(reader: Reader) -> None:
    page = "docs/published-pipelines.md"
    parts = iter(block for block in blocks(page) if block.language in ("python", "sh"))
    for _ in ("publish in Python", "publish and run by the command"):
        reader.do(next(parts))
    first, second = reversed([each for each in PublishedPipeline.list(reader.ws) if each.name == "prices"])
    assert (first.version, second.version) == ("1.0", "1.1")
    answer = json.loads(reader.do(next(parts)))
    run = PipelineRun.get(reader.ws, answer["Id"])
    assert run.get_details()["parameters"] == {"rate": 0.3}
    assert run in PipelineRun.get_pipeline_runs(reader.ws, second.id)

    for _ in ("endpoint in Python", "endpoint by the command"):
        reader.do(next(parts))
    endpoint = PipelineEndpoint.get(reader.ws, name="price-model")
    assert [each.pipeline.version for each in endpoint.list_versions()] == ["1.0", "1.1", "1.2"]
    assert endpoint.default_version == "2"

    for _ in ("schedule in Python", "schedule by the command", "schedule of data"):
        reader.do(next(parts))
    assert {each.name for each in Schedule.list(reader.ws)} == {"weekly-prices", "new-prices"}
    reader.end()

    reader.do(next(parts))  # drafts
    assert PipelineDraft.list(reader.ws) == []
    assert PublishedPipeline.list(reader.ws)[0].name == "trial"
    assert list(parts) == []


def test_the_readme_publishes_what_was_run(reader: Reader) -> None:
    (block,) = [each for each in blocks("README.md") if each.text in section("README.md", "Publish it")]
    reader.do(Block("README.md", "sh", "airloom submit prices.yml --wait"))
    reader.do(block)
    (published,) = PublishedPipeline.list(reader.ws)
    assert published.name == "prices"
    assert [each.name for each in Schedule.list(reader.ws, pipeline_id=published.id)] == ["nightly"]
    reader.end()
