"""What Airflow's UI shows of a pipeline beside its runs."""

from __future__ import annotations

from airflow.sdk import DAG

from airloom.graph.model import ParameterDef
from airloom.plugins.dag_factory import build_dag
from airloom.storage.definitions import dag_id
from tests.support.builders import a_graph, a_path, a_step
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


def a_published_dag(**fields: object) -> DAG:
    """The DAG of a published pipeline."""
    publication = {"id": "1234", "name": "Prices", "owner": "ann", **fields}
    parameters = (
        ParameterDef(name="rate", type="float", default=0.5),
        ParameterDef(name="fast", type="bool", default=True),
        ParameterDef(name="note", type="string", default="a | b\n" + "x" * 500),
        ParameterDef(name="data", type="datapath", default=a_path("workspaceblobstore/cars")),
    )
    graph = a_graph(a_step("train"), parameters=parameters, description="Trained on cars")
    return build_dag(a_definition(graph=graph, publication=publication))


def test_a_published_pipeline_is_shown_as_what_its_author_called_it() -> None:
    dag = a_published_dag(version="v 2", description="Of *cars*", tags={"team": "a", "urgent": ""})
    assert dag.dag_id.startswith("Prices.")
    assert dag.dag_display_name == "Prices · v 2"
    assert dag.description == "Of *cars*"
    assert set(dag.tags) == {"airloom", "published", "pipeline:Prices", "workspace:default", "team:a", "urgent"}
    assert {task.owner for task in dag.tasks} == {"ann"}
    assert a_published_dag().dag_display_name == "Prices"
    assert a_published_dag().description == "Trained on cars"


def test_the_documentation_is_the_definition_in_words() -> None:
    text = str(a_published_dag(description="Of *cars*", version="v2").doc_md)
    assert text.startswith("Of *cars*\n\nPublished pipeline **Prices · v2**, `1234`.\n\nTrained on cars\n\n")
    assert "| rate | float | 0.5 |" in text
    assert "| fast | bool | true |" in text
    assert "| data | datapath | workspaceblobstore/cars |" in text
    assert "| note | string | a \\| b xxx" in text and "x" * 200 not in text
    assert "| train | main.py | - | - |" in text


def test_tags_are_as_long_as_airflow_takes_them() -> None:
    """Airflow refuses a DAG with a longer one; two that are cut to the same are one."""
    dag = a_published_dag(name="n" * 250, tags={"a" * 150: "1", "a" * 151: "2", "": ""})
    assert {len(tag) for tag in dag.tags if tag[0] in "pa" and len(tag) > 20} == {100}
    assert len([tag for tag in dag.tags if tag.startswith("aaa")]) == 1
    experiment = build_dag(a_definition(experiment="e" * 250, graph=a_graph(a_step("train"))))
    assert max(map(len, experiment.tags)) == 100
