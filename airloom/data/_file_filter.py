"""Conditions on files: `dataset.file_metadata("Size") > 1000`, joined by `&` and `|`, turned round by `~`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from airloom.data.abstract_dataset import DatasetFile
from airloom.exceptions import UserErrorException
from airloom.graph.suggest import did_you_mean

METADATA: Mapping[str, Callable[[DatasetFile], Any]] = {
    "Size": lambda file: file.size,
    "LastModifiedTime": lambda file: file.modified,
    "Extension": lambda file: PurePosixPath(file.place.path).suffix,
    "CanSeek": lambda file: True,
}


class FileExpression:
    """A value of each file, or a condition on it, which is a value that is true or false."""

    def __init__(self, text: str, value: Callable[[DatasetFile], Any]) -> None:
        self._text = text
        self._value = value

    @staticmethod
    def of_metadata(name: Any) -> FileExpression:
        """Size in bytes, LastModifiedTime, Extension (with its dot) or CanSeek of a file."""
        if name not in METADATA:
            raise UserErrorException(
                f"Files have no metadata {name!r}; there are {', '.join(METADATA)}. {did_you_mean(str(name), METADATA)}"
            )
        return FileExpression(name, METADATA[name])

    def holds(self, file: DatasetFile) -> bool:
        """True if the condition is met."""
        return bool(self._value(file))

    def _joined(self, sign: str, other: Any, join: Callable[[Any, Any], Any]) -> FileExpression:
        mine, right = self._value, _value_of(other)
        text = f"({self._text} {sign} {other._text if isinstance(other, FileExpression) else repr(other)})"

        def value(file: DatasetFile) -> Any:
            try:
                return join(mine(file), right(file))
            except TypeError as error:
                raise UserErrorException(f"The condition {text} compares what cannot be compared: {error}.") from error

        return FileExpression(text, value)

    def __eq__(self, other: object) -> FileExpression:  # type: ignore[override]
        return self._joined("==", other, operator.eq)

    def __ne__(self, other: object) -> FileExpression:  # type: ignore[override]
        return self._joined("!=", other, operator.ne)

    def __lt__(self, other: Any) -> FileExpression:
        return self._joined("<", other, operator.lt)

    def __le__(self, other: Any) -> FileExpression:
        return self._joined("<=", other, operator.le)

    def __gt__(self, other: Any) -> FileExpression:
        return self._joined(">", other, operator.gt)

    def __ge__(self, other: Any) -> FileExpression:
        return self._joined(">=", other, operator.ge)

    def __and__(self, other: Any) -> FileExpression:
        return self._joined("&", other, lambda a, b: bool(a) and bool(b))

    def __or__(self, other: Any) -> FileExpression:
        return self._joined("|", other, lambda a, b: bool(a) or bool(b))

    def __invert__(self) -> FileExpression:
        return FileExpression(f"~{self._text}", lambda file: not self._value(file))

    def __bool__(self) -> bool:
        raise UserErrorException(f"{self._text} is a condition on each file. Join conditions by &, | and ~.")

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"FileExpression({self._text})"


def _value_of(other: Any) -> Callable[[DatasetFile], Any]:
    if isinstance(other, FileExpression):
        return other._value
    if isinstance(other, datetime) and other.tzinfo is None:
        other = other.replace(tzinfo=UTC)
    return lambda file: other
