"""Tabular datasets: made in all ways, cut and chosen from, read, written and split into parts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas
import pytest

from airloom.core import Dataset, Workspace
from airloom.data import DataType, FileDataset, TabularDataset
from airloom.data.abstract_datastore import AbstractDatastore
from airloom.data.dataset_type_definitions import PromoteHeadersBehavior
from airloom.exceptions import DatasetTimestampMissingError, UserErrorException

Put = Callable[[str, str], Path]
SALES = "id,land,price,sold\n" + "".join(
    f"{number},{'de' if number % 2 else 'fr'},{number / 2},2020-01-{number + 1:02}\n" for number in range(20)
)


@pytest.fixture
def put(blobs: AbstractDatastore) -> Put:
    """Writes a file on the default datastore."""

    def write(path: str, text: str) -> Path:
        target = Path(blobs.root) / path  # type: ignore[attr-defined]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    return write


@pytest.fixture
def sales(blobs: AbstractDatastore, put: Put) -> TabularDataset:
    """A table of twenty rows."""
    put("sales.csv", SALES)
    return Dataset.Tabular.from_delimited_files((blobs, "sales.csv"))


def ids(dataset: TabularDataset) -> list[int]:
    """Which rows are left."""
    found: list[int] = dataset.to_pandas_dataframe()["id"].tolist()
    return found


class TestReading:
    def test_types_of_pandas(self, sales: TabularDataset) -> None:
        kinds = {name: str(kind) for name, kind in sales.to_pandas_dataframe().dtypes.items()}
        text = str(pandas.Series(["x"]).dtype)
        assert kinds == {"id": "int64", "land": text, "price": "float64", "sold": "datetime64[us]"}

    def test_all_options_of_delimited_text(self, blobs: AbstractDatastore, put: Put) -> None:
        put("in/2020/a.csv", "a;b\n1;\nx;2\n")
        put("in/2021/b.csv", "5;6\n")
        dataset = Dataset.Tabular.from_delimited_files(
            (blobs, "in/**/*.csv"),
            include_path=True,
            set_column_types={"a": DataType.to_long(), "b": DataType.to_string()},
            separator=";",
            header=PromoteHeadersBehavior.ONLY_FIRST_FILE_HAS_HEADERS,
            partition_format="/in/{year:yyyy}/{name}.csv",
            support_multi_line=True,
            empty_as_string=True,
        )
        frame = dataset.to_pandas_dataframe()
        assert list(frame.columns) == ["Path", "year", "name", "a", "b"]
        assert frame["Path"].tolist() == ["/in/2020/a.csv", "/in/2020/a.csv", "/in/2021/b.csv"]
        assert frame["year"].dt.year.tolist() == [2020, 2020, 2021] and frame["name"].tolist() == ["a", "a", "b"]
        assert frame["a"].fillna(-1).tolist() == [1, -1, 5] and frame["b"].tolist() == ["", "2", "6"]
        with pytest.raises(UserErrorException, match=r"conversion from .* failed .*\"x\""):
            dataset.to_pandas_dataframe(on_error="fail")
        assert dataset.partition_keys == ["year", "name"]
        assert dataset.get_partition_key_values(["year"]) == [{"year": datetime(year, 1, 1)} for year in (2020, 2021)]
        with pytest.raises(UserErrorException, match="has the partition keys"):
            dataset.get_partition_key_values(["land"])

    def test_json_lines(self, blobs: AbstractDatastore, put: Put) -> None:
        put("t.jsonl", '{"a": 1}\nbroken\n{"a": 2}\n')
        with pytest.raises(UserErrorException, match=r"t\.jsonl, line 2"):
            Dataset.Tabular.from_json_lines_files((blobs, "t.jsonl")).to_pandas_dataframe()
        table = Dataset.Tabular.from_json_lines_files((blobs, "t.jsonl"), invalid_lines="drop")
        assert table.to_pandas_dataframe()["a"].tolist() == [1, 2]

    def test_parquet(self, blobs: AbstractDatastore, sales: TabularDataset) -> None:
        written = sales.to_parquet_files()
        (path,) = written._paths
        table = Dataset.Tabular.from_parquet_files((blobs, path.path), set_column_types={"id": DataType.to_string()})
        assert table.take(2).to_pandas_dataframe()["id"].tolist() == ["0", "1"]
        assert "part-00000.parquet" in written.to_path()[0]

    def test_what_is_no_parquet_is_named(self, blobs: AbstractDatastore, put: Put) -> None:
        put("t.parquet", SALES)
        with pytest.raises(UserErrorException, match=r"t\.parquet is not a Parquet file"):
            Dataset.Tabular.from_parquet_files((blobs, "t.parquet")).to_pandas_dataframe()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"set_column_types": {"a": "int"}}, r"'int' for the column 'a'. Use DataType"),
            ({"partition_format": "none"}, "is not one"),
            ({"separator": "--"}, "single character"),
            ({"header": 1}, "header must be"),
        ],
    )
    def test_nonsense_is_refused(self, blobs: AbstractDatastore, arguments: dict[str, Any], message: str) -> None:
        with pytest.raises(UserErrorException, match=message):
            Dataset.Tabular.from_delimited_files((blobs, "t.csv"), validate=False, **arguments)
        with pytest.raises(UserErrorException, match="invalid_lines"):
            Dataset.Tabular.from_json_lines_files((blobs, "t"), validate=False, invalid_lines="x")

    def test_what_becomes_of_errors_is_one_of_two_things(self, sales: TabularDataset) -> None:
        with pytest.raises(UserErrorException, match="on_error must be"):
            sales.to_pandas_dataframe(on_error="x")
        with pytest.raises(UserErrorException, match="out_of_range_datetime must be"):
            sales.to_pandas_dataframe(out_of_range_datetime="x")


class TestRowsAndColumns:
    def test_conditions(self, sales: TabularDataset) -> None:
        assert ids(sales.filter((sales["price"] > 8) & (sales["land"] == "de"))) == [17, 19]
        assert ids(sales.filter(~(sales["id"] * 2 + 1 < 37) | sales["land"].is_null())) == [18, 19]
        assert ids(sales.filter(sales["id"].is_in([3, 5]))) == [3, 5]
        assert ids(sales.filter(sales["land"].starts_with("d") & (10 - sales["id"] > 8))) == [1]
        assert ids(sales.filter(sales["sold"] < datetime(2020, 1, 3))) == [0, 1]

    def test_conditions_are_no_python_conditions(self, sales: TabularDataset) -> None:
        with pytest.raises(TypeError, match="joined by &"):
            bool(sales["id"] > 1)
        with pytest.raises(UserErrorException, match="filter needs a condition"):
            sales.filter(True)
        with pytest.raises(TypeError, match="cannot be compared"):
            sales["id"] == object()  # noqa: B015
        with pytest.raises(TypeError, match="is_null"):
            sales["id"] == float("nan")  # noqa: B015
        with pytest.raises(UserErrorException, match="named by its name"):
            sales[["id"]]  # type: ignore[index]
        with pytest.raises(TypeError, match="to_pandas_dataframe"):
            list(sales)

    def test_samples_and_splits(self, sales: TabularDataset) -> None:
        first, second = sales.random_split(0.5, seed=3)
        assert sorted(ids(first) + ids(second)) == list(range(20)) and first != second
        assert ids(sales.take_sample(0.5, seed=3)) == ids(first)
        left, right = sales.random_split(0.5)
        assert sorted(ids(left) + ids(right)) == list(range(20))
        for call in (sales.take_sample, sales.random_split):
            with pytest.raises(UserErrorException, match="between 0 and 1"):
                call(2)
            with pytest.raises(UserErrorException, match="seed must be"):
                call(0.5, seed="x")  # type: ignore[arg-type]

    def test_a_table_and_what_is_made_of_it_are_different_data(self, sales: TabularDataset, ws: Workspace) -> None:
        cut = sales.skip(1).take(2)
        assert sales != cut and cut == sales.skip(1).take(2) and ids(cut) == [1, 2]
        again = Dataset.get_by_id(ws, cut.id)
        assert again == cut and isinstance(again, TabularDataset) and ids(again) == [1, 2]
        with pytest.raises(UserErrorException, match="count must be"):
            sales.take(-1)

    def test_columns(self, sales: TabularDataset) -> None:
        assert list(sales.drop_columns(["land", "sold"]).to_pandas_dataframe().columns) == ["id", "price"]
        assert list(sales.keep_columns(["price", "id"]).keep_columns("id").to_pandas_dataframe().columns) == ["id"]
        with pytest.raises(UserErrorException, match=r"no column 'prize'\. It has 'id'"):
            sales.keep_columns("prize", validate=True)
        with pytest.raises(UserErrorException, match="named by text"):
            sales.keep_columns([1])  # type: ignore[list-item]


class TestTime:
    def test_rows_by_time(self, sales: TabularDataset) -> None:
        timed = sales.with_timestamp_columns("sold", validate=True)
        assert timed.timestamp_columns == ("sold", None)
        third = datetime(2020, 1, 3)
        assert ids(timed.time_before(third)) == [0, 1, 2] and ids(timed.time_before(third, False)) == [0, 1]
        assert ids(timed.time_after(datetime(2020, 1, 19), include_boundary=False)) == [19]
        assert ids(timed.time_between(third, datetime(2020, 1, 4))) == [2, 3]
        assert ids(timed.time_recent(timedelta(days=36_500))) == list(range(20))
        assert ids(timed.time_recent(timedelta(seconds=1))) == []

    def test_which_columns_tell_it(self, sales: TabularDataset) -> None:
        with pytest.raises(DatasetTimestampMissingError, match="First call with_timestamp_columns"):
            sales.time_before(datetime(2020, 1, 1))
        with pytest.raises(UserErrorException, match="no column 'when'"):
            sales.with_timestamp_columns("when", validate=True)
        with pytest.raises(UserErrorException, match="different ones"):
            sales.with_timestamp_columns("sold", "sold")
        with pytest.raises(UserErrorException, match="does not know"):
            sales.with_timestamp_columns(grain="sold")
        timed = sales.with_timestamp_columns(partition_timestamp="sold")
        assert ids(timed.time_before(datetime(2020, 1, 1))) == [0]
        with pytest.raises(UserErrorException, match="tells the time"):
            timed.drop_columns("sold")
        assert timed.keep_columns("id").timestamp_columns == (None, None)
        assert timed.with_timestamp_columns().timestamp_columns == (None, None)
        with pytest.raises(UserErrorException, match=r"datetime\.datetime"):
            timed.time_before("2020")  # type: ignore[arg-type]
        with pytest.raises(UserErrorException, match=r"datetime\.timedelta"):
            timed.time_recent(5)  # type: ignore[arg-type]


class TestWriting:
    def test_partitions(self, sales: TabularDataset, blobs: AbstractDatastore) -> None:
        parts = sales.partition_by(["land"], (blobs, "parts"), show_progress=False)
        assert isinstance(parts, TabularDataset) and parts.partition_keys == ["land"]
        assert parts.get_partition_key_values() == [{"land": "de"}, {"land": "fr"}]
        assert sorted(ids(parts.filter(parts["land"] == "fr"))) == list(range(0, 20, 2))
        files = sales.partition_by(["land"], blobs, show_progress=False, partition_as_file_dataset=True)
        assert isinstance(files, FileDataset) and len(files.to_path()) == 2
        with pytest.raises(UserErrorException, match="no column 'city'"):
            sales.partition_by(["city"], blobs)

    def test_values_of_partitions_may_be_anything_but_missing(self, blobs: AbstractDatastore, put: Put) -> None:
        put("t.csv", 'k,v\n"../a/b",1\nä ö,2\n')
        table = Dataset.Tabular.from_delimited_files((blobs, "t.csv"))
        parts = table.partition_by(["k"], blobs, show_progress=False)
        assert sorted(parts.to_pandas_dataframe()["k"]) == ["../a/b", "ä ö"]  # type: ignore[union-attr]
        put("t.csv", "k,v\n,1\n")
        with pytest.raises(UserErrorException, match="'k' has no value in some rows"):
            table.partition_by(["k"], blobs)

    def test_delimited_text(self, sales: TabularDataset, tmp_path: Path) -> None:
        (copy,) = sales.take(1).to_csv_files(separator=";").download(str(tmp_path))
        assert Path(copy).read_text() == "id;land;price;sold\n0;fr;0.0;2020-01-01T00:00:00.000000\n"

    def test_files_that_a_column_names(self, blobs: AbstractDatastore, put: Put, tmp_path: Path) -> None:
        for name in ("1.png", "2.png"):
            put(f"images/{name}", name)
        put("t.csv", "label,image\nx,/images/1.png\ny,AmlDatastore://workspaceblobstore/images/2.png\nz,/gone.png\n")
        types = {"image": DataType.to_stream()}
        table = Dataset.Tabular.from_delimited_files((blobs, "t.csv"), set_column_types=types)
        found = table.download("image", str(tmp_path))
        assert sorted(Path(path).read_text() for path in found) == ["1.png", "2.png"]
        with pytest.raises(UserErrorException, match=r"no file at 'gone\.png'"):
            table.download("image", str(tmp_path / "more"), ignore_not_found=False)

    def test_what_needs_other_engines_says_so(self, sales: TabularDataset) -> None:
        for call in (sales.to_dask_dataframe, sales.to_spark_dataframe, sales.get_profile_runs):
            with pytest.raises(UserErrorException, match="not available in this version"):
                call()
        with pytest.raises(UserErrorException, match="not available"):
            sales.mount("image")
        with pytest.raises(UserErrorException, match="not available"):
            sales.submit_profile_run(None, None)
        for make in (Dataset.Tabular.register_spark_dataframe, Dataset.Tabular.register_dask_dataframe):
            with pytest.raises(UserErrorException, match="not available"):
                make(None, None, "x")
