"""docs/server.md has every setting with its default, every variable, every file of a home, and the right settings."""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path
from typing import Any

from airloom.embedded.components import COMPONENTS, LOG_LIMIT
from airloom.embedded.home import Home
from airloom.embedded.profile import airflow_settings
from airloom.embedded.supervisor import GRACE_SECONDS, START_ATTEMPTS
from airloom.storage.definitions import SHARDS
from tests.docs.support import ROOT, blocks, codes, first_codes, rows, section, text_of

PAGE = "docs/server.md"
VARIABLE = re.compile(r"(?<![A-Z_])AIRLOOM_[A-Z_]*[A-Z]")


def test_every_setting_is_there(facts: dict[str, Any]) -> None:
    settings = [row for row in rows(section(PAGE, "Settings")) if not VARIABLE.search(row[0])]
    assert [codes(row[0])[0] for row in settings] == facts["settings"]


def test_defaults_are_those_of_the_code() -> None:
    code = (ROOT / "plugins" / "settings.py").read_text()
    defaults = dict(re.findall(r'_integer\("(\w+)", (\d+)\)', code))
    documented = {codes(row[0])[0]: row[1] for row in rows(section(PAGE, "Settings")) if row[1].isdecimal()}
    assert documented == defaults


def test_every_variable_is_there() -> None:
    files = [file for folder in ("airloom", "operators", "plugins") for file in (ROOT / folder).rglob("*.py")]
    used = {name for file in files for name in VARIABLE.findall(file.read_text())}
    assert {code for code in first_codes(section(PAGE, "Settings")) if VARIABLE.fullmatch(code)} == used


def test_every_place_in_a_home_is_there(tmp_path: Path) -> None:
    home = Home(tmp_path)
    places = [home.config_json, home.passwords, home.airflow_cfg, home.database, home.database_address]
    places += [home.schedulers]
    places += [home.store, home.logs, home.state, home.path / "secrets.json", home.path / "lock"]
    named = {code.rstrip("/") for code in first_codes(section(PAGE, "The home"))}
    assert {str(place.relative_to(home.path)) for place in places} | {"airflow/dags"} == named


def test_settings_for_an_airflow_of_ones_own_are_those_of_the_embedded_one(tmp_path: Path) -> None:
    (block,) = [block for block in blocks(PAGE) if block.language == "ini"]
    shown = configparser.ConfigParser()
    shown.read_string(block.text)
    ours = airflow_settings(Home(tmp_path), 8080)
    assert shown["database"]["external_db_managers"] == ours["database"]["external_db_managers"]
    bundles = json.loads(str(ours["dag_processor"]["dag_bundle_config_list"]))
    assert json.loads(shown["dag_processor"]["dag_bundle_config_list"]) == bundles
    assert set(shown["airloom"]) <= set(ours["airloom"])


def test_numbers_are_those_of_the_code() -> None:
    text = " ".join(text_of(PAGE).split())
    assert GRACE_SECONDS == 8 and "get eight seconds to end" in text
    assert START_ATTEMPTS == 3 and "three times in a row" in text
    assert f"a file above {LOG_LIMIT // 1024**2} MiB" in text
    assert f"the {SHARDS} loader files" in text
    assert [component.name for component in COMPONENTS] == ["api-server", "scheduler", "dag-processor", "triggerer"]
    assert "API server, scheduler, DAG processor and triggerer" in text
