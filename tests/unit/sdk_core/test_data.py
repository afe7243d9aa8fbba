"""References, paths, datasets and outputs: what they stand for in a pipeline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airloom.core import Dataset, Datastore, Workspace
from airloom.data import DatasetConsumptionConfig, FileDataset, OutputFileDatasetConfig, TabularDataset
from airloom.data.abstract_datastore import AbstractDatastore
from airloom.data.data_reference import DataReference
from airloom.data.datapath import DataPath, DataPathComputeBinding
from airloom.exceptions import UserErrorException
from airloom.graph.model import DataLocation, FilesSource, PathSource, TabularSource

IRIS = "a,b,c\n1,2.5,x\n2,3.5,y\n"


@pytest.fixture
def put(blobs: AbstractDatastore) -> Callable[[str, str], Path]:
    """Writes a file on the default datastore."""

    def write(path: str, text: str) -> Path:
        target = Path(blobs.root) / path  # type: ignore[attr-defined]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    return write


Put = Callable[[str, str], Path]


class TestDataReference:
    def test_keeps_what_it_is_given(self, blobs: AbstractDatastore) -> None:
        reference = DataReference(blobs, "test_data", "titanic/Titanic.csv")
        assert (reference.data_reference_name, reference.mode) == ("test_data", "mount")
        assert str(reference) == "$AZUREML_DATAREFERENCE_test_data"
        assert reference._to_source() == PathSource(
            location=DataLocation(datastore="workspaceblobstore", path="titanic/Titanic.csv")
        )

    def test_modes_make_new_references_with_the_same_name(self, blobs: AbstractDatastore) -> None:
        reference = DataReference(blobs, "data", "x")
        copy = reference.as_download("/tmp/x", overwrite=True)
        assert (copy.data_reference_name, copy.mode, copy.overwrite) == ("data", "download", True)
        assert reference.mode == "mount" and copy.as_mount().path_on_compute is None
        assert reference.as_upload().to_config().mode == "upload"

    def test_a_path_below(self, blobs: AbstractDatastore) -> None:
        assert blobs.path("a").path("b/c").path_on_datastore == "a/b/c"

    def test_an_unnamed_one_has_the_same_name_everywhere(self, blobs: AbstractDatastore) -> None:
        assert blobs.path("a/My data.csv").data_reference_name == blobs.path("a/My data.csv").data_reference_name
        assert blobs.path("a_b").data_reference_name != blobs.path("a/b").data_reference_name
        assert blobs.path("a/My data.csv").data_reference_name.startswith("My_data_csv_")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"data_reference_name": "no-dash"}, "letters, digits and '_'"),
            ({"mode": "copy"}, "must be mount, download, upload"),
            ({"datastore": None}, "needs a datastore"),
        ],
    )
    def test_refuses_nonsense(self, blobs: AbstractDatastore, arguments: dict[str, Any], message: str) -> None:
        with pytest.raises(UserErrorException, match=message):
            DataReference(**{"datastore": blobs, **arguments})


class TestDataPath:
    def test_with_a_binding_it_is_a_reference(self, blobs: AbstractDatastore) -> None:
        path = DataPath(blobs, "sample", name="input")
        binding = DataPathComputeBinding(mode="download", path_on_compute="/x")
        reference = path.create_data_reference(datapath_compute_binding=binding)
        assert (reference.data_reference_name, reference.mode, reference.path_on_compute) == ("input", "download", "/x")
        assert DataPath.create_from_data_reference(reference) == path
        assert DataPathComputeBinding.create_from_data_reference(reference).mode == "download"
        assert binding.create_data_reference("other", path).data_reference_name == "other"

    def test_equal_places_are_equal(self, blobs: AbstractDatastore, ws: Workspace) -> None:
        assert DataPath(blobs, "a/") == DataPath(Datastore(ws, blobs.name), "a")
        assert len({DataPath(blobs, "a"), DataPath(blobs, "a")}) == 1

    def test_without_a_datastore_it_cannot_be_an_input(self) -> None:
        with pytest.raises(UserErrorException, match="without a datastore"):
            DataPath(path_on_datastore="x")._to_source()
        with pytest.raises(UserErrorException, match="needs a datapath that has a datastore"):
            DataPath().create_data_reference("x")

    def test_a_binding_knows_its_modes(self) -> None:
        with pytest.raises(UserErrorException, match="must be mount, download, upload"):
            DataPathComputeBinding(mode="stream")


class TestFileDataset:
    def test_every_form_of_path_is_understood(self, blobs: AbstractDatastore, put: Put) -> None:
        put("in/a.csv", "1")
        forms = [blobs.path("in"), (blobs, "in"), DataPath(blobs, "in"), [(blobs, "in")], (blobs, ["in"])]
        datasets = [Dataset.File.from_files(form) for form in forms]
        assert len(set(datasets)) == 1
        assert datasets[0]._to_source() == FilesSource(
            locations=(DataLocation(datastore="workspaceblobstore", path="in"),)
        )

    def test_missing_data_is_an_error_unless_not_validated(self, blobs: AbstractDatastore) -> None:
        with pytest.raises(UserErrorException, match=r"no file at 'nothing'. Was the data uploaded"):
            Dataset.File.from_files((blobs, "nothing"))
        Dataset.File.from_files((blobs, "nothing"), validate=False)

    @pytest.mark.parametrize(
        ("path", "message"),
        [
            ("https://example.com/Titanic.csv", "web address.*upload_files"),
            ("./data", "local path.*upload_directory"),
            ([], "at least one path"),
            (7, "needs .datastore, 'path'."),
            ((1, "x"), "a pair must be"),
        ],
    )
    def test_data_that_is_not_on_a_datastore_is_explained(self, path: Any, message: str) -> None:
        with pytest.raises(UserErrorException, match=message):
            Dataset.File.from_files(path)

    @pytest.mark.parametrize(
        ("paths", "expected"),
        [
            (["in"], ["/a.csv", "/sub/b.csv"]),
            (["in/sub/b.csv"], ["/b.csv"]),
            (["in/**/*.csv"], ["/a.csv", "/sub/b.csv"]),
            (["in/a.csv", "in/sub"], ["/a.csv", "/sub/b.csv"]),
            (["in/sub", "out"], ["/in/sub/b.csv", "/out/c.csv"]),
        ],
    )
    def test_paths_are_relative_to_what_the_places_share(
        self, blobs: AbstractDatastore, put: Put, paths: list[str], expected: list[str]
    ) -> None:
        for path in ("in/a.csv", "in/sub/b.csv", "out/c.csv"):
            put(path, path)
        assert Dataset.File.from_files([(blobs, path) for path in paths]).to_path() == expected

    def test_places_on_two_datastores_are_told_apart(self, blobs: AbstractDatastore, ws: Workspace, put: Put) -> None:
        put("a.csv", "1")
        other = Datastore(ws, "workspacefilestore")
        (Path(other.root) / "a.csv").write_text("2")
        both = Dataset.File.from_files([(blobs, "a.csv"), (other, "a.csv")])
        assert both.to_path() == ["/workspaceblobstore/a.csv", "/workspacefilestore/a.csv"]
        assert len(both.download()) == 2

    def test_download(self, blobs: AbstractDatastore, put: Put, tmp_path: Path) -> None:
        put("in/sub/b.csv", "22")
        dataset = Dataset.File.from_files((blobs, "in"))
        assert dataset.download(str(tmp_path / "out")) == [str(tmp_path / "out/sub/b.csv")]
        with pytest.raises(UserErrorException, match="overwrite=True"):
            dataset.download(str(tmp_path / "out"))
        assert Path(dataset.download(str(tmp_path / "out"), overwrite=True)[0]).read_text() == "22"
        gone = Dataset.File.from_files((blobs, "gone"), validate=False)
        assert gone.download(ignore_not_found=True) == []
        with pytest.raises(UserErrorException, match="no file at 'gone'"):
            gone.download()

    def test_subsets_are_datasets_of_single_files(self, blobs: AbstractDatastore, put: Put) -> None:
        for number in range(20):
            put(f"in/{number:02}.csv", str(number))
        dataset = Dataset.File.from_files((blobs, "in"))
        assert [path.path for path in dataset.take(2)._paths] == ["in/00.csv", "in/01.csv"]
        assert len(dataset.skip(19)._paths) == 1
        first, second = dataset.random_split(0.5, seed=1)
        assert len(first._paths) + len(second._paths) == 20
        assert dataset.take_sample(0.5, seed=1) == dataset.take_sample(0.5, seed=1)
        with pytest.raises(UserErrorException, match=r"No file of .* is left"):
            dataset.take(0)
        with pytest.raises(UserErrorException, match="between 0 and 1"):
            dataset.take_sample(50)
        with pytest.raises(UserErrorException, match="a number of files"):
            dataset.take(-1)

    def test_upload_directory(self, blobs: AbstractDatastore, tmp_path: Path) -> None:
        for name in ("a.csv", "b.txt"):
            (tmp_path / "src").mkdir(exist_ok=True)
            (tmp_path / "src" / name).write_text(name)
        dataset = Dataset.File.upload_directory(str(tmp_path / "src"), (blobs, "up"), pattern="*.csv")
        assert dataset.to_path() == ["/a.csv"]
        assert Dataset.File.upload_directory(str(tmp_path / "src"), blobs).to_path()[:1] == ["/a.csv"]
        with pytest.raises(UserErrorException, match=r"no file to upload that matches '\*\.png'"):
            Dataset.File.upload_directory(str(tmp_path / "src"), blobs, pattern="*.png")

    def test_unnamed_inputs_have_the_same_name_everywhere(self, blobs: AbstractDatastore) -> None:
        dataset = Dataset.File.from_files((blobs, "in"), validate=False)
        mounted = dataset.as_mount("/data")
        assert (mounted.mode, mounted.path_on_compute) == ("mount", "/data")
        assert mounted.name == dataset.as_download().name
        assert dataset.as_named_input("x").mode == "direct"

    @pytest.mark.parametrize(
        "call",
        [
            lambda d, ws: d.as_hdfs(),
        ],
    )
    def test_what_is_not_there_says_so(self, blobs: AbstractDatastore, ws: Workspace, call: Any) -> None:
        dataset = Dataset.File.from_files((blobs, "in"), validate=False)
        with pytest.raises(UserErrorException, match="not available in this version"):
            call(dataset, ws)

    def test_it_is_found_by_its_id_which_is_always_the_same(self, blobs: AbstractDatastore, ws: Workspace) -> None:
        files = Dataset.File.from_files([(blobs, "in/*.csv"), (blobs, "more")], validate=False)
        table = Dataset.Tabular.from_delimited_files((blobs, "t.csv"), validate=False, separator=";").keep_columns("b")
        assert files.id == Dataset.File.from_files([(blobs, "in/*.csv"), (blobs, "more")], validate=False).id
        assert files.id != table.id
        for dataset in (files, table):
            assert Dataset.get_by_id(ws, dataset.id) == dataset
        with pytest.raises(UserErrorException):
            Dataset.get_by_id(ws, "none")

    def test_datasets_are_not_made_by_hand(self) -> None:
        with pytest.raises(UserErrorException, match=r"Dataset.File.from_files"):
            FileDataset()


class TestTabularDataset:
    def test_reads_all_files_as_one_table(self, blobs: AbstractDatastore, put: Put) -> None:
        put("t/1.csv", IRIS)
        put("t/2.csv", "a,b,c\n3,4.5,z\n")
        table = Dataset.Tabular.from_delimited_files((blobs, "t/*.csv")).to_pandas_dataframe()
        assert table["a"].tolist() == [1, 2, 3] and list(table.columns) == ["a", "b", "c"]

    def test_rows_and_columns_can_be_chosen(self, blobs: AbstractDatastore, put: Put) -> None:
        put("t.csv", "a,b\n" + "".join(f"{n},{n * n}\n" for n in range(10)))
        dataset = Dataset.Tabular.from_delimited_files((blobs, "t.csv"))
        assert dataset.skip(2).take(3).to_pandas_dataframe()["a"].tolist() == [2, 3, 4]
        assert dataset.take(3).skip(2).to_pandas_dataframe()["a"].tolist() == [2]
        assert dataset.take(3).take(5).to_pandas_dataframe()["a"].tolist() == [0, 1, 2]
        assert list(dataset.keep_columns("b").to_pandas_dataframe().columns) == ["b"]
        assert list(dataset.drop_columns(["a"]).to_pandas_dataframe().columns) == ["b"]

    def test_an_unknown_column_gets_a_suggestion(self, blobs: AbstractDatastore, put: Put) -> None:
        put("t.csv", "price,size\n1,2\n")
        dataset = Dataset.Tabular.from_delimited_files((blobs, "t.csv"))
        for call in (
            lambda: dataset.drop_columns("prize").to_pandas_dataframe(),
            lambda: dataset.keep_columns("prize").to_pandas_dataframe(),
        ):
            with pytest.raises(UserErrorException, match=r"no column 'prize'. Did you mean 'price'"):
                call()

    def test_formats(self, blobs: AbstractDatastore, put: Put) -> None:
        put("t.tsv", "1\t2\n").write_bytes("1\tä\n".encode("iso8859-1"))
        dataset = Dataset.Tabular.from_delimited_files(
            (blobs, "t.tsv"), separator="\t", header=False, encoding="iso88591"
        )
        table = dataset.to_pandas_dataframe()
        assert list(table.columns) == ["Column1", "Column2"] and table["Column2"].tolist() == ["ä"]
        assert dataset._to_source() == TabularSource(
            locations=(DataLocation(datastore="workspaceblobstore", path="t.tsv"),),
            separator="\t",
            header=False,
            encoding="iso8859-1",
        )

    def test_types_may_be_left_as_text(self, blobs: AbstractDatastore, put: Put) -> None:
        put("t.csv", "a\n007\n")
        dataset = Dataset.Tabular.from_delimited_files((blobs, "t.csv"), infer_column_types=False)
        assert dataset.to_pandas_dataframe()["a"].tolist() == ["007"]

    @pytest.mark.parametrize(
        ("arguments", "message"), [({"encoding": "klingon"}, "encoding must be one of"), ({"header": "all"}, "header")]
    )
    def test_nonsense_is_refused(self, blobs: AbstractDatastore, arguments: dict[str, Any], message: str) -> None:
        with pytest.raises(UserErrorException, match=message):
            Dataset.Tabular.from_delimited_files((blobs, "t.csv"), validate=False, **arguments)

    def test_a_file_that_is_no_table_is_named(self, blobs: AbstractDatastore, put: Put) -> None:
        put("t.csv", "")
        dataset: TabularDataset = Dataset.Tabular.from_delimited_files((blobs, "t.csv"))
        with pytest.raises(UserErrorException, match=r"t\.csv is empty: there is no column"):
            dataset.to_pandas_dataframe()


class TestConsumption:
    def test_modes(self, blobs: AbstractDatastore) -> None:
        named = Dataset.File.from_files((blobs, "in"), validate=False).as_named_input("test_data")
        assert (named.name, named.mode) == ("test_data", "direct")
        assert named.as_mount().mode == "mount" and named.as_download("/x").path_on_compute == "/x"
        assert named.mode == "direct"

    def test_a_table_cannot_be_mounted(self, blobs: AbstractDatastore) -> None:
        table = Dataset.Tabular.from_delimited_files((blobs, "t.csv"), validate=False).as_named_input("t")
        with pytest.raises(UserErrorException, match="can only be passed directly"):
            table.as_mount()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("1st", object()), "not starting with a digit"),
            (("a-b", object()), "letters, digits and '_'"),
            (("a", None), "needs a dataset"),
            (("a", object(), "stream"), "must be direct, mount or download"),
        ],
    )
    def test_refuses_nonsense(self, arguments: tuple[Any, ...], message: str) -> None:
        with pytest.raises(UserErrorException, match=message):
            DatasetConsumptionConfig(*arguments)


class TestOutput:
    def test_where_it_goes(self, blobs: AbstractDatastore) -> None:
        output = OutputFileDatasetConfig("out", destination=(blobs, "results/{run-id}/"))
        assert (output.name, output.datastore, output.path_on_datastore) == ("out", blobs, "results/{run-id}")
        assert OutputFileDatasetConfig("out", destination=blobs).path_on_datastore is None
        assert OutputFileDatasetConfig("out").datastore is None

    def test_modes_are_set_on_the_object_itself(self) -> None:
        output = OutputFileDatasetConfig("out")
        assert output.mode == "mount"
        assert output.as_upload(overwrite=True) is output and (output.mode, output.overwrite) == ("upload", True)
        assert output.as_mount() is output and output.mode == "mount"

    def test_as_input_reads_it_where_it_lies(self) -> None:
        output = OutputFileDatasetConfig("out")
        read = output.as_input()
        assert (read.name, read.mode, read.dataset) == ("out", "mount", output)
        assert output.as_input("other").as_download().name == "other"

    def test_unnamed_outputs_get_names(self, blobs: AbstractDatastore) -> None:
        first = OutputFileDatasetConfig(destination=(blobs, "a"))
        assert first.name == OutputFileDatasetConfig(destination=(blobs, "a")).name
        assert OutputFileDatasetConfig().name != OutputFileDatasetConfig().name

    def test_the_last_registration_counts(self) -> None:
        output = OutputFileDatasetConfig("out")
        assert output.registration is None
        assert output.register_on_complete("compare_result", "of a run", {"a": "b"}) is output
        assert output.registration == ("compare_result", "of a run", {"a": "b"})
        output.register_on_complete("again")
        assert output.registration is not None and output.registration.name == "again"
        for name in ("", "a/b", None):
            with pytest.raises(UserErrorException, match="name of a dataset"):
                output.register_on_complete(name)  # type: ignore[arg-type]
        with pytest.raises(UserErrorException, match="tags must be a dict of texts"):
            output.register_on_complete("again", tags={"a": 1})  # type: ignore[dict-item]

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda d: OutputFileDatasetConfig("a b"), "letters, digits and '_'"),
            (lambda d: OutputFileDatasetConfig("a", destination=(d, "../x")), r"contains '\.\.'"),
            (lambda d: OutputFileDatasetConfig("a", destination=(d, "x/{date}")), "not {date}"),
            (lambda d: OutputFileDatasetConfig("a", destination="x"), "must be .datastore, 'path'."),
            (lambda d: OutputFileDatasetConfig("a", partition_format="/{x}"), "not available"),
            (lambda d: OutputFileDatasetConfig("a").as_upload(source_globs=["*"]), "not available"),
        ],
    )
    def test_refuses_nonsense(self, blobs: AbstractDatastore, make: Any, message: str) -> None:
        with pytest.raises(UserErrorException, match=message):
            make(blobs)
