"""The page of datasets, run from top to bottom in a workspace of its own."""

from __future__ import annotations

from pathlib import Path

from airloom.core import Dataset
from tests.docs.support import blocks
from tests.integration.docs.test_published_pipelines import Reader
from tests.support.server import RunningServer


def test_the_page(airloom_server: RunningServer, tmp_path: Path) -> None:
    reader = Reader(airloom_server, tmp_path)
    printed = [reader.do(block) for block in blocks("docs/datasets.md") if block.language in ("python", "sh")]
    assert "\nprices 1 " in printed[0]
    assert "['prices'] [1]" in printed[1]
    assert "raw-prices" in printed[2]
    assert "raw-prices: unchanged" in printed[2]
    assert printed[3].startswith("False 20")
    assert "unchanged []" in printed[3]
    prices = Dataset.get_by_name(reader.ws, "prices")
    assert (prices.description, prices.tags) == ("of all cars in Italy", {"checked": "yes"})
    assert sorted(reader.ws.datasets) == ["prices"]
