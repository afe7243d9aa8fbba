"""The digest of a whole tree: one look-up while nothing has changed, and always that of the manifest."""

from __future__ import annotations

import os
import sqlite3
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airloom.errors import UnsafePath
from airloom.storage import file_digests
from airloom.storage.file_digests import RACY_NS, FileStat, digest_file, signed
from airloom.storage.stat_cache import StatCache, null_cache, with_check
from airloom.storage.tree import digest_tree, scan_tree
from airloom.storage.walk import FoundFolder, walk, walk_folders

FILES = 40
_REGULAR = 0o100644


@pytest.fixture(scope="module")
def _old_trees(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    roots = [tmp_path_factory.mktemp("tree") for _ in range(30)]
    for root in roots:
        for number in range(FILES):
            file = root / f"folder {number % 3}" / f"{number}.txt"
            file.parent.mkdir(exist_ok=True)
            file.write_text(f"text {number:02}")
        (root / "link.txt").symlink_to(root / "folder 0" / "0.txt")
    time.sleep(RACY_NS / 1e9 + 0.1)
    return iter(roots)


@pytest.fixture
def new_tree(_old_trees: Iterator[Path]) -> Callable[[], Path]:
    """Gives a tree of one's own, of forty files and a link, that nobody changed for over two seconds."""
    return lambda: next(_old_trees)


@pytest.fixture
def tree(new_tree: Callable[[], Path]) -> Path:
    """Such a tree."""
    return new_tree()


def trees(cache: StatCache) -> dict[str, str]:
    assert cache.path is not None
    with sqlite3.connect(cache.path) as database:
        return {name: text[:64] for name, text in database.execute("SELECT hex(fingerprint), digest FROM trees")}


def plant(cache: StatCache, digest: str) -> None:
    """Replace what is remembered of the only tree, to see whether the memory is used."""
    assert cache.path is not None
    with sqlite3.connect(cache.path) as database:
        assert database.execute("UPDATE trees SET digest = ?", (with_check(digest),)).rowcount == 1


def true_digest(root: Path) -> str:
    return scan_tree(root, null_cache()).digest


def test_an_unchanged_tree_is_one_look_up(cache: StatCache, tree: Path) -> None:
    assert digest_tree(tree, cache) == true_digest(tree)
    plant(cache, "f" * 64)
    assert digest_tree(tree, cache) == "f" * 64
    assert digest_tree(tree, null_cache()) == true_digest(tree)


def _alter(tree: Path) -> None:
    """Other bytes of the same length behind the old time: only ctime tells."""
    file = tree / "folder 1" / "1.txt"
    before = file.stat()
    file.write_text("TEXT 01")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def _swap(tree: Path) -> None:
    one, other = tree / "folder 1" / "1.txt", tree / "folder 1" / "4.txt"
    one.rename(tree / "aside")
    other.rename(one)
    (tree / "aside").rename(other)


def _retarget(tree: Path) -> None:
    (tree / "link.txt").unlink()
    (tree / "link.txt").symlink_to("folder 1/1.txt")


CHANGES: dict[str, Callable[[Path], object]] = {
    "altered": _alter,
    "swapped": _swap,
    "link retargeted": _retarget,
    "added": lambda tree: (tree / "folder 2" / "new.txt").write_text("new"),
    "removed": lambda tree: (tree / "folder 2" / "2.txt").unlink(),
    "file renamed": lambda tree: (tree / "folder 2" / "2.txt").rename(tree / "folder 2" / "2.text"),
    "folder renamed": lambda tree: (tree / "folder 2").rename(tree / "folder 3"),
    "moved up": lambda tree: (tree / "folder 2" / "2.txt").rename(tree / "2.txt"),
}


def test_every_change_is_seen_at_once_and_after_it_has_settled(cache: StatCache, new_tree: Callable[[], Path]) -> None:
    changed = {}
    for change, apply in CHANGES.items():
        tree = new_tree()
        before = digest_tree(tree, cache)
        apply(tree)
        changed[tree] = true_digest(tree)
        assert changed[tree] != before, change
        assert digest_tree(tree, cache) == changed[tree], change
    time.sleep(RACY_NS / 1e9 + 0.1)
    for tree, expected in changed.items():
        assert [digest_tree(tree, cache) for _ in range(2)] == [expected, expected]


def test_the_same_state_at_another_place_is_another_tree(cache: StatCache, tree: Path, tmp_path: Path) -> None:
    digest_tree(tree, cache)
    plant(cache, "f" * 64)
    moved = tree.rename(tmp_path / "elsewhere")
    (moved / "link.txt").unlink()
    assert digest_tree(moved, cache) == true_digest(moved)


def test_a_tree_of_which_one_file_just_changed_is_not_remembered(cache: StatCache, tree: Path) -> None:
    (tree / "folder 0" / "0.txt").touch()
    digest_tree(tree, cache)
    assert trees(cache) == {}


def test_a_tree_from_the_future_is_not_remembered(cache: StatCache, tree: Path) -> None:
    os.utime(tree / "folder 0" / "0.txt", (4e9, 4e9))
    assert digest_tree(tree, cache) == true_digest(tree)
    assert trees(cache) == {}


def test_a_small_tree_needs_no_memory_of_its_own(cache: StatCache, tree: Path) -> None:
    assert digest_tree(tree / "folder 0", cache) == true_digest(tree / "folder 0")
    assert trees(cache) == {}


@pytest.mark.parametrize(("count", "remembered"), [(31, 0), (32, 1)])
def test_a_tree_is_remembered_from_32_files_on(cache: StatCache, tree: Path, count: int, remembered: int) -> None:
    left = iter(range(count))
    kept = {file.path for file in walk(tree) if next(left, None) is not None}
    chosen = digest_tree(tree, cache, exclude=lambda path: not path.endswith("/") and path not in kept)
    assert len(kept) == count
    assert chosen == scan_tree(tree, null_cache(), exclude=lambda path: path[-1] != "/" and path not in kept).digest
    assert len(trees(cache)) == remembered


def test_a_part_of_a_tree_may_hold_links_to_the_rest(cache: StatCache, tree: Path) -> None:
    (tree / "folder 1" / "link").symlink_to("../folder 0/0.txt")
    with pytest.raises(UnsafePath, match="outside of"):
        digest_tree(tree / "folder 1", cache)
    assert digest_tree(tree / "folder 1", cache, boundary=tree) == (
        scan_tree(tree / "folder 1", null_cache(), boundary=tree).digest
    )


def test_a_tree_that_is_written_to_while_it_is_read_is_not_remembered(
    cache: StatCache, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tree / "folder 1" / "1.txt"

    def read(path: Path | str, *, together: bool = True) -> str:
        if str(path) == str(file) and file.read_text() != "written":
            file.write_text("written")
        return digest_file(path, together=together)

    monkeypatch.setattr(file_digests, "digest_file", read)
    assert digest_tree(tree, cache) == true_digest(tree)
    assert trees(cache) == {}


def test_what_is_excluded_does_not_count(cache: StatCache, tree: Path) -> None:
    whole = digest_tree(tree, cache)
    part = digest_tree(tree, cache, exclude=lambda path: path == "link.txt")
    assert part == scan_tree(tree, null_cache(), exclude=lambda path: path == "link.txt").digest
    assert (digest_tree(tree, cache), len(trees(cache))) == (whole, 2)


def test_a_link_that_leaves_a_known_tree_is_refused(cache: StatCache, tree: Path) -> None:
    digest_tree(tree, cache)
    (tree / "out").symlink_to("/etc/passwd")
    with pytest.raises(UnsafePath, match="outside of"):
        digest_tree(tree, cache)


def test_of_one_folder_only_the_last_states_are_kept(cache: StatCache) -> None:
    for number in range(20):
        cache.remember_tree(bytes([number]) * 32, "/data", f"{number:064x}")
    cache.remember_tree(b"x" * 32, "/other", "0" * 64)
    assert [cache.tree(bytes([number]) * 32) for number in (11, 12, 19)] == [None, f"{12:064x}", f"{19:064x}"]
    assert cache.tree(b"x" * 32) == "0" * 64


def test_a_broken_cache_is_no_error(cache: StatCache, tree: Path) -> None:
    expected = digest_tree(tree, cache)
    assert cache.path is not None
    cache.path.write_bytes(b"broken" * 5000)
    assert [digest_tree(tree, cache) for _ in range(2)] == [expected, expected]
    assert list(trees(cache).values()) == [expected]


def test_an_altered_row_is_not_believed(cache: StatCache, tree: Path) -> None:
    expected = digest_tree(tree, cache)
    assert cache.path is not None
    with sqlite3.connect(cache.path) as database:
        database.execute("UPDATE trees SET digest = 'f' || substr(digest, 2)")
    assert digest_tree(tree, cache) == expected


def test_a_cache_of_the_version_without_trees_is_used_on(cache: StatCache, tree: Path) -> None:
    digest_tree(tree, cache)
    assert cache.path is not None
    with sqlite3.connect(cache.path) as database:
        database.execute("DROP TABLE trees")
        database.execute("UPDATE files SET digest = ?", (with_check("f" * 64),))
    assert digest_tree(tree, cache) != true_digest(tree), "the digests of the files are still known"
    assert len(trees(cache)) == 1


def test_inodes_without_a_sign_and_very_old_files_are_no_error(cache: StatCache, tmp_path: Path) -> None:
    """Overlays mark the origin of a file in the highest bits of its inode."""
    inode, ancient = (1 << 63) + 5, -(1 << 70)
    folder = FoundFolder.of("", "/data/", ["a", "b"], [(1, 2, 3, inode, _REGULAR), (1, ancient, 3, 4, _REGULAR)])
    assert list(folder.inodes) == [signed(inode), 4] == [inode - (1 << 64), 4]
    assert isinstance(folder.sizes, array)
    assert list(folder.mtimes_ns) == [2, ancient]
    stats = [file.stat for file in folder.files()]
    assert [stat.settled(time.time_ns()) for stat in stats] == [True, False]
    known = FileStat(str(tmp_path / "gone"), *stats[0][1:])
    cache.remember([cache.digests([FileStat.of(__file__, os.stat(__file__))])[0]._replace(stat=known)])
    assert cache.digests([known])[0].stat == known


def test_a_walk_tells_nothing_that_stat_does_not(tree: Path) -> None:
    for folder in walk_folders(tree):
        for file in folder.files():
            assert file.stat == FileStat.of(str(tree / file.path), os.stat(tree / file.path))
