"""What `pip install` gives a user: the links, the data files and the commands are all in the wheel."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest
import uv

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
# Settings of tools, and what is built.
LEFT_OUT = {"__pycache__", "designer_dist", "ruff.toml"}
INPUTS = ("airloom", "operators", "plugins", "setup.cfg", "pyproject.toml", "LICENSE", "README.md")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel built by way of the source distribution, as an index has it."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    present = [ROOT / name for name in INPUTS if (ROOT / name).exists()]
    subprocess.run(["cp", "-a", *present, source], check=True)
    subprocess.run([uv.find_uv_bin(), "build", "--quiet", "--out-dir", built, source], check=True)
    (file,) = built.glob("*.whl")
    return zipfile.ZipFile(file)


def test_every_module_and_data_file_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    links = {"airloom/operators": ROOT / "operators", "airloom/plugins": ROOT / "plugins", "airloom": ROOT / "airloom"}
    wanted = {
        f"{name}/{file.relative_to(folder)}"
        for name, folder in links.items()
        for file in folder.rglob("*")
        if file.is_file() and not LEFT_OUT.intersection(file.parts)
    }
    assert wanted - set(wheel.namelist()) == set()


def test_nothing_but_the_package_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    assert {name.split("/")[0].split("-")[0] for name in wheel.namelist()} == {"airloom"}


def test_airflow_and_the_shell_find_their_entries(wheel: zipfile.ZipFile) -> None:
    (file,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    entries = wheel.read(file).decode().split()
    assert "airloom.plugins.plugin:AirloomPlugin" in entries
    assert "airloom.cli:main" in entries
