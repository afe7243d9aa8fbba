"""Put a result into the documentation: `python -m benchmarks.docs RESULT.json`."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, markdown

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
RESULT = ROOT / "docs" / "benchmarks.json"
_TABLE = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- end of figures -->)", re.DOTALL)


def table(result: dict[str, Any]) -> str:
    """What a result says, as the page shows it."""
    figures = [Figure.from_json(figure) for group in result["figures"].values() for figure in group]
    machine, versions = result["machine"], result["versions"]
    where = (
        f"Measured on {result['measured_at'][:10]}: {machine['cores']} cores, {machine['memory_gb']} GB of memory,"
        f" Airflow {versions['apache-airflow']}, Python {versions['python']}."
    )
    return f"{where}\n\n{markdown(figures)}"


def page_with(result: dict[str, Any], page: str) -> str:
    """The page with the table of a result in the place of the one it has."""
    return _TABLE.sub(lambda _: f"\n{table(result)}\n\n", page)


def main() -> None:
    """Keep the result beside the page, and write its table into the page. What it did not measure stays."""
    result = json.loads(Path(sys.argv[1]).read_text())
    known = json.loads(RESULT.read_text())["figures"]
    result["figures"] = {name: result["figures"].get(name) or known[name] for name in {**known, **result["figures"]}}
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    PAGE.write_text(page_with(result, PAGE.read_text()))


if __name__ == "__main__":
    main()
