"""What Airflow's UI shows of a pipeline beside its runs."""

from __future__ import annotations

from airflow.sdk import DAG

from airloom.plugins.dag_factory import build_dag
from airloom.storage.definitions import dag_id
from tests.support.builders import a_graph, a_step
from tests.unit.plugins.conftest import a_definition


def a_dag(name: str = "train", description: str = "") -> DAG:
    graph = a_graph(a_step("prepare"), a_step("train", name=name, reads=("prepare.out",)), description=description)
    return build_dag(a_definition(graph=graph))


def test_pipelines_of_one_experiment_can_be_told_apart() -> None:
    names = {a_dag(description=description).dag_display_name for description in ("a", "b")}
    assert len(names) == 2
    assert {name.partition(" ")[0] for name in names} == {"cars"}


def test_the_name_ends_with_the_beginning_of_the_digest() -> None:
    definition = a_definition(graph=a_graph(a_step("prepare")))
    digest = dag_id(definition).rpartition(".")[2]
    assert build_dag(definition).dag_display_name == f"cars · {digest[:6]}"


def test_the_description_is_the_authors_or_the_steps() -> None:
    assert a_dag(description="Prices").description == "Prices"
    assert a_dag().description == "2 steps: prepare, train"


def test_the_documentation_says_what_skipped_means() -> None:
    dag = a_dag()
    texts = [dag.doc_md, *(task.doc_md for task in dag.tasks)]
    assert [text for text in texts if "**Skipped** means *reused*" not in str(text)] == []
    assert "| train | main.py | prepare | - |" in str(dag.doc_md)


def test_names_are_shown_as_they_are_and_never_as_markdown() -> None:
    dag = a_dag(name="[x](javascript:y) | <b>z</b>")
    assert "| \\[x\\]\\(javascript:y\\) \\| \\<b\\>z\\</b\\> | main.py |" in str(dag.doc_md)


def test_steps_go_by_the_names_of_their_author() -> None:
    names = {task.task_id: task.task_display_name for task in a_dag(name="Train it").tasks}
    assert names == {"reuse": "reuse unchanged", "prepare": "prepare", "train": "Train it"}
