"""Which steps a pipeline has, in which order, and under which ids."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from airloom.exceptions import UserErrorException
from airloom.graph.ids import assign_ids
from airloom.pipeline.core.builder import PipelineStep, StepSequence, iter_steps


@dataclass
class Layout:
    """The steps of a pipeline, each after all that it needs, with their ids and who produces what.

    `order_only` holds the predecessors that come from run_after and from sequences, beside those by data.
    """

    steps: list[PipelineStep] = field(default_factory=list)
    ids: dict[PipelineStep, str] = field(default_factory=dict)
    order_only: dict[PipelineStep, list[PipelineStep]] = field(default_factory=dict)


def lay_out(items: Any, resolve_closure: bool) -> Layout:
    """Find all steps. The result depends on names and connections, not on the order in which steps were listed
    where connections fix the order, so the same pipeline gets the same ids in every process.

    With `resolve_closure`, steps that a listed step needs are added; without, their absence is an error.
    """
    if isinstance(items, PipelineStep):
        items = [items]
    listed = list(dict.fromkeys(iter_steps(items)))
    sequence: dict[PipelineStep, list[PipelineStep]] = {}
    _connect(items, sequence)
    layout = Layout()
    for step in listed:
        for found in _closure(step, set(layout.order_only), sequence):
            layout.order_only[found] = _unique([*found._run_after, *sequence.get(found, [])])
    layout.steps = list(layout.order_only)
    if not resolve_closure:
        _refuse_unlisted(layout, listed)
    layout.ids = dict(zip(layout.steps, assign_ids(step.name for step in layout.steps), strict=True))
    _refuse_two_producers(layout)
    return layout


def producer_of(data: Any, reader: PipelineStep) -> PipelineStep:
    """The step that writes the data. Raises UserErrorException if none does."""
    producer = data._producer
    if not isinstance(producer, PipelineStep):
        raise UserErrorException(
            f"Step '{reader.name}' reads {data!r}, but no step writes it. List it in the outputs of one."
        )
    return producer


def _predecessors(step: PipelineStep, sequence: dict[PipelineStep, list[PipelineStep]]) -> list[PipelineStep]:
    by_data = [producer_of(port.reads, step) for port in step._inputs if hasattr(port.reads, "_producer")]
    return _unique([*by_data, *step._run_after, *sequence.get(step, [])])


def _closure(
    last: PipelineStep, done: set[PipelineStep], sequence: dict[PipelineStep, list[PipelineStep]]
) -> Iterator[PipelineStep]:
    """The step after everything that it needs and that is not done yet. Circles are left to the validation."""
    seen = {last} | done
    waiting = [] if last in done else [(last, iter(_predecessors(last, sequence)))]
    while waiting:
        step, needed = waiting[-1]
        following = next((other for other in needed if other not in seen), None)
        if following is None:
            waiting.pop()
            yield step
        else:
            seen.add(following)
            waiting.append((following, iter(_predecessors(following, sequence))))


def _connect(
    items: Any, after: dict[PipelineStep, list[PipelineStep]]
) -> tuple[list[PipelineStep], list[PipelineStep]]:
    """Enter the order that sequences ask for; returns the first and the last steps of the items."""
    if isinstance(items, PipelineStep):
        return [items], [items]
    parts = [ends for item in items if (ends := _connect(item, after))[0]]
    if not isinstance(items, StepSequence):
        return _unique([s for firsts, _ in parts for s in firsts]), _unique([s for _, lasts in parts for s in lasts])
    for (_, earlier), (later, _) in itertools.pairwise(parts):
        for step in later:
            after.setdefault(step, []).extend(earlier)
    return (parts[0][0], parts[-1][1]) if parts else ([], [])


def _refuse_unlisted(layout: Layout, listed: list[PipelineStep]) -> None:
    missing = [step.name for step in layout.steps if step not in listed]
    if missing:
        raise UserErrorException(
            f"The pipeline lacks steps that others need: {', '.join(map(repr, missing))}. "
            "List them, or leave resolve_closure at True."
        )


def _refuse_two_producers(layout: Layout) -> None:
    writers: dict[int, PipelineStep] = {}
    for step in layout.steps:
        for output in step._outputs:
            other = writers.setdefault(id(output.data), step)
            if other is not step:
                raise UserErrorException(
                    f"Step '{other.name}' and step '{step.name}' both have {output.data!r} as an output. "
                    "Give each step a PipelineData of its own."
                )


def _unique(steps: list[PipelineStep]) -> list[PipelineStep]:
    return list(dict.fromkeys(steps))
