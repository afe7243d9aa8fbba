"""Outputs appear whole, when the step has succeeded, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airloom.errors import AlreadyExists, StepFailed, UnsafePath
from airloom.runner import ScriptFailed, StagedOutput, StepSpec
from airloom.runner.outputs import remove_remains
from tests.unit.runner.support import Host, an_output, output_path

pytestmark = pytest.mark.integration

WRITE_FILE = "import sys; open(sys.argv[1], 'w').write('result')"
WRITE_FOLDER = """
import os, sys
os.makedirs(sys.argv[1] + "/deep", exist_ok=True)
open(sys.argv[1] + "/deep/a", "w").write("1")
open(sys.argv[1] + "/b", "w").write("22")
"""


def step(host: Host, script: str, *outputs: StagedOutput, **settings: Any) -> StepSpec:
    """A step whose arguments are its outputs' paths."""
    arguments = tuple(output_path(output.name) for output in outputs)
    return host.step(script, outputs=outputs, arguments=arguments, **settings)


def test_a_file_is_published_with_its_digest(host: Host) -> None:
    outcome = host.run(step(host, WRITE_FILE, an_output("model", "a/model.bin")))
    reference = outcome.outputs["model"]
    assert (reference.datastore, reference.path, reference.size, reference.is_file) == ("data", "a/model.bin", 6, True)
    assert (host.data / "a/model.bin").read_text() == "result"
    assert reference.digest == host.store.datastore("data").digest("a/model.bin")


@pytest.mark.parametrize("is_directory", [True, False])
def test_a_folder_is_published_whether_or_not_it_was_made_for_the_script(host: Host, is_directory: bool) -> None:
    outcome = host.run(step(host, WRITE_FOLDER, an_output("model", is_directory=is_directory)))
    assert host.visible() == ["results/model/b", "results/model/deep/a"]
    reference = outcome.outputs["model"]
    assert (reference.size, reference.is_file) == (3, False)
    assert reference.digest == host.store.datastore("data").digest("results/model")


def test_an_output_folder_is_there_and_empty_when_the_script_starts(host: Host) -> None:
    script = """
    import os, sys
    folder, file = sys.argv[1:]
    print(os.listdir(folder), os.path.exists(file), os.path.isdir(os.path.dirname(file)))
    """
    with pytest.raises(StepFailed, match="'file'"):
        host.run(step(host, script, an_output("folder", is_directory=True), an_output("file")))
    assert host.stream("stdout") == ["[] False True"]


def test_an_empty_output_folder_is_a_result(host: Host) -> None:
    outcome = host.run(step(host, "", an_output("model", is_directory=True)))
    assert (host.data / "results/model").is_dir()
    assert outcome.outputs["model"].size == 0


def test_paths_of_outputs_are_environment_variables(host: Host) -> None:
    script = "import os, sys; print(os.environ['AZUREML_DATAREFERENCE_model'] == sys.argv[1])"
    host.run(step(host, script, an_output("model", is_directory=True)))
    assert host.stream("stdout") == ["True"]


def test_nothing_is_visible_while_the_script_runs_and_nothing_is_left_behind(host: Host) -> None:
    script = WRITE_FOLDER + "print(sorted(os.listdir(os.path.dirname(sys.argv[1]))), sys.argv[1])"
    host.put("mine.txt", "m")
    spec = step(host, script, an_output("model"))
    host.run(spec)
    [line] = host.stream("stdout")
    assert str(host.data) in line, "staged on the same datastore, so that publishing is a rename"
    assert "/.airloom-" in line, "under a name that no listing shows"
    assert [name for name in host.everything() if "airloom" in name] == []


@pytest.mark.parametrize("ending", ["raise SystemExit(3)", "import os; os.kill(os.getpid(), 9)"])
def test_a_failed_step_publishes_nothing(host: Host, ending: str) -> None:
    with pytest.raises(ScriptFailed):
        host.run(step(host, f"{WRITE_FILE}\n{ending}", an_output("model")))
    assert host.everything() == ["azureml"]


def test_a_missing_output_fails_the_step_and_keeps_the_others_back(host: Host) -> None:
    with pytest.raises(
        StepFailed, match=r"without writing its output 'report': there is no file or folder at /.*report"
    ):
        host.run(step(host, WRITE_FILE, an_output("model"), an_output("report")))
    assert host.visible() == []


def test_a_published_path_is_replaced_as_a_whole(host: Host) -> None:
    host.put("results/model/old", "o")
    host.run(step(host, WRITE_FOLDER, an_output("model")))
    assert host.visible() == ["results/model/b", "results/model/deep/a"]
    host.run(step(host, WRITE_FILE, an_output("model")))
    assert host.visible() == ["results/model"]


def test_a_failed_step_leaves_the_result_of_an_earlier_one_alone(host: Host) -> None:
    host.run(step(host, WRITE_FILE, an_output("model")))
    with pytest.raises(ScriptFailed):
        host.run(step(host, "import sys; open(sys.argv[1], 'w').write('half'); sys.exit(1)", an_output("model")))
    assert (host.data / "results/model").read_text() == "result"


def test_what_a_killed_attempt_left_is_not_taken_for_output(host: Host) -> None:
    """The work of an attempt that was killed together with its runner stays, hidden, where the next try writes."""
    script = "import os, sys; print(os.listdir(sys.argv[1]), sys.argv[1])"
    spec = step(host, script, an_output("model", is_directory=True))
    host.run(spec)
    left = Path(host.stream("stdout")[0].removeprefix("[] "))
    left.mkdir(parents=True)
    (left / "half").write_text("h")
    assert host.visible() == []
    host.run(spec)
    assert host.stream("stdout") == [f"[] {left}"] * 2


def test_what_killed_attempts_left_can_be_removed_without_another_attempt(host: Host) -> None:
    """As when another run has done the step in the meantime."""
    script = "import os, sys; print(sys.argv[1])"
    for step_id in ("step-1", "step-2"):
        host.run(step(host, script, an_output("model", is_directory=True), step_id=step_id))
    left = [Path(line) for line in host.stream("stdout")]
    for place in left:
        place.mkdir(parents=True)
        (place / "half").write_text("h")
    remove_remains(host.store, ["data", "data"], "run-1", "step-1")
    assert [place.exists() for place in left] == [False, True]


def test_long_ids_are_no_obstacle(host: Host) -> None:
    ids = {"run_id": "r" * 120, "step_id": "s" * 120, "attempt": "a" * 120}
    assert host.run(step(host, WRITE_FILE, an_output("model"), **ids)).outputs["model"].size == 6


def test_an_output_may_have_a_place_in_the_working_folder(host: Host) -> None:
    file = an_output("model", path_on_compute="made/model.bin")
    folder = an_output("plots", is_directory=True, path_on_compute="plots")
    script = """
    open("made/model.bin", "w").write("result")
    open("plots/p.png", "w").write("p")
    """
    host.run(step(host, script, file, folder))
    assert host.visible() == ["results/model", "results/plots/p.png"]


def test_files_of_the_source_folder_do_not_become_output_by_accident(host: Host) -> None:
    spec = an_output("model", path_on_compute="model.bin")
    with pytest.raises(AlreadyExists, match=r"'model' cannot be written at 'model\.bin'"):
        host.run(step(host, "", spec, files={"model.bin": "old"}))
    with pytest.raises(StepFailed, match="without writing its output 'model'"):
        host.run(step(host, "", spec.model_copy(update={"overwrite": True}), files={"model.bin": "old"}))


@pytest.mark.parametrize(
    "output",
    [
        an_output("model", "../out"),
        an_output("model", "/tmp/out"),
        an_output("model", path_on_compute="../out"),
        an_output("model", path_on_compute="/tmp/out"),
    ],
)
def test_a_path_outside_is_refused_before_the_script_runs(host: Host, output: StagedOutput) -> None:
    with pytest.raises(UnsafePath):
        host.run(step(host, "print('ran')", output))
    assert host.stream("stdout") == []


@pytest.mark.parametrize(
    "script",
    [
        "import os, sys; os.symlink('/etc/hostname', sys.argv[1])",
        "import os, sys; os.mkdir(sys.argv[1]); os.symlink('/etc/hostname', sys.argv[1] + '/x')",
        "import os, sys; os.mkdir(sys.argv[1]); os.symlink('.', sys.argv[1] + '/x')",
        "import os, sys; os.mkfifo(sys.argv[1])",
    ],
)
def test_links_that_leave_an_output_and_special_files_are_refused(host: Host, script: str) -> None:
    with pytest.raises(UnsafePath):
        host.run(step(host, script, an_output("model")))
    assert host.everything() == ["azureml"]
