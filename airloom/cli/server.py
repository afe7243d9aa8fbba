"""`airloom up`, `down` and `status`: the embedded server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from airloom.cli.output import JsonOption, console, duration, print_json, print_table

if TYPE_CHECKING:
    from airloom.embedded.home import Home
    from airloom.embedded.server import Prepared
    from airloom.embedded.state import ServerState

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        envvar="AIRLOOM_HOME",
        file_okay=False,
        show_default=".airloom",
        help="The folder that holds the server's database, store and logs.",
    ),
]


def up(
    home: HomeOption = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            min=0,
            max=65535,
            show_default="the last one used, or the first free one from 8080 on",
            help="The port on 127.0.0.1; 0 takes any free one.",
        ),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            "--database",
            metavar="URL",
            envvar="AIRLOOM_DATABASE",
            show_default="the last one used, or a SQLite file in the home",
            help="Airflow's database: postgresql://USER:PASSWORD@HOST:PORT/DATABASE, no other server's; `sqlite` goes "
            "back to the file. The home keeps it for the next start. As a variable, others cannot see the password.",
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            metavar="URL",
            envvar="AIRLOOM_STORE",
            show_default="the last one used, or a folder in the home",
            help="Where definitions, logs, records and data are: azure://ACCOUNT/CONTAINER, with the credentials in "
            "AZURE_STORAGE_...; `folder` goes back to the home's own. The home keeps it for the next start.",
        ),
    ] = None,
    schedulers: Annotated[
        int,
        typer.Option(
            "--schedulers",
            min=1,
            max=8,
            help="How many schedulers run side by side. With more than one, which needs PostgreSQL, runs go on while "
            "a scheduler that died is started again.",
        ),
    ] = 1,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when the server is ready.")] = False,
    json_output: JsonOption = False,
) -> None:
    """Start Airflow with Airloom on this machine, and keep it running until Ctrl-C or `airloom down`."""
    from airloom.embedded.home import Home
    from airloom.embedded.server import prepare

    prepared = prepare(Home.find(home), port, database, schedulers, store)
    if prepared.leftovers:
        typer.echo(f"Ended {len(prepared.leftovers)} processes that an earlier server left behind.", err=True)
    if detach:
        _run_detached(prepared, json_output)
    else:
        _run_here(prepared, json_output)


def _run_detached(prepared: Prepared, json_output: bool) -> None:
    from airloom.embedded.server import serve_detached

    progress = _Progress()
    with progress:
        state = serve_detached(prepared, progress.show)
    _tell_ready(prepared.home, state, json_output)


def _run_here(prepared: Prepared, json_output: bool) -> None:
    from airloom.embedded.server import configure_logging, serve

    configure_logging(prepared.home)
    progress = _Progress()
    announced = False

    def report(state: ServerState) -> None:
        nonlocal announced
        if state.phase == "ready" and not announced:
            announced = True
            progress.close()
            _tell_ready(prepared.home, state, json_output)
        elif state.phase == "stopping":
            progress.close()
            typer.echo("Ending all processes ...", err=True)
        elif not announced:
            progress.show(state)

    with progress:
        serve(prepared.home, prepared.port, report, prepared.schedulers)


class _Progress:
    """What a starting server is waiting for: a spinner on a terminal, else one line for each new thing."""

    def __init__(self) -> None:
        self._screen = console(err=True)
        self._shown = ""
        self._status = self._screen.status("starting") if self._screen.is_terminal else None

    def __enter__(self) -> None:
        if self._status:
            self._status.start()

    def __exit__(self, *failure: object) -> None:
        self.close()

    def close(self) -> None:
        """Take the spinner away."""
        if self._status:
            self._status.stop()

    def show(self, state: ServerState) -> None:
        """Show a new state."""
        if state.phase != "starting" or state.message in ("", self._shown):
            return
        self._shown = state.message
        if self._status:
            self._status.update(state.message)
        else:
            typer.echo(f"{state.message} ...", err=True)


def _tell_ready(home: Home, state: ServerState, json_output: bool) -> None:
    _make_first_workspace(home)
    if json_output:
        print_json(_facts(home, state))
        return
    typer.echo(f"Airloom is ready after {duration(state.seconds_to_ready)}.")
    typer.echo(f"  address   {state.url}")
    typer.echo(f"  sign in   as admin; the password is in {_shown(home.passwords)}")
    typer.echo(f"  clients   Workspace.from_config() and this command read {_shown(home.config_json)}")
    typer.echo(f"  logs      {_shown(home.logs)}")
    typer.echo("Run a pipeline with `airloom submit FILE.yml`; end the server with `airloom down`.")


def _make_first_workspace(home: Home) -> None:
    """The workspace that config.json names; this also shows that Airloom's API is there."""
    from airloom.cli.connection import connect
    from airloom.errors import AirloomError
    from airloom.exceptions import AzureMLException

    try:
        with connect(home.path, None) as target:
            target.client.create_workspace({"name": target.workspace, "exist_ok": True})
    except AzureMLException as error:
        raise AirloomError(
            f"Airflow runs, but Airloom's part of it does not answer as it should: {error.message}",
            hint=f"{_shown(home.log('api-server'))} says why.",
        ) from error


def down(home: HomeOption = None, json_output: JsonOption = False) -> None:
    """End the server and every process that it has started, also those that a killed one has left behind."""
    from airloom.embedded.home import Home
    from airloom.embedded.server import shut_down

    found = Home.find(home)
    ended = shut_down(found)
    if json_output:
        print_json({"home": str(found.path), "ended": ended})
        return
    for title in ended:
        typer.echo(f"ended {title}")
    typer.echo(f"Ended {len(ended)} processes." if ended else f"No server was running in {_shown(found.path)}.")


def status(home: HomeOption = None, json_output: JsonOption = False) -> None:
    """Show whether the server runs and how its parts fare. Exits with 1 if it does not run."""
    from airloom.embedded.home import Home
    from airloom.embedded.server import leftovers, running_state

    found = Home.find(home)
    state = running_state(found)
    remains = [] if state else leftovers(found)
    if json_output:
        print_json({**_facts(found, state), "leftovers": remains})
    elif state:
        _show(found, state)
    else:
        typer.echo(f"No server runs in {_shown(found.path)}. Start it with `airloom up`.")
        for title in remains:
            typer.echo(f"left behind: {title}")
        if remains:
            typer.echo("`airloom down` ends what is left behind.")
    if state is None:
        raise typer.Exit(1)


def _show(home: Home, state: ServerState) -> None:
    typer.echo(f"{state.phase} at {state.url} (pid {state.pid}, Airflow {state.airflow_version})")
    if state.message:
        typer.echo(state.message)
    typer.echo(f"the password of admin is in {_shown(home.passwords)}\n")
    rows = [
        (name, _condition(part.pid, part.healthy), part.pid or "", part.restarts)
        for name, part in state.components.items()
    ]
    print_table(("component", "state", "pid", "restarts"), rows)


def _condition(pid: int | None, healthy: bool) -> str:
    if pid is None:
        return "down"
    return "healthy" if healthy else "starting"


def _facts(home: Home, state: ServerState | None) -> dict[str, Any]:
    facts: dict[str, Any] = {"running": state is not None, "home": str(home.path)}
    if state is None:
        return facts
    places = {"config": str(home.config_json), "password_file": str(home.passwords), "logs": str(home.logs)}
    return {**facts, "url": state.url, "username": "admin", **places, **state.model_dump(mode="json")}


def _shown(path: Path) -> str:
    """A path as short as it can be said from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
