"""What all datastores have in common, whatever they store their bytes in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airloom.data import _transfer
from airloom.data._clean import clean_path
from airloom.data.data_reference import DataReference

if TYPE_CHECKING:
    from airloom.client import Client
    from airloom.core.workspace import Workspace


class AbstractDatastore:
    """A named place of a workspace in which data lies.

    Objects come from `Datastore(workspace, name)`, `workspace.datastores` and `workspace.get_default_datastore()`.
    """

    v1_type = ""

    def __init__(self, workspace: Workspace, document: dict[str, Any]) -> None:
        self._workspace = workspace
        self._document = document

    @property
    def name(self) -> str:
        """Name of the datastore."""
        return str(self._document["name"])

    @property
    def workspace(self) -> Workspace:
        """The workspace it belongs to."""
        return self._workspace

    @property
    def datastore_type(self) -> str:
        """Kind of storage in v1's words, such as "AzureBlob"; "local" and "object_store" are new."""
        return self.v1_type or str(self._document["type"])

    @property
    def credential_type(self) -> str:
        """How it is opened: "AccountKey", "Sas", "ServicePrincipal" and the like, or "None"."""
        return str(self._document.get("credential_type") or "None")

    @property
    def connection(self) -> str | None:
        """The id of the Airflow connection with its secrets, if it has any. v1 has no counterpart."""
        found: str | None = self._document.get("connection")
        return found

    @property
    def description(self) -> str:
        """What was said about it when it was registered."""
        return str(self._document.get("description") or "")

    @property
    def tags(self) -> dict[str, str]:
        """Its tags."""
        return dict(self._document.get("tags") or {})

    @property
    def is_default(self) -> bool:
        """True if outputs that name no datastore went here when this object was made."""
        return bool(self._document.get("is_default"))

    @property
    def _client(self) -> Client:
        return self._workspace._client

    def set_as_default(self) -> None:
        """Make it the datastore of all outputs that name none."""
        self._workspace.set_default_datastore(self.name)

    def unregister(self) -> None:
        """Forget the datastore. Its data stays where it is."""
        self._client.delete_datastore(self._workspace.name, self.name)

    def path(self, path: str | None = None, data_reference_name: str | None = None) -> DataReference:
        """A reference to a file or folder on it; without `path`, to all of it."""
        return DataReference(self, data_reference_name, path)

    def as_download(self, path_on_compute: str | None = None) -> DataReference:
        """A reference to all of it, of which the step gets a copy."""
        return self.path().as_download(path_on_compute)

    def as_mount(self) -> DataReference:
        """A reference to all of it, which the step reads where it lies."""
        return self.path().as_mount()

    def as_upload(self, path_on_compute: str | None = None) -> DataReference:
        """A reference to all of it as a place for output."""
        return self.path().as_upload(path_on_compute)

    def upload(
        self, src_dir: str, target_path: str | None = None, overwrite: bool = False, show_progress: bool = True
    ) -> DataReference:
        """Copy a local folder to `target_path` (default: the root) and return a reference to it.

        Files that are there already are kept unless `overwrite` is True.
        """
        return self._upload(_transfer.files_of(src_dir), target_path, overwrite, show_progress)

    def upload_files(
        self,
        files: list[str],
        relative_root: str | None = None,
        target_path: str | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> DataReference:
        """Copy local files to `target_path` (default: the root) and return a reference to it.

        Their folders relative to `relative_root` are kept; its default is the deepest folder they share.
        Files that are there already are kept unless `overwrite` is True.
        """
        return self._upload(_transfer.chosen_files(files, relative_root), target_path, overwrite, show_progress)

    def download(
        self, target_path: str, prefix: str | None = None, overwrite: bool = False, show_progress: bool = True
    ) -> int:
        """Copy the file or folder `prefix` (default: everything) into a local folder; returns the number of files.

        Files keep their whole path, so `images/a.png` becomes `<target_path>/images/a.png`. Local files of the same
        name are kept unless `overwrite` is True.
        """
        inside = clean_path(prefix or "", f"The prefix of a download from datastore {self.name!r}")
        return _transfer.download(self, inside, target_path, overwrite=overwrite, show_progress=show_progress)

    def _property(self, name: str) -> str | None:
        """What was said when it was registered, and is only kept to be shown."""
        found: str | None = (self._document.get("properties") or {}).get(name)
        return found

    def _upload(
        self, files: list[_transfer.LocalFile], target_path: str | None, overwrite: bool, show_progress: bool
    ) -> DataReference:
        target = clean_path(target_path or "", f"The target_path of an upload to datastore {self.name!r}")
        _transfer.upload(self, files, target, overwrite=overwrite, show_progress=show_progress)
        return DataReference(self, path_on_datastore=target or None)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, workspace={self._workspace.name!r})"
