"""Experiments: the names under which runs are gathered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airloom.core._compat import not_yet, refuse_unless_default, unknown_keywords
from airloom.core._names import EXPERIMENT, check_name
from airloom.core.run import Run, matches
from airloom.exceptions import ExperimentExecutionException, NotFoundException

if TYPE_CHECKING:
    from airloom.core.workspace import Workspace


MOST_RUNS = 1000
"""As many runs as the server lists at most."""


class ViewType:
    """Which experiments a list shows."""

    ActiveOnly = "ActiveOnly"
    ArchivedOnly = "ArchivedOnly"
    All = "All"


class Experiment:
    """A named collection of runs of a workspace.

    Making this object makes nothing on the server: an experiment comes into being with its first run or tag.
    """

    def __init__(self, workspace: Workspace, name: str, **kwargs: Any) -> None:
        unknown_keywords("Experiment", kwargs)
        self._workspace = workspace
        # The server allows more names than v1, so what it names itself is not checked.
        self._name = name if kwargs.get("_skip_name_validation") else check_name(name, EXPERIMENT)
        self._document: dict[str, Any] | None = None

    @property
    def workspace(self) -> Workspace:
        """The workspace it belongs to."""
        return self._workspace

    @property
    def workspace_object(self) -> Workspace:
        """The workspace it belongs to."""
        return self._workspace

    @property
    def name(self) -> str:
        """Name of the experiment."""
        return self._name

    @property
    def id(self) -> str:
        """What identifies it in its workspace: its name."""
        return self._name

    @property
    def tags(self) -> dict[str, str]:
        """Its tags; none as long as it has no run."""
        return dict(self._read().get("tags") or {})

    @property
    def archived(self) -> bool:
        """True if it is hidden from lists."""
        return bool(self._read().get("archived"))

    def submit(self, config: Any, tags: dict[str, str] | None = None, **kwargs: Any) -> Run:
        """Start a run of a Pipeline, PublishedPipeline or PipelineEndpoint and return it; does not wait for its end.

        The other arguments are those of the thing submitted: `pipeline_parameters`, `continue_on_step_failure`,
        `regenerate_outputs` and so on, and for an endpoint `pipeline_version`.
        """
        start = getattr(config, "_submit", None)
        if start is None:
            raise ExperimentExecutionException(
                f"A {type(config).__name__} cannot be submitted to an experiment. Submit a Pipeline, such as "
                "Pipeline(workspace, steps=[PythonScriptStep(...)])."
            )
        run: Run = start(self, tags=tags, **kwargs)
        return run

    def get_runs(
        self,
        type: str | None = None,
        tags: str | dict[str, str] | None = None,
        properties: str | dict[str, str] | None = None,
        include_children: bool = False,
    ) -> Iterator[Run]:
        """The runs of the experiment, the newest first, at most 1000, filtered by tags and properties.

        A filter is a name, or a dict of names and values that must all be there. With `include_children`, each run is
        followed by the runs of its steps.
        """
        client, workspace = self._workspace._client, self._workspace.name
        for document in client.list_runs(workspace, experiment=self._name, tags=_searched(tags), limit=MOST_RUNS):
            if matches(document, type, tags, properties):
                run = Run._of(self, document)
                yield run
                if include_children:
                    yield from run.get_children()

    @staticmethod
    def list(
        workspace: Workspace,
        experiment_name: str | None = None,
        view_type: str = ViewType.ActiveOnly,
        tags: str | dict[str, str] | None = None,
    ) -> Experiments:
        """The experiments of a workspace, by name."""
        found = []
        for document in workspace._client.list_experiments(workspace.name):
            shown = view_type == ViewType.All or bool(document["archived"]) == (view_type == ViewType.ArchivedOnly)
            if shown and experiment_name in (None, document["name"]) and matches(document, None, tags, None):
                found.append(_known(workspace, document))
        return found

    def tag(self, key: str, value: str | None = None) -> None:
        """Add one tag, or replace its value."""
        self.set_tags({key: "" if value is None else value})

    def set_tags(self, tags: dict[str, str]) -> None:
        """Add tags; those of the same name are replaced, the others stay."""
        self._change(tags={**self.tags, **{str(key): str(value) for key, value in tags.items()}})

    def remove_tags(self, tags: Names) -> None:
        """Remove the tags of these names."""
        self._change(tags={key: value for key, value in self.tags.items() if key not in tags})

    def archive(self) -> None:
        """Hide the experiment from lists. Its runs stay."""
        self._change(archived=True)

    def reactivate(self, new_name: str | None = None) -> None:
        """Show an archived experiment again, under the name it has."""
        refuse_unless_default("Experiment.reactivate", {"new_name": (new_name, None)})
        self._change(archived=False)

    def refresh(self) -> None:
        """Read the experiment anew from the server at the next use."""
        self._document = None

    @property
    def portal_url(self) -> str:
        """The address of the server's web pages."""
        return self.get_portal_url()

    def get_portal_url(self) -> str:
        """The address of the server's web pages."""
        return self._workspace._endpoint

    @staticmethod
    def delete(workspace: Workspace, experiment_id: str) -> None:
        """Raises UserErrorException: experiments can be archived, not deleted."""
        raise not_yet("Deleting an experiment", "Hide it with archive().")

    def _read(self) -> dict[str, Any]:
        if self._document is None:
            try:
                self._document = self._workspace._client.get_experiment(self._workspace.name, self._name)
            except NotFoundException:
                return {}
        return self._document

    def _change(self, **changes: Any) -> None:
        client, workspace = self._workspace._client, self._workspace.name
        client.create_experiment(workspace, {"name": self._name})  # returns one that is there as it is
        self._document = client.update_experiment(workspace, self._name, changes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Experiment):
            return NotImplemented
        return self._name == other._name and self._workspace == other._workspace

    def __hash__(self) -> int:
        return hash((self._name, self._workspace))

    def __repr__(self) -> str:
        return f"Experiment(Name: {self._name}, Workspace: {self._workspace.name})"


# Named here because inside the class `list` is its method.
Experiments = list[Experiment]
Names = list[str]


def _searched(tags: str | dict[str, str] | None) -> list[str]:
    """Tags as the server looks for them: `name:value`, or a name alone, which must not hold a colon then."""
    if isinstance(tags, str):
        return [tags] if ":" not in tags else []
    return [f"{name}:{value}" for name, value in (tags or {}).items() if ":" not in name]


def _known(workspace: Workspace, document: dict[str, Any]) -> Experiment:
    experiment = Experiment.__new__(Experiment)
    experiment._workspace, experiment._name, experiment._document = workspace, document["name"], document
    return experiment
