"""The files around the code agree with each other."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def names(requirements: str) -> set[str]:
    found = re.findall(r"^([A-Za-z0-9._-]+)", requirements.strip(), re.MULTILINE)
    return {name.lower().replace("_", "-") for name in found} - {"airloom"}


def test_every_dependency_is_pinned() -> None:
    parser = setup_cfg()
    wanted = names(parser["options"]["install_requires"])
    for extra in parser["options.extras_require"].values():
        wanted |= names(extra)
    pinned = names((ROOT / "constraints.txt").read_text())
    assert wanted - pinned == set()


def test_constraints_are_versions_and_nothing_else() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if not re.match(r"^[a-z0-9-]+==[^/ ]+( ; .*)?$", line)] == []


def test_all_extras_for_users_are_in_all() -> None:
    extras = dict(setup_cfg()["options.extras_require"])
    everything = re.search(r"airloom\[(.*)\]", extras["all"])
    assert everything is not None
    assert set(everything.group(1).split(",")) == extras.keys() - {"all", "mutation", "test"}


def test_the_compose_file_asks_for_what_the_example_names() -> None:
    text = (ROOT / "docker/compose.yaml").read_text()
    example = set(re.findall(r"^([A-Z_]+)=", (ROOT / "docker/.env.example").read_text(), re.MULTILINE))
    assert set(re.findall(r"\$\{([A-Z_]+)", text)) == example
    services = yaml.safe_load(text)["services"]
    assert {"postgres", "redis", "api-server", "scheduler", "dag-processor", "triggerer", "worker"} <= services.keys()


def test_every_make_target_says_what_it_is_for() -> None:
    text = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", text, re.MULTILINE))
    described = set(re.findall(r"^([a-z]+):.*## .+", text, re.MULTILINE))
    assert {"venv", "demo", "test", "lint", "up", "down"} <= targets
    assert targets == described
