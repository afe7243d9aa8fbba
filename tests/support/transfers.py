"""A workspace whose datastores data is copied between, without a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airloom.graph.model import DataLocation, DataTransferSettings
from airloom.graph.results import OutputRef
from airloom.runner.spec import StagedOutput
from airloom.storage.datastore_config import DatastoreConfig, LocalConfig
from airloom.storage.object_store import open_store
from airloom.storage.secrets import Connection
from airloom.storage.workspace import WorkspaceStore
from airloom.transfer.run import TransferRun
from airloom.transfer.transfer import TransferSpec


class FixedSecrets:
    """Connections that a test gives."""

    def __init__(self, connections: Mapping[str, Connection]) -> None:
        self._connections = connections

    def connection(self, conn_id: str) -> Connection:
        return self._connections[conn_id]


@dataclass
class TransferBench:
    """A workspace in a folder, with the local datastores `here` and `there`; `lines` is what transfers have told."""

    folder: Path
    connections: dict[str, Connection] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.workspace = WorkspaceStore(
            open_store((self.folder / "store").as_uri()), "default", secrets=FixedSecrets(self.connections)
        )
        for name in ("here", "there"):
            root = self.folder / name
            root.mkdir(exist_ok=True)
            self.add(LocalConfig(name=name, root=str(root)))

    def add(self, config: DatastoreConfig) -> None:
        """Make a datastore."""
        self.workspace.put_datastore(config)

    def write(self, path: str, content: bytes) -> None:
        """Make a file on the datastore `here`."""
        file = self.folder / "here" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def there(self) -> dict[str, bytes]:
        """The files on the datastore `there`, also those that no listing shows."""
        root = self.folder / "there"
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    def run(self, source: str | None, destination: str | None, **settings: Any) -> OutputRef | None:
        """Copy from `datastore/path` to `datastore/path`; None stands for the database named in the settings."""
        return self.transfer(source, destination, **settings).run().get("out")

    def transfer(self, source: str | None, destination: str | None, **settings: Any) -> TransferRun:
        """The same, not yet begun. `timeout_seconds` and `run_id` may be given beside the settings."""
        about = {name: settings.pop(name) for name in ("timeout_seconds", "run_id") if name in settings}
        spec = TransferSpec(
            step_id="copy",
            step_name="copy",
            attempt="1",
            settings=DataTransferSettings(**settings),
            locations=tuple(map(_location, source.split())) if source else (),
            output=_output(destination) if destination else None,
            **{"run_id": "run", **about},
        )
        return TransferRun(self.workspace, spec, self.lines.append)


def _location(address: str) -> DataLocation:
    datastore, _, path = address.partition("/")
    return DataLocation(datastore=datastore, path=path)


def _output(address: str) -> StagedOutput:
    datastore, _, path = address.partition("/")
    return StagedOutput(name="out", datastore=datastore, path=path)
