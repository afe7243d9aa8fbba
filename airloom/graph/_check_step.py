"""Checks of one step: its id, settings, ports, arguments and what they refer to."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from packaging.requirements import InvalidRequirement, Requirement

from airloom.graph._check_values import GraphProblem, check_scalar
from airloom.graph.model import (
    Argument,
    DataSource,
    FromParameter,
    FromSource,
    InputPath,
    InputPort,
    LiteralValue,
    OutputOf,
    OutputPath,
    ParameterDef,
    ParameterValue,
    PathSource,
    PipelineGraph,
    Retries,
    Step,
    TabularSource,
)
from airloom.graph.names import (
    ROOT_TASK,
    is_digest,
    parameter_variable,
    path_fault,
    port_fault,
    step_id_fault,
    variable_fault,
)
from airloom.graph.suggest import did_you_mean

_PYTHON_VERSION = re.compile(r"[23](\.\d+){0,2}")
_DATA_TYPES = ("datapath", "dataset")
MOST_RETRIES = 100
LONGEST_DELAY = 24 * 3600
MOST_BACKOFF = 100


def check_step(
    step: Step,
    graph: PipelineGraph,
    steps: Mapping[str, Step],
    datastores: Collection[str],
    computes: Collection[str],
) -> Iterator[GraphProblem]:
    """All problems of one step that can be seen without following edges further than one step."""
    yield from _check_id(step)
    yield from _check_settings(step)
    yield from _check_environment(step)
    yield from _check_run_settings(step, computes)
    yield from _check_port_names(step)
    for port in step.inputs:
        yield from _check_input(step, port, graph, steps)
    yield from _check_outputs(step, datastores)
    yield from _check_arguments(step, graph)
    yield from _check_params(step, graph)
    for name in step.run_after:
        if name not in steps:
            message = f"Step '{step.id}' runs after '{name}', but there is no such step."
            yield _problem("UnknownStep", message, step, hint=did_you_mean(name, steps))


def _problem(code: str, message: str, step: Step, part: str = "", hint: str = "") -> GraphProblem:
    return GraphProblem(code, message, f"step {step.id} {part}".strip(), hint)


def _check_id(step: Step) -> Iterator[GraphProblem]:
    fault = step_id_fault(step.id)
    if fault:
        yield _problem("BadName", f"The step id '{step.id[:80]}' {fault}.", step, hint="Rename the step.")
    if step.id.casefold() == ROOT_TASK:
        message = f"The step id '{step.id}' is kept for the task that plans which steps run."
        yield _problem("ReservedName", message, step, hint="Rename the step.")


def _check_settings(step: Step) -> Iterator[GraphProblem]:
    settings = step.settings
    fault = path_fault(settings.script_name)
    if fault:
        message = f"The script '{settings.script_name}' of step '{step.id}' {fault}."
        yield _problem("BadPath", message, step, "script", "Name a file inside the source folder.")
    if not is_digest(settings.snapshot):
        message = f"The snapshot '{settings.snapshot[:80]}' of step '{step.id}' is not a digest."
        yield _problem("BadSnapshot", message, step, "snapshot", "It is 64 lower-case hexadecimal digits.")
    for path in settings.hash_paths:
        fault = path_fault(path)
        if fault:
            message = f"The hash path '{path}' of step '{step.id}' {fault}."
            yield _problem("BadPath", message, step, "hash_paths", "Name a file or folder inside the source folder.")


def _check_environment(step: Step) -> Iterator[GraphProblem]:
    environment = step.settings.environment
    version = environment.python_version
    if version is not None and not _PYTHON_VERSION.fullmatch(version):
        message = f"Step '{step.id}' asks for Python '{version}', which is not a version."
        yield _problem("BadEnvironment", message, step, "environment", 'Write it like "3.11".')
    for package in environment.packages:
        if not _is_requirement(package):
            message = f"Step '{step.id}' lists the package '{package}', which is not a requirement."
            yield _problem("BadEnvironment", message, step, "environment", 'Write it like "pandas>=2".')
    for name, value in environment.variables.items():
        what = f"The environment variable '{name}' of step '{step.id}'"
        if variable_fault(name):
            yield _problem("BadName", f"{what} {variable_fault(name)}.", step, "environment", "Rename it.")
        yield from check_scalar(value, what, f"step {step.id} environment")


def _is_requirement(package: str) -> bool:
    """Anything else is refused: installers would read a leading dash as an option, such as another package index."""
    try:
        Requirement(package)
    except InvalidRequirement:
        return False
    return True


def _check_run_settings(step: Step, computes: Collection[str]) -> Iterator[GraphProblem]:
    target = step.compute_target
    if target is not None and target not in computes:
        message = f"Step '{step.id}' runs on '{target}', but the workspace has no such compute target."
        yield _problem("UnknownCompute", message, step, "compute_target", did_you_mean(target, computes))
    if step.timeout_seconds is not None and step.timeout_seconds <= 0:
        message = f"The timeout of step '{step.id}' is {step.timeout_seconds} seconds."
        yield _problem("BadValue", message, step, "timeout_seconds", "Give 1 or more, or None for no limit.")
    for name, value, least, most in _retry_values(step.retries):
        if not least <= value <= most:  # NaN lies in no range
            message = f"The {name} of step '{step.id}' is {value:g}."
            yield _problem("BadValue", message, step, "retries", f"Give a value from {least} to {most}.")


def _retry_values(retries: Retries | None) -> Iterator[tuple[str, float, int, int]]:
    """The name, value and bounds of each setting."""
    if retries is None:
        return
    yield "number of retries", retries.count, 1, MOST_RETRIES
    yield "delay before a retry", retries.delay_seconds, 0, LONGEST_DELAY
    yield "factor between the delays of retries", retries.backoff, 1, MOST_BACKOFF
    yield "longest delay before a retry", retries.max_delay_seconds, 0, LONGEST_DELAY


def _check_port_names(step: Step) -> Iterator[GraphProblem]:
    counts = Counter([port.name for port in step.inputs] + [port.name for port in step.outputs])
    for name, count in counts.items():
        fault = port_fault(name)
        if fault:
            yield _problem("BadName", f"The port name '{name}' of step '{step.id}' {fault}.", step, f"port {name}")
        if count > 1:
            message = f"Step '{step.id}' has {count} inputs and outputs called '{name}'."
            hint = "Give one of them another name, for example with as_input('other_name') or output_name='other_name'."
            yield _problem("DuplicatePort", message, step, f"port {name}", hint)


def _check_input(
    step: Step, port: InputPort, graph: PipelineGraph, steps: Mapping[str, Step]
) -> Iterator[GraphProblem]:
    what, part = f"Input '{port.name}' of step '{step.id}'", f"input {port.name}"
    if port.table is not None and (port.mode != "direct" or not isinstance(port.binding, OutputOf)):
        message = f"{what} is read as a table, which takes mode direct and the output of a step."
        yield _problem("WrongMode", message, step, part, "Use mode direct, or leave 'table' out.")
    match port.binding:
        case OutputOf(step=producer):
            yield from _check_output_binding(step, port, steps.get(producer), steps)
        case FromSource(source=source):
            if source not in graph.sources:
                message = f"{what} reads the data source '{source}', which the pipeline does not have."
                yield _problem("UnknownSource", message, step, part, did_you_mean(source, graph.sources))
            else:
                yield from _check_mode(step, port, graph.sources[source])
        case FromParameter(parameter=name):
            parameter = _parameter(graph, name)
            if parameter is None:
                yield _unknown_parameter(step, what, part, name, graph)
            elif parameter.type not in _DATA_TYPES:
                message = f"{what} is bound to parameter '{name}', which holds a {parameter.type}, not data."
                yield _problem("WrongType", message, step, part, "Pass it as an argument, or make its default data.")
            elif isinstance(parameter.default, PathSource | TabularSource):
                yield from _check_mode(step, port, parameter.default)


def _check_output_binding(
    step: Step, port: InputPort, producer: Step | None, steps: Mapping[str, Step]
) -> Iterator[GraphProblem]:
    assert isinstance(port.binding, OutputOf)
    what, part = f"Input '{port.name}' of step '{step.id}'", f"input {port.name}"
    if producer is None:
        message = f"{what} reads from step '{port.binding.step}', but there is no such step."
        yield _problem("UnknownStep", message, step, part, did_you_mean(port.binding.step, steps))
        return
    outputs = [output.name for output in producer.outputs]
    if port.binding.port not in outputs:
        message = f"{what} reads output '{port.binding.port}' of step '{producer.id}', which has no such output."
        yield _problem("UnknownPort", message, step, part, did_you_mean(port.binding.port, outputs))


def _check_mode(step: Step, port: InputPort, source: DataSource) -> Iterator[GraphProblem]:
    what, part = f"Input '{port.name}' of step '{step.id}'", f"input {port.name}"
    if isinstance(source, TabularSource) and port.mode != "direct":
        message = f"{what} is a tabular dataset, which cannot be used with mode {port.mode}."
        yield _problem("WrongMode", message, step, part, "Use mode direct, or a file dataset.")
    if isinstance(source, PathSource) and port.mode == "direct":
        message = f"{what} is a path on a datastore, which cannot be used with mode direct."
        yield _problem("WrongMode", message, step, part, "Use mode mount or download, or a file dataset.")


def _check_outputs(step: Step, datastores: Collection[str]) -> Iterator[GraphProblem]:
    for port in step.outputs:
        what, part = f"Output '{port.name}' of step '{step.id}'", f"output {port.name}"
        if port.datastore is not None and port.datastore not in datastores:
            message = f"{what} goes to the datastore '{port.datastore}', which the workspace does not have."
            yield _problem("UnknownDatastore", message, step, part, did_you_mean(port.datastore, datastores))
        fault = None if port.destination is None else path_fault(port.destination.strip("/"))
        if fault:
            message = f"{what} has the destination '{port.destination}', which {fault}."
            yield _problem("BadPath", message, step, part, "Give a path relative to the root of the datastore.")


def _check_arguments(step: Step, graph: PipelineGraph) -> Iterator[GraphProblem]:
    inputs = [port.name for port in step.inputs]
    outputs = [port.name for port in step.outputs]
    for position, argument in enumerate(step.arguments, start=1):
        what, part = f"Argument {position} of step '{step.id}'", f"argument {position}"
        match argument:
            case InputPath(port=name) if name not in inputs:
                message = f"{what} is the path of input '{name}', which the step does not declare."
                yield _problem("Undeclared", message, step, part, f"Add it to inputs. {did_you_mean(name, inputs)}")
            case OutputPath(port=name) if name not in outputs:
                message = f"{what} is the path of output '{name}', which the step does not declare."
                yield _problem("Undeclared", message, step, part, f"Add it to outputs. {did_you_mean(name, outputs)}")
            case _:
                yield from _check_value(step, argument, what, part, graph)


def _check_params(step: Step, graph: PipelineGraph) -> Iterator[GraphProblem]:
    seen: dict[str, str] = {}
    for name, value in step.params.items():
        what, part = f"Parameter '{name}' of step '{step.id}'", f"param {name}"
        other = seen.setdefault(parameter_variable(name), name)
        if other != name:
            message = f"{what} and '{other}' both become the environment variable {parameter_variable(name)}."
            yield _problem("DuplicateParam", message, step, part, "Rename one of them.")
        if not name:
            yield _problem("BadName", f"{what} has an empty name.", step, part, "Name it.")
        yield from _check_value(step, value, what, part, graph)


def _check_value(step: Step, value: Argument, what: str, part: str, graph: PipelineGraph) -> Iterator[GraphProblem]:
    if isinstance(value, LiteralValue):
        yield from check_scalar(value.value, what, f"step {step.id} {part}")
    if not isinstance(value, ParameterValue):
        return
    parameter = _parameter(graph, value.parameter)
    if parameter is None:
        yield _unknown_parameter(step, what, part, value.parameter, graph)
    elif parameter.type in _DATA_TYPES:
        message = f"{what} is parameter '{value.parameter}', which holds data and has no value to pass."
        yield _problem("WrongType", message, step, part, "Declare it as an input and pass the input's path.")


def _parameter(graph: PipelineGraph, name: str) -> ParameterDef | None:
    return next((parameter for parameter in graph.parameters if parameter.name == name), None)


def _unknown_parameter(step: Step, what: str, part: str, name: str, graph: PipelineGraph) -> GraphProblem:
    message = f"{what} refers to the pipeline parameter '{name}', which the pipeline does not have."
    return _problem("UnknownParameter", message, step, part, did_you_mean(name, [p.name for p in graph.parameters]))
