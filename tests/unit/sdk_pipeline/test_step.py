"""PythonScriptStep: every argument of v1, and the errors that say how to mend a wrong one."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Any

import pytest

from airloom.core import RunConfiguration
from airloom.core._compat import IgnoredArgumentWarning
from airloom.core.conda_dependencies import CondaDependencies
from airloom.exceptions import SnapshotException, UserErrorException
from airloom.graph.model import InputPath, LiteralValue, OutputPath, ParameterValue, Retries
from airloom.pipeline.core import PipelineParameter
from airloom.pipeline.steps import PythonScriptStep
from tests.unit.sdk_pipeline.builders import Named, a_pipeline, a_reference, a_step, built, data, graph_of, write

pytestmark = pytest.mark.usefixtures("scripts")


class Style(enum.StrEnum):
    """A value that is text and more."""

    CANDY = "candy"


def test_the_first_notebook_of_v1() -> None:
    step = PythonScriptStep(
        name="train_step",
        script_name="train.py",
        compute_target="cpu-cluster",
        source_directory="src",
        allow_reuse=True,
    )
    (found,) = graph_of(step).steps
    assert (found.id, found.name, found.compute_target) == ("train_step", "train_step", "cpu-cluster")
    assert found.settings.script_name == "train.py"
    assert (found.allow_reuse, found.reuse, found.version, found.timeout_seconds) == (True, "auto", None, None)


def test_the_name_defaults_to_the_script() -> None:
    assert built(PythonScriptStep("train.py", source_directory="src")).name == "train.py"


def test_arguments_keep_their_types_and_order() -> None:
    raw, model, rate = a_reference(), data("model"), PipelineParameter("rate", 0.1)
    arguments = ["--in", raw, "--out", model, "--rate", rate, 3, 2.5, True, Style.CANDY, Path("conf/a.yml"), ""]
    step = built(a_step(reads=[raw], writes=[model], arguments=arguments))
    assert step.arguments == (
        LiteralValue(value="--in"),
        InputPath(port="raw"),
        LiteralValue(value="--out"),
        OutputPath(port="model"),
        LiteralValue(value="--rate"),
        ParameterValue(parameter="rate"),
        LiteralValue(value=3),
        LiteralValue(value=2.5),
        LiteralValue(value=True),
        LiteralValue(value="candy"),
        LiteralValue(value="conf/a.yml"),
        LiteralValue(value=""),
    )
    assert [type(a.value) for a in step.arguments[6:10] if isinstance(a, LiteralValue)] == [int, float, bool, str]


def test_templates_in_arguments_are_plain_text() -> None:
    assert built(a_step(arguments=["{{ conn.secret }}"])).arguments == (LiteralValue(value="{{ conn.secret }}"),)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([None], "Argument 1 of step 'train.py' is None"),
        (["a", ["b"]], "Argument 2 of step 'train.py' is a list. Write its items as arguments of their own"),
        ([{}], "Argument 1 of step 'train.py' is a dict"),
        ("--flag", "The arguments of step 'train.py' must be a list, not str"),
    ],
)
def test_arguments_that_cannot_be_passed(arguments: Any, complaint: str) -> None:
    with pytest.raises(UserErrorException, match=complaint):
        a_step(arguments=arguments)


def test_data_in_arguments_must_be_declared() -> None:
    with pytest.raises(UserErrorException, match=r"PipelineData\('model'\), which is neither in inputs nor in outputs"):
        a_step(arguments=[data("model")])
    with pytest.raises(UserErrorException, match="neither in inputs nor in outputs"):
        PythonScriptStep.validate_arguments([a_reference()], [], [])


def test_params_become_values_and_parameters() -> None:
    step = built(a_step(params={"rounds": 5, "rate": PipelineParameter("rate", 0.1)}))
    assert step.params == {"rounds": LiteralValue(value=5), "rate": ParameterValue(parameter="rate")}


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({"a": None}, "'a' in the params of step 'train.py' is None"),
        ({"a": [1]}, "'a' in the params of step 'train.py' is a list"),
        ({"a-b": 1, "a b": 2}, "both become AML_PARAMETER_a_b"),
        ({1: 2}, "it must be text"),
        ([("a", 1)], "must be a dict, not list"),
    ],
)
def test_params_that_cannot_be_passed(params: Any, complaint: str) -> None:
    with pytest.raises(UserErrorException, match=complaint):
        a_step(params=params)


class TestComputeTarget:
    @pytest.mark.parametrize("target", ["cpu", Named("cpu"), ("cpu", "AmlCompute")])
    def test_by_name_object_or_pair(self, target: Any) -> None:
        assert built(a_step(compute_target=target)).compute_target == "cpu"

    def test_none_is_the_workers_of_the_deployment(self) -> None:
        assert built(a_step()).compute_target is None

    def test_from_the_run_configuration(self) -> None:
        configuration = RunConfiguration()
        assert built(a_step(runconfig=configuration)).compute_target is None
        configuration.target = "gpu"
        assert built(a_step(runconfig=configuration)).compute_target == "gpu"
        assert built(a_step(runconfig=configuration, compute_target="cpu")).compute_target == "cpu"

    @pytest.mark.parametrize(("target", "complaint"), [("local", "is 'local'"), (7, "not 7"), (("a",), "name, type")])
    def test_what_cannot_be_one(self, target: Any, complaint: str) -> None:
        with pytest.raises(UserErrorException, match=complaint):
            a_step(compute_target=target)


class TestScript:
    @pytest.mark.parametrize(
        ("script", "complaint"),
        [
            ("trian.py", r"'trian.py' of step .* is not a file in its source_directory .*It holds compare.py"),
            ("tools.py", "There is 'lib/tools.py'; pass that as script_name"),
            ("lib", "is not a file"),
            ("../outside.py", r"contains '\.\.'"),
            ("/etc/hostname", "is absolute"),
            ("link.py", "through a symbolic link"),
        ],
    )
    def test_a_script_that_is_not_in_the_folder(self, scripts: Path, script: str, complaint: str) -> None:
        write(scripts.parent / "outside.py")
        (scripts / "link.py").symlink_to(scripts.parent / "outside.py")
        with pytest.raises(UserErrorException, match=f"(?s){complaint}"):
            a_pipeline(a_step(script_name=script))

    def test_a_script_in_a_folder_of_the_source_folder(self) -> None:
        assert built(a_step(script_name="./lib/tools.py")).settings.script_name == "lib/tools.py"

    def test_a_script_that_is_left_out_of_the_snapshot(self, scripts: Path) -> None:
        write(scripts / ".amlignore", "train.py\n")
        with pytest.raises(SnapshotException, match=r"'train.py' is in .*, but its \.amlignore or \.gitignore leaves"):
            graph_of(a_step())

    def test_a_source_folder_that_does_not_exist(self) -> None:
        with pytest.raises(UserErrorException, match=r"source_directory 'nowhere' of step 'train.py' does not exist"):
            a_pipeline(a_step(source_directory="nowhere"))

    def test_the_source_folder_of_the_pipeline_and_the_working_folder(self, scripts: Path) -> None:
        step = a_step(source_directory=None)
        with pytest.raises(UserErrorException, match="is not a file in its source_directory"):
            a_pipeline(step)
        assert graph_of(step, default_source_directory=scripts).steps[0].settings.script_name == "train.py"
        write("train.py")
        assert a_pipeline(step)

    def test_script_name_is_needed(self) -> None:
        with pytest.raises(UserErrorException, match="needs a script_name, not ''"):
            PythonScriptStep("")


class TestHashPaths:
    def test_they_narrow_what_counts_and_the_script_always_does(self) -> None:
        assert built(a_step(hash_paths=["lib"])).settings.hash_paths == ("lib", "train.py")
        assert built(a_step(hash_paths="lib/tools.py")).settings.hash_paths == ("lib/tools.py", "train.py")

    def test_absolute_paths_inside_the_folder(self, scripts: Path) -> None:
        assert built(a_step(hash_paths=[scripts / "lib"])).settings.hash_paths == ("lib", "train.py")

    def test_the_whole_folder_narrows_nothing(self) -> None:
        assert built(a_step(hash_paths=["."])).settings.hash_paths == ()

    @pytest.mark.parametrize(
        ("path", "complaint"), [("gone", "is not in"), ("..", "must lie in"), ("/etc", "must lie")]
    )
    def test_paths_that_are_not_there(self, path: str, complaint: str) -> None:
        with pytest.raises(UserErrorException, match=complaint):
            a_pipeline(a_step(hash_paths=[path]))

    def test_ignored_files_cannot_count(self, scripts: Path) -> None:
        write(scripts / ".gitignore", "lib\n")
        with pytest.raises(SnapshotException, match="no file or folder 'lib'"):
            graph_of(a_step(hash_paths=["lib"]))


class TestRunConfiguration:
    def test_environment_and_time_limit(self) -> None:
        configuration = RunConfiguration(
            conda_dependencies=CondaDependencies.create(conda_packages=["scikit-learn"], pip_packages=["pandas>=2"])
        )
        configuration.max_run_duration_seconds = 60
        step = built(a_step(runconfig=configuration))
        assert set(step.settings.environment.packages) == {"scikit-learn", "pandas>=2"}
        assert step.timeout_seconds == 60
        assert built(a_step(runconfig=configuration, timeout_seconds=5)).timeout_seconds == 5

    def test_changes_after_the_step_was_made_count(self) -> None:
        configuration = RunConfiguration()
        step = a_step(runconfig=configuration)
        configuration.environment_variables["DEBUG"] = "1"
        assert built(step).settings.environment.variables == {"DEBUG": "1"}

    def test_anything_else_is_refused(self) -> None:
        with pytest.raises(UserErrorException, match="must be a RunConfiguration, not str"):
            a_step(runconfig="local.runconfig")

    @pytest.mark.parametrize(
        ("given", "complaint"),
        [
            ({"NodeCuont": PipelineParameter("n", 1)}, "unknown key 'NodeCuont'. Did you mean 'NodeCount'"),
            ({"NodeCount": 1}, "must be a PipelineParameter, not 1"),
            ({"NodeCount": PipelineParameter("n", 2)}, "NodeCount = 2 of step 'train.py' is not available"),
        ],
    )
    def test_run_parameters_that_cannot_be_honoured(self, given: Any, complaint: str) -> None:
        with pytest.raises(UserErrorException, match=complaint):
            a_step(runconfig_pipeline_params=given)

    def test_one_node_is_what_there_is(self) -> None:
        with pytest.warns(IgnoredArgumentWarning, match="one process on one node"):
            a_step(runconfig_pipeline_params={"NodeCount": PipelineParameter("n", 1)})


class TestReuse:
    def test_switches(self) -> None:
        step = built(a_step(allow_reuse=False, version=2, reuse="refresh"))
        assert (step.allow_reuse, step.version, step.reuse) == (False, "2", "refresh")

    def test_an_unknown_mode(self) -> None:
        with pytest.raises(UserErrorException, match=r"reuse of step 'train.py' cannot be 'of'. Did you mean 'off'"):
            a_step(reuse="of")

    @pytest.mark.parametrize("seconds", [0, -1, 1.5, True, "9"])
    def test_time_limits_are_whole_seconds(self, seconds: Any) -> None:
        with pytest.raises(UserErrorException, match="must be a whole number above 0"):
            a_step(timeout_seconds=seconds)

    def test_retries(self) -> None:
        assert built(a_step()).retries is None
        assert built(a_step(retries=3)).retries == Retries(count=3)
        step = built(a_step(retries=2, retry_delay_seconds=1, retry_backoff=3, retry_max_delay_seconds=5))
        assert step.retries == Retries(count=2, delay_seconds=1, backoff=3, max_delay_seconds=5)

    @pytest.mark.parametrize("wrong", [{"retries": -1}, {"retries": True}, {"retries": 1, "retry_delay_seconds": "9"}])
    def test_retries_that_are_no_numbers(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(UserErrorException, match=f"{list(wrong)[-1]} of step 'train.py' must be a"):
            a_step(**wrong)
