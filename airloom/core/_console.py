"""What the SDK says to the person at the keyboard, as v1 does: lines on standard output."""

from __future__ import annotations

import sys


def say(line: str) -> None:
    """Write a line to standard output at once, so that it is seen in notebooks and logs while work goes on."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
