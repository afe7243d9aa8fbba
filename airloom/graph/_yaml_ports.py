"""Inputs, outputs, arguments and parameters of steps in pipeline YAML, and the names that they refer to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, cast

from airloom.graph._yaml_nodes import Node
from airloom.graph._yaml_sources import Reference, default_mode, read_mode, read_placing, read_table
from airloom.graph.model import (
    Argument,
    FilesSource,
    FromParameter,
    FromSource,
    InputPath,
    InputPort,
    LiteralValue,
    OutputOf,
    OutputPath,
    OutputPort,
    ParameterDef,
    ParameterValue,
    ParamValue,
    PathSource,
    TabularSource,
)
from airloom.graph.suggest import did_you_mean

Binding = OutputOf | FromSource | FromParameter
_OUTPUT_KEYS = (
    "destination",
    "datastore",
    "type",
    "bind_mode",
    "is_directory",
    "path_on_compute",
    "overwrite",
    "path_on_datastore",
    "pipeline_output_name",
)
_TOKENS = ("input", "output", "parameter", "side_input")


@dataclass(frozen=True)
class Names:
    """What `source` may refer to: data references, data parameters, and outputs by their destination names."""

    parameters: Mapping[str, ParameterDef]
    references: Mapping[str, Reference]
    outputs: Mapping[str, OutputOf]
    ids: Mapping[str, str]
    step: Mapping[str, Mapping[str, Node]] = field(default_factory=dict)

    @staticmethod
    def of(
        parameters: tuple[ParameterDef, ...],
        references: Mapping[str, Reference],
        steps: Mapping[str, Node],
        ids: Mapping[str, str],
    ) -> Names:
        """Collect the names of a whole file. Two outputs of one name are an error."""
        outputs: dict[str, OutputOf] = {}
        for key, node in steps.items():
            ports = node.items(f"Step '{key}'").get("outputs")
            for port, value in (ports.items(f"outputs of step '{key}'") if ports is not None else {}).items():
                name = _destination(port, value)
                if name in outputs:
                    value.fail(f"Several outputs have the destination '{name}'.", "Give each one of its own.")
                outputs[name] = OutputOf(step=ids[key], port=port)
        return Names({parameter.name: parameter for parameter in parameters}, references, outputs, ids)

    def of_step(self, fields: Mapping[str, Node], what: str) -> Names:
        """The same names as seen from one step, which has its own inputs, outputs and parameters."""
        own = {
            token: fields[key].items(f"{key} of {what}") if key in fields else {}
            for token, key in (("input", "inputs"), ("output", "outputs"), ("parameter", "parameters"))
        }
        return replace(self, step=own)

    def step_id(self, node: Node, what: str) -> str:
        """The id of the step with this key."""
        key = node.text(f"run_after of {what}")
        if key not in self.ids:
            node.fail(f"{what} runs after '{key}', but there is no such step.", did_you_mean(key, self.ids))
        return self.ids[key]

    def binding(self, node: Node, what: str) -> Binding:
        """What a `source` means: a plain name, or `{parameter|data_reference: NAME}` where that would be ambiguous."""
        kinds = {"parameter": self._data_parameters(), "data_reference": self.references, "output": self.outputs}
        if node.is_mapping():
            fields = node.fields(f"The source of {what}", tuple(kinds))
            if len(fields) != 1:
                node.fail(f"The source of {what} must be one of {', '.join(kinds)}.")
            kind, name_node = next(iter(fields.items()))
            name, found = name_node.text(f"The source of {what}"), [kind]
        else:
            name = node.text(f"The source of {what}")
            found = [kind for kind, names in kinds.items() if name in names]
        if len(found) > 1:
            node.fail(
                f"The source '{name}' of {what} may mean a {' or a '.join(found)}.", f"Write {{{found[0]}: {name}}}."
            )
        if not found or name not in kinds[found[0]]:
            known = [name for kind in found or kinds for name in kinds[kind]]
            node.fail(f"The source '{name}' of {what} is not known.", did_you_mean(name, known))
        return self._bind(found[0], name)

    def _bind(self, kind: str, name: str) -> Binding:
        if kind == "output":
            return self.outputs[name]
        return FromParameter(parameter=name) if kind == "parameter" else FromSource(source=name)

    def _data_parameters(self) -> dict[str, ParameterDef]:
        return {name: value for name, value in self.parameters.items() if value.type in ("datapath", "dataset")}

    def parameter(self, node: Node, what: str) -> str:
        """A pipeline parameter by name."""
        name = node.text(f"The source of {what}")
        if name not in self.parameters:
            hint = did_you_mean(name, self.parameters)
            node.fail(f"{what} refers to the pipeline parameter '{name}', which there is not.", hint)
        return name


def read_input(name: str, node: Node, names: Names, step: str) -> InputPort:
    """An entry of a step's `inputs`."""
    what = f"input '{name}' of {step}"
    fields = node.fields(what, ("source", "type", "bind_mode", "path_on_compute", "overwrite", "table"))
    if "source" not in fields:
        node.fail(f"{what} has no source.", "Name a data reference, a parameter, or the destination of an output.")
    binding = names.binding(fields["source"], what)
    inherited = names.references.get(binding.source) if isinstance(binding, FromSource) else None
    mode = inherited.mode if inherited else "mount"
    if isinstance(binding, FromParameter):
        default = names.parameters[binding.parameter].default
        mode = default_mode(default) if isinstance(default, PathSource | FilesSource | TabularSource) else mode
    mode = "direct" if "table" in fields else mode
    path, overwrite = read_placing(fields, what)
    return InputPort(
        name=name,
        binding=binding,
        mode=read_mode(fields, what, mode),
        path_on_compute=path if "path_on_compute" in fields or inherited is None else inherited.path_on_compute,
        overwrite=overwrite if "overwrite" in fields or inherited is None else inherited.overwrite,
        table=read_table(fields["table"], f"table of {what}") if "table" in fields else None,
    )


def read_output(name: str, node: Node, step: str) -> OutputPort:
    """An entry of a step's `outputs`. `destination` is the name by which other steps read it, by default its own."""
    what = f"output '{name}' of {step}"
    fields = node.fields(what, _OUTPUT_KEYS)
    path, overwrite = read_placing(fields, what)
    texts = {
        to: fields[key].text(f"{key} of {what}")
        for key, to in (
            ("datastore", "datastore"),
            ("path_on_datastore", "destination"),
            ("pipeline_output_name", "pipeline_output_name"),
        )
        if key in fields and not fields[key].is_null()
    }
    folder = fields.get("is_directory")
    mode = fields["bind_mode"].choice(f"bind_mode of {what}", ("mount", "upload")) if "bind_mode" in fields else "mount"
    return OutputPort(
        name=name,
        mode=cast(Literal["mount", "upload"], mode),
        is_directory=folder is not None and not folder.is_null() and folder.flag(f"is_directory of {what}"),
        path_on_compute=path,
        overwrite=overwrite,
        **texts,
    )


def read_argument(node: Node, names: Names, step: str) -> Argument:
    """An argument: a value, `input:NAME`, `output:NAME`, `parameter:NAME`, or a mapping with `source` or `value`."""
    what = f"An argument of {step}"
    if node.is_mapping():
        return _read_value(node, names, what)
    value = node.scalar(what) if node.plain(what) != "" else ""
    token, colon, name = value.partition(":") if isinstance(value, str) else ("", "", "")
    if not colon or token not in _TOKENS:
        return LiteralValue(value=value)
    if token == "side_input":
        node.fail(f"{what} is '{value}', but only ParallelRunStep has side inputs.")
    if name not in names.step[token]:
        node.fail(f"{what} is '{value}', but the step has no such {token}.", did_you_mean(name, names.step[token]))
    if token == "parameter":
        return _read_value(names.step[token][name], names, f"Parameter '{name}' of {step}")
    return InputPath(port=name) if token == "input" else OutputPath(port=name)


def read_params(entries: Mapping[str, Node], names: Names, step: str) -> dict[str, ParamValue]:
    """The `parameters` of a step: values, or `{source: PIPELINE_PARAMETER}`."""
    return {name: _read_value(node, names, f"Parameter '{name}' of {step}") for name, node in entries.items()}


def check_process_count(name: str, node: Node, names: Names, step: str) -> None:
    """An entry of `runconfig_parameters`, which all count nodes or processes. Only 1 can be had."""
    value = _read_value(node, names, f"'{name}' in runconfig_parameters of {step}")
    if isinstance(value, ParameterValue):
        count = names.parameters[value.parameter].default
    else:
        count = value.value
    if count != 1:
        node.fail(f"{step} asks for {name} = {count!r} in runconfig_parameters, but a step is one process here.")


def _read_value(node: Node, names: Names, what: str) -> LiteralValue | ParameterValue:
    if not node.is_mapping():
        return LiteralValue(value="" if node.plain(what) == "" else node.scalar(what))
    fields = node.fields(what, ("source", "value"))
    if len(fields) != 1:
        node.fail(f"{what} must have either 'source' or 'value'.")
    if "source" in fields:
        return ParameterValue(parameter=names.parameter(fields["source"], what))
    return _read_value(fields["value"], names, what)


def _destination(port: str, node: Node) -> str:
    entry = node.items(f"output '{port}'").get("destination")
    return port if entry is None or entry.is_null() else entry.text(f"The destination of output '{port}'")
