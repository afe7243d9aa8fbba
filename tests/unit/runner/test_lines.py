"""Whatever a process writes becomes lines of text."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from airloom.runner.lines import MAX_LINE, LineSplitter


def split(*chunks: bytes, times: list[float] | None = None) -> list[str]:
    """The lines that chunks of bytes become; `times` is what the clock says at each overwritten text."""
    lines: list[str] = []
    clock = iter(times or [])
    splitter = LineSplitter(lines.append, clock=lambda: next(clock, 0.0))
    for chunk in chunks:
        splitter.feed(chunk)
    splitter.close()
    return lines


def test_lines_end_at_newlines_of_either_kind() -> None:
    assert split(b"one\ntwo\r\n\nthree") == ["one", "two", "", "three"]


def test_a_line_end_may_be_cut_in_two() -> None:
    assert split(b"one\r", b"\ntwo\r", b"\n") == ["one", "two"]


def test_bytes_that_are_not_utf8_are_replaced_and_characters_may_be_cut_in_two() -> None:
    assert split(b"a\xffb\n", "ü".encode()[:1], "ü".encode()[1:], b"\n\xc3") == ["a\ufffdb", "ü", "\ufffd"]


def test_a_long_line_comes_in_pieces() -> None:
    assert split(b"x" * (MAX_LINE + 5) + b"\ny\n") == ["x" * MAX_LINE, "xxxxx", "y"]


def test_a_progress_bar_gives_a_sample_and_its_last_state() -> None:
    bar = b"".join(b"\r%3d%%" % percent for percent in range(101)) + b"\n"
    times = [percent / 10 for percent in range(101)]
    assert split(bar, times=times) == ["  0%", " 50%", "100%"]


def test_text_before_a_last_carriage_return_is_not_lost() -> None:
    assert split(b"\r10%\r20%\r") == ["10%", "20%"]


@given(st.binary(max_size=200).filter(lambda data: b"\r" not in data), st.lists(st.integers(0, 200), max_size=5))
def test_where_the_bytes_are_cut_makes_no_difference(data: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(data)]
    assert split(*(data[start:end] for start, end in pairwise(places))) == split(data)
    assert split(data) == data.decode("utf-8", "replace").removesuffix("\n").split("\n")[: None if data else 0]
