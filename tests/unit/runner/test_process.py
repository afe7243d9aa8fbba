"""Commands are started without a shell and end with everything that they started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from airloom.runner.process import CommandProcess, OnLine
from tests.unit.runner.support import is_alive, read_pids, wait_for

pytestmark = pytest.mark.integration

PATH = {"PATH": os.environ["PATH"]}

FAMILY = """
import os, signal, subprocess, sys, time
ignore = "{ignore}" == "True"
if ignore:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
daemon = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
for name, pid in (("script", os.getpid()), ("child", child.pid), ("daemon", daemon.pid)):
    open(name, "w").write("%d\\n" % pid)
{then}
"""
"""A script with a child in its process group and a daemon that left its session."""


class Recorder:
    """Collects lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, stream: str, line: str) -> None:
        self.lines.append((stream, line))


def a_command(script: str, cwd: Path, on_line: OnLine | None = None, **limits: float) -> CommandProcess:
    """A Python script as a command."""
    argv = [sys.executable, "-c", script]
    return CommandProcess(argv, cwd=cwd, environ=PATH, on_line=on_line or Recorder(), **limits)


def a_family(cwd: Path, *, then: str = "time.sleep(600)", ignore: bool = False, **limits: float) -> CommandProcess:
    """A script with a child and a daemon, as a command."""
    return a_command(FAMILY.format(then=then, ignore=ignore), cwd, None, **limits)


def family_pids(cwd: Path) -> list[int]:
    """Process ids of script, child and daemon."""
    return read_pids(cwd, "script", "child", "daemon")


def in_thread(process: CommandProcess) -> tuple[threading.Thread, list[object]]:
    """Run a command in another thread; how it ended is put into the list."""
    ended: list[object] = []
    thread = threading.Thread(target=lambda: ended.append(process.run()))
    thread.start()
    return thread, ended


def test_output_of_both_streams_and_the_exit_code_arrive(tmp_path: Path) -> None:
    recorder = Recorder()
    script = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)"
    ended = a_command(script, tmp_path, recorder).run()
    assert (ended.reason, ended.returncode) == ("exited", 7)
    assert sorted(recorder.lines) == [("stderr", "err"), ("stdout", "out")]


def test_much_output_arrives_whole_and_in_order(tmp_path: Path) -> None:
    recorder = Recorder()
    a_command("for number in range(50_000): print(number)", tmp_path, recorder).run()
    assert recorder.lines == [("stdout", str(number)) for number in range(50_000)]


def test_stdin_is_empty_and_no_descriptor_of_ours_is_open(tmp_path: Path) -> None:
    recorder = Recorder()
    script = "import os, sys; print(sys.stdin.read() == '', sorted(os.listdir('/proc/self/fd'))[:3])"
    held = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(held, True)
    try:
        a_command(script + "; print(len(os.listdir('/proc/self/fd')))", tmp_path, recorder).run()
    finally:
        os.close(held)
    assert recorder.lines == [("stdout", "True ['0', '1', '2']"), ("stdout", "4")]  # the fourth reads the folder


def test_a_command_that_cannot_be_started_says_why(tmp_path: Path) -> None:
    ended = CommandProcess(["/no/such/program"], cwd=tmp_path, environ=PATH, on_line=Recorder()).run()
    assert (ended.returncode, ended.error) == (None, "No such file or directory")


def test_more_arguments_than_the_system_takes_are_an_answer_and_not_a_crash(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "pass", "x" * 10_000_000]
    ended = CommandProcess(argv, cwd=tmp_path, environ=PATH, on_line=Recorder()).run()
    assert (ended.returncode, ended.error) == (None, "Argument list too long")


def test_what_a_script_leaves_running_ends_with_it(tmp_path: Path) -> None:
    ended = a_family(tmp_path, then="").run()
    assert ended.returncode == 0
    assert not any(map(is_alive, family_pids(tmp_path)))


def test_timeout_ends_all_processes(tmp_path: Path) -> None:
    ended = a_family(tmp_path, timeout_seconds=1.0).run()
    assert (ended.reason, ended.returncode) == ("timeout", -signal.SIGTERM)
    assert not any(map(is_alive, family_pids(tmp_path)))


def test_cancel_kills_what_ignores_the_request(tmp_path: Path) -> None:
    process = a_family(tmp_path, ignore=True, grace_seconds=0.5)
    thread, ended = in_thread(process)
    pids = family_pids(tmp_path)
    process.cancel()
    thread.join(20)
    assert "cancelled" in str(ended) and "-9" in str(ended)
    assert not any(map(is_alive, pids))


def test_a_script_may_clean_up_when_cancelled(tmp_path: Path) -> None:
    script = """
import signal, sys, time
def clean(*_):
    open("cleaned", "w").close()
    sys.exit(0)
signal.signal(signal.SIGTERM, clean)
open("ready", "w").close()
time.sleep(600)
"""
    process = a_command(script, tmp_path)
    thread, ended = in_thread(process)
    wait_for((tmp_path / "ready").exists)
    process.cancel()
    thread.join(20)
    assert "cancelled" in str(ended)
    assert (tmp_path / "cleaned").exists()


def test_cancel_before_the_start_and_after_the_end_is_harmless(tmp_path: Path) -> None:
    process = a_command("import time; time.sleep(600)", tmp_path)
    process.cancel()
    assert process.run().reason == "cancelled"
    process.cancel()


def test_an_error_of_the_listener_ends_the_command(tmp_path: Path) -> None:
    def refuse(stream: str, line: str) -> None:
        raise ValueError("the disk is full")

    script = "import os, time; open('script', 'w').write('%d\\n' % os.getpid()); print(1, flush=True); time.sleep(600)"
    process = CommandProcess([sys.executable, "-c", script], cwd=tmp_path, environ=PATH, on_line=refuse)
    with pytest.raises(ValueError, match="disk is full"):
        process.run()
    [pid] = read_pids(tmp_path, "script")
    assert not is_alive(pid)


def test_the_death_of_the_guardian_ends_the_script(tmp_path: Path) -> None:
    process = a_command("import os, time; open('script', 'w').write('%d\\n' % os.getppid()); time.sleep(600)", tmp_path)
    thread, ended = in_thread(process)
    [guardian] = read_pids(tmp_path, "script")
    os.kill(guardian, signal.SIGKILL)
    thread.join(20)
    assert "reason='lost', returncode=-9" in str(ended)


def test_the_death_of_runner_and_guardian_ends_the_script(tmp_path: Path) -> None:
    """As when the system runs out of memory: nobody is left to end the script but the kernel."""
    program = f"""
import os, sys
from pathlib import Path
from airloom.runner.process import CommandProcess
script = "import os, time; open('pids', 'w').write('%d %d\\\\n' % (os.getpid(), os.getppid())); time.sleep(600)"
folder = Path({str(tmp_path)!r})
CommandProcess([sys.executable, "-c", script], cwd=folder, environ=dict(os.environ), on_line=print).run()
"""
    runner = subprocess.Popen([sys.executable, "-c", program])
    pids = tmp_path / "pids"
    wait_for(lambda: pids.exists() and pids.read_text().endswith("\n"))
    script, guardian = map(int, pids.read_text().split())
    runner.send_signal(signal.SIGSTOP)
    os.kill(guardian, signal.SIGKILL)
    runner.kill()
    runner.wait(20)
    wait_for(lambda: not is_alive(script), seconds=10)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_death_of_the_runner_ends_script_child_and_daemon(tmp_path: Path, number: signal.Signals) -> None:
    """SIGKILL leaves no time to clean up; and the SIGTERM of a supervisor may reach a runner without a handler."""
    program = f"""
import os, sys
from pathlib import Path
from airloom.runner.process import CommandProcess
CommandProcess([sys.executable, "-c", {FAMILY.format(then="time.sleep(600)", ignore=True)!r}],
               cwd=Path({str(tmp_path)!r}), environ=dict(os.environ), on_line=print).run()
"""
    runner = subprocess.Popen([sys.executable, "-c", program])
    pids = family_pids(tmp_path)
    runner.send_signal(number)
    runner.wait(20)
    wait_for(lambda: not any(map(is_alive, pids)), seconds=10)


def test_a_fork_of_the_runner_does_not_keep_the_script_alive(tmp_path: Path) -> None:
    """A forked copy of the runner holds its pipes open; the guardian looks at who its parent is, too."""
    program = f"""
import os, sys, threading, time
from pathlib import Path
from airloom.runner.process import CommandProcess
def fork():
    while not os.path.exists("daemon"):
        time.sleep(0.01)
    if os.fork() == 0:
        open("fork", "w").write("%d\\n" % os.getpid())
        time.sleep(600)
os.chdir({str(tmp_path)!r})
threading.Thread(target=fork).start()
CommandProcess([sys.executable, "-c", {FAMILY.format(then="time.sleep(600)", ignore=True)!r}],
               cwd=Path("."), environ=dict(os.environ), on_line=print).run()
"""
    runner = subprocess.Popen([sys.executable, "-c", program])
    pids = family_pids(tmp_path)
    [fork] = read_pids(tmp_path, "fork")
    try:
        runner.kill()
        runner.wait(20)
        wait_for(lambda: not any(map(is_alive, pids)), seconds=10)
        assert is_alive(fork)
    finally:
        os.kill(fork, signal.SIGKILL)


def test_starting_a_command_is_quick(tmp_path: Path) -> None:
    started = time.monotonic()
    for _ in range(5):
        CommandProcess(["/bin/true"], cwd=tmp_path, environ=PATH, on_line=Recorder()).run()
    assert (time.monotonic() - started) / 5 < 0.5
