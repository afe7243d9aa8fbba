"""Datastores of a workspace, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from airloom.core import _registrations as asked
from airloom.core._compat import ignored_unless_default, not_yet
from airloom.core._names import DATASTORE, check_name
from airloom.data.abstract_datastore import AbstractDatastore
from airloom.data.azure_storage_datastore import AzureBlobDatastore, AzureDataLakeGen2Datastore, AzureFileDatastore
from airloom.data.local_datastore import LocalDatastore
from airloom.data.object_store_datastore import ObjectStoreDatastore
from airloom.data.sql_datastores import AzureMySqlDatastore, AzurePostgreSqlDatastore, AzureSqlDatabaseDatastore
from airloom.exceptions import NotFoundException, ServiceException, UserErrorException
from airloom.graph.suggest import did_you_mean

if TYPE_CHECKING:
    from airloom.core.workspace import Workspace

_TYPES: dict[str, type[AbstractDatastore]] = {
    "local": LocalDatastore,
    "azure_blob": AzureBlobDatastore,
    "azure_file_share": AzureFileDatastore,
    "azure_data_lake_gen2": AzureDataLakeGen2Datastore,
    "azure_sql_database": AzureSqlDatabaseDatastore,
    "azure_postgre_sql": AzurePostgreSqlDatastore,
    "azure_my_sql": AzureMySqlDatastore,
    "object_store": ObjectStoreDatastore,
}
Tags = dict[str, str] | None
Registered = TypeVar("Registered", bound=AbstractDatastore)


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
        more = {"description": description, "tags": tags or {}, "overwrite": overwrite}
        return _register(AbstractDatastore, workspace, asked.body("local", datastore_name, {"root": root}, **more))

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
        *,
        connection_string: str | None = None,
        tenant_id: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        connection: str | None = None,
        prefix: str | None = None,
        description: str = "",
        tags: Tags = None,
    ) -> AzureBlobDatastore:
        """Register a container of Azure Blob Storage.

        It is opened with a key, a SAS or, which is new, a connection string, a service principal (`tenant_id`,
        `client_id`, `client_secret`), a managed identity (`client_id`), or an Airflow `connection` that is there
        already; without any of these, as the server's own store is. `prefix` makes a folder of the container the
        root. `endpoint` is the domain of another cloud or, as is new, the whole address of an emulator.
        The server asks for the container at once, unless `skip_validation`.
        """
        _check_ignored(grant_workspace_access, "register_azure_blob_container")
        place = {"account": account_name, "container": container_name, "prefix": prefix or None}
        place["endpoint"] = asked.blob_endpoint(account_name, protocol, endpoint)
        principal = asked.credentials(tenant_id=tenant_id, client_id=client_id, client_secret=client_secret)
        return _register(
            AzureBlobDatastore,
            workspace,
            asked.body(
                "azure_blob",
                datastore_name,
                place,
                credentials=principal
                | asked.storage_credentials(account_key, sas_token, connection_string, connection),
                overwrite=overwrite,
                create_if_not_exists=create_if_not_exists,
                skip_validation=skip_validation,
                properties=asked.properties(
                    subscription_id=subscription_id,
                    resource_group=resource_group,
                    blob_cache_timeout=blob_cache_timeout,
                ),
                description=description,
                tags=tags,
            ),
        )

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
        *,
        connection_string: str | None = None,
        connection: str | None = None,
        description: str = "",
        tags: Tags = None,
    ) -> AzureFileDatastore:
        """Register a share of Azure Files. The arguments are those of `register_azure_blob_container`."""
        place = {"account": account_name, "share": file_share_name}
        return _register(
            AzureFileDatastore,
            workspace,
            asked.body(
                "azure_file_share",
                datastore_name,
                place,
                endpoint=asked.file_endpoint(account_name, protocol, endpoint),
                credentials=asked.storage_credentials(account_key, sas_token, connection_string, connection),
                overwrite=overwrite,
                create_if_not_exists=create_if_not_exists,
                skip_validation=skip_validation,
                description=description,
                tags=tags,
            ),
        )

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
        """Raises UserErrorException: Azure closed Data Lake Storage Gen1 in February 2024."""
        raise UserErrorException(
            f"The datastore {datastore_name!r} cannot be on Azure Data Lake Gen1, which Azure closed in February 2024. "
            "Data that was moved to Gen2 is registered with register_azure_data_lake_gen2."
        )

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
        *,
        account_key: str | None = None,
        sas_token: str | None = None,
        connection_string: str | None = None,
        connection: str | None = None,
        prefix: str | None = None,
        create_if_not_exists: bool = False,
        skip_validation: bool = False,
        description: str = "",
        tags: Tags = None,
    ) -> AzureDataLakeGen2Datastore:
        """Register a file system of Data Lake Gen2, which is reached through the account's blob service.

        v1 opens it with a service principal or not at all; the other ways are those of a container. Unlike v1, the
        server asks for the file system at once, unless `skip_validation`.
        """
        _check_ignored(grant_workspace_access, "register_azure_data_lake_gen2")
        given = {"resource_url": (resource_url, None), "authority_url": (authority_url, None)}
        why = "tokens are asked for at the authority of Azure's public cloud, or the one in AZURE_AUTHORITY_HOST."
        ignored_unless_default("Datastore.register_azure_data_lake_gen2", given, why)
        place = {"account": account_name, "container": filesystem, "prefix": prefix or None}
        place["endpoint"] = asked.blob_endpoint(account_name, protocol, endpoint)
        principal = asked.credentials(tenant_id=tenant_id, client_id=client_id, client_secret=client_secret)
        return _register(
            AzureDataLakeGen2Datastore,
            workspace,
            asked.body(
                "azure_data_lake_gen2",
                datastore_name,
                place,
                credentials=principal
                | asked.storage_credentials(account_key, sas_token, connection_string, connection),
                overwrite=overwrite,
                create_if_not_exists=create_if_not_exists,
                skip_validation=skip_validation,
                properties=asked.properties(
                    tenant_id=tenant_id,
                    client_id=client_id,
                    resource_url=resource_url,
                    authority_url=authority_url,
                    subscription_id=subscription_id,
                    resource_group=resource_group,
                ),
                description=description,
                tags=tags,
            ),
        )

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
        *,
        port_number: int = 1433,
        connection: str | None = None,
        description: str = "",
        tags: Tags = None,
    ) -> AzureSqlDatabaseDatastore:
        """Register a database of Azure SQL, opened with a service principal, or with a user and password.

        A `server_name` with dots is the whole name of a server, to which no domain is appended. As in v1, the server
        is not asked whether it is there.
        """
        _check_ignored(grant_workspace_access, "register_azure_sql_database")
        given = {"resource_url": (resource_url, None), "authority_url": (authority_url, None)}
        ignored_unless_default("Datastore.register_azure_sql_database", given, "the driver finds its own authority.")
        host = asked.sql_host(server_name, endpoint, "database.windows.net")
        return _register(
            AzureSqlDatabaseDatastore,
            workspace,
            asked.body(
                "azure_sql_database",
                datastore_name,
                {"host": host, "port": port_number, "database": database_name},
                credentials=asked.credentials(
                    tenant_id=tenant_id,
                    client_id=client_id,
                    client_secret=client_secret,
                    username=username,
                    password=password,
                    connection=connection,
                ),
                overwrite=overwrite,
                properties=asked.properties(
                    server_name=server_name,
                    tenant_id=tenant_id,
                    client_id=client_id,
                    username=username,
                    subscription_id=subscription_id,
                    resource_group=resource_group,
                ),
                description=description,
                tags=tags,
            ),
        )

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
        *,
        description: str = "",
        tags: Tags = None,
    ) -> AzurePostgreSqlDatastore:
        """Register a PostgreSQL database. A `server_name` with dots, or localhost, is a server's whole name."""
        host = asked.sql_host(server_name, endpoint, "postgres.database.azure.com")
        return _register(
            AzurePostgreSqlDatastore,
            workspace,
            asked.body(
                "azure_postgre_sql",
                datastore_name,
                {"host": host, "port": port_number or 5432, "database": database_name, "ssl": enforce_ssl},
                credentials=asked.credentials(username=user_id, password=user_password),
                overwrite=overwrite,
                properties=asked.properties(server_name=server_name, user_id=user_id),
                description=description,
                tags=tags,
            ),
        )

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
        *,
        enforce_ssl: bool = True,
        description: str = "",
        tags: Tags = None,
    ) -> AzureMySqlDatastore:
        """Register a MySQL database. A `server_name` with dots, or localhost, is a server's whole name."""
        host = asked.sql_host(server_name, endpoint, "mysql.database.azure.com")
        return _register(
            AzureMySqlDatastore,
            workspace,
            asked.body(
                "azure_my_sql",
                datastore_name,
                {"host": host, "port": port_number or 3306, "database": database_name, "ssl": enforce_ssl},
                credentials=asked.credentials(username=user_id, password=user_password),
                overwrite=overwrite,
                properties=asked.properties(server_name=server_name, user_id=user_id),
                description=description,
                tags=tags,
            ),
        )

    @staticmethod
    def register_object_store(
        workspace: Workspace,
        datastore_name: str,
        url: str,
        options: dict[str, Any] | None = None,
        secret_options: dict[str, str] | None = None,
        connection: str | None = None,
        overwrite: bool = False,
        skip_validation: bool = False,
        description: str = "",
        tags: Tags = None,
    ) -> ObjectStoreDatastore:
        """Register what lies below an address such as `s3://bucket/prefix` or `gs://bucket`. v1 has no counterpart.

        `options` say how the store is spoken to, such as its region or an endpoint, and are shown to everybody;
        `secret_options`, such as `key` and `secret`, are kept as an Airflow connection. `connection` names one that is
        there already.
        """
        return _register(
            ObjectStoreDatastore,
            workspace,
            asked.body(
                "object_store",
                datastore_name,
                {"url": url, "options": options},
                credentials=asked.credentials(options=secret_options, connection=connection),
                overwrite=overwrite,
                skip_validation=skip_validation,
                description=description,
                tags=tags,
            ),
        )

    @staticmethod
    def register_dbfs(workspace: Workspace, datastore_name: str) -> NoReturn:
        """Raises UserErrorException: the Databricks file system is reached only from Databricks in this version."""
        raise not_yet(
            f"A datastore on the Databricks file system ({datastore_name!r})",
            "Keep the data where Databricks reaches it too, and register that: register_azure_blob_container, "
            "register_azure_data_lake_gen2 or register_object_store.",
        )

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
        """Raises UserErrorException: HDFS with Kerberos is not available in this version."""
        raise not_yet(
            f"A datastore on HDFS with Kerberos ({datastore_name!r})",
            "Where WebHDFS is open to the workers, register_object_store(url='webhdfs://HOST:PORT/folder') reaches it.",
        )


def concrete(workspace: Workspace, document: dict[str, Any]) -> AbstractDatastore:
    """The datastore object for what the server says of it."""
    return _TYPES.get(document["type"], AbstractDatastore)(workspace, document)


def _register(kind: type[Registered], workspace: Workspace, body: asked.Body) -> Registered:
    check_name(body["name"], DATASTORE)
    made = concrete(workspace, workspace._client.create_datastore(workspace.name, body))
    if not isinstance(made, kind):
        raise ServiceException(f"The server made {made!r} of a registration that asked for {kind.__name__}.")
    return made


def _check_ignored(grant_workspace_access: bool, method: str) -> None:
    """Only the right to manage an account through its subscription is without effect; names are kept to be shown."""
    given = {"grant_workspace_access": (grant_workspace_access, False)}
    ignored_unless_default(f"Datastore.{method}", given, asked.NO_SUBSCRIPTION)
