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
GROUPS = {name: command.commands for name, command in COMMANDS.items() if hasattr(command, "commands")}
SINGLE = {name: command for name, command in COMMANDS.items() if name not in GROUPS}
IN_GROUPS = {f"{group} {name}": command for group, inner in GROUPS.items() for name, command in inner.items()}
SHARED = {frozenset(["--home"]), frozenset(["--workspace", "-w"]), frozenset(["--json"])}


def spellings(command: Any) -> set[frozenset[str]]:
    """One set for each parameter: all spellings of an option, or the name of an argument."""
    return {
        frozenset([*each.opts, *each.secondary_opts])
        if each.param_type_name == "option"
        else frozenset([str(each.metavar)])
        for each in command.params
    }


def documented(text: str) -> set[frozenset[str]]:
    return {frozenset(code.replace("\\|", "|") for code in codes(row[0])) for row in rows(text)}


def headings(level: str) -> list[str]:
    start = f"{level} airloom "
    return [line.removeprefix(start) for line in prose(PAGE).splitlines() if line.startswith(start)]


def test_every_command_has_its_section() -> None:
    assert headings("##") == list(COMMANDS)
    assert headings("###") == list(IN_GROUPS)


@pytest.mark.parametrize("name", SINGLE)
def test_a_command_has_the_options_that_are_documented(name: str) -> None:
    assert documented(section(PAGE, f"airloom {name}")) == spellings(SINGLE[name])


@pytest.mark.parametrize("name", IN_GROUPS)
def test_a_command_of_a_group_has_the_options_that_are_documented(name: str) -> None:
    options = spellings(IN_GROUPS[name])
    assert options >= SHARED
    assert documented(section(PAGE, f"airloom {name}")) == options - SHARED


@pytest.mark.parametrize("group", GROUPS)
def test_what_the_commands_of_a_group_share_is_said_once(group: str) -> None:
    head = section(PAGE, f"airloom {group}").partition("###")[0]
    assert {"--home", "--workspace", "--json"} <= set(codes(head))


def test_the_common_options_are_documented() -> None:
    head = prose(PAGE).partition("## airloom")[0]
    assert documented(head) == spellings(COMMAND) | {frozenset(["--help", "-h"])}


def test_variables_for_options_are_named() -> None:
    named = set(codes(prose(PAGE)))
    for command in [*SINGLE.values(), *IN_GROUPS.values()]:
        assert {str(each.envvar) for each in command.params if each.envvar} <= named
