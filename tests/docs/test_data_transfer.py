"""docs/data-transfer.md names every argument of the step and of the operator."""

from __future__ import annotations

import inspect
from typing import Any

from airloom.pipeline.steps import DataTransferStep
from tests.docs.support import first_codes, section

PAGE = "docs/data-transfer.md"


def test_every_argument_of_the_step_is_there() -> None:
    assert first_codes(section(PAGE, "Arguments")) == set(inspect.signature(DataTransferStep).parameters)


def test_every_argument_of_the_operator_is_there(facts: dict[str, Any]) -> None:
    assert first_codes(section(PAGE, "In hand-written DAGs")) == set(facts["operators"]["DataTransferOperator"])
