"""Hypothesis strategies for sound graphs."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from airloom.graph.model import (
    DataLocation,
    EnvironmentSpec,
    FilesSource,
    FromParameter,
    FromSource,
    InputMode,
    InputPath,
    InputPort,
    LiteralValue,
    OutputOf,
    OutputPath,
    OutputPort,
    ParameterDef,
    ParameterValue,
    PathSource,
    PipelineGraph,
    PythonScriptSettings,
    Retries,
    Step,
    TabularSource,
)
from airloom.graph.tables import (
    Call,
    ColumnType,
    ColumnValue,
    Constant,
    DropColumns,
    Filter,
    Moment,
    ReadOptions,
    Sample,
    Take,
)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8).filter(lambda t: "\0" not in t)
awkward = st.sampled_from(
    ["", "yes", "no", "null", "~", "1", "1e3", "0o7", "12:30", "2020-01-01", "input:x", "parameter:", " a ", "#", "- b"]
)
texts = text | awkward
scalars = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
names = st.from_regex(r"[a-z_][a-z0-9_]{0,6}", fullmatch=True)
paths = st.sampled_from(["", "raw", "raw/*.csv", "a b/c", "7"])
locations = st.builds(DataLocation, datastore=st.sampled_from(["workspaceblobstore", "other"]), path=paths)
path_sources = st.builds(PathSource, location=locations)
file_sources = st.builds(FilesSource, locations=st.lists(locations, min_size=1, max_size=2).map(tuple))
leaves = st.builds(ColumnValue, name=texts) | st.builds(Constant, value=scalars | st.none())
expressions = st.recursive(
    leaves | st.just(Moment(value="2020-01-01")),
    lambda inner: st.builds(
        Call, function=st.sampled_from(["eq", "and"]), arguments=st.lists(inner, min_size=1, max_size=2).map(tuple)
    ),
    max_leaves=4,
)
transforms = (
    st.builds(Take, count=st.integers(0, 9))
    | st.builds(Sample, probability=st.floats(0, 1), seed=st.integers())
    | st.builds(DropColumns, columns=st.lists(texts, max_size=2).map(tuple))
    | st.builds(Filter, condition=expressions)
)
column_types = st.builds(ColumnType, type=st.just("datetime"), formats=st.lists(texts, max_size=2).map(tuple))
options = st.builds(
    ReadOptions,
    infer_types=st.booleans(),
    column_types=st.dictionaries(texts.filter(bool), column_types, max_size=2),
    partition_format=st.none() | texts,
    headers=st.sampled_from(["each", "first"]),
)
tables = st.builds(
    TabularSource,
    locations=st.lists(locations, min_size=1, max_size=2).map(tuple),
    separator=st.sampled_from([",", "\t", ";", "|", " "]),
    header=st.booleans(),
    encoding=st.sampled_from(["utf8", "latin1"]),
    keep_columns=st.none() | st.lists(texts, max_size=2).map(tuple),
    format=st.sampled_from(["delimited", "parquet", "json_lines"]),
    options=st.just(ReadOptions()) | options,
    transforms=st.lists(transforms, max_size=2).map(tuple),
    timestamps=st.none() | st.tuples(st.none() | texts, st.none() | texts),
)
readings = tables.map(lambda table: table.reading)
environments = st.builds(
    EnvironmentSpec,
    python_version=st.none() | st.sampled_from(["3.11", "3.10"]),
    packages=st.lists(st.sampled_from(["pandas>=2", "numpy==1.26.*"]), unique=True, max_size=2).map(tuple),
    variables=st.dictionaries(names, texts, max_size=2),
)
values = {"int": st.integers(), "float": st.floats(-1e9, 1e9), "bool": st.booleans(), "string": texts}
value_parameters = st.sampled_from(sorted(values)).flatmap(
    lambda kind: st.builds(ParameterDef, name=names, type=st.just(kind), default=values[kind])
)
data_parameters = st.builds(ParameterDef, name=names, type=st.just("datapath"), default=path_sources) | st.builds(
    ParameterDef, name=names, type=st.just("dataset"), default=file_sources | tables
)
retries = st.builds(
    Retries,
    count=st.integers(1, 100),
    delay_seconds=st.floats(0, 86400),
    backoff=st.floats(1, 100),
    max_delay_seconds=st.floats(0, 86400),
)
tokens = st.builds(LiteralValue, value=scalars)


def mode_for(source: Any) -> InputMode:
    """A mode that fits the data."""
    return "direct" if isinstance(source, TabularSource) else "mount"


def name_of(binding: Any) -> str:
    """The data source or parameter that an input is bound to, if it is."""
    return str(getattr(binding, "source", getattr(binding, "parameter", "")))


@st.composite
def graphs(draw: st.DrawFn) -> PipelineGraph:
    """A graph in which every reference is good."""
    parameters = draw(st.lists(value_parameters | data_parameters, unique_by=lambda p: p.name, max_size=3))
    sources = draw(st.dictionaries(names, path_sources | file_sources | tables, max_size=3))
    steps: list[Step] = []
    outputs: list[tuple[str, str]] = []
    for step_id in draw(st.lists(st.from_regex(r"s[a-z0-9.-]{0,4}[a-z]", fullmatch=True), min_size=1, unique=True)):
        bindings: list[Any] = [
            *(OutputOf(step=step, port=port) for step, port in outputs),
            *(FromSource(source=name) for name in sources),
            *(FromParameter(parameter=p.name) for p in parameters if p.type in ("datapath", "dataset")),
        ]
        chosen = draw(st.lists(st.sampled_from(bindings), max_size=3)) if bindings else []
        known = {**sources, **{p.name: p.default for p in parameters}}
        inputs = [
            InputPort(
                name=f"in_{number}",
                binding=binding,
                table=table,
                mode="direct" if table else mode_for(known.get(name_of(binding))),
                path_on_compute=draw(st.none() | st.just("here")),
                overwrite=draw(st.booleans()),
            )
            for number, binding in enumerate(chosen)
            for table in [draw(st.none() | readings) if isinstance(binding, OutputOf) else None]
        ]
        ports = draw(st.lists(names, max_size=2, unique=True))
        plain = [ParameterValue(parameter=p.name) for p in parameters if p.type not in ("datapath", "dataset")]
        arguments = [
            *draw(st.lists(tokens | st.sampled_from(plain) if plain else tokens, max_size=4)),
            *(InputPath(port=port.name) for port in inputs),
            *(OutputPath(port=port) for port in ports),
        ]
        steps.append(
            Step(
                id=step_id,
                name=draw(texts.filter(bool)),
                settings=PythonScriptSettings(
                    script_name="main.py",
                    snapshot="ab" * 32,
                    hash_paths=draw(st.sampled_from([(), ("lib", "main.py")])),
                    environment=draw(environments),
                ),
                inputs=tuple(inputs),
                outputs=tuple(
                    OutputPort(
                        name=port,
                        datastore=draw(st.none() | st.just("other")),
                        mode=draw(st.sampled_from(["mount", "upload"])),
                        is_directory=draw(st.booleans()),
                        destination=draw(st.none() | st.just(f"{step_id}/{port}")),
                    )
                    for port in ports
                ),
                arguments=tuple(arguments),
                params=draw(st.dictionaries(names, tokens, max_size=2)),
                compute_target=draw(st.none() | st.just("cpu")),
                run_after=tuple(draw(st.lists(st.sampled_from([s.id for s in steps]), unique=True)) if steps else ()),
                allow_reuse=draw(st.booleans()),
                reuse=draw(st.sampled_from(["auto", "off", "refresh"])),
                version=draw(st.none() | texts.filter(bool)),
                timeout_seconds=draw(st.none() | st.integers(1, 10**6)),
                retries=draw(st.none() | retries),
            )
        )
        outputs += [(step_id, port) for port in ports]
    return PipelineGraph(
        description=draw(texts),
        parameters=tuple(parameters),
        sources=sources,
        steps=tuple(steps),
        continue_on_step_failure=draw(st.booleans()),
    )
