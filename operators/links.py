"""Links on a step's page in Airflow's UI: what it wrote, and why it ran."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote, urlsplit

from airflow.sdk import BaseOperatorLink
from airflow.sdk.configuration import conf

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


def run_page(run_id: str, anchor: str = "", *, dag_id: str = "") -> str:
    """Address of Airloom's page of a run, without a host, so that it holds however the server is reached.

    `dag_id` is needed for runs that were not submitted to Airloom but started in Airflow: their ids are unique only
    within their DAG.
    """
    query = f"?dag_id={quote(dag_id, safe='')}" if dag_id else ""
    fragment = f"#{quote(anchor, safe='')}" if anchor else ""
    return f"{server_path()}/airloom/runs/{quote(run_id, safe='')}{query}{fragment}"


def server_path() -> str:
    """The path below which Airflow is served, as the setting `[api] base_url` has it; empty for a whole host."""
    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")


class StepLink(BaseOperatorLink):
    """A link on the page of each task that is a step.

    The plugin offers the links, and the API server makes their addresses when it shows them. (Links that an operator
    has itself are made by its task instead, which then tells the server: a request and a database row for each.)
    """

    operators: ClassVar[list[type[BaseOperator]]] = []
    """The step types; each adds itself."""


class OutputsLink(StepLink):
    """To the outputs of a step."""

    name = "Outputs"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Address of the step on the run's page."""
        return run_page(ti_key.run_id, ti_key.task_id, dag_id=ti_key.dag_id)


class WhyLink(StepLink):
    """To the explanation of a step."""

    name = "Why did this run?"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Address of the step's explanation on the run's page."""
        return run_page(ti_key.run_id, f"why-{ti_key.task_id}", dag_id=ti_key.dag_id)
