"""The names and paths that a graph may hold. Each rule says in words what is wrong, or None when nothing is."""

from __future__ import annotations

import re

ROOT_TASK = "reuse"
"""Task id of the planning task, which every pipeline has; no step may be called so."""

RESERVED_PREFIX = "airloom."
"""Parameters with this prefix are settings of a run, not of a pipeline."""

MAX_ID = 128
MAX_NAME = 255
_STEP_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_PORT = re.compile(r"[A-Za-z0-9_]+")
_PARAMETER = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_. -]*[A-Za-z0-9_.-])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def step_id_fault(name: str) -> str | None:
    """A step id is also an Airflow task id and a folder name."""
    if len(name) > MAX_ID:
        return f"is longer than {MAX_ID} characters"
    if not _STEP_ID.fullmatch(name):
        return "may hold only letters, digits, '_', '.' and '-', and may not begin with '.' or '-'"
    return None


def port_fault(name: str) -> str | None:
    """A port name becomes part of an environment variable, so it follows the rules of one."""
    if not _PORT.fullmatch(name) or len(name) > MAX_ID:
        return f"may hold only ASCII letters, digits and '_', at most {MAX_ID}"
    return None


def dataset_fault(name: str) -> str | None:
    """The name of a dataset is part of addresses and the name that people read."""
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable() or "/" in name:
        return f"must be 1 to {MAX_NAME} printable characters without '/'"
    return None


def parameter_fault(name: str) -> str | None:
    """Pipeline parameters may be plain numbers ("1") and hold spaces, as in Azure ML."""
    if not _PARAMETER.fullmatch(name) or len(name) > MAX_ID:
        return f"may hold only ASCII letters, digits, '_', '.', '-' and inner spaces, at most {MAX_ID}"
    return None


def variable_fault(name: str) -> str | None:
    """Environment variables must be settable from any shell."""
    return None if _VARIABLE.fullmatch(name) else "may hold only ASCII letters, digits and '_', and no leading digit"


def parameter_variable(name: str) -> str:
    """Name of the environment variable through which a step's `params` entry reaches the script."""
    return "AML_PARAMETER_" + re.sub(r"[^A-Za-z0-9]", "_", name)


def is_digest(text: str) -> bool:
    """True for 64 lower-case hexadecimal digits."""
    return _DIGEST.fullmatch(text) is not None


def path_fault(path: str, *, may_be_empty: bool = False) -> str | None:
    """A path inside a datastore or a source folder is relative, uses '/', and never leads out of it."""
    if not path:
        return None if may_be_empty else "is empty"
    if "\0" in path:
        return "holds a NUL character"
    if "\\" in path:
        return "holds a backslash; folders are separated by '/'"
    if path.startswith("/"):
        return "is absolute"
    return "leads out of its folder with '..'" if ".." in path.split("/") else None
