"""Workspaces: where datastores, compute targets, experiments and runs live."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airloom.core import _config_file
from airloom.core._compat import ignored, ignored_unless_default
from airloom.core._config_file import Connection, find_config, find_connection, read_config
from airloom.core._connection import open_client
from airloom.core._console import say
from airloom.core._names import WORKSPACE, check_name
from airloom.core.compute import ComputeTarget
from airloom.core.datastore import Datastore, concrete
from airloom.core.experiment import Experiment, ViewType
from airloom.core.run import Run
from airloom.exceptions import AlreadyExistsException, NotFoundException, UserErrorException, WorkspaceException
from airloom.graph.suggest import did_you_mean

if TYPE_CHECKING:
    from airloom.client import Client
    from airloom.core.authentication import AbstractAuthentication
    from airloom.data.abstract_dataset import AbstractDataset
    from airloom.data.abstract_datastore import AbstractDatastore

NO_SUBSCRIPTION = "airloom"
NO_RESOURCE_GROUP = "local"
LOCATION = "local"
_DEFAULT_COMPUTES = {"CPU": "cpu-cluster", "GPU": "gpu-cluster"}


class Workspace:
    """A workspace of an Airloom server.

    `Workspace.from_config()` is the usual way to get one. Subscription and resource group are kept as they are given
    and mean nothing here: a server's workspaces are told apart by name. Which server is meant comes from the
    environment variable AIRLOOM_ENDPOINT or the nearest config.json that names one.
    """

    def __init__(
        self,
        subscription_id: str,
        resource_group: str,
        workspace_name: str,
        auth: AbstractAuthentication | None = None,
        sku: str = "basic",
        tags: dict[str, str] | None = None,
    ) -> None:
        self._open(find_connection(), auth, workspace_name, subscription_id, resource_group)
        ignored_unless_default("Workspace", {"sku": (sku, "basic"), "tags": (tags, None)}, "use Workspace.create.")

    def _open(
        self,
        connection: Connection,
        auth: AbstractAuthentication | None,
        name: str,
        subscription_id: str | None,
        resource_group: str | None,
    ) -> None:
        """Connect, and make sure that the workspace is there."""
        self._name = check_name(name, WORKSPACE)
        self._connection, self._auth = connection, auth
        self._subscription_id = subscription_id or NO_SUBSCRIPTION
        self._resource_group = resource_group or NO_RESOURCE_GROUP
        self._client: Client = open_client(connection, auth)
        weakref.finalize(self, self._client.close)
        try:
            self._document = self._client.get_workspace(name)
        except NotFoundException as error:
            known = [entry["name"] for entry in self._client.list_workspaces()]
            raise WorkspaceException(
                f"The server at {connection.endpoint} has no workspace {name!r}. {did_you_mean(name, known)} "
                f"Workspace.create(name={name!r}) makes it."
            ) from error

    @staticmethod
    def _opened(
        connection: Connection,
        auth: AbstractAuthentication | None,
        name: str,
        subscription_id: str | None = None,
        resource_group: str | None = None,
    ) -> Workspace:
        workspace = Workspace.__new__(Workspace)
        workspace._open(connection, auth, name, subscription_id, resource_group)
        return workspace

    # --- finding and making workspaces -----------------------------------------------------------------------------

    @staticmethod
    def from_config(path: str | None = None, auth: AbstractAuthentication | None = None) -> Workspace:
        """The workspace that a config.json names.

        `path` is the file, or a folder: config.json is then looked for in it, in `.airloom/` and `.azureml/` there,
        and in the folders above. A file of Azure's serves too: it names the workspace, and the server is found as
        for `Workspace(...)`.
        """
        config = read_config(find_config(path))
        connection = config.connection or find_connection(str(config.path.parent))
        return Workspace._opened(connection, auth, config.workspace_name, config.subscription_id, config.resource_group)

    @staticmethod
    def get(
        name: str,
        auth: AbstractAuthentication | None = None,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        location: str | None = None,
        cloud: str = "AzureCloud",
        id: str | None = None,
    ) -> Workspace:
        """An existing workspace, by name."""
        ignored_unless_default(
            "Workspace.get", {"cloud": (cloud, "AzureCloud"), "id": (id, None)}, "a workspace is known by its name."
        )
        return Workspace._opened(find_connection(), auth, name, subscription_id, resource_group)

    @staticmethod
    def create(
        name: str,
        auth: AbstractAuthentication | None = None,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        location: str | None = None,
        create_resource_group: bool = True,
        sku: str = "basic",
        tags: dict[str, str] | None = None,
        friendly_name: str | None = None,
        storage_account: str | None = None,
        key_vault: str | None = None,
        app_insights: str | None = None,
        container_registry: str | None = None,
        adb_workspace: str | None = None,
        primary_user_assigned_identity: str | None = None,
        cmk_keyvault: str | None = None,
        resource_cmk_uri: str | None = None,
        hbi_workspace: bool = False,
        default_cpu_compute_target: Any = None,
        default_gpu_compute_target: Any = None,
        private_endpoint_config: Any = None,
        private_endpoint_auto_approval: bool = True,
        exist_ok: bool = False,
        show_output: bool = True,
        user_assigned_identity_for_cmk_encryption: str | None = None,
        system_datastores_auth_mode: str = "accessKey",
        v1_legacy_mode: bool | None = None,
    ) -> Workspace:
        """Make a workspace with its two datastores, workspaceblobstore (the default) and workspacefilestore.

        `name`, `tags`, `friendly_name`, `exist_ok` and the default compute targets count; what speaks of Azure
        resources is accepted, and warns once where it asks for something that does not happen.
        """
        given = locals()
        azure = {
            key: (given[key], None)
            for key in (
                "storage_account",
                "key_vault",
                "app_insights",
                "container_registry",
                "adb_workspace",
                "primary_user_assigned_identity",
                "cmk_keyvault",
                "resource_cmk_uri",
                "private_endpoint_config",
                "user_assigned_identity_for_cmk_encryption",
            )
        }
        ignored_unless_default(
            "Workspace.create", {**azure, "hbi_workspace": (hbi_workspace, False)}, "there is no Azure behind it."
        )
        workspace = _create(name, auth, subscription_id, resource_group, exist_ok, tags, friendly_name)
        for kind, configuration in (("CPU", default_cpu_compute_target), ("GPU", default_gpu_compute_target)):
            if configuration is not None and workspace.get_default_compute_target(kind) is None:
                ComputeTarget.create(workspace, _DEFAULT_COMPUTES[kind], configuration)
        if show_output:
            say(f"Workspace {name!r} is ready on {workspace._endpoint}.")
        return workspace

    @staticmethod
    def list(
        subscription_id: str | None = None,
        auth: AbstractAuthentication | None = None,
        resource_group: str | None = None,
    ) -> dict[str, Workspaces]:
        """All workspaces of the server; each name stands for a list of one workspace, as v1 has it."""
        connection = find_connection()
        with open_client(connection, auth) as client:
            names = [entry["name"] for entry in client.list_workspaces()]
        return {name: [Workspace._opened(connection, auth, name, subscription_id, resource_group)] for name in names}

    def write_config(self, path: str | None = None, file_name: str | None = None) -> None:
        """Write `.airloom/config.json` below a folder (default: the working folder), for `Workspace.from_config`."""
        folder = Path(path or ".")
        if folder.is_file():
            raise UserErrorException(f"write_config needs a folder, and {path!r} is a file.")
        content = {
            "subscription_id": self._subscription_id,
            "resource_group": self._resource_group,
            "workspace_name": self._name,
            "airloom": _config_file.describe(self._connection, (folder / ".airloom").resolve()),
        }
        written = _config_file.write_config(folder, file_name or _config_file.FILE_NAME, content)
        say(f"Wrote {written}")

    # --- what a workspace is ---------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Name of the workspace."""
        return self._name

    @property
    def subscription_id(self) -> str:
        """The Azure subscription that was given; a label."""
        return self._subscription_id

    @property
    def resource_group(self) -> str:
        """The Azure resource group that was given; a label."""
        return self._resource_group

    @property
    def location(self) -> str:
        """Always "local": the workspace is where its server is."""
        return LOCATION

    @property
    def sku(self) -> str:
        """Always "basic": there are no others."""
        return "basic"

    @property
    def tags(self) -> dict[str, str]:
        """The tags of the workspace."""
        return dict(self._document.get("tags") or {})

    @property
    def _endpoint(self) -> str:
        return self._connection.endpoint.rstrip("/")

    def get_details(self) -> dict[str, Any]:
        """All about the workspace, with v1's keys where there is such a thing."""
        document = self._client.get_workspace(self._name)
        group = f"/subscriptions/{self._subscription_id}/resourceGroups/{self._resource_group}"
        return {
            "id": f"{group}/workspaces/{self._name}",
            "name": self._name,
            "location": LOCATION,
            "type": "Airloom/workspaces",
            "friendlyName": document.get("friendly_name"),
            "description": document.get("description"),
            "creationTime": document.get("created_at"),
            "tags": document.get("tags") or {},
            "defaultDatastore": document.get("default_datastore"),
            "endpoint": self._endpoint,
        }

    def delete(self, delete_dependent_resources: bool = False, no_wait: bool = False) -> None:
        """Forget the workspace with its experiments and runs. Files in the server's store stay."""
        if delete_dependent_resources:
            ignored("Workspace.delete(delete_dependent_resources=...)", "files in the server's store stay.")
        self._client.delete_workspace(self._name)

    # --- what is in it ---------------------------------------------------------------------------------------------

    @property
    def datastores(self) -> dict[str, AbstractDatastore]:
        """The datastores, by name."""
        return {entry["name"]: concrete(self, entry) for entry in self._client.list_datastores(self._name)}

    @property
    def datasets(self) -> dict[str, AbstractDataset]:
        """The registered datasets by name, each in its latest version."""
        from airloom.data.abstract_dataset import AbstractDataset

        return AbstractDataset.get_all(self)

    @property
    def compute_targets(self) -> dict[str, ComputeTarget]:
        """The compute targets, by name."""
        return {target.name: target for target in ComputeTarget.list(self)}

    @property
    def experiments(self) -> dict[str, Experiment]:
        """The experiments that are not archived, by name."""
        return {experiment.name: experiment for experiment in Experiment.list(self, view_type=ViewType.ActiveOnly)}

    def get_default_datastore(self) -> AbstractDatastore:
        """The datastore of all outputs that name none."""
        return Datastore.get(self, str(self._client.get_workspace(self._name)["default_datastore"]))

    def set_default_datastore(self, name: str) -> None:
        """Let outputs that name no datastore go to this one, from the next pipeline on."""
        Datastore.get(self, name)  # says which ones there are, if not this one
        self._document = self._client.set_default_datastore(self._name, name)

    def get_default_compute_target(self, type: str) -> ComputeTarget | None:
        """The compute target for "CPU" or "GPU" that `Workspace.create` made; None if it made none."""
        if type not in _DEFAULT_COMPUTES:
            raise UserErrorException(f"The type must be 'CPU' or 'GPU', not {type!r}.")
        return self.compute_targets.get(_DEFAULT_COMPUTES[type])

    def get_run(self, run_id: str) -> Run:
        """The run with this id. Raises UserErrorException if the workspace has none."""
        return Run.get(self, run_id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Workspace) and (self._endpoint, self._name) == (other._endpoint, other._name)

    def __hash__(self) -> int:
        return hash((self._endpoint, self._name))

    def __repr__(self) -> str:
        return (
            f"Workspace.create(name={self._name!r}, subscription_id={self._subscription_id!r}, "
            f"resource_group={self._resource_group!r})"
        )


# Named here because inside the class `list` is its method.
Workspaces = list[Workspace]


def _create(
    name: str,
    auth: AbstractAuthentication | None,
    subscription_id: str | None,
    resource_group: str | None,
    exist_ok: bool,
    tags: dict[str, str] | None,
    friendly_name: str | None,
) -> Workspace:
    connection = find_connection()
    labels = {"tags": tags or {}, "friendly_name": friendly_name or ""}
    try:
        with open_client(connection, auth) as client:
            client.create_workspace({"name": check_name(name, WORKSPACE), "exist_ok": exist_ok, **labels})
    except AlreadyExistsException as error:
        raise WorkspaceException(
            f"There is a workspace {name!r} already. Pass exist_ok=True, or use Workspace.get({name!r})."
        ) from error
    return Workspace._opened(connection, auth, name, subscription_id, resource_group)
