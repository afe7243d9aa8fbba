"""The examples of the documentation, run on a server: they do what the text around them says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.support import blocks, codes, rows, section
from tests.support.server import AIRLOOM, RunningServer

pytestmark = pytest.mark.integration

PREPARE = """\
import pathlib, sys
pathlib.Path(sys.argv[-1], "table.csv").write_text("x,y\\n1,2\\n2,4\\n")
"""
TRAIN = """\
import pathlib, sys
table, rate, out = sys.argv[1:4]
pathlib.Path(out, "model.txt").write_text(rate + pathlib.Path(table, "table.csv").read_text())
"""
REPORT = """\
import pathlib, sys
print(len(pathlib.Path(sys.argv[-1], "table.csv").read_text().splitlines()) - 1, "rows")
"""
PIPELINE = """\
pipeline:
  name: prices
  parameters:
    rate: {type: float, default: 0.1}
  steps:
    prepare:
      type: PythonScriptStep
      script_name: prepare.py
      source_directory: prepare
      arguments: ["output:table"]
      outputs:
        table: {is_directory: true}
    train:
      type: PythonScriptStep
      script_name: train.py
      source_directory: train
      arguments: ["input:table", {source: rate}, "output:model"]
      inputs:
        table: {source: table}
      outputs:
        model: {is_directory: true}
    report:
      type: PythonScriptStep
      script_name: report.py
      source_directory: report
      arguments: ["input:table"]
      inputs:
        table: {source: table}
"""


def call(server: RunningServer, folder: Path, *command: str) -> str:
    """Run a command in a folder as a user would who has set AIRLOOM_HOME, and return what it prints."""
    environment = {**os.environ, "AIRLOOM_HOME": str(server.home)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def shown(text: str) -> str:
    """Command output as it can be compared: the first run is RUN-1 and so on, digests and durations are words."""
    ids = list(dict.fromkeys(re.findall(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", text)))
    for number, run_id in enumerate(ids, start=1):
        text = text.replace(run_id, f"RUN-{number}")
    return re.sub(r"[0-9.]+ s$", "SECONDS", re.sub(r"[0-9a-f]{16,64}", "DIGEST", text), flags=re.MULTILINE)


def test_the_first_pipeline_of_the_readme_runs_and_runs_nothing_again(
    airloom_server: RunningServer, tmp_path: Path
) -> None:
    code = next(block.text for block in blocks("README.md") if block.language == "python")
    source = tmp_path / "src"
    source.mkdir()
    (source / "prepare.py").write_text(f"# {tmp_path}\n{PREPARE}")
    (source / "train.py").write_text(REPORT)
    (tmp_path / "first.py").write_text(code)
    call(airloom_server, tmp_path, sys.executable, "first.py")
    first = call(airloom_server, tmp_path, AIRLOOM, "explain", "last")
    assert re.findall(r"^\S+  (\w+)$", first, re.MULTILINE) == ["executed", "executed"]
    call(airloom_server, tmp_path, sys.executable, "first.py")
    again = call(airloom_server, tmp_path, AIRLOOM, "explain", "last")
    assert re.findall(r"^\S+  (\w+)$", again, re.MULTILINE) == ["reused", "reused"]
    assert "Nothing that counts has changed" in again


def test_explain_prints_what_the_page_shows(airloom_server: RunningServer, tmp_path: Path) -> None:
    (example,) = [block.text for block in blocks("docs/reuse.md") if block.language == "text"]
    for name, script in {"prepare": f"# {tmp_path}\n{PREPARE}", "train": TRAIN, "report": REPORT}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.py").write_text(script)
    (tmp_path / "pipeline.yml").write_text(PIPELINE)
    call(airloom_server, tmp_path, AIRLOOM, "submit", "pipeline.yml", "--reuse", "refresh", "--wait")
    with (tmp_path / "prepare" / "prepare.py").open("a") as script:
        script.write("# a remark\n")
    printed = ""
    for command in re.findall(r"^\$ airloom (.*)$", example, re.MULTILINE):
        printed += f"$ airloom {command}\n{call(airloom_server, tmp_path, AIRLOOM, *command.split())}"
    assert shown(printed) == shown(example)


def test_everything_in_the_store_is_described(airloom_server: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "step").mkdir()
    (tmp_path / "step" / "main.py").write_text(f"open('outputs/a.txt', 'w').write('a')  # {tmp_path}\n")
    step = "{type: PythonScriptStep, script_name: main.py, source_directory: step}"
    (tmp_path / "one.yml").write_text(f"pipeline:\n  steps:\n    one: {step}\n")
    for _ in range(3):  # run, reused, and reused as a whole
        call(airloom_server, tmp_path, AIRLOOM, "submit", "one.yml", "--wait")
    described = [code for row in rows(section("docs/server.md", "The store")) for code in codes(row[0])]
    patterns = [
        re.compile(re.sub(r"<\w+>", "[^/]+", code) + ("" if code.endswith(".json") else ".*")) for code in described
    ]
    files = [path for path in airloom_server.store.rglob("*") if path.is_file()]
    unknown = {str(path.relative_to(airloom_server.store)) for path in files}
    unknown = {name for name in unknown if not any(pattern.fullmatch(name) for pattern in patterns)}
    assert unknown == set()
