"""Tables inside a step. They are read by a process of the worker, whose Python has polars; the script's needs pandas
only, and only for DataFrames."""

from __future__ import annotations

import atexit
import base64
import json
import os
import shutil
import subprocess
import tempfile
from typing import Any

from .errors import UserErrorException
from .lazy_table import LazyTable
from .staged import FileDataset, StagedDataset

# What would lead the worker's Python to modules of the script's.
_OF_SCRIPTS = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONINSPECT", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")


class TabularDataset(LazyTable, StagedDataset):
    """Files as one table, of which nothing is read before it is asked for."""

    def to_pandas_dataframe(self, on_error: str = "null", out_of_range_datetime: str = "null") -> Any:
        """All rows as a DataFrame. Needs pandas in the step's environment.

        With `on_error` "fail", a value that is not of its column's type is an error and not a missing one. Times that
        the pandas of the environment cannot hold are missing, or an error with `out_of_range_datetime` "fail".
        """
        try:
            import pandas
        except ImportError as error:
            raise UserErrorException("pandas is missing: add it to the packages of the step's environment.") from error
        with tempfile.TemporaryDirectory(prefix="airloom-table-") as folder:
            self._ask("columns", on_error=on_error, target=folder)
            return load_columns(folder, pandas, out_of_range_datetime)

    def to_parquet_files(self) -> FileDataset:
        """The rows as a Parquet file, which lies in a temporary folder until the script ends."""
        return self._written("parquet")

    def to_csv_files(self, separator: str = ",") -> FileDataset:
        """The rows as a file of delimited text, which lies in a temporary folder until the script ends."""
        return self._written("csv", separator=separator)

    def _written(self, kind: str, **more: Any) -> FileDataset:
        folder = tempfile.mkdtemp(prefix="airloom-table-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        name = "part-00000." + kind
        self._ask(kind, target=os.path.join(folder, name), **more)
        files = [[name, os.path.join(folder, name)]]
        return FileDataset(dict(self._staged, kind="files", path=folder, files=files))

    def _ask(self, action: str, **more: Any) -> Any:
        staged = self._staged
        question = {"action": action, "files": staged["table_files"], "reading": staged["tabular"], **more}
        return ask(staged["engine"], question)

    def _get_reading(self) -> dict[str, Any]:
        return dict(self._staged["tabular"])

    def _with_reading(self, reading: dict[str, Any]) -> TabularDataset:
        return TabularDataset(dict(self._staged, tabular=reading))

    def _column_names(self) -> list[str]:
        return [name for name, _ in self._ask("schema")]

    def _wrong(self, message: str) -> Exception:
        return UserErrorException(message)


def ask(engine: dict[str, str], question: dict[str, Any]) -> Any:
    """The worker's answer to a question about a table. Raises UserErrorException with its reason."""
    environment = {name: value for name, value in os.environ.items() if name not in _OF_SCRIPTS}
    environment["PYTHONPATH"] = engine["root"]
    command = [engine["python"], "-P", "-m", "airloom.tabular"]
    try:
        asked = subprocess.run(
            command, input=json.dumps(question).encode(), stdout=subprocess.PIPE, env=environment, check=False
        )
        answer = json.loads(asked.stdout)
    except (OSError, ValueError) as error:
        raise UserErrorException(
            "The table could not be read: the process that reads it on the worker "
            + (f"cannot be started ({error})." if isinstance(error, OSError) else f"ended with {asked.returncode}.")
        ) from error
    if "error" in answer:
        raise UserErrorException(" ".join(filter(None, (answer["error"]["message"], answer["error"]["hint"]))))
    return answer["result"]


def load_columns(folder: str, pandas: Any, out_of_range_datetime: str) -> Any:
    """The DataFrame that `airloom.tabular.columns.save_columns` wrote down."""
    import numpy

    with open(os.path.join(folder, "columns.json"), encoding="ascii") as stream:
        described = json.load(stream)
    columns = {}
    for number, (name, kind) in enumerate(described["columns"]):
        if kind == "array":
            values = numpy.load(os.path.join(folder, f"{number}.npy"), allow_pickle=False)
            if values.dtype.kind == "M":
                errors = "coerce" if out_of_range_datetime == "null" else "raise"
                values = pandas.to_datetime(pandas.Series(values), errors=errors)
        else:
            with open(os.path.join(folder, f"{number}.json"), encoding="ascii") as stream:
                values = json.load(stream)
            if kind == "bytes":
                values = [None if value is None else base64.b64decode(value) for value in values]
        columns[name] = values
    return pandas.DataFrame(columns, index=range(described["rows"]))
