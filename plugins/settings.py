"""The server's settings: section [airloom] of airflow.cfg, or environment variables AIRFLOW__AIRLOOM__<NAME>."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from airflow.configuration import conf

from airloom.errors import AirloomError

SECTION = "airloom"
MIB = 1024 * 1024


@dataclass(frozen=True)
class Settings:
    """What an administrator may set; each option of the section has the name of the field, sizes are in MiB."""

    store: str
    """Address of the deployment's store. All hosts of a deployment must name the same one."""

    local_roots: tuple[Path, ...]
    """Folders, separated by colons, below which a datastore of type local may have its root.

    Below the workspace's own part of the store it always may.
    """

    data_root: Path | None
    """The folder below which workspaces have their datastores if the store is not a folder. The same on all hosts."""

    max_request_mb: int
    """The largest JSON body of any route but those below."""

    max_graph_mb: int
    """The largest body of a route that takes a pipeline."""

    max_snapshot_file_mb: int
    """The largest single file of a source folder."""

    max_snapshot_mb: int
    """The largest source folder, and the largest upload of its files."""

    max_snapshot_files: int
    """The greatest number of files in a source folder."""

    max_upload_mb: int
    """The largest file uploaded to a datastore."""

    dag_timeout_seconds: float
    """How long a submission waits until Airflow has the pipeline, where the server cannot write it itself."""


def load_settings() -> Settings:
    """The settings in force now. Cheap, and read anew each time: nothing is cached between requests."""
    store = conf.get(SECTION, "store", fallback=None)
    if not store:
        raise AirloomError(
            "No store is configured for Airloom.",
            hint="Set store in section [airloom] of airflow.cfg, or AIRFLOW__AIRLOOM__STORE, to file:///some/folder or "
            "azure://ACCOUNT/CONTAINER.",
        )
    data_root = conf.get(SECTION, "data_root", fallback="") or None
    roots = conf.get(SECTION, "local_roots", fallback="") or ""
    return Settings(
        store=store,
        local_roots=tuple(Path(root) for root in roots.split(":") if root),
        data_root=Path(data_root) if data_root else None,
        max_request_mb=_integer("max_request_mb", 1),
        max_graph_mb=_integer("max_graph_mb", 8),
        max_snapshot_file_mb=_integer("max_snapshot_file_mb", 300),
        max_snapshot_mb=_integer("max_snapshot_mb", 300),
        max_snapshot_files=_integer("max_snapshot_files", 2000),
        max_upload_mb=_integer("max_upload_mb", 4096),
        dag_timeout_seconds=float(_integer("dag_timeout_seconds", 60)),
    )


def _integer(option: str, default: int) -> int:
    return int(conf.getint(SECTION, option, fallback=default))
