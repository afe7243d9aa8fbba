"""Names and relative paths that come from users, and the rules that keep them inside the folder they belong to."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from airloom.errors import InvalidName, UnsafePath

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,249}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NOT_SLUG = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST_COMPONENT = 255  # bytes; the limit of ext4, XFS, APFS and NTFS


def validate_relative(path: str) -> str:
    """The path in normal form: parts joined by single slashes, no `.` parts, no trailing slash; "" is the root.

    Raises UnsafePath for absolute paths and for `..`, InvalidName for what no file system could store.
    """
    if path.startswith("/"):
        raise UnsafePath(f"The path {path!r} is absolute.", hint="Give a path relative to its folder.", target=path)
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise UnsafePath(f"The path {path!r} contains '..'.", hint="Give a path below its folder.", target=path)
    for part in parts:
        _validate_component(path, part)
    return "/".join(parts)


def _validate_component(path: str, part: str) -> None:
    try:
        too_long = len(part.encode("utf-8")) > _LONGEST_COMPONENT
    except UnicodeEncodeError:
        raise InvalidName(
            f"The file name {part!r} is not valid UTF-8.", hint="Rename the file, or exclude it.", target=path
        ) from None
    if too_long or "\0" in part:
        cause = f"longer than {_LONGEST_COMPONENT} bytes" if too_long else "not free of NUL characters"
        raise InvalidName(f"A part of the path {path[:300]!r} is {cause}.", hint="Choose another name.", target=path)


def confined(root: Path, relative: str) -> Path:
    """`relative` below `root`, or UnsafePath if it leaves `root`: by being absolute, by `..`, or through a link.

    The path need not exist. Links that stay inside are allowed and are not resolved in the result.
    """
    normal = validate_relative(relative)
    path = root / normal
    if _meets_link(str(root), normal) and not is_inside(os.path.realpath(path), os.path.realpath(root)):
        raise UnsafePath(
            f"The path {relative!r} leaves its folder through a symbolic link.",
            hint="Replace the link by the file or folder that it points to.",
            target=relative,
        )
    return path


def _meets_link(root: str, relative: str) -> bool:
    """True if a part of the path below `root` is a symbolic link. If none is, the path cannot leave `root`."""
    path = root
    for part in relative.split("/"):
        path = f"{path}/{part}"
        try:
            if stat.S_ISLNK(os.lstat(path).st_mode):
                return True
        except OSError:  # what is not there, or not to be seen, leads nowhere
            return False
    return False


def is_inside(path: str, folder: str) -> bool:
    """True if `path` is `folder` or lies below it. Both must be absolute and without links."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def check_name(kind: str, name: str) -> str:
    """`name`, which is to be one part of a key or path; InvalidName if it cannot be. `kind` is for the message."""
    if not _NAME.fullmatch(name):
        raise InvalidName(
            f"{name!r} cannot be the name of a {kind}.",
            hint="Use letters, digits, '_', '-' and '.', at most 250, not beginning with '-' or '.'.",
            target=name,
        )
    return name


def check_digest(digest: str) -> str:
    """`digest` if it is written like one (64 lower-case hexadecimal digits), else InvalidName."""
    if not _DIGEST.fullmatch(digest):
        raise InvalidName(
            f"{digest[:80]!r} is not a digest.",
            hint="A digest is 64 lower-case hexadecimal digits.",
            target=digest[:80],
        )
    return digest


def slug(text: str, *, longest: int = 200) -> str:
    """The text in the characters that Airflow allows in ids: runs of others become one '-'. Never empty."""
    return _NOT_SLUG.sub("-", text)[:longest].strip("-") or "unnamed"
