"""Every field of a step either counts for its key or does not, and the list of those that do not is here."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airloom.graph.model import FromParameter, InputPort, OutputOf, PathSource, PipelineGraph, Step, TabularSource
from airloom.graph.tables import Take
from airloom.reuse.hashing import parameters_used, pipeline_key, step_key
from airloom.storage.snapshot import collect
from airloom.storage.stat_cache import null_cache
from tests.support.builders import a_path
from tests.unit.graph.graphs import graphs

DOES_NOT_COUNT = {
    "id",
    "name",
    "compute_target",
    "run_after",
    "allow_reuse",
    "reuse",
    "timeout_seconds",
    "retries",
    "inputs.overwrite",
    "outputs.overwrite",
    "outputs.pipeline_output_name",
}
"""Fields of a step that may change while its results stay valid. A new field counts unless it is named here."""

OTHERWISE = {"inputs.binding", "settings.snapshot"}
"""Fields that count through the content which they lead to."""

ALTERNATIVES = {
    "inputs.mode": {"mount": "download", "download": "mount", "direct": "mount"},
    "outputs.mode": {"mount": "upload", "upload": "mount"},
    "reuse": {"auto": "off", "off": "refresh", "refresh": "auto"},
}
Place = tuple[str | int, ...]


class AnyValue(dict[str, Any]):
    """Parameters, or sources, under any name."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self._value = value

    def __missing__(self, name: str) -> Any:
        return self._value


def key_of(step: Step, sources: Any = None) -> str:
    return step_key(
        step,
        source_digest="s" * 64,
        input_digests=AnyValue("i" * 64),
        parameters=AnyValue(1),
        sources=AnyValue(a_path("d/p")) if sources is None else sources,
    ).key


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """The way to each value of a JSON document that can be changed alone.

    What tells variants apart cannot, nor most of what says how a table is read, which tests of its own change.
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in ("kind", "type", "table"):
                yield from places(inner, (*place, key))
    elif isinstance(value, list):
        yield place
        for index, inner in enumerate(value):
            yield from places(inner, (*place, index))
    else:
        yield place


def changed(document: Any, place: Place) -> Any:
    """The document with another value at this place."""
    document = copy.deepcopy(document)
    holder = document
    for part in place[:-1]:
        holder = holder[part]
    holder[place[-1]] = another(holder[place[-1]], named(place).removeprefix("steps."))
    return document


def another(value: Any, field: str) -> Any:
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return 0.5 if value != 0.5 else 0.25
        case list():
            return value[:-1] if value else EXAMPLES.get(field, ["x"])
        case None:
            return 7 if field == "timeout_seconds" else "x"
        case str():
            return ALTERNATIVES.get(field, {}).get(value, value + "x")
    raise AssertionError(f"{value!r} at {field}")


EXAMPLES = {
    "arguments": [{"kind": "literal", "value": 1}],
    "inputs": [{"name": "more", "binding": {"kind": "source", "source": "raw"}}],
    "outputs": [{"name": "more"}],
}


def named(place: Place) -> str:
    """The place without the numbers of elements: `inputs.mode`."""
    return ".".join(part for part in place if isinstance(part, str))


def is_among(place: Place, fields: set[str]) -> bool:
    return any(named(place) == field or named(place).startswith(field + ".") for field in fields)


@settings(max_examples=100, deadline=None)
@given(graphs(), st.data())
def test_a_change_of_one_field_changes_the_key_or_does_not(graph: PipelineGraph, data: st.DataObject) -> None:
    step = data.draw(st.sampled_from(graph.steps))
    document = step.model_dump(mode="json")
    place = data.draw(st.sampled_from([one for one in places(document) if not is_among(one, OTHERWISE)]))
    other = Step.model_validate(changed(document, place))
    assert (key_of(other) == key_of(step)) == is_among(place, DOES_NOT_COUNT), place


@settings(max_examples=25, deadline=None)
@given(graphs(), st.data())
def test_params_and_variables_count_by_name_and_in_no_order(graph: PipelineGraph, data: st.DataObject) -> None:
    step = data.draw(st.sampled_from(graph.steps))
    document = step.model_dump(mode="json")
    for entries in (document["params"], document["settings"]["environment"]["variables"]):
        backwards = dict(reversed(entries.items()))
        entries.clear()
        entries.update(backwards)
    document["settings"]["environment"]["packages"].reverse()
    document["settings"]["hash_paths"].reverse()
    assert key_of(Step.model_validate(document)) == key_of(step)
    more = {**document, "params": {**document["params"], "MORE": {"kind": "literal", "value": ""}}}
    assert key_of(Step.model_validate(more)) != key_of(step)
    document["settings"]["environment"]["variables"]["MORE"] = ""
    assert key_of(Step.model_validate(document)) != key_of(step)


def test_how_a_table_is_read_counts_and_where_it_lies_does_not() -> None:
    table = TabularSource(locations=(a_path("d/t.csv").location,))
    step = Step.model_validate(
        {"id": "s", "name": "s", "settings": {"script_name": "a.py", "snapshot": ""}, "inputs": EXAMPLES["inputs"]}
    )
    keys = {key_of(step, AnyValue(table))}
    elsewhere = table.model_copy(update={"locations": (a_path("e/u.csv").location,)})
    assert {key_of(step, AnyValue(elsewhere))} == keys
    for change in ({"separator": ";"}, {"header": False}, {"encoding": "latin1"}, {"keep_columns": ("a",)}):
        keys.add(key_of(step, AnyValue(table.model_copy(update=change))))
    keys.add(key_of(step, AnyValue(PathSource(location=table.locations[0]))))
    assert len(keys) == 6


@settings(max_examples=25, deadline=None)
@given(graphs(), st.data())
def test_equal_keys_of_pipelines_mean_equal_keys_of_all_steps(graph: PipelineGraph, data: st.DataObject) -> None:
    """Any change of the graph, of a source's content or of a parameter is another pipeline key."""
    document = graph.model_dump(mode="json")
    place = data.draw(st.sampled_from([one for one in places(document["steps"], ("steps",)) if len(one) > 2]))
    other = PipelineGraph.model_validate(changed(document, place))
    keys = {
        pipeline_key(graph, {"source:raw": "1"}, {"alpha": 1}),
        pipeline_key(graph, {"source:raw": "1"}, {"alpha": 1.0}),
        pipeline_key(graph, {"source:raw": "2"}, {"alpha": 1}),
        pipeline_key(graph, {}, {"alpha": 1}),
        pipeline_key(graph, {"source:raw": "1"}, {}),
        pipeline_key(other, {"source:raw": "1"}, {"alpha": 1}),
    }
    assert len(keys) == 6
    again = pipeline_key(PipelineGraph.model_validate(document), {"source:raw": "1"}, {"alpha": 1})
    assert again in keys


@settings(max_examples=25, deadline=None)
@given(graphs())
def test_the_parameters_that_are_used_are_named_once_and_in_order(graph: PipelineGraph) -> None:
    for step in graph.steps:
        document = step.model_dump(mode="json")
        tokens = [*document["arguments"], *document["params"].values()]
        assert parameters_used(step) == sorted({one["parameter"] for one in tokens if one["kind"] == "parameter"})


# --- line endings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["main.py", "data.csv", ".amlignore"])
def test_line_endings_of_files_are_content(tmp_path: Path, name: str) -> None:
    """A script with other line endings is another script: it may read itself, and an interpreter may refuse it."""
    digests = set()
    for number, ending in enumerate((b"\n", b"\r\n", b"\r")):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / name).write_bytes(b"a" + ending + b"b" + ending)
        digests.add(collect(folder, cache=null_cache()).digest)
    assert len(digests) == 3


@pytest.mark.parametrize("name", [".amlignore", ".gitignore"])
def test_line_endings_of_ignore_files_do_not_change_what_they_mean(tmp_path: Path, name: str) -> None:
    kept = set()
    for number, ending in enumerate(("\n", "\r\n")):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / name).write_bytes(ending.join(["*.log", "build/", ""]).encode())
        (folder / "main.py").write_text("")
        (folder / "run.log").write_text("")
        kept.add(tuple(entry.path for entry in collect(folder, cache=null_cache()).entries))
    assert kept == {(name, "main.py")}


def test_how_the_table_of_a_parameter_or_an_output_is_read_counts() -> None:
    table = TabularSource(locations=(a_path("d/t.csv").location,))
    cut = TabularSource(locations=table.locations, transforms=(Take(count=5),))
    step = Step.model_validate({"id": "s", "name": "s", "settings": {"script_name": "a.py", "snapshot": ""}})
    given = step.model_copy(
        update={"inputs": (InputPort(name="t", binding=FromParameter(parameter="p"), mode="direct"),)}
    )
    plain, other = (
        step_key(
            given,
            source_digest="",
            input_digests={"t": "d"},
            parameters={"p": value.model_dump(mode="json")},
            sources={},
        )
        for value in (table, cut)
    )
    assert plain != other and "reading" not in plain.parts["input:t"]
    ports = [
        InputPort(name="t", binding=OutputOf(step="a", port="o"), mode="direct", table=reading)
        for reading in (None, table.reading, cut.reading)
    ]
    keys = {
        step_key(reader, source_digest="", input_digests={"t": "d"}, parameters={}, sources={}).key
        for reader in (step.model_copy(update={"inputs": (port,)}) for port in ports)
    }
    assert len(keys) == 3
