"""Answers one question about a table: a JSON document on the standard input, one on the standard output.

A process of its own keeps polars, and the memory that a table takes, out of servers and out of scripts whose
environment lacks it. An answer has either `result` or `error`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from airloom.errors import AirloomError, InvalidGraph
from airloom.graph.tables import TableReading
from airloom.tabular.columns import save_columns
from airloom.tabular.parts import Part
from airloom.tabular.profile import preview, profile, type_name
from airloom.tabular.table import Table

Question = dict[str, Any]


def _columns(table: Table, question: Question) -> Any:
    save_columns(table.collect(), Path(question["target"]))


def _parquet(table: Table, question: Question) -> Any:
    table.write_parquet(Path(question["target"]))


def _csv(table: Table, question: Question) -> Any:
    table.write_csv(Path(question["target"]), question["separator"])


def _schema(table: Table, question: Question) -> Any:
    return [[name, type_name(kind)] for name, kind in table.columns().items()]


_ANSWERS: dict[str, Callable[[Table, Question], Any]] = {
    "columns": _columns,
    "parquet": _parquet,
    "csv": _csv,
    "schema": _schema,
    "preview": lambda table, question: preview(table, question["rows"]),
    "profile": lambda table, question: profile(table),
}


def answer(question: Question) -> dict[str, Any]:
    """The answer to a question: `action` on `files` (pairs of name and path) read as `reading` says."""
    try:
        reading = TableReading.model_validate(question["reading"])
        parts = [Part(Path(path), name) for name, path in question["files"]]
        with Table(parts, reading, question.get("on_error", "null")) as table:
            return {"result": _ANSWERS[question["action"]](table, question)}
    except ValidationError as error:
        return _refusal(InvalidGraph(f"The description of the table is wrong: {error.errors()[0]['msg']}."))
    except OSError as error:
        return _refusal(AirloomError(f"The table cannot be read or written: {error}."))
    except AirloomError as error:
        return _refusal(error)


def _refusal(error: AirloomError) -> dict[str, Any]:
    return {"error": {"code": error.code, "message": error.message, "hint": error.hint, "target": error.target}}


if __name__ == "__main__":
    json.dump(answer(json.load(sys.stdin)), sys.stdout)
