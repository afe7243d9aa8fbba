"""Which files a glob selects."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airloom.errors import UnsafePath
from airloom.storage.globs import Glob, is_glob


@pytest.mark.parametrize(
    ("pattern", "base", "path", "selected"),
    [
        ("*.csv", "", "a.csv", True),
        ("*.csv", "", "a.txt", False),
        ("*.csv", "", "sub/a.csv", False),
        ("data/2024/*.csv", "data/2024", "a.csv", True),
        ("data/**", "data", "a.csv", True),
        ("data/**", "data", "deep/er/a.csv", True),
        ("**/*.png", "", "a.png", True),
        ("**/*.png", "", "x/y/a.png", True),
        ("a/**/b/*.txt", "a", "b/1.txt", True),
        ("a/**/b/*.txt", "a", "x/b/b/1.txt", True),
        ("a/**/b/*.txt", "a", "x/1.txt", False),
        ("**/**/x", "", "x", True),
        ("part-[0-9].csv", "", "part-7.csv", True),
        ("part-[!0-9].csv", "", "part-7.csv", False),
        ("?.txt", "", "a.txt", True),
        ("?.txt", "", "ab.txt", False),
        ("a*b", "", "a/b", False),
        ("*/x", "", ".hidden/x", True),
        ("exact.csv", "", "exact.csv", True),
    ],
)
def test_wildcards_stay_within_one_part_but_for_the_double_star(
    pattern: str, base: str, path: str, selected: bool
) -> None:
    glob = Glob(pattern)
    assert glob.base == base
    assert glob.matches(path) is selected


def test_folders_in_which_nothing_can_match_are_not_visited() -> None:
    glob = Glob("data/20*/**/*.csv")
    assert glob.excludes("1999/")
    assert not glob.excludes("2024/")
    assert not glob.excludes("2024/01/")
    assert glob.excludes("2024/readme.txt")
    assert Glob("*.csv").excludes("sub/")
    assert not Glob("*/imgX/*.png").excludes("a/imgX/")


def test_a_plain_path_is_a_pattern_in_its_folder() -> None:
    glob = Glob("data/2024/a.csv")
    assert glob.base == "data/2024"
    assert not glob.excludes("a.csv")


names = st.sampled_from(["a", "b", "ab"])
patterns = st.lists(st.sampled_from(["a", "b", "*", "a*", "**"]), min_size=1, max_size=5)


@given(patterns, st.lists(names, min_size=1, max_size=5))
def test_a_folder_above_a_selected_file_is_always_visited(pattern: list[str], path: list[str]) -> None:
    glob = Glob("*/" + "/".join(pattern))
    if glob.matches("/".join(path)):
        assert all(glob.may_hold("/".join(path[:depth])) for depth in range(1, len(path)))


def test_a_pattern_cannot_leave_its_folder() -> None:
    with pytest.raises(UnsafePath, match=r"'\.\./\*' contains '\.\.'"):
        Glob("../*")


def test_plain_paths_are_not_patterns() -> None:
    assert not is_glob("data/a.csv")
    assert is_glob("data/*.csv")
