"""Data of steps: what each kind of object becomes, and how arguments find what is declared."""

from __future__ import annotations

from typing import Any

import pytest

from airloom.core._compat import IgnoredArgumentWarning
from airloom.data import (
    DatasetConsumptionConfig,
    FileDataset,
    OutputFileDatasetConfig,
    OutputTabularDatasetConfig,
    TabularDataset,
)
from airloom.data._paths import StoredPath
from airloom.data.datapath import DataPathComputeBinding
from airloom.exceptions import UserErrorException
from airloom.graph.model import DatasetRegistration as Registration
from airloom.graph.model import (
    FilesSource,
    FromParameter,
    FromSource,
    InputPath,
    OutputOf,
    OutputPath,
    OutputPort,
    ParameterDef,
    PathSource,
    TabularSource,
)
from airloom.pipeline.core import (
    InputPortBinding,
    OutputPortBinding,
    PipelineData,
    PipelineDataset,
    PipelineParameter,
    PortDataReference,
)
from airloom.pipeline.core.pipeline_output_dataset import DatasetRegistration, PipelineOutputTabularDataset
from tests.unit.sdk_pipeline.builders import (
    STORE,
    Named,
    a_path,
    a_pipeline,
    a_reference,
    a_step,
    built,
    data,
    graph_of,
)

pytestmark = pytest.mark.usefixtures("scripts")


def files(path: str = "images/*.png") -> FileDataset:
    return FileDataset((StoredPath(STORE, path),))  # type: ignore[arg-type]


def table(path: str = "t.csv") -> TabularDataset:
    return TabularDataset((StoredPath(STORE, path),))  # type: ignore[arg-type]


class TestInputs:
    def test_a_data_reference(self) -> None:
        graph = graph_of(a_step(reads=[a_reference("raw", "/titanic/").as_download("here", overwrite=True)]))
        (port,) = graph.steps[0].inputs
        assert port.binding == FromSource(source="raw")
        assert (port.name, port.mode, port.path_on_compute, port.overwrite) == ("raw", "download", "here", True)
        source = graph.sources["raw"]
        assert isinstance(source, PathSource)
        assert (source.location.datastore, source.location.path) == ("workspaceblobstore", "titanic")

    def test_a_reference_for_upload_is_no_input(self) -> None:
        with pytest.raises(UserErrorException, match="has mode upload, which is for outputs"):
            a_step(reads=[a_reference().as_upload()])

    def test_data_of_another_step(self) -> None:
        clean = data("clean", output_name="cleaned")
        a_step("prep", writes=[clean])
        step = built(a_step("train", reads=[clean.as_download("the_data", "d", True)]))
        (port,) = step.inputs
        assert port.binding == OutputOf(step="prep", port="cleaned")
        assert (port.name, port.mode, port.path_on_compute, port.overwrite) == ("the_data", "download", "d", True)

    def test_an_argument_finds_data_that_is_declared_in_another_form(self) -> None:
        clean, raw = data("clean"), a_reference()
        a_step("prep", writes=[clean])
        step = built(
            a_step(reads=[clean.as_download(), raw], arguments=[clean, clean.as_download(), raw.as_mount(), raw])
        )
        assert step.arguments == (InputPath(port="clean"),) * 2 + (InputPath(port="raw"),) * 2

    def test_one_piece_of_data_under_two_names(self) -> None:
        clean = data("clean")
        a_step("prep", writes=[clean])
        first, second = clean.as_input("first"), clean.as_mount("second")
        step = built(a_step(reads=[first, second], arguments=[second, first, clean.as_input("second")]))
        assert step.arguments == (InputPath(port="second"), InputPath(port="first"), InputPath(port="second"))

    def test_a_path_parameter_with_its_binding(self) -> None:
        folder = PipelineParameter("folder", a_path("in"))
        pair = (folder, DataPathComputeBinding("download", "here", True))
        graph = graph_of(a_step(reads=[pair], arguments=["--in", pair, folder]))
        (port,) = graph.steps[0].inputs
        assert port.binding == FromParameter(parameter="folder")
        assert (port.mode, port.path_on_compute, port.overwrite) == ("download", "here", True)
        assert graph.steps[0].arguments[1:] == (InputPath(port="folder"), InputPath(port="folder"))
        assert graph.parameters == (ParameterDef(name="folder", type="datapath", default=a_path("in")._to_source()),)

    def test_datasets_may_stand_in_the_arguments_alone(self) -> None:
        first, second = files().as_named_input("images").as_mount(), table().as_named_input("rows")
        graph = graph_of(a_step(arguments=["--images", first, "--rows", second]))
        step = graph.steps[0]
        assert [(port.name, port.mode) for port in step.inputs] == [("images", "mount"), ("rows", "direct")]
        assert step.arguments[1::2] == (InputPath(port="images"), InputPath(port="rows"))
        assert isinstance(graph.sources["images"], FilesSource)
        assert isinstance(graph.sources["rows"], TabularSource)

    def test_an_unnamed_dataset_has_the_same_name_each_time(self) -> None:
        graph = graph_of(a_step(arguments=[files().as_mount(), files().as_mount()]))
        assert len(graph.steps[0].inputs) == 1

    def test_a_dataset_parameter(self) -> None:
        parameter = PipelineParameter("file_ds_param", files())
        config = DatasetConsumptionConfig("file_dataset", parameter).as_mount()
        graph = graph_of(a_step(reads=[config]))
        assert graph.steps[0].inputs[0].binding == FromParameter(parameter="file_ds_param")
        assert graph.parameters[0].type == "dataset"

    def test_a_pipeline_dataset(self) -> None:
        dataset = PipelineDataset.create(files().as_named_input("images").as_download())
        (port,) = built(a_step(reads=[dataset])).inputs
        assert (port.name, port.mode) == ("images", "download")

    def test_an_output_read_as_a_table(self) -> None:
        output = OutputFileDatasetConfig("scores")
        rows = output.read_delimited_files(separator=";", path_glob="*.csv").drop_columns("secret")
        first, second = rows.random_split(0.8, seed=1)
        steps = [
            a_step("make", arguments=[rows]),
            a_step("train", arguments=[first.as_input("train"), second.as_input("test")]),
        ]
        make, train = graph_of(*steps).steps
        assert [port.name for port in make.outputs] == ["scores"] and make.arguments == (OutputPath(port="scores"),)
        split = train.inputs[0].table
        assert split is not None and (split.separator, split.options.path_glob) == (";", "*.csv")
        assert [transform.kind for transform in split.transforms] == ["drop_columns", "split"]
        assert [(port.name, port.mode) for port in train.inputs] == [("train", "direct"), ("test", "direct")]
        assert {port.binding for port in train.inputs} == {OutputOf(step=make.id, port="scores")}
        assert train.inputs[0].table != train.inputs[1].table
        assert train.arguments == (InputPath(port="train"), InputPath(port="test"))

    def test_pipeline_data_read_as_a_table(self) -> None:
        data = PipelineData("scores", datastore=STORE)  # type: ignore[arg-type]
        rows = data.as_dataset().parse_parquet_files(include_path=True).keep_columns("a").drop_columns(["b"])
        first, second = rows.random_split(0.5, seed=1)
        steps = [a_step("make", writes=[data]), a_step("train", reads=[first.as_named_input("x"), second])]
        make, train = graph_of(*steps).steps
        assert [(port.name, port.mode) for port in train.inputs] == [("x", "direct"), ("scores", "direct")]
        table = train.inputs[0].table
        assert table is not None and (table.format, table.options.path_glob) == ("parquet", "**/*.parquet")
        assert [transform.kind for transform in table.transforms] == ["keep_columns", "drop_columns", "split"]
        assert train.inputs[0].binding == OutputOf(step=make.id, port="scores")
        text = data.as_dataset().parse_delimited_files(separator=";", file_extension=".csv")
        assert (text._reading.separator, text._reading.options.path_glob) == (";", "**/*.csv")
        with pytest.raises(UserErrorException, match="is made by parse_delimited_files"):
            PipelineOutputTabularDataset(data, None)

    def test_a_table_becomes_a_registered_table(self) -> None:
        rows = OutputFileDatasetConfig("scores").read_delimited_files(separator=";").register_on_complete("all_scores")
        (port,) = built(a_step(arguments=[rows])).outputs
        assert port.registration is not None and port.registration.name == "all_scores"
        assert port.registration.reading == TabularSource(locations=(), separator=";")

    def test_a_table_of_an_output_is_passed_directly(self) -> None:
        rows = OutputFileDatasetConfig("scores").read_parquet_files().keep_columns(["a"])
        with pytest.raises(UserErrorException, match="can only be passed directly"):
            rows.as_input().as_mount()
        with pytest.raises(UserErrorException, match="is made by read_delimited_files"):
            OutputTabularDatasetConfig(name="x")
        with pytest.raises(UserErrorException, match="between 0 and 1"):
            rows.random_split(3)
        assert rows.as_upload(overwrite=True)._files.mode == "upload" and rows.as_mount()._files.mode == "mount"
        with pytest.raises(UserErrorException, match="is an input"):
            built(a_step(reads=[rows]))

    def test_an_output_of_an_earlier_run(self) -> None:
        reference = PortDataReference(Named("ws"), "run", a_reference("model", "azureml/run/s/1/model"))  # type: ignore[arg-type]
        graph = graph_of(a_step(reads=[reference.as_download("old_model")]))
        (port,) = graph.steps[0].inputs
        assert (port.name, port.mode, port.binding) == ("old_model", "download", FromSource(source="model"))

    def test_explicit_bindings(self) -> None:
        parameter = PipelineParameter("folder", a_path())
        bindings = [
            InputPortBinding("a", a_reference("x"), "download"),
            InputPortBinding("b", parameter),
            InputPortBinding("c", files(), "direct"),
        ]
        step = built(a_step(reads=bindings))
        assert [(port.name, port.mode) for port in step.inputs] == [("a", "download"), ("b", "mount"), ("c", "direct")]
        assert bindings[0].get_bind_object_name() == "x"

    def test_different_sources_of_one_name_are_kept_apart(self) -> None:
        first, second = a_step("a", reads=[a_reference("raw", "x")]), a_step("b", reads=[a_reference("raw", "y")])
        graph = graph_of(first, second)
        assert set(graph.sources) == {"raw", "raw_2"}
        assert graph.steps[1].inputs[0].binding == FromSource(source="raw_2")

    @pytest.mark.parametrize(
        ("item", "complaint"),
        [
            (files(), r"dataset\.as_named_input\('name'\)"),
            (PipelineParameter("n", 5), "It holds a value, not data: pass it in arguments or params"),
            (PipelineParameter("p", a_path()), r"Pass the pair \(parameter, DataPathComputeBinding"),
            (PipelineParameter("d", files()), "Pass DatasetConsumptionConfig"),
            (a_path(), "create_data_reference"),
            ("path/to/data", "'path/to/data' cannot be an input of step 'train.py'"),
            ((1, 2), "its first part is 1"),
            ((PipelineParameter("p", a_path()), "mount"), "its second part is 'mount'"),
            ((1, 2, 3), "not 3 things"),
            (OutputFileDatasetConfig("o"), r"Pass o\.as_input\(\) instead"),
            (DatasetConsumptionConfig("d", PipelineParameter("n", 1)), "does not hold a dataset"),
        ],
    )
    def test_what_cannot_be_an_input(self, item: Any, complaint: str) -> None:
        with pytest.raises(UserErrorException, match=complaint):
            a_step(inputs=[item])

    def test_inputs_must_be_a_list(self) -> None:
        with pytest.raises(
            UserErrorException, match=r"The inputs of step 'train.py' must be a list, not DataReference"
        ):
            a_step(inputs=a_reference())


class TestOutputs:
    def test_pipeline_data(self) -> None:
        model = PipelineData(
            "model",
            datastore=STORE,
            output_name="port",
            output_mode="upload",
            output_path_on_compute="out",
            output_overwrite=True,
            is_directory=True,
            pipeline_output_name="best",
        )
        assert built(a_step(writes=[model])).outputs == (
            OutputPort(
                name="port",
                datastore="workspaceblobstore",
                mode="upload",
                is_directory=True,
                path_on_compute="out",
                overwrite=True,
                pipeline_output_name="best",
            ),
        )
        assert model.get_env_variable_name() == "AZUREML_DATAREFERENCE_port"
        assert str(model) == "$AZUREML_DATAREFERENCE_port"

    def test_the_default_datastore_of_the_pipeline(self) -> None:
        step = a_step(writes=[data("a"), data("b", datastore=STORE)])
        graph = graph_of(step, default_datastore=Named("workspacefilestore"))
        assert [port.datastore for port in graph.steps[0].outputs] == ["workspacefilestore", "workspaceblobstore"]
        assert [port.datastore for port in graph_of(step).steps[0].outputs] == [None, "workspaceblobstore"]

    def test_an_output_dataset_in_the_arguments_alone(self) -> None:
        first = OutputFileDatasetConfig("first", destination=(STORE, "out/{run-id}")).as_upload(overwrite=True)
        second = OutputFileDatasetConfig("second")
        prep = a_step("prep", arguments=["--out", first])
        train = a_step("train", arguments=["--in", first.as_input("got"), "--out", second])
        graph = graph_of(prep, train)
        assert graph.steps[0].outputs == (
            OutputPort(
                name="first",
                datastore="workspaceblobstore",
                mode="upload",
                is_directory=True,
                overwrite=True,
                destination="out/{run-id}",
            ),
        )
        assert graph.steps[0].arguments[1] == OutputPath(port="first")
        assert graph.steps[1].inputs[0].binding == OutputOf(step="prep", port="first")
        assert graph.steps[1].inputs[0].name == "got"

    def test_outputs_reach_a_script_as_paths_only(self) -> None:
        output = OutputFileDatasetConfig("o")
        with pytest.raises(UserErrorException, match=r"Mode direct for input 'i' .* Read the output with as_mount"):
            a_step(arguments=[DatasetConsumptionConfig("i", output)])
        with pytest.raises(UserErrorException, match="in direct mode is not available"):
            data().as_dataset().as_direct()

    def test_an_explicit_output_is_read_by_another_step(self) -> None:
        binding = OutputPortBinding("model", is_directory=True)
        a_step("prep", writes=[binding])
        step = built(a_step("train", reads=[InputPortBinding("m", binding)]))
        assert step.inputs[0].binding == OutputOf(step="prep", port="model")

    def test_a_dataset_view_of_pipeline_data(self) -> None:
        clean = data("clean")
        view = clean.as_dataset().as_download().as_named_input("rows")
        a_step("prep", writes=[clean.as_dataset()])
        (port,) = built(a_step("train", reads=[view])).inputs
        assert (port.name, port.mode, port.binding) == ("rows", "download", OutputOf(step="prep", port="clean"))

    @pytest.mark.parametrize("name", ["", "a-b", "a b", None, "é"])
    def test_names_of_data(self, name: Any) -> None:
        with pytest.raises(UserErrorException, match="name"):
            PipelineData(name)

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            ({"training_output": object()}, "training_output of output 'd' is not available"),
            ({"output_mode": "hdfs"}, "The output_mode of PipelineData 'd' cannot be 'hdfs'"),
            ({"datastore": 5}, "The datastore of PipelineData 'd' must be a Datastore or its name, not int"),
        ],
    )
    def test_what_data_cannot_be(self, arguments: dict[str, Any], complaint: str) -> None:
        with pytest.raises(UserErrorException, match=complaint):
            PipelineData("d", **arguments)

    def test_a_data_type_is_kept_and_warned_about(self) -> None:
        with pytest.warns(IgnoredArgumentWarning, match="data_type has no effect"):
            assert PipelineData("d", data_type="AnyFile").data_type == "AnyFile"

    def test_outputs_that_become_datasets(self) -> None:
        """However it is asked for, and also after the step was made."""
        late, view = OutputFileDatasetConfig("o"), data("d").as_dataset()
        bound = OutputPortBinding("b", dataset_registration=DatasetRegistration("bound", False))
        step = a_step(writes=[view, bound], arguments=[late])
        assert built(step).outputs[0].registration is None
        assert view.register("viewed", create_new_version=False) is view
        late.register_on_complete("late", "of a run", {"a": "b"})
        wanted = {port.name: port.registration for port in built(step).outputs}
        assert wanted == {
            "d": Registration(name="viewed", create_new_version=False),
            "b": Registration(name="bound", create_new_version=False),
            "o": Registration(name="late", description="of a run", tags={"a": "b"}),
        }
        assert (bound.dataset_registration.name, bound.dataset_registration.create_new_version) == ("bound", False)

    def test_a_view_as_a_table_is_registered_as_one(self) -> None:
        rows = data("d").as_dataset().parse_delimited_files(separator=";").keep_columns("a")
        assert rows.register("rows") is rows
        (port,) = built(a_step(writes=[rows])).outputs
        assert port.registration is not None
        reading = port.registration.reading
        assert isinstance(reading, TabularSource)
        assert (reading.separator, reading.locations, len(reading.transforms)) == (";", (), 1)

    @pytest.mark.parametrize("wanted", ["name", {"name": "x"}, 7])
    def test_what_is_no_registration(self, wanted: Any) -> None:
        with pytest.raises(UserErrorException, match="dataset_registration of output 'b' must be a DatasetReg"):
            OutputPortBinding("b", dataset_registration=wanted)

    @pytest.mark.parametrize("item", ["out", a_reference(), PipelineParameter("n", 1)])
    def test_what_cannot_be_an_output(self, item: Any) -> None:
        with pytest.raises(UserErrorException, match=r"cannot be an output of step 'train.py'"):
            a_step(outputs=[item])


class TestCollisions:
    def test_an_input_and_an_output_of_one_name(self) -> None:
        with pytest.raises(
            UserErrorException, match=r"several inputs and outputs called 'x'. Give one of them another"
        ):
            a_step(reads=[a_reference("x")], writes=[data("x")])

    def test_two_inputs_of_one_name(self) -> None:
        with pytest.raises(UserErrorException, match="several inputs and outputs called 'x'"):
            a_step(reads=[a_reference("x", "1"), a_reference("x", "2")])

    def test_the_same_input_twice_is_one(self) -> None:
        raw = a_reference()
        assert len(built(a_step(reads=[raw, raw, a_reference()])).inputs) == 1

    def test_a_step_cannot_read_what_it_writes(self) -> None:
        both = data("both")
        with pytest.raises(UserErrorException, match=r"'both' is both an input and an output of step 'train.py'"):
            a_step(reads=[both], writes=[both])

    def test_two_writers_of_one_piece_of_data(self) -> None:
        model = data("model")
        steps = [a_step("a", writes=[model]), a_step("b", writes=[model])]
        with pytest.raises(UserErrorException, match=r"Step 'a' and step 'b' both have PipelineData\('model'\)"):
            a_pipeline(*steps)

    def test_making_a_step_again_replaces_it(self) -> None:
        model = data("model")
        a_step("first", writes=[model])
        a_step("second", writes=[model])
        assert [step.id for step in graph_of(a_step("train", reads=[model])).steps] == ["second", "train"]


class TestParameters:
    @pytest.mark.parametrize(
        ("value", "kind"),
        [(5, "int"), (True, "bool"), (0.5, "float"), ("x", "string"), (a_path(), "datapath"), (files(), "dataset")],
    )
    def test_the_default_fixes_the_type(self, value: Any, kind: str) -> None:
        parameter = PipelineParameter("p", value)
        reads = [] if kind not in ("datapath", "dataset") else [InputPortBinding("p", parameter)]
        assert graph_of(a_step(reads=reads, arguments=[parameter])).parameters[0].type == kind

    @pytest.mark.parametrize("value", [None, [1], {}, (1,)])
    def test_defaults_that_are_no_values(self, value: Any) -> None:
        with pytest.raises(UserErrorException, match="PipelineParameter 'p'"):
            PipelineParameter("p", value)

    def test_equal_parameters_are_one_and_different_ones_are_an_error(self) -> None:
        same = [PipelineParameter("n", 1), PipelineParameter("n", 1)]
        assert len(graph_of(a_step(arguments=same)).parameters) == 1
        with pytest.raises(UserErrorException, match="two different pipeline parameters called 'n'"):
            a_pipeline(a_step(arguments=[PipelineParameter("n", 1), PipelineParameter("n", 2)]))
