"""The stages of one attempt: source in, environment, data in, script, data out."""

from __future__ import annotations

import shlex
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from airloom.errors import StepFailed
from airloom.graph.model import InputPath, LiteralValue
from airloom.graph.results import OutputRef
from airloom.runner.artifacts import KEPT_FOLDERS, Artifacts
from airloom.runner.commands import Commands
from airloom.runner.context import check_not_marked_failed, write_changes, write_context
from airloom.runner.environments import EnvironmentCache
from airloom.runner.failures import check_ended
from airloom.runner.inputs import InputStager, ReadyInput
from airloom.runner.outputs import OpenOutput, OutputStager
from airloom.runner.process import OnLine
from airloom.runner.spec import ResolvedArgument, StepSpec
from airloom.runner.variables import CHANGED_FILES, inherited, script_variables
from airloom.storage.content_cache import ContentCache
from airloom.storage.paths import confined
from airloom.storage.snapshot import materialize
from airloom.storage.workspace import WorkspaceStore

_LAST_LINES = 20


class Attempt:
    """One attempt of a step in the empty folder `work`; `on_line` gets every line of every stream."""

    def __init__(
        self,
        spec: StepSpec,
        store: WorkspaceStore,
        commands: Commands,
        artifacts: Artifacts,
        on_line: OnLine,
        work: Path,
        cache_dir: Path,
    ) -> None:
        self._spec = spec
        self._store = store
        self._commands = commands
        self._artifacts = artifacts
        self._on_line = on_line
        self._cache_dir = cache_dir
        self._folder = work / "step"
        self._run_folder = work / "run"
        self._inputs_folder = work / "inputs"
        self._outputs_folder = work / "written"

    def say(self, text: str) -> None:
        """Note what the runner does."""
        for line in text.splitlines():
            self._on_line("job", line)

    def run(self) -> dict[str, OutputRef]:
        """Run all stages; the published outputs."""
        spec, check = self._spec, self._commands.check
        self.say(f"step {spec.step_name!r} ({spec.step_id}), attempt {spec.attempt}")
        check()
        self._lay_out_source()
        with self._interpreter() as interpreter:
            return self._run_with(interpreter)

    def _run_with(self, interpreter: Path) -> dict[str, OutputRef]:
        spec, check = self._spec, self._commands.check
        cache = ContentCache(self._cache_dir / "content", self._store.cache)
        output_stager = OutputStager(self._store, cache, spec, self._outputs_folder, self._folder, self.say)
        with InputStager(self._store, cache, self._inputs_folder, self._folder, self.say, check) as stager:
            try:
                inputs = [stager.stage(each) for each in spec.inputs]
                outputs = [output_stager.prepare(each) for each in spec.outputs]
                write_context(spec, self._run_folder, self._folder, inputs, outputs)
                self._run_script(interpreter, inputs, outputs)
                check()
                return output_stager.publish(outputs)
            finally:
                output_stager.discard()

    def _lay_out_source(self) -> None:
        spec = self._spec
        manifest = materialize(self._store, spec.snapshot, self._folder)
        self.say(f"source: snapshot {spec.snapshot[:16]}, {len(manifest.entries)} files")
        if not confined(self._folder, spec.script_name).is_file():
            raise StepFailed(
                f"The source folder of step {spec.step_name!r} has no script {spec.script_name!r}.",
                hint="Check script_name; files that .amlignore or .gitignore names are not uploaded.",
                target=spec.step_name,
            )
        for folder in KEPT_FOLDERS:
            (self._folder / folder).mkdir(exist_ok=True)
        self._run_folder.mkdir()

    @contextmanager
    def _interpreter(self) -> Iterator[Path]:
        environment = self._spec.environment
        if environment.image is not None:
            self.say(f"image {environment.image} is not used: the step does not run in a container here")
        environ = inherited(self._spec.store)
        cache = EnvironmentCache(self._cache_dir, commands=self._commands, environ=environ, say=self.say)
        with cache.in_use(environment) as interpreter:
            self.say(f"interpreter: {interpreter}")
            yield interpreter

    def _run_script(self, interpreter: Path, inputs: list[ReadyInput], outputs: list[OpenOutput]) -> None:
        """Run the script and keep its files, however it ends. Raises ScriptFailed unless it ends well."""
        spec = self._spec
        argv = [str(interpreter), spec.script_name, *(_text(each, inputs, outputs) for each in spec.arguments)]
        variables = script_variables(spec, interpreter, self._run_folder, inputs, outputs)
        changes = write_changes(spec, self._store.store, self._run_folder)
        if changes is not None:
            variables[CHANGED_FILES] = str(changes)
        _refuse_nul(spec, argv, variables)
        self._say_command(argv)
        last_lines: deque[str] = deque(maxlen=_LAST_LINES)

        def on_line(stream: str, line: str) -> None:
            if stream == "stderr":
                last_lines.append(line)
            self._on_line(stream, line)

        ended = self._commands.run(
            argv, cwd=self._folder, environ=variables, on_line=on_line, timeout_seconds=spec.timeout_seconds
        )
        self.say(f"the script ended: {ended.describe()}")
        try:
            for note in self._artifacts.keep(self._folder, self._run_folder):
                self.say(note)
        finally:  # how the script ended matters more than what became of its files
            check_ended(ended, step=spec.step_name, timeout=spec.timeout_seconds, last_lines=last_lines)
        check_not_marked_failed(spec, self._run_folder)

    def _say_command(self, argv: Sequence[str]) -> None:
        """Log the command, and the names of variables only: their values may be secrets."""
        self.say(f"command: {shlex.join(argv)}")
        names = {*self._spec.environment.variables, *self._spec.environment_variables}
        if names:
            self.say(f"variables set by the pipeline: {', '.join(sorted(names))}")


def _text(argument: ResolvedArgument, inputs: list[ReadyInput], outputs: list[OpenOutput]) -> str:
    """The text of one argument. Literal values are not looked into."""
    if isinstance(argument, LiteralValue):
        return str(argument.value)
    if isinstance(argument, InputPath):
        kind, ports = "input", {ready.spec.name: ready.argument for ready in inputs}
    else:
        kind, ports = "output", {output.spec.name: str(output.path) for output in outputs}
    if argument.port not in ports:
        raise StepFailed(
            f"An argument names the {kind} {argument.port!r}, which the step does not have.",
            hint=f"It has: {', '.join(ports) or 'none'}.",
            target=argument.port,
        )
    return ports[argument.port]


def _refuse_nul(spec: StepSpec, argv: Sequence[str], variables: Mapping[str, str]) -> None:
    if any("\0" in text for text in (*argv, *variables, *variables.values())):
        raise StepFailed(
            f"An argument or variable of step {spec.step_name!r} contains a NUL character, which no process can take.",
            hint="Pass such data in a file.",
            target=spec.step_name,
        )
