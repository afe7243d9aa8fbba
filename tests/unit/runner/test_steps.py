"""A step runs its script with what the pipeline says, and leaves its outputs, logs and files."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from airloom.errors import IntegrityError, InvalidName, NotFound, StepFailed, UnsafePath
from airloom.graph.model import EnvironmentSpec, InputPath
from airloom.runner import ScriptFailed
from airloom.storage.handed_over import Batch, HandOverStore
from airloom.storage.watched import WatchedPlace
from tests.unit.runner.support import Host, a_pid_file, an_output, is_alive, literal, output_path, read_pids, wait_for

pytestmark = pytest.mark.integration

SCHEDULE = "82635ef5-d01e-4ac0-a393-ab3e46f64cb9"
SHOW_ARGUMENTS = "import json, sys; print(json.dumps(sys.argv[1:]))"
SHOW_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"


def shown(host: Host) -> object:
    """What the script has printed as JSON."""
    return json.loads("".join(host.stream("stdout")))


def test_a_script_runs_in_its_source_folder_and_sees_all_of_it(host: Host) -> None:
    script = "import os, helper; print(helper.NAME, open('deep/data.txt').read(), os.path.basename(os.getcwd()))"
    outcome = host.run(host.step(script, files={"helper.py": "NAME = 'n'", "deep/data.txt": "text"}))
    assert host.stream("stdout") == ["n text step"]
    assert (outcome.exit_code, outcome.outputs) == (0, {})


def test_a_script_may_lie_in_a_subfolder(host: Host) -> None:
    host.run(
        host.step("", files={"src/go.py": "import other; print(__file__)", "src/other.py": ""}, script_name="src/go.py")
    )
    assert host.stream("stdout")[0].endswith("src/go.py")


def test_literal_arguments_reach_the_script_as_they_are(host: Host) -> None:
    texts = ["{{ conn.x }}", "$(rm -rf)", "`id`", "a b", "", "'\"", "ünï\n2", "%s", "*", "--flag", "{% raw %}", "\\"]
    host.run(host.step(SHOW_ARGUMENTS, arguments=literal(*texts, 3, 0.1, True)))
    assert shown(host) == [*texts, "3", "0.1", "True"]


def test_parameters_and_identity_are_environment_variables(host: Host) -> None:
    spec = host.step(
        SHOW_ENVIRONMENT,
        environment_variables={"AML_PARAMETER_RATE": "{{ 0.1 }}"},
        environment=EnvironmentSpec(variables={"COLOUR": "red", "PYTHONPATH": "lib"}),
    )
    host.run(spec)
    environment = shown(host)
    assert isinstance(environment, dict)
    assert environment["AML_PARAMETER_RATE"] == "{{ 0.1 }}"
    assert environment["COLOUR"] == "red"
    assert environment["AZUREML_RUN_ID"] == "run-1_step-1"
    assert environment["AZUREML_ROOT_RUN_ID"] == "run-1"
    assert environment["AZUREML_EXPERIMENT_NAME"] == environment["AZUREML_ARM_PROJECT_NAME"] == "tests"
    assert environment["AZUREML_ARM_WORKSPACE_NAME"] == "default"
    assert environment["PYTHONUNBUFFERED"] == "1"
    standin, author = environment["PYTHONPATH"].split(os.pathsep)
    assert (Path(standin).name, author) == ("standin", "lib")


def a_batch(**fields: Any) -> Batch:
    return Batch(
        schedule_id=SCHEDULE, number=3, found_at="2026-07-01T08:00:00+00:00", dag_id="prices.0123", conf={},
        place=WatchedPlace(datastore="data", path="in"), added={"in/b": "1", "in/a": "2"}, changed={"in/c": "3"},
        missing=("in/d",), **fields,
    )  # fmt: skip


@pytest.mark.parametrize(("path", "added"), [("", ["in/a", "in/b"]), ("in/b", ["in/b"])])
def test_a_script_finds_which_files_its_run_was_started_for(host: Host, path: str, added: list[str]) -> None:
    batch = a_batch(one_run_per="file" if path else "batch")
    memory = HandOverStore(host.store.store, SCHEDULE)
    memory.promise(batch)
    script = "import os; print(open(os.environ['AIRLOOM_CHANGED_FILES']).read())"
    host.run(host.step(script, run_id=batch.run_id(path), changes=memory.batch_key(3)))
    assert shown(host) == {
        "datastore": "data",
        "batch": 3,
        "added": added,
        "changed": [] if path else ["in/c"],
        "missing": ["in/d"],
    }


def test_a_batch_is_shown_to_its_own_runs_only(host: Host) -> None:
    """Anybody who may start a run can write any key into its configuration."""
    memory = HandOverStore(host.store.store, SCHEDULE)
    memory.promise(a_batch())
    host.run(host.step(SHOW_ENVIRONMENT, changes=memory.batch_key(3)))
    environment = shown(host)
    assert isinstance(environment, dict) and "AIRLOOM_CHANGED_FILES" not in environment


@pytest.mark.parametrize("key", ["workspaces/default/datastores/data.json", "changes/../secret", ""])
def test_nothing_but_a_batch_is_read_as_one(host: Host, key: str) -> None:
    with pytest.raises(InvalidName, match="is not the key of a batch"):
        host.run(host.step("", changes=key))


def test_the_secrets_of_the_worker_stay_with_it(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AIRFLOW__CORE__FERNET_KEY", "AIRFLOW_CONN_BANK", "_AIRFLOW_X", "AIRLOOM_TOKEN", "AML_PARAMETER_OLD"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("ORDINARY", "kept")
    host.run(host.step(SHOW_ENVIRONMENT))
    environment = shown(host)
    assert isinstance(environment, dict)
    assert "secret" not in environment.values()
    assert environment["ORDINARY"] == "kept"


def test_the_values_of_variables_are_not_logged(host: Host) -> None:
    host.run(host.step("", environment_variables={"PASSWORD": "hush"}))
    assert "PASSWORD" in host.artifact("logs/job.txt")
    assert "hush" not in host.artifact("logs/job.txt")


def test_logs_outputs_and_logs_folder_become_artifacts(host: Host) -> None:
    script = """
    import os, sys
    print("to stdout"); print("to stderr", file=sys.stderr)
    os.makedirs("outputs/model")
    open("outputs/model/weights.bin", "w").write("w")
    open("logs/own.txt", "w").write("l")
    open("logs/stdout.txt", "w").write("not the real one")
    open("elsewhere.txt", "w").write("e")
    """
    host.run(host.step(script))
    assert host.artifacts() == [
        "logs/job.txt",
        "logs/own.txt",
        "logs/stderr.txt",
        "logs/stdout.txt",
        "outputs/model/weights.bin",
    ]
    assert host.artifact("logs/stdout.txt") == "to stdout\n"
    assert host.artifact("logs/stderr.txt") == "to stderr\n"
    assert "logs/stdout.txt of the script was not kept" in host.artifact("logs/job.txt")


def test_artifacts_are_kept_when_the_script_fails(host: Host) -> None:
    with pytest.raises(ScriptFailed, match="exited with code 1"):
        host.run(host.step("open('outputs/partial.txt', 'w').write('p'); raise SystemExit(1)"))
    assert host.artifact("outputs/partial.txt") == "p"
    assert "exit code 1" in host.artifact("logs/job.txt")
    assert "failed: The script of step 'train' exited with code 1." in host.artifact("logs/job.txt")


def test_links_that_leave_the_step_and_pipes_are_not_kept(host: Host, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    script = f"""
    import os
    os.symlink({str(tmp_path / "secret")!r}, "outputs/secret")
    os.symlink("kept.txt", "outputs/link.txt")
    os.mkfifo("outputs/pipe")
    open("outputs/kept.txt", "w").write("k")
    """
    host.run(host.step(script))
    assert [name for name in host.artifacts() if name.startswith("outputs")] == ["outputs/kept.txt", "outputs/link.txt"]


def test_logs_can_be_read_while_the_script_runs(host: Host, tmp_path: Path) -> None:
    script = f"""
    import os, time
    print("begun")
    while not os.path.exists({str(tmp_path / "go")!r}):
        time.sleep(0.01)
    """
    thread = threading.Thread(target=host.run, args=[host.step(script)])
    thread.start()
    wait_for(lambda: "logs/stdout.txt" in host.artifacts() and host.artifact("logs/stdout.txt") == "begun\n")
    assert "command: " in host.artifact("logs/job.txt")
    (tmp_path / "go").touch()
    thread.join(20)


def test_a_failure_tells_exit_code_and_last_lines(host: Host) -> None:
    with pytest.raises(ScriptFailed, match=r"exited with code 1.(.|\n)*ValueError: no such column") as failure:
        host.run(host.step("raise ValueError('no such column')"))
    assert (failure.value.reason, failure.value.exit_code) == ("failed", 1)


def test_a_kill_from_outside_names_the_signal_and_hints_at_memory(host: Host) -> None:
    with pytest.raises(ScriptFailed, match=r"killed by SIGKILL \(exit code 137\).*memory") as failure:
        host.run(host.step("import os; os.kill(os.getpid(), 9)"))
    assert failure.value.exit_code == 137


def test_a_timeout_names_the_limit(host: Host) -> None:
    with pytest.raises(ScriptFailed, match=r"longer than its limit of 0\.5 seconds") as failure:
        host.run(host.step("import time; time.sleep(600)", timeout_seconds=0.5))
    assert failure.value.reason == "timeout"


def test_cancel_ends_the_script_and_what_it_started(host: Host, tmp_path: Path) -> None:
    script = f"""
    import os, subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    {a_pid_file(tmp_path / "script", "os.getpid()")}
    {a_pid_file(tmp_path / "child", "child.pid")}
    time.sleep(600)
    """
    runner = host.runner(host.step(script, outputs=(an_output("model", is_directory=True),)))
    failures: list[BaseException] = []

    def run() -> None:
        try:
            runner.run()
        except ScriptFailed as failure:
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    pids = read_pids(tmp_path, "script", "child")
    runner.cancel()
    thread.join(20)
    assert str(failures[0]) == "Step 'train' was cancelled."
    assert not any(map(is_alive, pids))
    assert host.everything() == ["azureml"]
    assert list(host.work.iterdir()) == []


def test_a_step_cancelled_before_it_begins_does_not_begin(host: Host) -> None:
    runner = host.runner(host.step("print('here')"))
    runner.cancel()
    with pytest.raises(ScriptFailed, match="cancelled"):
        runner.run()
    assert host.stream("stdout") == []


def test_the_work_folder_goes_even_if_the_script_made_it_read_only(host: Host) -> None:
    script = "import os; os.makedirs('a/b'); open('a/b/c', 'w').close(); os.chmod('a/b', 0o500); os.chmod('a', 0)"
    host.run(host.step(script))
    assert list(host.work.iterdir()) == []


def test_the_work_folder_of_a_failure_is_kept_on_demand(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRLOOM_KEEP_WORK", "1")
    host.run(host.step(""))
    assert list(host.work.iterdir()) == []
    with pytest.raises(ScriptFailed, match="exited with code 1"):
        host.run(host.step("raise SystemExit(1)"))
    [kept] = host.work.iterdir()
    assert (kept / "step" / "main.py").exists()
    assert str(kept) in host.artifact("logs/job.txt")


def test_the_script_works_on_a_copy_of_its_source(host: Host) -> None:
    spec = host.step("open('main.py', 'a').write('changed'); print('ran')")
    host.run(spec)
    host.run(spec)
    assert host.stream("stdout") == ["ran", "ran"]


def test_a_missing_script_is_named(host: Host) -> None:
    with pytest.raises(StepFailed, match=r"no script 'train\.py'"):
        host.run(host.step("", script_name="train.py"))


def test_a_script_outside_the_source_folder_is_refused(host: Host) -> None:
    with pytest.raises(UnsafePath, match=r"\.\."):
        host.run(host.step("", script_name="../main.py"))


def test_a_missing_or_altered_snapshot_is_an_error_before_anything_runs(host: Host) -> None:
    with pytest.raises(NotFound, match="0" * 64):
        host.run(host.step("", snapshot="0" * 64))
    spec = host.step("print('original')")
    [blob] = [path for path in (host.root / "store").rglob("blobs/*/*") if b"original" in path.read_bytes()]
    blob.chmod(stat.S_IRUSR | stat.S_IWUSR)
    blob.write_bytes(blob.read_bytes().replace(b"original", b"tampered"))
    with pytest.raises(IntegrityError, match=r"main\.py"):
        host.run(spec)
    assert host.stream("stdout") == []


def test_an_argument_for_a_port_that_is_not_there_is_named(host: Host) -> None:
    with pytest.raises(StepFailed, match="input 'raw', which the step does not have"):
        host.run(host.step("", arguments=(InputPath(port="raw"),)))
    with pytest.raises(StepFailed, match=r"output 'x', which the step does not have\. It has: model"):
        host.run(host.step("", arguments=(output_path("x"),), outputs=(an_output("model"),)))


def test_an_argument_that_no_process_can_take_is_refused(host: Host) -> None:
    with pytest.raises(StepFailed, match="NUL"):
        host.run(host.step("", arguments=literal("a\0b")))


def test_an_interpreter_that_does_not_exist_is_named(host: Host) -> None:
    with pytest.raises(Exception, match="'/no/python' does not exist") as failure:
        host.run(host.step("", environment=EnvironmentSpec(interpreter_path="/no/python")))
    assert failure.type.__name__ == "EnvironmentFailed"
