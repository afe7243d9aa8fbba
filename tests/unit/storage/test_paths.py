"""Paths from users stay inside the folder they belong to."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airloom.errors import InvalidName, UnsafePath
from airloom.storage.paths import check_digest, check_name, confined, is_inside, slug, validate_relative

parts = st.sampled_from(["a", "b.txt", "..", ".", "", "...", "~", "ü", " ", "..a", "-"])


@pytest.mark.parametrize(
    ("given_path", "normal"),
    [("", ""), (".", ""), ("a", "a"), ("./a//b/", "a/b"), ("a/./b", "a/b"), ("..a/b..", "..a/b.."), ("~/x", "~/x")],
)
def test_relative_paths_get_a_normal_form(given_path: str, normal: str) -> None:
    assert validate_relative(given_path) == normal


def test_absolute_paths_are_refused() -> None:
    with pytest.raises(UnsafePath, match=r"'/etc/passwd' is absolute\. Give a path relative"):
        validate_relative("/etc/passwd")


@pytest.mark.parametrize("path", ["..", "../a", "a/../b", "a/.."])
def test_parent_parts_are_refused_even_where_they_would_stay_inside(path: str) -> None:
    with pytest.raises(UnsafePath, match=re.escape(f"{path!r} contains '..'")):
        validate_relative(path)


def test_names_that_no_file_system_stores_are_refused() -> None:
    with pytest.raises(InvalidName, match="longer than 255 bytes"):
        validate_relative("a/" + "ü" * 128)
    with pytest.raises(InvalidName, match="NUL"):
        validate_relative("a\0b")
    with pytest.raises(InvalidName, match="not valid UTF-8"):
        validate_relative(os.fsdecode(b"caf\xe9"))


@given(st.lists(parts, max_size=6).map("/".join))
def test_whatever_the_path_the_result_is_inside_or_an_error(path: str) -> None:
    root = Path("/srv/data")
    try:
        result = confined(root, path)
    except UnsafePath:
        assert path.startswith("/") or ".." in path.split("/")
    else:
        assert Path(os.path.normpath(result)).is_relative_to(root)
        assert validate_relative(validate_relative(path)) == validate_relative(path)


def test_a_link_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "root-secret").mkdir()  # its name begins like the root's
    (root / "out").symlink_to(tmp_path / "root-secret")
    with pytest.raises(UnsafePath, match=r"'out/new\.txt' leaves its folder through a symbolic link"):
        confined(root, "out/new.txt")


def test_a_link_that_stays_in_the_folder_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to("real")
    assert confined(tmp_path, "alias/x") == tmp_path / "alias" / "x"


def test_the_folder_itself_may_be_reached_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to("real")
    assert confined(tmp_path / "alias", "x") == tmp_path / "alias" / "x"


@pytest.mark.parametrize(
    ("path", "folder", "inside"),
    [("/a", "/", True), ("/a", "/a", True), ("/a/b", "/a", True), ("/ab", "/a", False), ("/", "/a", False)],
)
def test_what_is_inside_a_folder(path: str, folder: str, inside: bool) -> None:
    assert is_inside(path, folder) is inside


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-x", ".hidden", "a b", "x" * 251, "a\n"])
def test_names_that_could_not_be_one_part_of_a_path_are_refused(name: str) -> None:
    with pytest.raises(InvalidName, match="cannot be the name of a datastore"):
        check_name("datastore", name)


def test_usual_names_pass() -> None:
    for name in ("workspaceblobstore", "_x", "a-b.c_1", "8f14e45f-ceea-467f-a0e6-000000000000"):
        assert check_name("step", name) == name


@pytest.mark.parametrize("digest", ["", "abc", "A" * 64, "../" + "a" * 61, "a" * 64 + "\n"])
def test_a_digest_is_64_hexadecimal_digits(digest: str) -> None:
    with pytest.raises(InvalidName, match="is not a digest"):
        check_digest(digest)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Train model #3", "Train-model-3"),
        ("größe", "gr-e"),
        ("ok_1.2-x", "ok_1.2-x"),
        ("///", "unnamed"),
        ("", "unnamed"),
        ("x" * 300, "x" * 200),
        ("-a b-", "a-b"),
        ("- -", "unnamed"),
        ("X", "X"),
    ],
)
def test_slugs_keep_what_airflow_allows(text: str, expected: str) -> None:
    assert slug(text) == expected


@given(st.text())
def test_every_slug_can_be_part_of_an_airflow_id(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,200}", slug(text))
