"""One data transfer: from files or rows to files or a table."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from airloom.errors import AirloomError, NotFound, StepFailed, UnsafePath
from airloom.graph.canonical import digest_value
from airloom.graph.model import DataLocation, DataTransferSettings
from airloom.graph.results import OutputRef
from airloom.graph.step_settings import SqlRows, SqlTable
from airloom.runner.environments import cache_folder
from airloom.runner.outputs import staging_stem
from airloom.runner.spec import StagedOutput
from airloom.sql.database import Database, open_database
from airloom.storage.datastore_config import AzureBlobConfig, LocalConfig
from airloom.storage.datastores import DatastoreHandle
from airloom.storage.durable import make_dirs, remove_tree, sync_tree
from airloom.storage.local_datastore import LocalDatastore
from airloom.storage.paths import validate_relative
from airloom.storage.tree import TreeManifest
from airloom.storage.workspace import WorkspaceStore
from airloom.transfer.engine import Check, Say, check_unchanged, move
from airloom.transfer.local_target import LocalTarget
from airloom.transfer.plan import Plan, make_plan
from airloom.transfer.tables import TableFiles, format_of, write_rows
from airloom.transfer.target import Target


@dataclass(frozen=True)
class TransferSpec:
    """What a step moves. `locations` are the places of its input, `output` is where it goes, if these are files."""

    run_id: str
    step_id: str
    step_name: str
    attempt: str
    settings: DataTransferSettings
    locations: tuple[DataLocation, ...] = ()
    output: StagedOutput | None = None
    timeout_seconds: float | None = None

    @cached_property
    def stem(self) -> str:
        """How the names of all that the attempts of this step keep begin."""
        return staging_stem(self.run_id, self.step_id)


class Transfer:
    """One attempt of a transfer."""

    def __init__(self, workspace: WorkspaceStore, spec: TransferSpec, check: Check, say: Say) -> None:
        self._workspace, self._spec = workspace, spec
        self._check, self._say = check, say
        self._open: dict[str, DatastoreHandle] = {}

    def run(self) -> dict[str, OutputRef]:
        """Move the data; the outputs by port. Raises StepFailed, or another AirloomError."""
        settings = self._spec.settings
        self._check()
        if settings.table is not None:
            self._to_table(settings.table)
            return {}
        assert self._spec.output is not None
        output = self._spec.output
        path = self._rows_to_file(settings.rows, output) if settings.rows else self._files_to_files(output)
        return {output.name: path}

    # --- to files ---------------------------------------------------------------------------------------------

    def _files_to_files(self, output: StagedOutput) -> OutputRef:
        plan = self._plan(output)
        path = self._final_path(output, plan)
        self._refuse_overlap(output.datastore, path)
        destination = self._datastore(output.datastore)
        manifest = plan.manifest
        if manifest is not None and _has(destination, path, manifest):
            self._say("the destination has this content already; nothing is copied")
            return _reference(output, path, manifest)
        copied = self._copied_within_account(destination, path, plan)
        if copied is None:
            copied = move(plan, self._target(destination, path, plan), self._check, self._say)
        return self._told(output, path, copied)

    def _copied_within_account(self, destination: DatastoreHandle, path: str, plan: Plan) -> TreeManifest | None:
        """What is there once Azure itself has copied it; None if the data must come through this machine."""
        (place, *others) = self._spec.locations
        source = self._datastore(place.datastore)
        remote = isinstance(source.config, AzureBlobConfig) and isinstance(destination.config, AzureBlobConfig)
        whole = plan.files[0].info.path == validate_relative(place.path) if plan.is_file else source.exists(place.path)
        if others or not remote or not whole:
            return None
        from airloom.storage.azure_copies import copy_within_account

        self._check()
        if not copy_within_account(source, place.path, destination, path, overwrite=True):
            return None
        self._say("copied by the storage account itself")
        return destination.scan(path)

    def _plan(self, output: StagedOutput) -> Plan:
        single = self._spec.settings.source_type == "file"
        place = f"{output.datastore}:{output.path}"
        return make_plan(self._spec.locations, self._datastore, place, single=single)

    def _final_path(self, output: StagedOutput, plan: Plan) -> str:
        """Where it goes: a file that is copied to a folder keeps its name there."""
        kind = self._spec.settings.destination_type
        if not plan.is_file:
            if kind == "file":
                raise StepFailed(
                    f"Step {self._spec.step_name!r} copies {len(plan.files)} files, but its destination is one file.",
                    hint="Set destination_reference_type='directory', or leave it out.",
                    target=self._spec.step_name,
                )
            return output.path
        name = plan.files[0].info.path.rpartition("/")[2]
        into = kind == "directory" or (kind is None and self._is_folder(output))
        return f"{output.path}/{name}" if into else output.path

    def _is_folder(self, output: StagedOutput) -> bool:
        datastore = self._datastore(output.datastore)
        return datastore.exists(output.path) and [info.path for info in datastore.list(output.path)] != [output.path]

    def _refuse_overlap(self, datastore: str, path: str) -> None:
        for location in self._spec.locations:
            source = location.path.strip("/")
            inside = f"{path}/".startswith(f"{source}/") or f"{source}/".startswith(f"{path}/") or not source
            if location.datastore == datastore and inside:
                raise UnsafePath(
                    f"Step {self._spec.step_name!r} would copy {source or 'the root'!r} of the datastore "
                    f"{datastore!r} onto itself, at {path!r}.",
                    hint="Choose a destination beside the source.",
                    target=self._spec.step_name,
                )

    def _target(self, destination: DatastoreHandle, path: str, plan: Plan) -> Target:
        if isinstance(destination.config, AzureBlobConfig):
            from airloom.storage.azure_datastore import AzureBlobDatastore
            from airloom.transfer.azure_target import AzureTarget

            assert isinstance(destination, AzureBlobDatastore)
            return AzureTarget(destination, path, plan)
        folder = destination.local_path("azureml")
        parent = folder if folder is not None else _spool_root()
        return LocalTarget(destination, path, plan, parent, self._spec.stem, self._workspace.cache)

    def _rows_to_file(self, rows: SqlRows, output: StagedOutput) -> OutputRef:
        kind = format_of(output.path, self._spec.settings.file_format)
        path = output.path
        if self._spec.settings.destination_type == "directory":
            path = f"{path}/{_name_of(rows)}.{kind}"
        spool = self._spool(output.datastore)
        file = self._spooled(rows, spool, kind)
        destination = self._datastore(output.datastore)
        source = LocalDatastore(LocalConfig(name="rows", root=str(spool)), self._workspace.cache)
        if destination.local_path(path) is not None:
            manifest = source.scan(file.name)
            destination.publish(file, path, overwrite=True, manifest=manifest)
        else:
            location = DataLocation(datastore="rows", path=file.name)
            plan = make_plan([location], lambda _: source, f"{output.datastore}:{path}", single=True)
            manifest = move(plan, self._target(destination, path, plan), self._check, self._say)
        remove_tree(spool)
        return self._told(output, path, manifest)

    def _told(self, output: StagedOutput, path: str, manifest: TreeManifest) -> OutputRef:
        self._say(
            f"output {output.name}: {len(manifest.entries)} files, {manifest.total_size} bytes, "
            f"published at {output.datastore}:{path}"
        )
        return _reference(output, path, manifest)

    # --- rows -------------------------------------------------------------------------------------------------

    def _spooled(self, rows: SqlRows, spool: Path, kind: str) -> Path:
        """A file with the rows, on this machine. One that an earlier attempt has completed is taken as it is."""
        made = spool / f"{digest_value([rows.model_dump(), kind])[:16]}.{kind}"
        if made.is_file():
            self._say("the rows were read by an attempt before this one")
            return made
        part = made.with_suffix(".part")
        with self._database(rows.datastore).read(rows, as_text=kind == "csv") as found:
            count = write_rows(found, part, "csv" if kind == "csv" else "parquet", self._check)
        sync_tree(part)
        part.replace(made)
        self._say(f"{count} rows read from {rows.datastore}, {made.stat().st_size} bytes")
        return made

    def _spool(self, datastore: str | None = None) -> Path:
        """A folder for what is under way: on the disk of a local datastore, else in the machine's cache."""
        folder = self._datastore(datastore).local_path("azureml") if datastore is not None else None
        spool = (folder or _spool_root()) / f"{self._spec.stem}-rows"
        make_dirs(spool)
        return spool

    # --- to a table -------------------------------------------------------------------------------------------

    def _to_table(self, table: SqlTable) -> None:
        if self._spec.settings.rows is not None:
            spool = self._spool()
            file = self._spooled(self._spec.settings.rows, spool, "parquet")
            source = LocalDatastore(LocalConfig(name="rows", root=str(spool)), self._workspace.cache)
            place = DataLocation(datastore="rows", path=file.name)
            self._load(make_plan([place], lambda _: source, f"table:{table.table}", single=True), table)
            remove_tree(spool)
            return
        single = self._spec.settings.source_type == "file"
        plan = make_plan(self._spec.locations, self._datastore, f"table:{table.table}", single=single)
        if any(file.source.local_path(file.info.path) is None for file in plan.files):
            spool = self._spool()
            near = LocalDatastore(LocalConfig(name="files", root=str(spool)), self._workspace.cache)
            if not near.exists("arrived"):
                target = LocalTarget(near, "arrived", plan, spool, self._spec.stem, self._workspace.cache)
                move(plan, target, self._check, self._say)
            place = DataLocation(datastore="files", path="arrived")
            self._load(make_plan([place], lambda _: near, f"table:{table.table}", single=plan.is_file), table)
            remove_tree(spool)
        else:
            self._load(plan, table)

    def _load(self, plan: Plan, table: SqlTable) -> None:
        database = self._database(table.datastore)
        named = [(file.path or file.info.path, file.source.local_path(file.info.path)) for file in plan.files]
        files = [(name, path) for name, path in named if path is not None]
        rows = TableFiles(files, self._spec.settings.file_format, text=bool(database.columns(table.table)))
        stem = digest_value([self._spec.run_id, self._spec.step_id])
        with database.load(table.table, rows.schema, stem, plan.id) as load:
            done = load.staged
            if done:
                self._say(f"{done} pieces of the table are staged already, by an attempt before this one")
            try:
                for index, piece in enumerate(rows.pieces()):
                    self._check()
                    if index >= done:
                        load.stage(piece)
                check_unchanged(plan)
                count = load.publish()
            except AirloomError:
                load.discard()
                raise
        self._say(f"{count} rows are in the table {table.table} of {table.datastore}")

    # --- places -----------------------------------------------------------------------------------------------

    def _datastore(self, name: str) -> DatastoreHandle:
        if name not in self._open:
            self._open[name] = self._workspace.datastore(name)
        return self._open[name]

    def _database(self, name: str) -> Database:
        config = self._workspace.datastores().get(name)
        if config is None:
            raise NotFound(f"The workspace has no datastore {name!r}.", hint="Register it.", target=name)
        return open_database(config, self._workspace.secrets)


def _spool_root() -> Path:
    return cache_folder() / "transfers"


def _has(destination: DatastoreHandle, path: str, manifest: TreeManifest) -> bool:
    with suppress(AirloomError):
        return destination.exists(path) and destination.digest(path) == manifest.digest
    return False


def _name_of(rows: SqlRows) -> str:
    """What a file of rows is called in a folder."""
    return (rows.table or "rows").rpartition(".")[2].strip('"').replace("/", "_") or "rows"


def _reference(output: StagedOutput, path: str, manifest: TreeManifest) -> OutputRef:
    return OutputRef(
        datastore=output.datastore,
        path=path,
        digest=manifest.digest,
        size=manifest.total_size,
        is_file=manifest.is_file,
    )
