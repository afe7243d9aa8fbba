"""What holds for every test, and fixtures that any may ask for.

Tests that build DAGs import Airflow into this process. It reads its home when it is first imported, by whichever test
comes first, so the home is set here: a folder of the session's own, of which nothing may come from the user's.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

pytest_plugins = [
    "tests.support.azure_files",
    "tests.support.azurite",
    "tests.support.moto_s3",
    "tests.support.datastores",
    "tests.support.postgres",
    "tests.support.stores",
]

os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airloom-airflow-")
atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__OPENLINEAGE__DISABLED"] = "True"  # each process would load it; the tests of lineage ask for it


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--thorough", action="store_true", help="run the programme of crashes, races and corruption at full scale"
    )


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling | None:
    """With `--dist loadscope` the tests of a folder run in one of the processes, as they share their servers."""
    if config.getoption("dist") != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class LoadFolderScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return nodeid.partition("::")[0].rpartition("/")[0]

    return LoadFolderScheduling(config, log)


@pytest.fixture(scope="session")
def rounds(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """How often to repeat: `rounds(few, many)` is `few`, or `many` with --thorough."""
    thorough = bool(request.config.getoption("--thorough"))
    return lambda few, many: many if thorough else few
