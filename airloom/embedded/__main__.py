"""The supervisor in the background: `python -m airloom.embedded HOME PORT SCHEDULERS`, as `airloom up -d` starts it."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from airloom.embedded.home import Home
from airloom.embedded.server import serve
from airloom.errors import AirloomError


def main() -> int:
    """Serve until told to stop; a failed start is told in the state file and by the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        serve(Home(Path(sys.argv[1])), int(sys.argv[2]), schedulers=int(sys.argv[3]))
    except AirloomError as error:
        print(error, file=sys.stderr)  # noqa: T201 - standard error is the supervisor's log
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
