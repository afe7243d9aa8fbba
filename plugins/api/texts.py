"""What a request says, held against what databases and files can keep.

A NUL character, half of a surrogate pair, a number that is not finite: JSON and addresses can carry them, PostgreSQL
and file systems cannot. They are refused at the door, so that nothing behind it has to think of them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from fastapi import HTTPException

MAX_DEPTH = 64
"""So deep may JSON be nested. A pipeline needs a dozen levels; Python can read far more than it can write again."""


def parse_json(body: bytes) -> Any:
    """A body as JSON. Raises json.JSONDecodeError, which FastAPI knows, or an HTTPException with the status 400."""
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:  # not UTF-8, or a number of thousands of digits
        raise HTTPException(400, f"The body of the request is not valid JSON: {error}.") from None


def check_json(value: Any) -> None:
    """Refuse what is nested too deeply, and texts and numbers that cannot be stored."""
    depth, level = 0, [value]
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise _too_deep()
        level = [inner for each in level for inner in _checked(each)]


def check_texts(values: Iterable[Any]) -> None:
    """Refuse texts that cannot be stored."""
    for value in values:
        if isinstance(value, str):
            _check_text(value)


def _checked(value: Any) -> Iterable[Any]:
    """What is inside of a value that is itself in order."""
    if isinstance(value, dict):
        check_texts(value)
        return value.values()
    if isinstance(value, list):
        return value
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise HTTPException(400, "The body of the request holds a number that is too large for a float.")
    return ()


def _check_text(text: str) -> None:
    if "\0" in text:
        raise HTTPException(400, f"The text {text[:80]!r} in the request holds a NUL character.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise HTTPException(400, f"The text {text[:80]!a} in the request holds half of a surrogate pair.") from None


def _refuse_constant(name: str) -> None:
    raise HTTPException(400, f"The body of the request is not valid JSON: {name} is no number there.")


def _too_deep() -> HTTPException:
    return HTTPException(400, f"The body of the request is nested more than {MAX_DEPTH} levels deep.")
