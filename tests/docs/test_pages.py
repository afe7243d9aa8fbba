"""Every page: links lead somewhere, code compiles, and the commands exist."""

from __future__ import annotations

import ast
import configparser
import importlib
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from airloom.cli import app
from airloom.graph.model import DataSource, EnvironmentSpec, PythonScriptSettings
from airloom.graph.validate import validate_graph
from airloom.graph.yaml import RunConfig, read_file
from tests.docs.support import PAGES, ROOT, Block, anchors, blocks, codes, links, prose, text_of

BLOCKS = [block for page in PAGES for block in blocks(page)]


def of_language(*languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.language in languages]


def name_of(block: Block) -> str:
    return f"{block.page}:{block.text.splitlines()[0][:40]}"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for link in links(page):
        target, _, anchor = link.partition("#")
        if "://" in target:
            continue
        file = (ROOT / page).parent / target if target else ROOT / page
        assert file.exists(), f"{page} links to {link}"
        if anchor:
            assert anchor in anchors(str(file.resolve().relative_to(ROOT))), f"{page} links to {link}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/")])
def test_pages_are_reached_from_the_readme(page: str) -> None:
    reached = {"README.md"}
    for _ in range(3):
        reached |= {link.partition("#")[0].split("/")[-1] for known in reached for link in links(_page(known))}
        reached = {name for name in reached if name.endswith(".md") and (_page(name) in PAGES)}
    assert page.removeprefix("docs/") in reached


def _page(name: str) -> str:
    return name if (ROOT / name).exists() else f"docs/{name}"


@pytest.mark.parametrize("page", PAGES)
def test_lines_are_short_and_plain(page: str) -> None:
    for line in prose(page).splitlines():
        assert line.startswith("|") or len(line) <= 120, line
        assert line == line.rstrip(), line
    assert not re.search(r"TODO|FIXME|XXX", text_of(page))


@pytest.mark.parametrize("block", of_language("python"), ids=name_of)
def test_python_compiles_and_imports_what_there_is(block: Block) -> None:
    compile(block.text, block.page, "exec")
    for module, name in _imports(block.text):
        assert hasattr(importlib.import_module(module), name), f"{block.page}: from {module} import {name}"


def _imports(code: str) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(code)):
        # Airflow takes seconds to import, and azureml exists inside steps only.
        module = str(node.module) if isinstance(node, ast.ImportFrom) else ""
        if module.startswith("airloom") and not module.startswith(("airloom.operators", "airloom.plugins")):
            assert isinstance(node, ast.ImportFrom)
            yield from ((module, alias.name) for alias in node.names)


@pytest.mark.parametrize("block", of_language("json"), ids=name_of)
def test_json_can_be_read(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", of_language("ini"), ids=name_of)
def test_settings_files_can_be_read(block: Block) -> None:
    configparser.ConfigParser().read_string(block.text)


class AnyFolder:
    """Reads nothing beside the YAML itself."""

    def snapshot(self, folder: Path | None, script_name: str, hash_paths: tuple[str, ...]) -> PythonScriptSettings:
        return PythonScriptSettings(script_name=script_name, snapshot="0" * 64, hash_paths=hash_paths)

    def run_config(self, file: Path) -> RunConfig:
        return RunConfig(EnvironmentSpec())

    def dataset(self, reference: dict[str, object]) -> DataSource:
        raise AssertionError(reference)


@pytest.mark.parametrize("block", of_language("yaml"), ids=name_of)
def test_yaml_is_a_pipeline(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yml"
    file.write_text(block.text)
    graph = read_file(file, AnyFolder()).graph
    assert validate_graph(graph, datastores=["workspaceblobstore"], computes=["cpu-cluster"]) == []


def test_all_languages_of_blocks_are_checked() -> None:
    assert {block.language for block in BLOCKS} <= {"python", "json", "ini", "sh", "text", "yaml"}


# --- commands -----------------------------------------------------------------------------------------------------


def commands(page: str) -> Iterator[list[str]]:
    """The commands in shell blocks, in indented blocks and in backticks, without leading variables."""
    lines = [line for block in blocks(page) if block.language in ("sh", "text") for line in block.text.splitlines()]
    lines += [line for line in prose(page).splitlines() if line.startswith("    ")]
    lines += codes(prose(page))
    for line in lines:
        stripped = re.sub(r"^(\$ )?([A-Z_]+=\S+ )*", "", line.strip())
        if re.match(r"(\S*/)?(airloom|make|pip) ", stripped):
            yield shlex.split(stripped.partition(" | ")[0], comments=True)


def commands_of(program: str) -> list[tuple[str, list[str]]]:
    return [(page, words[1:]) for page in PAGES for words in commands(page) if words[0].endswith(program)]


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {words[0] for _, words in commands_of("make") if words}
    assert {"demo", "test", "up", "down"} <= named <= targets


@pytest.mark.parametrize(
    ("page", "words"), [(page, words) for page, words in commands_of("airloom") if words[0] not in ("COMMAND", "...")]
)
def test_airloom_commands_exist(page: str, words: list[str]) -> None:
    done = CliRunner().invoke(app, [*words, "--help"])
    assert done.exit_code == 0, f"{page}: airloom {' '.join(words)}\n{done.output}"


def test_extras_exist() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lists = [found for page in PAGES for found in re.findall(r"airloom\[([\w,]+)\]", text_of(page))]
    named = {extra for found in lists for extra in found.split(",")}
    assert {"airflow"} <= named <= set(setup["options.extras_require"])
