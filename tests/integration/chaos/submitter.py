"""Submits the pipeline of a scene in a process of its own: `python -m ...submitter CONFIG FOLDER MARK`."""

from __future__ import annotations

import sys
from pathlib import Path

from airloom.core import Workspace
from tests.integration.chaos.scene import Scene


def main() -> None:
    """Print the id of the run as the last line."""
    config, folder, mark = sys.argv[1:]
    run = Scene(Path(folder), mark).submit(Workspace.from_config(config))
    sys.stdout.write(f"{run.id}\n")


if __name__ == "__main__":
    main()
