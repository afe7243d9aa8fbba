"""From what users list as inputs, outputs and arguments of a step to its ports and tokens."""

from __future__ import annotations

import numbers
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from airloom.exceptions import UserErrorException
from airloom.graph.model import InputPath, LiteralValue, OutputPath
from airloom.pipeline.core._data import BoundInput, BoundOutput, bind_input, bind_output, declares_itself, is_data
from airloom.pipeline.core.graph import PipelineParameter

Token = LiteralValue | InputPath | OutputPath | PipelineParameter
"""One argument: a value, the path of a port, or a parameter whose value each run fills in."""

_Port = TypeVar("_Port", BoundInput, BoundOutput)


@dataclass
class BoundStep:
    """The ports and the arguments of one step."""

    inputs: list[BoundInput]
    outputs: list[BoundOutput]
    arguments: list[Token]


def bind_step(
    name: str,
    inputs: Sequence[Any] | None,
    outputs: Sequence[Any] | None,
    arguments: Sequence[Any] | None,
    fix_collisions: bool,
) -> BoundStep:
    """Bind everything a step declares. Raises UserErrorException that names the step and the faulty object."""
    step = f"step '{name}'"
    bound = BoundStep([], [], [])
    for item in _listed(inputs, "inputs", step):
        _add_once(bound.inputs, bind_input(item, step))
    for item in _listed(outputs, "outputs", step):
        _add_once(bound.outputs, bind_output(item, step))
    given = _listed(arguments, "arguments", step)
    for item in given:
        if is_data(item) and declares_itself(item):
            _declare(item, bound, step)
    _refuse_own_output(bound, step)
    _settle_names(bound, step, fix_collisions)
    bound.arguments = [_token(item, position, bound, step) for position, item in enumerate(given, start=1)]
    return bound


def scalar_token(value: Any, what: str) -> LiteralValue | PipelineParameter:
    """A single value or parameter. Raises UserErrorException for what cannot be written on a command line."""
    if isinstance(value, PipelineParameter):
        return value
    if isinstance(value, bool | int | float | str):
        return LiteralValue(value=value if type(value) in (bool, int, float, str) else _plain(value))
    if isinstance(value, numbers.Integral):
        return LiteralValue(value=int(value))
    if isinstance(value, numbers.Real):
        return LiteralValue(value=float(value))
    if isinstance(value, os.PathLike):
        return LiteralValue(value=str(os.fspath(value)))
    raise UserErrorException(
        f"{what} is {'None' if value is None else f'a {type(value).__name__}'}. "
        "It must be text, a number, a PipelineParameter, or data that the step declares."
    )


def _plain(value: bool | int | float | str) -> bool | int | float | str:
    """The built-in value of a subclass instance, such as a str enum or numpy.float64."""
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    return str.__str__(value)


def _listed(items: Sequence[Any] | None, kind: str, step: str) -> list[Any]:
    if items is None:
        return []
    # A tuple is not a list here: (parameter, binding) is a single input.
    if not isinstance(items, list):
        raise UserErrorException(f"The {kind} of {step} must be a list, not {type(items).__name__}.")
    return items


def _add_once(ports: list[_Port], port: _Port) -> None:
    if port not in ports:
        ports.append(port)


def _declare(item: Any, bound: BoundStep, step: str) -> None:
    """Declare data that stands in the arguments only."""
    if _find(item, bound, step) is not None:
        return
    if declares_itself(item) == "output":
        _add_once(bound.outputs, bind_output(item, step))
    else:
        _add_once(bound.inputs, bind_input(item, step))


def _find(item: Any, bound: BoundStep, step: str) -> BoundInput | BoundOutput | None:
    """The declared port that an argument means: by identity first, then by the data that it reads."""
    ports: list[BoundInput | BoundOutput] = [*bound.inputs, *bound.outputs]
    for port in ports:
        if port.given is item:
            return port
    for output in bound.outputs:
        if output.data is getattr(item, "_files", item):
            return output
    wanted = bind_input(item, step) if declares_itself(item) != "output" else None
    same = [port for port in bound.inputs if wanted is not None and port.reads_same(wanted)]
    named = [port for port in same if wanted is not None and port.name == wanted.name]
    return next(iter(named or same), None)


def _refuse_own_output(bound: BoundStep, step: str) -> None:
    for port in bound.inputs:
        if any(port.reads is output.data for output in bound.outputs):
            raise UserErrorException(f"'{port.name}' is both an input and an output of {step}; use two PipelineData.")


def _settle_names(bound: BoundStep, step: str, fix_collisions: bool) -> None:
    """Make sure that no two ports share a name, since each is an environment variable."""
    both = {port.name for port in bound.inputs} & {port.name for port in bound.outputs}
    if fix_collisions:
        bound.inputs = [replace(p, name=f"INPUT_{p.name}") if p.name in both else p for p in bound.inputs]
        bound.outputs = [p.renamed(f"OUTPUT_{p.name}") if p.name in both else p for p in bound.outputs]
    counts = Counter([port.name for port in bound.inputs] + [port.name for port in bound.outputs])
    repeated = next((name for name, count in counts.items() if count > 1), None)
    if repeated is not None:
        raise UserErrorException(
            f"{step[0].upper()}{step[1:]} has several inputs and outputs called '{repeated}'. Give one of them another "
            "name: as_input('other_name') for an input, output_name='other_name' for an output."
        )


def _token(item: Any, position: int, bound: BoundStep, step: str) -> Token:
    what = f"Argument {position} of {step}"
    if isinstance(item, PipelineParameter):
        port = next((port for port in bound.inputs if port.reads is item), None)
        return item if port is None else InputPath(port=port.name)
    if isinstance(item, list):
        raise UserErrorException(f"{what} is a list. Write its items as arguments of their own.")
    if not is_data(item):
        return scalar_token(item, what)
    found = _find(item, bound, step)
    if found is None:
        raise UserErrorException(
            f"{what} is {item!r}, which is neither in inputs nor in outputs. Add it to the list that it belongs to."
        )
    return InputPath(port=found.name) if isinstance(found, BoundInput) else OutputPath(port=found.name)
