"""Reads the documentation: its pages, their tables, code blocks and links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")),
)

_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """A code block: its language, its text without the indentation of the page, and the page."""

    page: str
    language: str
    text: str


@cache
def text_of(page: str) -> str:
    """The text of a page, by its path in the repository."""
    return (ROOT / page).read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    """The part of a page below a heading, up to the next heading of the same or a higher level."""
    match = re.search(rf"^(#+) {re.escape(heading)}\n", text_of(page), re.MULTILINE)
    assert match, f"{page} has no heading {heading!r}"
    rest = text_of(page)[match.end() :]
    following = re.search(rf"^#{{1,{len(match[1])}}} ", rest, re.MULTILINE)
    return rest[: following.start()] if following else rest


def rows(text: str) -> list[list[str]]:
    """The rows of all tables in a text, without the heads."""
    lines = [line for line in text.splitlines() if line.lstrip().startswith("|")]
    heads = {index - 1 for index, line in enumerate(lines) if set(line) <= set("|- ")}
    kept = [line for index, line in enumerate(lines) if index not in heads and not set(line) <= set("|- ")]
    return [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in kept]


def codes(text: str) -> list[str]:
    """All that stands in backticks."""
    return _CODE.findall(text)


def first_codes(text: str) -> set[str]:
    """What stands in backticks in the first columns of the tables."""
    return {code for row in rows(text) for code in codes(row[0])}


def blocks(page: str) -> Iterator[Block]:
    """The fenced code blocks of a page."""
    for language, text in _FENCE.findall(text_of(page)):
        lines = text.splitlines()
        indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
        yield Block(page, language, "\n".join(line[indent:] for line in lines) + "\n")


def prose(page: str) -> str:
    """The page without its code blocks."""
    return _FENCE.sub("", text_of(page))


def links(page: str) -> list[str]:
    """The targets of all links and pictures of a page."""
    return _LINK.findall(prose(page))


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
