"""What the run page shows, ready to be written out: the template only places it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from airloom.errors import AirloomError
from airloom.graph.results import Explanation, Origin, OutputRef
from airloom.plugins import step_files
from airloom.plugins.airflow_gateway import Session
from airloom.plugins.db.models import RunRow
from airloom.plugins.pages import addresses, words
from airloom.plugins.pages.find import FoundRun
from airloom.plugins.run_states import StepView
from airloom.storage.workspace import WorkspaceStore

LIVE = ("NotStarted", "Running")
_ENDED_EARLY = ("Failed", "Canceled")
_LOGS = ("stdout", "stderr", "job")
_TAIL_BYTES = 4096
_TAIL_LINES = 20
_TAILS = 3


@dataclass(frozen=True)
class Rights:
    """What the reader may see beside the run itself: what steps printed, and files."""

    logs: bool
    files: bool


@dataclass(frozen=True)
class Link:
    """An address and its words. `tab` is what to open instead when the page is a tab in Airflow's UI."""

    words: str
    href: str
    tab: str = ""


@dataclass(frozen=True)
class Pill:
    """A status as a coloured pill; `kind` names its colour."""

    words: str
    kind: str


@dataclass(frozen=True)
class OutputLine:
    """One output of a step."""

    port: str
    place: str
    size: str
    digest: str
    link: Link | None


@dataclass(frozen=True)
class StepPart:
    """All that the page says of one step."""

    id: str
    name: str
    pill: Pill
    duration: str
    reason: str
    message: str
    ending: str
    origin: Link | None
    compared_to: Link | None
    airflow: str
    changes: Sequence[words.ChangeRow]
    changes_left_out: int
    outputs: Sequence[OutputLine]
    logs: Sequence[Link]
    tail: str


@dataclass(frozen=True)
class RunPart:
    """All that the page says of the run, and its steps."""

    id: str
    title: str
    pill: Pill
    live: bool
    airflow: str
    summary: str
    error: str
    description: str
    facts: Mapping[str, str]
    parameters: Mapping[str, str]
    steps: Sequence[StepPart]


_RUN_PILLS = {
    "NotStarted": Pill("Not started", "waiting"),
    "Running": Pill("Running", "running"),
    "Finished": Pill("Finished", "good"),
    "Failed": Pill("Failed", "bad"),
    "Canceled": Pill("Canceled", "ended"),
}
_STEP_PILLS = {**_RUN_PILLS, "Queued": Pill("Queued", "waiting"), "Finished": Pill("Executed", "good")}
_REUSED = Pill("Reused", "reused")


class RunView:
    """Makes the parts of the page of one run for one reader."""

    def __init__(self, session: Session, run: FoundRun, storage: WorkspaceStore, rights: Rights) -> None:
        self._session = session
        self._run = run
        self._storage = storage
        self._rights = rights
        self._origins: Mapping[str, tuple[str, str]] = {}

    def make(self, steps: Sequence[StepView]) -> RunPart:
        """The whole page."""
        run = self._run
        self._origins = self._find_origins(steps)
        failed = [step.step_id for step in steps if step.status == "Failed"][:_TAILS]
        times = {
            "Started": words.moment(run.started_at),
            "Duration": words.duration(words.seconds_between(run.started_at, run.ended_at)),
        }
        return RunPart(
            id=run.run_id,
            title=run.title,
            pill=_RUN_PILLS[run.status],
            live=run.status in LIVE,
            airflow=addresses.airflow_run(run.dag_id, run.airflow_run_id),
            summary=summary(steps),
            error=run.error,
            description=run.description,
            facts={name: value for name, value in {**times, **run.facts}.items() if value},
            parameters={name: words.text(value) for name, value in run.parameters.items()},
            steps=[self._step(step, step.step_id in failed) for step in steps],
        )

    def _step(self, step: StepView, show_tail: bool) -> StepPart:
        run, explanation, ending = self._run, step.explanation, self._ending(step)
        changes, left_out = words.shown(words.change_rows(explanation.changed if explanation is not None else ()))
        origin = step.reused_from
        compared_to = explanation.compared_to if explanation is not None and origin is None else None
        return StepPart(
            id=step.step_id,
            name=step.name,
            pill=_REUSED if step.reused else _STEP_PILLS[step.status],
            duration=words.duration(None if step.reused or not step.seconds else step.seconds),
            reason=self._reason(step, explanation),
            message=explanation.message if explanation is not None else "" if ending else step.reason,
            ending="\n".join(ending),
            origin=self._link_to(origin),
            compared_to=self._link_to(compared_to),
            airflow=addresses.airflow_task(run.dag_id, run.airflow_run_id, step.step_id),
            changes=changes,
            changes_left_out=left_out,
            outputs=[self._output(step, port, output) for port, output in step.outputs.items()],
            logs=self._logs(step),
            tail=self._tail(step) if show_tail and len(ending) == 1 else "",
        )

    def _reason(self, step: StepView, explanation: Explanation | None) -> str:
        """Why it ran or was reused; for a step that did not end well, why not, in one line."""
        ending = self._ending(step)
        if ending:
            return words.text(" ".join(dict.fromkeys((ending[0], ending[-1]))))
        return words.reason(explanation) if explanation is not None else words.text(step.reason)

    def _ending(self, step: StepView) -> list[str]:
        """Why a step did not end well, line by line; those after the first are of its log."""
        lines = step.reason.splitlines() if step.status in _ENDED_EARLY else []
        return lines if self._rights.logs else lines[:1]

    def _find_origins(self, steps: Sequence[StepView]) -> dict[str, tuple[str, str]]:
        """DAG and Airflow's id of each run that the page refers to, by our id; one that was deleted is left out."""
        compared = [step.explanation.compared_to for step in steps if step.explanation is not None]
        origins = [*(step.reused_from for step in steps), *compared]
        run_ids = {origin.run_id for origin in origins if origin is not None}
        query = select(RunRow.id, RunRow.dag_id, RunRow.airflow_run_id).where(RunRow.id.in_(run_ids))
        return {row.id: (row.dag_id, row.airflow_run_id) for row in self._session.execute(query)}

    def _link_to(self, origin: Origin | None) -> Link | None:
        """A link to the page of another run; without an address if that run is not known any more."""
        if origin is None:
            return None
        if origin.run_id not in self._origins:
            return Link(origin.run_id, "")
        page = addresses.run_page(origin.run_id, origin.step_id)
        return Link(origin.run_id, page, addresses.run_tab(*self._origins[origin.run_id]))

    def _output(self, step: StepView, port: str, output: OutputRef) -> OutputLine:
        run = self._run
        link = None
        if self._rights.files and output.is_file:
            link = Link(output.path, addresses.file(run.workspace, output.datastore, output.path))
        elif self._rights.files:
            link = Link("files", addresses.step_files(run.dag_id, run.run_id, step.step_id, f"output-{port}"))
        place = f"{output.datastore}/{output.path}"
        return OutputLine(port, place, words.size(output.size), output.digest, link)

    def _logs(self, step: StepView) -> list[Link]:
        run = self._run
        begun = step.result is not None or step.status in ("Running", "Failed") or step.started_at is not None
        if not (run.submitted and self._rights.logs and begun):
            return []
        logs = [Link(name, addresses.log(run.workspace, run.run_id, step.step_id, name)) for name in _LOGS]
        return [*logs, Link("all files", addresses.step_files(run.dag_id, run.run_id, step.step_id))]

    def _tail(self, step: StepView) -> str:
        """The end of what a failed step wrote to stderr."""
        if not self._rights.logs:
            return ""
        attempt = step_files.attempt_of(self._storage, self._run.run_id, step)
        if attempt is None:
            return ""
        try:
            with self._storage.open_artifact(*attempt, "logs/stderr.txt") as file:
                file.seek(max(0, file.seek(0, io.SEEK_END) - _TAIL_BYTES))
                lines = file.read().decode("utf-8", "replace").splitlines()
        except AirloomError:
            return ""
        return "\n".join(lines[-_TAIL_LINES:])


def summary(steps: Sequence[StepView]) -> str:
    """The steps of a run counted by what became of them."""
    pills = [_REUSED if step.reused else _STEP_PILLS[step.status] for step in steps]
    counts = {pill.words: pills.count(pill) for pill in pills}
    counted = ", ".join(f"{count} {name.lower()}" for name, count in counts.items())
    return f"{len(steps)} step{'s' if len(steps) != 1 else ''}: {counted}" if steps else ""
