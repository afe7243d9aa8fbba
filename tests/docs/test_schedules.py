"""docs/schedules.md has every field of a recurrence and every function of expressions, and no others."""

from __future__ import annotations

import re

from airloom.graph._expression_functions import FUNCTIONS
from airloom.graph.recurrence import FREQUENCIES, Recurrence
from tests.docs.support import codes, rows, section

PAGE = "docs/schedules.md"


def test_every_field_of_a_recurrence_is_there() -> None:
    fields = [field for row in rows(section(PAGE, "By the clock")) for field in codes(row[0])]
    assert sorted(fields) == sorted(Recurrence.model_fields)
    assert set(FREQUENCIES) <= set(codes(section(PAGE, "By the clock")))


def test_every_function_is_there() -> None:
    calls = [call for row in rows(section(PAGE, "Parameters")) for call in codes(row[0])]
    names = {re.sub(r"\([^)]*\)", "", call) for call in calls}
    assert names == set(FUNCTIONS)
