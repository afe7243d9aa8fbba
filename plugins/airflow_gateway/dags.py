"""What Airflow knows of DAGs, and making it know one more."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from airflow.configuration import conf
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.collection import update_dag_parsing_results_in_db
from airflow.dag_processing.dagbag import DagBag
from airflow.models.dag import DagModel
from airflow.models.dagbag import DagPriorityParsingRequest
from airflow.models.dagbundle import DagBundleModel
from airflow.models.errors import ParseImportError
from airflow.models.serialized_dag import SerializedDagModel
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException
from airflow.serialization.serialized_objects import LazyDeserializedDAG
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from airloom.plugins.airflow_gateway.runs import has_unfinished_run
from airloom.plugins.airflow_gateway.sessions import open_session


class CannotWriteDag(Exception):
    """A DAG could not be written in place of the DAG processor, which may yet do it itself; says why."""


def dag_is_known(dag_id: str) -> bool:
    """True once Airflow has parsed the DAG, so that it can be run."""
    query = (
        select(DagModel.dag_id)
        .join(SerializedDagModel, SerializedDagModel.dag_id == DagModel.dag_id)
        .where(DagModel.dag_id == dag_id, ~DagModel.is_stale)
        .limit(1)
    )
    with open_session() as session:
        return session.scalar(query) is not None


def known_among(dag_ids: Iterable[str]) -> set[str]:
    """Those of these DAGs that Airflow has parsed."""
    query = (
        select(DagModel.dag_id)
        .join(SerializedDagModel, SerializedDagModel.dag_id == DagModel.dag_id)
        .where(DagModel.dag_id.in_(list(dag_ids)), ~DagModel.is_stale)
    )
    with open_session() as session:
        return set(session.scalars(query))


def known_dags(bundle: str, file: str) -> set[str]:
    """The ids of the DAGs that Airflow has from a file of a bundle."""
    query = select(DagModel.dag_id).where(
        DagModel.bundle_name == bundle, DagModel.relative_fileloc == file, ~DagModel.is_stale
    )
    with open_session() as session:
        return set(session.scalars(query))


def retire_dag(session: Session, dag_id: str) -> bool:
    """Let no run of a DAG begin until it is parsed or revived. False, and nothing is done, if one has not ended."""
    dag = session.scalar(select(DagModel).where(DagModel.dag_id == dag_id).with_for_update())
    if has_unfinished_run(session, dag_id):
        return False
    if dag is not None:
        dag.is_stale = True
    return True


def revive_dag(session: Session, dag_id: str) -> None:
    """Let runs of a DAG begin again after all."""
    dag = session.get(DagModel, dag_id)
    if dag is not None:
        dag.is_stale = False


def write_dag(dag: DAG, bundle: str, file: str, row: object | None = None, *, anew: bool = False) -> None:
    """Make a DAG known as if the DAG processor had just parsed it from a file of a bundle, which it need not do then.

    The DAG passes the processor's checks and the deployment's policies, and is written by the function that the
    processor writes with. So when the processor does parse the file, it finds the DAG as it would have written it.
    `row` is one of our tables, written in the same transaction: readers see it and the DAG, or neither.
    Raises CannotWriteDag if

    - no DAG processor has run since the bundle was configured, so that Airflow does not know the bundle;
    - the bundle's folder cannot be written on this host;
    - a policy of the deployment refuses the DAG, which the processor says in its import errors;
    - another process writes the same DAG at this moment, or the database stays locked.

    With `anew` a DAG that was written a moment ago is written again, which the processor would put off.
    """
    try:
        with open_session() as session:
            _check_bundle_in_use(session, bundle)
            _place(dag, bundle, file)
            if row is not None:
                session.add(row)
            _write(session, dag, bundle)
            if row is not None and row not in session:
                session.add(row)  # Airflow has rolled the transaction back and begun it anew
            if anew:
                SerializedDagModel.write_dag(LazyDeserializedDAG.from_dag(dag), bundle_name=bundle, session=session)
    except (AirflowException, OSError, SQLAlchemyError) as error:
        first_line = str(error).partition("\n")[0]
        raise CannotWriteDag(f"{type(error).__name__}: {first_line}") from error


def _check_bundle_in_use(session: Session, bundle: str) -> None:
    row = session.get(DagBundleModel, bundle)
    if row is None or not row.active:
        raise CannotWriteDag(f"no DAG processor has run since the bundle {bundle!r} was configured")


def _place(dag: DAG, bundle: str, file: str) -> None:
    """Say that the DAG is from this file, and check it as one that was found there."""
    configured: Any = DagBundlesManager().get_bundle(bundle)
    configured.initialize()
    folder: Path = configured.path
    dag.fileloc, dag.relative_fileloc = str(folder / file), file
    dag.validate()
    DagBag(folder, collect_dags=False, bundle_path=folder, bundle_name=bundle).bag_dag(dag)


def _write(session: Session, dag: DAG, bundle: str) -> None:
    errors: dict[tuple[str, str], str] = {}
    update_dag_parsing_results_in_db(
        bundle_name=bundle,
        bundle_version=None,
        dags=[LazyDeserializedDAG.from_dag(dag)],
        import_errors=errors,
        parse_duration=None,
        warnings=set(),
        session=session,
    )
    for trace in errors.values():
        raise CannotWriteDag(trace.strip().splitlines()[-1])


def bundle_of_class(class_path: str) -> str | None:
    """The name of the configured DAG bundle of a class; None if this server's configuration has none."""
    bundles: Any = conf.getjson("dag_processor", "dag_bundle_config_list", fallback=[]) or []
    return next((str(bundle["name"]) for bundle in bundles if bundle.get("classpath") == class_path), None)


def request_parsing(bundle: str, file: str) -> None:
    """Ask the DAG processor to refresh a bundle and parse one of its files before all others."""
    try:
        with open_session() as session:
            session.add(DagPriorityParsingRequest(bundle_name=bundle, relative_fileloc=file))
    except IntegrityError:
        return  # asked for already, and not begun yet


def import_errors(bundle: str, file: str) -> list[str]:
    """What went wrong when Airflow last parsed a file of a bundle: the last line of each traceback."""
    query = select(ParseImportError.stacktrace).where(
        ParseImportError.bundle_name == bundle, ParseImportError.filename == file
    )
    with open_session() as session:
        traces = [trace.strip() for trace in session.scalars(query) if trace]
    return [trace.splitlines()[-1] for trace in traces if trace]
