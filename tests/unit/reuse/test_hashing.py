"""What counts for the key of a step, and what does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airloom.graph.canonical import canonical_json
from airloom.graph.model import (
    DataLocation,
    EnvironmentSpec,
    LiteralValue,
    OutputPort,
    ParameterValue,
    Retries,
    Step,
    TabularSource,
)
from airloom.reuse.hashing import StepKey, step_key
from tests.support.builders import a_step, an_input


def key_of(step: Step, **changes: Any) -> StepKey:
    given: dict[str, Any] = {
        "source_digest": "s" * 64,
        "input_digests": {port.name: "i" * 64 for port in step.inputs},
        "parameters": {"alpha": 1},
        "sources": {},
    }
    return step_key(step, **{**given, **changes})


BASE = a_step("train", reads=["prepare.table"], writes=["model"])


def settings(**changes: Any) -> dict[str, Any]:
    return {"settings": BASE.settings.model_copy(update=changes)}


COUNTS = {
    "script": settings(script_name="other.py"),
    "package": settings(environment=EnvironmentSpec(packages=("numpy==2.0.0",))),
    "python version": settings(environment=EnvironmentSpec(python_version="3.12")),
    "environment variable": settings(environment=EnvironmentSpec(variables={"A": "1"})),
    "argument": {"arguments": (*BASE.arguments, LiteralValue(value=1))},
    "order of arguments": {"arguments": tuple(reversed(BASE.arguments))},
    "param": {"params": {"A": LiteralValue(value="1")}},
    "parameter": {"arguments": (*BASE.arguments, ParameterValue(parameter="alpha"))},
    "input mode": {"inputs": (an_input("prepare.table", mode="download"),)},
    "input path on compute": {"inputs": (an_input("prepare.table", path_on_compute="here"),)},
    "output name": {"outputs": (OutputPort(name="other", is_directory=True),)},
    "output mode": {"outputs": (OutputPort(name="model", is_directory=True, mode="upload"),)},
    "output datastore": {"outputs": (OutputPort(name="model", is_directory=True, datastore="other"),)},
    "version": {"version": "2"},
}
DOES_NOT_COUNT = {
    "compute target": {"compute_target": "big-cluster"},
    "label": {"name": "another name"},
    "id": {"id": "train-2"},
    "timeout": {"timeout_seconds": 60},
    "retries": {"retries": Retries(count=3)},
    "order of steps": {"run_after": ("clean",)},
}


@pytest.mark.parametrize("change", COUNTS.values(), ids=COUNTS.keys())
def test_a_change_that_counts_gives_another_key(change: dict[str, Any]) -> None:
    assert key_of(BASE.model_copy(update=change)).key != key_of(BASE).key


@pytest.mark.parametrize("change", DOES_NOT_COUNT.values(), ids=DOES_NOT_COUNT.keys())
def test_a_change_that_does_not_count_keeps_the_key(change: dict[str, Any]) -> None:
    assert key_of(BASE.model_copy(update=change)).key == key_of(BASE).key


def test_content_of_the_source_folder_and_of_inputs_counts() -> None:
    assert key_of(BASE, source_digest="t" * 64).key != key_of(BASE).key
    assert key_of(BASE, input_digests={"prepare_table": "j" * 64}).key != key_of(BASE).key


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (1, True), (1, "1"), (0, False), ("", "0")])
def test_values_of_different_types_are_different(one: Any, other: Any) -> None:
    step = BASE.model_copy(update={"arguments": (LiteralValue(value=one),)})
    changed = BASE.model_copy(update={"arguments": (LiteralValue(value=other),)})
    assert key_of(step).key != key_of(changed).key


def test_only_parameters_that_the_step_uses_count() -> None:
    uses = BASE.model_copy(update={"arguments": (ParameterValue(parameter="alpha"),)})
    assert key_of(uses, parameters={"alpha": 2}).key != key_of(uses).key
    assert key_of(uses, parameters={"alpha": 1, "other": 9}).key == key_of(uses).key
    assert key_of(BASE, parameters={"alpha": 2}).key == key_of(BASE).key


def test_a_missing_digest_or_parameter_gives_no_key() -> None:
    with pytest.raises(KeyError, match="prepare_table"):
        key_of(BASE, input_digests={})
    with pytest.raises(KeyError, match="beta"):
        key_of(BASE.model_copy(update={"params": {"A": ParameterValue(parameter="beta")}}))


def test_the_order_of_packages_and_of_dict_entries_does_not_count() -> None:
    one = EnvironmentSpec(packages=("a", "b"), variables={"X": "1", "Y": "2"})
    other = EnvironmentSpec(packages=("b", "a"), variables={"Y": "2", "X": "1"})
    first = BASE.model_copy(update=settings(environment=one))
    second = BASE.model_copy(update=settings(environment=other))
    assert key_of(first).key == key_of(second).key


def test_the_parts_of_a_key_are_the_same_when_they_come_back_from_a_record() -> None:
    """Else an explanation would call them changed."""
    source = TabularSource(locations=(DataLocation(datastore="d", path="t.csv"),), keep_columns=("a", "b"))
    step = BASE.model_copy(update={"inputs": (an_input("table"),), "params": {"A": LiteralValue(value=1.5)}})
    parts = key_of(step, sources={"table": source}).parts
    assert json.loads(canonical_json(parts)) == parts
    assert parts["input:table"]["reading"] == {
        "separator": ",", "header": True, "encoding": "utf8", "keep_columns": ["a", "b"],
    }  # fmt: skip
