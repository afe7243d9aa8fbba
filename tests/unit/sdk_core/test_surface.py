"""What the packages offer, the shape of the exceptions, and the rule that nothing is dropped silently."""

from __future__ import annotations

import importlib
import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import airloom.core
import airloom.data
import airloom.exceptions
from airloom.core._compat import IgnoredArgumentWarning, ignored, not_yet, refuse_unless_default, unknown_keywords
from airloom.core._progress import transfer_progress
from airloom.exceptions import (
    ActivityFailedException,
    AzureMLAggregatedException,
    AzureMLException,
    ModelNotFoundException,
    ParallelRunException,
    ServiceException,
    UserErrorException,
    WorkspaceException,
)


@pytest.mark.parametrize("package", [airloom.core, airloom.data, airloom.exceptions])
def test_everything_that_is_offered_is_there(package: object) -> None:
    names: list[str] = package.__all__  # type: ignore[attr-defined]
    assert names == sorted(names)
    for name in names:
        assert getattr(package, name).__name__ == name
    assert set(names) <= set(dir(package))


def test_what_is_not_offered_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'airloom\.core' has no attribute 'Webservice'"):
        airloom.core.Webservice  # noqa: B018


def test_importing_the_sdk_stays_light() -> None:
    heavy = "{'airflow', 'pandas', 'pyarrow', 'httpx', 'rich', 'typer'}"
    imports = "from airloom.core import *; from airloom.data import *; import airloom.core.authentication"
    program = f"import sys; {imports}; print(sorted({heavy} & sys.modules.keys()))"
    # The working folder is the test's own, so paths that are relative to the project's must be told.
    surroundings = {**os.environ, "PYTHONPATH": str(Path(airloom.core.__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=surroundings)
    assert done.stdout.strip() == "[]"


class TestExceptions:
    def test_all_are_azureml_exceptions(self) -> None:
        module = importlib.import_module("airloom.exceptions")
        assert all(issubclass(getattr(module, name), AzureMLException) for name in module.__all__)

    def test_message_and_inner_exception(self, capsys: pytest.CaptureFixture[str]) -> None:
        cause = ValueError("deep")
        error = UserErrorException("It is wrong.", inner_exception=cause)
        assert error.message == str(error) == "It is wrong."
        assert error.inner_exception is cause and error.__cause__ is cause
        error.message, error.inner_exception = "Otherwise.", None
        assert (str(error), error.inner_exception) == ("Otherwise.", None)
        error.print_stacktrace()
        assert "Otherwise." in capsys.readouterr().err

    def test_a_format_may_be_given(self) -> None:
        error = AzureMLException(message_format="{a} and {b}", message_parameters={"a": 1, "b": 2}, target="t")
        assert (str(error), error.target, error.details) == ("1 and 2", "t", [])

    def test_classes_with_more_than_a_message(self, caplog: pytest.LogCaptureFixture) -> None:
        assert ActivityFailedException(error_details="why").error_details == "why"
        assert ServiceException("down", status_code=503).status_code == 503
        assert ServiceException(OSError("down")).inner_exception is not None
        assert WorkspaceException("two", found_multiple=True).found_multiple
        assert str(AzureMLAggregatedException([ValueError("a"), ValueError("b")])) == "a\nb"
        assert ParallelRunException("x", code="c", delay_seconds=3).delay_seconds == 3
        ModelNotFoundException("no model", logger=logging.getLogger("x"))
        assert "no model" in caplog.text
        assert "X_KEY is not set" in str(airloom.exceptions.DiscoveryUrlNotFoundException("X_KEY"))


class TestNothingIsDroppedSilently:
    def test_a_warning_comes_once_and_points_at_the_users_line(self) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            ignored("f(x=...)", "it is so.")
            ignored("f(x=...)", "it is so.")
        assert [str(warning.message) for warning in caught] == ["f(x=...) has no effect: it is so."]
        assert caught[0].category is IgnoredArgumentWarning and caught[0].filename == __file__

    def test_not_yet_names_the_thing_and_the_way_out(self) -> None:
        assert str(not_yet("X", "Use Y.")) == "X is not available in this version of Airloom. Use Y."

    def test_a_refused_argument_is_named(self) -> None:
        refuse_unless_default("f", {"a": (1, 1)})
        with pytest.raises(UserErrorException, match="The argument b of f is not available"):
            refuse_unless_default("f", {"a": (1, 1), "b": (2, 1)})

    def test_unknown_keywords_are_refused_and_private_ones_pass(self) -> None:
        unknown_keywords("f", {"_private": 1})
        with pytest.raises(UserErrorException, match="f does not know"):
            unknown_keywords("f", {"nonsense": 1})


def test_on_a_terminal_progress_is_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with transfer_progress("Uploaded", 1, 10, show=True) as progress:
        progress.advance(10)
        progress.done("[bold]a.csv")
    assert "Uploaded 1 files" in capsys.readouterr().out
