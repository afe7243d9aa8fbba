"""`airloom datastores`: the places in which the data of a workspace lies."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from airloom.cli.connection import HomeOption, WorkspaceOption, connect
from airloom.cli.output import JsonOption, group, moment, print_facts, print_json, print_table
from airloom.cli.parameters import TagOption, pairs

app = group("Datastores: the places in which the data of a workspace lies.")


class Kind(StrEnum):
    """The types of datastores."""

    LOCAL = "local"
    AZURE_BLOB = "azure_blob"
    AZURE_DATA_LAKE_GEN2 = "azure_data_lake_gen2"
    AZURE_FILE_SHARE = "azure_file_share"
    OBJECT_STORE = "object_store"
    AZURE_SQL_DATABASE = "azure_sql_database"
    AZURE_POSTGRE_SQL = "azure_postgre_sql"
    AZURE_MY_SQL = "azure_my_sql"


PORTS = {Kind.AZURE_SQL_DATABASE: 1433, Kind.AZURE_POSTGRE_SQL: 5432, Kind.AZURE_MY_SQL: 3306}
LONGEST_CREDENTIALS = 1024 * 1024

DatastoreArgument = Annotated[str, typer.Argument(metavar="NAME", help="The name of the datastore.")]


def _place(name: str, text: str) -> Any:
    return typer.Option(f"--{name}", help=text, rich_help_panel="Where it lies")


@app.command("list")
def list_(home: HomeOption = None, workspace: WorkspaceOption = None, json_output: JsonOption = False) -> None:
    """List the datastores, by name."""
    with connect(home, workspace) as target:
        found = target.client.list_datastores(target.workspace)
    if json_output:
        print_json(found)
        return
    rows = [(each["name"], each["type"], each["place"], "default" if each["is_default"] else "") for each in found]
    print_table(("datastore", "type", "place", ""), rows)


@app.command()
def show(
    datastore: DatastoreArgument,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Show a datastore: where it lies, and in which connection of Airflow its secrets are."""
    with connect(home, workspace) as target:
        found = target.client.get_datastore(target.workspace, datastore)
    if json_output:
        print_json(found)
        return
    print_facts(
        {
            "name": found["name"],
            "type": found["type"],
            "place": found["place"],
            "endpoint": found.get("endpoint") or "",
            "credentials": found["credential_type"],
            "connection": found["connection"] or "",
            "default": "yes" if found["is_default"] else "",
            "description": found["description"],
            "tags": ", ".join(f"{name}={value}" for name, value in found["tags"].items()),
            "registered": moment(found["created_at"]),
        }
    )


@app.command()
def register(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the datastore.")],
    kind: Annotated[Kind, typer.Option("--type", help="What kind of storage it is.")] = Kind.LOCAL,
    root: Annotated[str | None, _place("root", "The folder of a local one.")] = None,
    account: Annotated[str | None, _place("account", "The storage account.")] = None,
    container: Annotated[str | None, _place("container", "The container or file system.")] = None,
    prefix: Annotated[str | None, _place("prefix", "The folder of the container that is its root.")] = None,
    share: Annotated[str | None, _place("share", "The file share.")] = None,
    endpoint: Annotated[str | None, _place("endpoint", "The address of the account's service, if not Azure's.")] = None,
    url: Annotated[str | None, _place("url", "The address of an object store, such as s3://bucket/prefix.")] = None,
    option: Annotated[list[str] | None, _place("option", "NAME=VALUE: an option of an object store.")] = None,
    host: Annotated[str | None, _place("host", "The server of a database.")] = None,
    port: Annotated[int | None, _place("port", "The port of a database's server.")] = None,
    database: Annotated[str | None, _place("database", "The database.")] = None,
    ssl: Annotated[bool | None, typer.Option("--ssl/--no-ssl", help="Encrypt what is sent to a database.")] = None,
    credentials: Annotated[
        str | None, typer.Option("--credentials", help="A JSON file with its credentials; - reads standard input.")
    ] = None,
    connection: Annotated[
        str | None, typer.Option("--connection", help="A connection of Airflow that has its credentials.")
    ] = None,
    description: Annotated[str | None, typer.Option("--description", help="What it is for.")] = None,
    tag: TagOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a registration of that name.")] = False,
    create: Annotated[bool, typer.Option("--create", help="Make the container if it is not there.")] = False,
    skip_validation: Annotated[
        bool, typer.Option("--skip-validation", help="Do not look whether it can be reached.")
    ] = False,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Register a place as a datastore. Its data is not touched."""
    if credentials and connection:
        raise typer.BadParameter("Give --credentials or --connection, not both.")
    place: dict[str, Any] = {"root": root, "account": account, "container": container, "prefix": prefix}
    place |= {"share": share, "endpoint": endpoint, "url": url, "options": pairs(option, "--option") or None}
    place |= {"host": host, "port": port or PORTS.get(kind), "database": database, "ssl": ssl}
    body = {
        "name": name,
        "type": kind.value,
        **{field: value for field, value in place.items() if value is not None},
        "credentials": {"connection": connection} if connection else _credentials(credentials),
        "description": description or "",
        "tags": pairs(tag, "--tag"),
        "overwrite": overwrite,
        "create_if_not_exists": create,
        "skip_validation": skip_validation,
    }
    with connect(home, workspace) as target:
        made = target.client.create_datastore(target.workspace, body)
    if json_output:
        print_json(made)
    else:
        kept = f", its secrets in the connection {made['connection']}" if made["connection"] else ""
        typer.echo(f"datastore {made['name']}: {made['place']}{kept}")


def _credentials(source: str | None) -> dict[str, Any]:
    """Secrets from a file or standard input: as arguments, other users of the machine could read them."""
    if source is None:
        return {}
    try:
        text = sys.stdin.read(LONGEST_CREDENTIALS) if source == "-" else Path(source).read_text()
        found = json.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"The credentials cannot be read: {error}") from None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise typer.BadParameter('The credentials are not a JSON object, such as {"account_key": "..."}.')
    return found


@app.command()
def unregister(
    datastore: DatastoreArgument,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Forget a datastore and its credentials. Its data stays."""
    with connect(home, workspace) as target:
        target.client.delete_datastore(target.workspace, datastore)
    if json_output:
        print_json({"unregistered": datastore})
    else:
        typer.echo(f"datastore {datastore}: unregistered; its data stays")


@app.command("set-default")
def set_default(
    datastore: DatastoreArgument,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Let outputs that name no datastore go to this one, from the next pipeline on."""
    with connect(home, workspace) as target:
        changed = target.client.set_default_datastore(target.workspace, datastore)
    if json_output:
        print_json(changed)
    else:
        typer.echo(f"datastore {datastore}: the default of workspace {changed['name']}")
