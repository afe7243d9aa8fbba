"""docs/hand-written-dags.md shows the example as it is, and every argument of the operators."""

from __future__ import annotations

from typing import Any

import pytest

from tests.docs.support import ROOT, blocks, first_codes, section

PAGE = "docs/hand-written-dags.md"


def test_the_code_shown_is_that_of_the_example() -> None:
    (block,) = [block for block in blocks(PAGE) if block.language == "python"]
    code = (ROOT / "dags" / "hand_written.py").read_text()
    assert code.endswith(block.text), "copy the code of dags/hand_written.py, below its docstring, into the page"
    assert code.removesuffix(block.text).rstrip().endswith('"""')


@pytest.mark.parametrize("operator", ["PythonScriptOperator", "SkipIfUnchangedSensor"])
def test_every_argument_is_there(operator: str, facts: dict[str, Any]) -> None:
    assert first_codes(section(PAGE, operator)) == set(facts["operators"][operator])
