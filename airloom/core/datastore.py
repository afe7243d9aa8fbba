"""Datastores of a workspace, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from airloom.core._compat import not_yet
from airloom.core._names import DATASTORE, check_name
from airloom.data.abstract_datastore import AbstractDatastore
from airloom.data.local_datastore import LocalDatastore
from airloom.exceptions import NotFoundException, UserErrorException
from airloom.graph.suggest import did_you_mean

if TYPE_CHECKING:
    from airloom.core.workspace import Workspace

_TYPES: dict[str, type[AbstractDatastore]] = {"local": LocalDatastore}
_INSTEAD = "Upload the data to a datastore of the workspace, or register a shared folder with register_local_folder."


class Datastore:
    """Looks datastores up: `Datastore(workspace, "workspaceblobstore")` is a datastore that can upload and download.

    Without a name it is the workspace's default. The result is of a class of its own per kind of storage.
    """

    def __new__(cls, workspace: Workspace, name: str | None = None) -> Any:
        """Fetch the datastore; not an instance of this class."""
        return cls.get_default(workspace) if name is None else cls.get(workspace, name)

    @staticmethod
    def get(workspace: Workspace, datastore_name: str) -> AbstractDatastore:
        """The datastore of this name. Raises UserErrorException that names similar ones if there is none."""
        check_name(datastore_name, DATASTORE)
        try:
            document = workspace._client.get_datastore(workspace.name, datastore_name)
        except NotFoundException as error:
            known = [entry["name"] for entry in workspace._client.list_datastores(workspace.name)]
            raise NotFoundException(
                f"The workspace {workspace.name!r} has no datastore {datastore_name!r}. "
                f"{did_you_mean(datastore_name, known)}"
            ) from error
        return concrete(workspace, document)

    @staticmethod
    def get_default(workspace: Workspace) -> AbstractDatastore:
        """The datastore of all outputs that name none."""
        return workspace.get_default_datastore()

    @staticmethod
    def register_local_folder(
        workspace: Workspace,
        datastore_name: str,
        root: str | None = None,
        description: str = "",
        tags: dict[str, str] | None = None,
        overwrite: bool = False,
    ) -> AbstractDatastore:
        """Register a folder of the server's machine, or of a file system that all workers share, as a datastore.

        Without `root` the files lie in the server's own store. `overwrite` replaces a registration of that name;
        data is never touched. v1 has no counterpart.
        """
        check_name(datastore_name, DATASTORE)
        body = {"name": datastore_name, "root": root, "description": description, "tags": tags or {}}
        return concrete(workspace, workspace._client.create_datastore(workspace.name, {**body, "overwrite": overwrite}))

    @staticmethod
    def register_azure_blob_container(
        workspace: Workspace,
        datastore_name: str,
        container_name: str,
        account_name: str,
        sas_token: str | None = None,
        account_key: str | None = None,
        protocol: str | None = None,
        endpoint: str | None = None,
        overwrite: bool = False,
        create_if_not_exists: bool = False,
        skip_validation: bool = False,
        blob_cache_timeout: int | None = None,
        grant_workspace_access: bool = False,
        subscription_id: str | None = None,
        resource_group: str | None = None,
    ) -> NoReturn:
        """Raises UserErrorException: datastores on Azure Blob Storage are not available in this version."""
        raise _no_kind("Azure Blob Storage", datastore_name)

    @staticmethod
    def register_azure_file_share(
        workspace: Workspace,
        datastore_name: str,
        file_share_name: str,
        account_name: str,
        sas_token: str | None = None,
        account_key: str | None = None,
        protocol: str | None = None,
        endpoint: str | None = None,
        overwrite: bool = False,
        create_if_not_exists: bool = False,
        skip_validation: bool = False,
    ) -> NoReturn:
        """Raises UserErrorException: datastores on Azure Files are not available in this version."""
        raise _no_kind("Azure Files", datastore_name)

    @staticmethod
    def register_azure_data_lake(
        workspace: Workspace,
        datastore_name: str,
        store_name: str,
        tenant_id: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        resource_url: str | None = None,
        authority_url: str | None = None,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        overwrite: bool = False,
        grant_workspace_access: bool = False,
    ) -> NoReturn:
        """Raises UserErrorException: datastores on Azure Data Lake are not available in this version."""
        raise _no_kind("Azure Data Lake", datastore_name)

    @staticmethod
    def register_azure_data_lake_gen2(
        workspace: Workspace,
        datastore_name: str,
        filesystem: str,
        account_name: str,
        tenant_id: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        resource_url: str | None = None,
        authority_url: str | None = None,
        protocol: str | None = None,
        endpoint: str | None = None,
        overwrite: bool = False,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        grant_workspace_access: bool = False,
    ) -> NoReturn:
        """Raises UserErrorException: datastores on Azure Data Lake Gen2 are not available in this version."""
        raise _no_kind("Azure Data Lake Gen2", datastore_name)

    @staticmethod
    def register_azure_sql_database(
        workspace: Workspace,
        datastore_name: str,
        server_name: str,
        database_name: str,
        tenant_id: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        resource_url: str | None = None,
        authority_url: str | None = None,
        endpoint: str | None = None,
        overwrite: bool = False,
        username: str | None = None,
        password: str | None = None,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        grant_workspace_access: bool = False,
    ) -> NoReturn:
        """Raises UserErrorException: datastores on Azure SQL are not available in this version."""
        raise _no_kind("Azure SQL", datastore_name)

    @staticmethod
    def register_azure_postgre_sql(
        workspace: Workspace,
        datastore_name: str,
        server_name: str,
        database_name: str,
        user_id: str,
        user_password: str,
        port_number: int | None = None,
        endpoint: str | None = None,
        overwrite: bool = False,
        enforce_ssl: bool = True,
    ) -> NoReturn:
        """Raises UserErrorException: datastores on PostgreSQL are not available in this version."""
        raise _no_kind("PostgreSQL", datastore_name)

    @staticmethod
    def register_azure_my_sql(
        workspace: Workspace,
        datastore_name: str,
        server_name: str,
        database_name: str,
        user_id: str,
        user_password: str,
        port_number: int | None = None,
        endpoint: str | None = None,
        overwrite: bool = False,
    ) -> NoReturn:
        """Raises UserErrorException: datastores on MySQL are not available in this version."""
        raise _no_kind("MySQL", datastore_name)

    @staticmethod
    def register_dbfs(workspace: Workspace, datastore_name: str) -> NoReturn:
        """Raises UserErrorException: datastores on the Databricks file system are not available in this version."""
        raise _no_kind("the Databricks file system", datastore_name)

    @staticmethod
    def register_hdfs(
        workspace: Workspace,
        datastore_name: str,
        protocol: str,
        namenode_address: str,
        hdfs_server_certificate: str,
        kerberos_realm: str,
        kerberos_kdc_address: str,
        kerberos_principal: str,
        kerberos_keytab: str | None = None,
        kerberos_password: str | None = None,
        overwrite: bool = False,
    ) -> NoReturn:
        """Raises UserErrorException: datastores on HDFS are not available in this version."""
        raise _no_kind("HDFS", datastore_name)


def concrete(workspace: Workspace, document: dict[str, Any]) -> AbstractDatastore:
    """The datastore object for what the server says of it."""
    return _TYPES.get(document["type"], AbstractDatastore)(workspace, document)


def _no_kind(kind: str, name: str) -> UserErrorException:
    return not_yet(f"A datastore on {kind} ({name!r})", _INSTEAD)
