"""docs/cli.md has every command with exactly the options that it has, and how they may be spelt."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from airloom.cli import app
from tests.docs.support import codes, prose, rows, section

PAGE = "docs/cli.md"
COMMAND: Any = typer.main.get_command(app)
COMMANDS: dict[str, Any] = COMMAND.commands


def spellings(command: Any) -> set[frozenset[str]]:
    """One set for each parameter: all spellings of an option, or the name of an argument."""
    return {
        frozenset([*each.opts, *each.secondary_opts])
        if each.param_type_name == "option"
        else frozenset([str(each.metavar)])
        for each in command.params
    }


def documented(text: str) -> set[frozenset[str]]:
    return {frozenset(codes(row[0])) for row in rows(text)}


def test_every_command_has_its_section() -> None:
    headings = [line.removeprefix("## airloom ") for line in prose(PAGE).splitlines() if line.startswith("## airloom ")]
    assert headings == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_the_options_that_are_documented(name: str) -> None:
    assert documented(section(PAGE, f"airloom {name}")) == spellings(COMMANDS[name])


def test_the_common_options_are_documented() -> None:
    head = prose(PAGE).partition("## airloom")[0]
    assert documented(head) == spellings(COMMAND) | {frozenset(["--help", "-h"])}


def test_variables_for_options_are_named() -> None:
    named = set(codes(prose(PAGE)))
    for command in COMMANDS.values():
        assert {str(each.envvar) for each in command.params if each.envvar} <= named
