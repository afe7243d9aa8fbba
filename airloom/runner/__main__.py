"""`python -m airloom.runner SPEC.json [--result RESULT.json]`: runs one step in an interpreter of its own."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from airloom.errors import AirloomError
from airloom.runner.failures import ScriptFailed
from airloom.runner.run import StepRunner
from airloom.runner.spec import StepSpec

EXIT_FAILED = 1
EXIT_BAD_SPEC = 2


def main(arguments: list[str] | None = None) -> int:
    """Run the step that a file describes. 0 if it succeeded, 1 if it failed, 2 if the file is not a step."""
    options = _parser().parse_args(arguments)
    try:
        spec = StepSpec.model_validate_json(options.spec.read_bytes())
    except (OSError, ValidationError) as error:
        sys.stderr.write(f"{options.spec} does not describe a step: {error}\n")
        return EXIT_BAD_SPEC
    runner = StepRunner(spec, on_line=_show, work_root=options.work_root, cache_dir=options.cache_dir)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: runner.cancel())
    try:
        outcome = runner.run()
    except AirloomError as error:
        sys.stderr.write(f"{error}\n")
        _write(options.result, {"status": "failed", "error": _describe(error)})
        return EXIT_FAILED
    _write(options.result, {"status": "succeeded", "outcome": outcome.model_dump(mode="json")})
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m airloom.runner", description="Run one step of a pipeline.")
    parser.add_argument("spec", type=Path, help="JSON file that describes the step")
    parser.add_argument("--result", type=Path, help="JSON file to write the result to")
    parser.add_argument("--work-root", type=Path, help="folder in which the work folder is made")
    parser.add_argument("--cache-dir", type=Path, help="folder in which environments are kept")
    return parser


def _show(stream: str, line: str) -> None:
    out = sys.stdout if stream == "stdout" else sys.stderr
    out.write(f"[job] {line}\n" if stream == "job" else f"{line}\n")
    out.flush()


def _describe(error: AirloomError) -> dict[str, Any]:
    described: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "target": error.target,
    }
    if isinstance(error, ScriptFailed):
        described.update(reason=error.reason, exit_code=error.exit_code)
    return described


def _write(result: Path | None, content: dict[str, Any]) -> None:
    """Write the result whole or not at all: whoever waits for it may read it as soon as it is there."""
    if result is not None:
        temporary = result.with_name(f".{result.name}.tmp")
        temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
        temporary.replace(result)


if __name__ == "__main__":
    sys.exit(main())
