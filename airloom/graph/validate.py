"""What can be wrong with a pipeline, found before anything is stored or run.

`validate_graph` is pure: the SDK calls it with what it knows of the workspace, the server with what is true.
`parse_graph` and `check_parameters` are the doors for graphs and parameter values that come from outside.
"""

from __future__ import annotations

import graphlib
import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from airloom.errors import InvalidGraph
from airloom.graph._check_step import check_step
from airloom.graph._check_values import GraphProblem, check_location, check_parameter
from airloom.graph.model import InputPort, OutputOf, OutputPort, PipelineGraph, Step, source_locations
from airloom.graph.parameters import check_parameters
from airloom.graph.parse import parse_graph

__all__ = ["GraphProblem", "check_location", "check_parameters", "parse_graph", "raise_problems", "validate_graph"]


def validate_graph(
    graph: PipelineGraph, *, datastores: Collection[str], computes: Collection[str]
) -> list[GraphProblem]:
    """All problems of a graph, in the order of its parts; an empty list means that it can run.

    `datastores` and `computes` are the names known in the workspace.
    """
    problems = list(_check_parameters(graph, datastores))
    problems += _check_sources(graph, datastores)
    if not graph.steps:
        problems.append(
            GraphProblem("NoSteps", "The pipeline has no steps.", "pipeline", "Add at least one step to it.")
        )
    problems += _check_duplicate_steps(graph)
    steps = {step.id: step for step in graph.steps}
    for step in graph.steps:
        problems += check_step(step, graph, steps, datastores, computes)
    problems += _check_destinations(graph)
    problems += _check_pipeline_outputs(graph)
    problems += _check_cycle(graph, steps)
    return problems


def raise_problems(problems: Collection[GraphProblem]) -> None:
    """Raise InvalidGraph with all problems in its message; nothing happens when there are none."""
    if not problems:
        return
    first = next(iter(problems))
    if len(problems) == 1:
        raise InvalidGraph(first.message, hint=first.hint, target=first.target)
    lines = "\n".join(f"  - {problem}" for problem in problems)
    raise InvalidGraph(f"The pipeline has {len(problems)} problems:\n{lines}", target=first.target)


def _check_parameters(graph: PipelineGraph, datastores: Collection[str]) -> Iterator[GraphProblem]:
    for name in _repeated(parameter.name for parameter in graph.parameters):
        yield GraphProblem(
            "DuplicateParameter",
            f"There are several different pipeline parameters called '{name}'.",
            f"parameter {name}",
            "Use one PipelineParameter object everywhere, or give them different names.",
        )
    for parameter in graph.parameters:
        yield from check_parameter(parameter, datastores)


def _check_sources(graph: PipelineGraph, datastores: Collection[str]) -> Iterator[GraphProblem]:
    for name, source in graph.sources.items():
        locations = source_locations(source)
        if not locations:
            message = f"Data source '{name}' names no files."
            yield GraphProblem("EmptySource", message, f"source {name}", "Give it at least one path.")
        for location in locations:
            yield from check_location(location, f"Data source '{name}'", f"source {name}", datastores)


def _check_duplicate_steps(graph: PipelineGraph) -> Iterator[GraphProblem]:
    for step_id in _repeated(step.id for step in graph.steps):
        message = f"There are several steps with the id '{step_id}'."
        yield GraphProblem("DuplicateStep", message, f"step {step_id}", "Give each step an id of its own.")


@dataclass
class _Folder:
    """One level of all destinations on a datastore: who writes exactly here, and what lies below."""

    writer: str | None = None
    below: dict[str, _Folder] = field(default_factory=dict)


def _check_destinations(graph: PipelineGraph) -> Iterator[GraphProblem]:
    roots: dict[str | None, _Folder] = {}
    for step in graph.steps:
        for port in step.outputs:
            if port.destination is None:
                continue
            writer = f"output '{port.name}' of step '{step.id}'"
            other = _claim(roots.setdefault(port.datastore, _Folder()), _destination_parts(port), writer)
            if other is not None:
                yield GraphProblem(
                    "DuplicateDestination",
                    f"{writer[0].upper()}{writer[1:]} and {other} would overwrite each other at '{port.destination}'.",
                    f"step {step.id} output {port.name}",
                    "Give each output a destination that is not the same as, or inside, another's.",
                )


def _destination_parts(port: OutputPort) -> list[str]:
    path = (port.destination or "").replace("{output-name}", port.name)
    return [part for part in path.split("/") if part not in ("", ".")]


def _claim(root: _Folder, parts: list[str], writer: str) -> str | None:
    """Enter a writer into the tree of destinations; returns another one that it overlaps with."""
    folder = root
    for part in parts:
        if folder.writer is not None:
            return folder.writer
        folder = folder.below.setdefault(part, _Folder())
    other = folder.writer or next(_writers(folder), None)
    folder.writer = writer
    return other


def _writers(folder: _Folder) -> Iterator[str]:
    waiting = list(folder.below.values())
    while waiting:
        current = waiting.pop()
        if current.writer is not None:
            yield current.writer
        waiting.extend(current.below.values())


def _check_pipeline_outputs(graph: PipelineGraph) -> Iterator[GraphProblem]:
    names = (port.pipeline_output_name for step in graph.steps for port in step.outputs)
    for name in _repeated(name for name in names if name is not None):
        yield GraphProblem(
            "DuplicatePipelineOutput",
            f"Several outputs have the pipeline output name '{name}'.",
            f"pipeline output {name}",
            "Give each a pipeline_output_name of its own.",
        )


def _check_cycle(graph: PipelineGraph, steps: dict[str, Step]) -> Iterator[GraphProblem]:
    known = {step.id: [name for name in step.upstream() if name in steps] for step in graph.steps}
    try:
        graphlib.TopologicalSorter(known).prepare()
    except graphlib.CycleError as error:
        path: list[str] = error.args[1]
        shown = " -> ".join(f"'{name}'" for name in path)
        links = [_link(steps[after], before) for before, after in itertools.pairwise(path)]
        yield GraphProblem(
            "Cycle",
            f"The steps wait for each other in a circle: {shown}.",
            f"step {path[0]}",
            f"Remove one of these: {'; '.join(dict.fromkeys(links))}.",
        )


def _link(after: Step, before: str) -> str:
    """Why one step waits for another, in words."""
    port = next((port for port in after.inputs if _reads(port, before)), None)
    if port is not None:
        return f"input '{port.name}' of step '{after.id}'"
    return f"run_after('{before}') of step '{after.id}'"


def _reads(port: InputPort, step_id: str) -> bool:
    return isinstance(port.binding, OutputOf) and port.binding.step == step_id


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
