"""`python -m airloom.runner` runs a step in an interpreter of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airloom.runner import StepSpec
from tests.unit.runner.support import Host, a_pid_file, an_output, is_alive, literal, output_path, read_pids, wait_for

pytestmark = pytest.mark.integration

SLEEPY_FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
{script}
{child}
time.sleep(600)
"""


def start(host: Host, spec: StepSpec) -> tuple[subprocess.Popen[str], Path]:
    """Start the runner; its process and the file for its result."""
    file, result = host.root / "spec.json", host.root / "result.json"
    file.write_text(spec.model_dump_json())
    argv = [sys.executable, "-m", "airloom.runner", str(file), "--result", str(result)]
    argv += ["--work-root", str(host.work), "--cache-dir", str(host.cache)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True), result


def a_sleepy_family(host: Host) -> StepSpec:
    """A step that sleeps, with a daemon child."""
    script = SLEEPY_FAMILY.format(
        script=a_pid_file(host.root / "script", "os.getpid()"), child=a_pid_file(host.root / "child", "child.pid")
    )
    return host.step(script)


def test_the_result_of_a_step_is_written_to_a_file(host: Host) -> None:
    script = "import sys; open(sys.argv[1], 'w').write('r'); print(sys.argv[2]); print('e', file=sys.stderr)"
    arguments = (output_path("model"), *literal("{{ x }}"))
    process, result = start(host, host.step(script, outputs=(an_output("model"),), arguments=arguments))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "{{ x }}\n")
    assert "e" in err.splitlines() and "[job] done" in err
    content = json.loads(result.read_text())
    assert content["status"] == "succeeded"
    assert content["outcome"]["outputs"]["model"]["path"] == "results/model"


def test_a_failure_is_described_in_the_file(host: Host) -> None:
    process, result = start(host, host.step("raise SystemExit(9)"))
    process.communicate(timeout=60)
    error: dict[str, Any] = json.loads(result.read_text())["error"]
    assert process.returncode == 1
    assert (error["code"], error["reason"], error["exit_code"], error["target"]) == ("StepFailed", "failed", 9, "train")


@pytest.mark.parametrize("content", ["", "{}", '{"format": 2}'])
def test_a_file_that_describes_no_step_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "spec.json"
    file.write_text(content)
    ended = subprocess.run([sys.executable, "-m", "airloom.runner", file], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "does not describe a step" in ended.stderr


def test_sigterm_cancels_the_step(host: Host) -> None:
    process, result = start(host, a_sleepy_family(host))
    pids = read_pids(host.root, "script", "child")
    process.terminate()
    process.communicate(timeout=60)
    assert json.loads(result.read_text())["error"]["reason"] == "cancelled"
    assert not any(map(is_alive, pids))


def test_kill_9_of_the_runner_ends_the_script_and_its_grandchild(host: Host) -> None:
    process, result = start(host, a_sleepy_family(host))
    pids = read_pids(host.root, "script", "child")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    wait_for(lambda: not any(map(is_alive, pids)), seconds=10)
    assert not result.exists()


def test_importing_the_runner_is_light() -> None:
    program = (
        "import sys, airloom.runner; "
        "print([name for name in ('pandas', 'numpy', 'httpx', 'airflow', 'typer', 'rich') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
