"""Turns the bytes that a process writes into lines of text, whatever it writes."""

from __future__ import annotations

import codecs
import re
import time
from collections.abc import Callable

MAX_LINE = 16_000
"""Longer lines are cut into pieces of so many characters."""

PROGRESS_SECONDS = 5.0
"""A progress bar (text overwritten by a lone carriage return) gives at most one line in this time."""

# A carriage return counts once it is known what follows: before a newline it is a part of the line end.
_LINE_END = re.compile(r"\r*\n|\r+(?=[^\r\n])")


class LineSplitter:
    """Splits one stream into lines and hands each to `emit`, without its end.

    Bytes that are not UTF-8 become the replacement character. Of text that is overwritten by carriage returns only
    a sample is kept: its first state, then one in five seconds, and its last.
    """

    def __init__(self, emit: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._emit = emit
        self._clock = clock
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._next_progress = float("-inf")

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self._split(self._decoder.decode(data))

    def close(self) -> None:
        """The stream has ended: hand out what is left."""
        self._split(self._decoder.decode(b"", final=True))
        rest, self._rest = self._rest.rstrip("\r"), ""
        if rest:
            self._line(rest)

    def _split(self, text: str) -> None:
        text = self._rest + text
        start = 0
        for end in _LINE_END.finditer(text):
            line = text[start : end.start()]
            start = end.end()
            if end.group().endswith("\n"):
                self._line(line)
            else:
                self._progress(line)
        self._rest = text[start:]
        while len(self._rest) > MAX_LINE:
            self._emit(self._rest[:MAX_LINE])
            self._rest = self._rest[MAX_LINE:]

    def _progress(self, line: str) -> None:
        now = self._clock()
        if line.strip() and now >= self._next_progress:
            self._next_progress = now + PROGRESS_SECONDS
            self._line(line)

    def _line(self, line: str) -> None:
        for start in range(0, max(1, len(line)), MAX_LINE):
            self._emit(line[start : start + MAX_LINE])
