"""Runs: submitted, read, changed and canceled."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from airloom.exceptions import AuthenticationException, NotFoundException, ServiceException, UserErrorException
from airloom.graph.model import (
    OutputOf,
    ParameterDef,
    PythonScriptSettings,
)
from airloom.graph.results import Reason, StepResult
from airloom.reuse.plan import Decision, Plan
from tests.integration.api.bench import (
    EXPERIMENT,
    ORIGIN,
    OUTPUT,
    WORKSPACE,
    Bench,
    as_body,
    explanation,
    graph,
    loader_of,
    manifest,
)
from tests.integration.api.server import ApiServer
from tests.support.builders import a_graph, a_path, a_step

# --- submitting -------------------------------------------------------------------------------------------------


@pytest.fixture
def no_processor(bench: Bench) -> Iterator[None]:
    """A server on which no DAG processor has run since Airloom's bundle was configured."""
    bench.server.act("use_bundle", name="airloom", active=False)
    yield
    bench.server.act("use_bundle", name="airloom", active=True)


@pytest.mark.usefixtures("no_processor")
def test_pipeline_that_airflow_does_not_take_in(bench: Bench) -> None:
    """The error says what to look at, it comes when the time is over, and nothing of the run is left."""
    other = graph(description="never parsed")
    before = len(bench.client.list_runs(WORKSPACE))
    start = time.monotonic()
    with pytest.raises(ServiceException, match="Check that `airflow dag-processor` is running"):
        bench.client.submit_run(WORKSPACE, "unparsed", as_body(other))
    assert 2 <= time.monotonic() - start < 10
    assert len(bench.client.list_runs(WORKSPACE)) == before


@pytest.mark.usefixtures("no_processor")
def test_dag_processor_is_asked_to_look(server: ApiServer, bench: Bench) -> None:
    """Once for each pipeline, whatever its refresh interval: the one file of the bundle that will hold it."""
    with pytest.raises(ServiceException) as caught:
        bench.client.submit_run(WORKSPACE, "asked", as_body(graph(description="never parsed")))
    engine = create_engine(server.database)
    with engine.connect() as database:
        rows = database.execute(text("SELECT bundle_name, relative_fileloc FROM dag_priority_parsing_request"))
        asked = [tuple(row) for row in rows]
    engine.dispose()
    assert asked.count(("airloom", loader_of(str(caught.value.target)))) == 1


@pytest.mark.usefixtures("no_processor")
def test_import_error_of_the_loader(server: ApiServer, bench: Bench) -> None:
    """If Airflow cannot import the file, its complaint is the answer."""
    with pytest.raises(ServiceException) as caught:
        bench.client.submit_run(WORKSPACE, "broken", as_body(graph()))
    file = loader_of(str(caught.value.target))
    bench.server.act("leave_import_error", bundle="airloom", file=file, trace="Traceback\nImportError: no airloom")
    with pytest.raises(ServiceException, match=f"{file} of bundle 'airloom' cannot be imported: ImportError: no airl"):
        bench.client.submit_run(WORKSPACE, "broken", as_body(graph()))


def test_new_pipeline_waits_for_no_dag_processor(server: ApiServer, bench: Bench) -> None:
    """This server has none. Airflow's own pages show the DAG as one of the bundle's.

    Its source only to who may read every DAG of the file, and another test's secret one may be in it.
    """
    run_id = bench.client.submit_run(WORKSPACE, "at once", as_body(graph(description="new")))["id"]
    dag = bench.run(run_id)["dag_id"]
    shown = bench.server.http("viewer").get(f"{server.url}/api/v2/dags/{dag}/details").raise_for_status().json()
    assert (shown["bundle_name"], shown["relative_fileloc"]) == ("airloom", loader_of(dag))
    assert (shown["is_paused"], shown["is_stale"], shown["has_import_errors"]) == (False, False, False)
    assert shown["dag_display_name"].startswith("at once")
    source = bench.server.http("admin").get(f"{server.url}/api/v2/dagSources/{dag}").raise_for_status().text
    assert "load_shard" in source


@pytest.mark.thorough
def test_dag_processor_finds_what_a_submit_has_written(
    server: ApiServer, bench: Bench, rounds: Callable[[int, int], int]
) -> None:
    """Parsing the pipeline makes no other version of it, however often; nor is a row of the first one changed."""
    run_id = bench.client.submit_run(WORKSPACE, "parsed", as_body(graph(description="parsed")))["id"]
    dag = bench.run(run_id)["dag_id"]
    written = stored_forms(server, dag)
    bench.parse(dag, times=rounds(10, 100))
    assert stored_forms(server, dag) == written
    assert len(written) == 1


def test_same_new_pipeline_from_many_at_once(server: ApiServer, bench: Bench) -> None:
    """Each submission has its run; Airflow has one version of the pipeline."""
    body = as_body(graph(description="from many"))
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: bench.client.submit_run(WORKSPACE, "many", body), range(8)))
    assert len({run["id"] for run in runs}) == 8
    (dag,) = {run["dag_id"] for run in runs}
    assert len(stored_forms(server, dag)) == 1


def stored_forms(server: ApiServer, dag: str) -> list[tuple[Any, ...]]:
    """All that Airflow has stored of a DAG's versions: their serialised forms with hashes, and when it wrote them."""
    joined = "dag_version v JOIN serialized_dag s ON s.dag_version_id = v.id"
    query = f"SELECT v.version_number, v.bundle_name, s.* FROM {joined}"
    engine = create_engine(server.database)
    try:
        with engine.connect() as database:
            return [tuple(row) for row in database.execute(text(f"{query} WHERE v.dag_id = :dag"), {"dag": dag})]
    finally:
        engine.dispose()


def test_submits_look_for_the_bundle_that_there_is(server: ApiServer) -> None:
    """The server names its class in words, since importing it would load what only workers need."""
    script = (
        "from airloom.plugins.dag_bundle import AirloomDagBundle\n"
        "from airloom.plugins.visibility import BUNDLE_CLASS\n"
        "assert BUNDLE_CLASS == f'{AirloomDagBundle.__module__}.{AirloomDagBundle.__qualname__}'\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], env=server.environment, check=True)


def test_submit(bench: Bench) -> None:
    """The run has what was given, Airflow has a run of the same id, and parameters keep their types."""
    run_id = bench.submit(
        parameters={"rate": "45"}, tags={"a": "b"}, properties={"c": "d"}, description="a try", display_name="Try 1"
    )
    run = bench.run(run_id)
    assert run["parameters"] == {"rate": 45}
    assert (run["tags"], run["properties"]) == ({"a": "b"}, {"c": "d"})
    assert (run["status"], run["reuse"], run["error"]) == ("NotStarted", "auto", None)
    assert (run["experiment"], run["workspace"], run["created_by"]) == (EXPERIMENT, WORKSPACE, "user")
    assert run["dag_id"] == bench.dag_id and bench.dag_id.startswith("first-try.")
    assert run["url"] == f"{bench.server.url}/dags/{bench.dag_id}/runs/{run_id}"
    http = bench.server.http("viewer")
    airflow_run = http.get(f"{bench.server.url}/api/v2/dags/{bench.dag_id}/dagRuns/{run_id}").json()
    assert airflow_run["conf"] == {"rate": 45, "airloom.reuse": "auto"}
    assert airflow_run["triggering_user_name"] == "user"
    assert bench.client.get_graph(WORKSPACE, run_id) == graph().model_dump(mode="json")


def test_many_at_once(bench: Bench) -> None:
    """Every submission has its run, each with its own half in Airflow; a new experiment is created once."""
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda number: bench.submit(tags={"number": str(number)}), range(16)))
    assert len(ids) == 16
    listed = {run["id"]: run for run in bench.client.list_runs(WORKSPACE, experiment=EXPERIMENT)}
    assert {listed[run_id]["status"] for run_id in ids} == {"NotStarted"}


@pytest.mark.parametrize(
    ("fields", "reuse"),
    [({"reuse": "off"}, "off"), ({"regenerate_outputs": True}, "refresh"), ({"reuse": "refresh"}, "refresh")],
)
def test_reuse_mode(bench: Bench, fields: dict[str, Any], reuse: str) -> None:
    """v1's regenerate_outputs is the mode refresh."""
    assert bench.run(bench.submit(**fields))["reuse"] == reuse


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"parameters": {"rat": 1}}, "There is no pipeline parameter 'rat'. Did you mean 'rate'"),
        ({"parameters": {"rate": "fast"}}, "Parameter 'rate' expects int"),
        ({"reuse": "sometimes"}, "Input should be 'auto', 'off' or 'refresh'"),
    ],
)
def test_wrong_arguments(bench: Bench, fields: dict[str, Any], message: str) -> None:
    """What is wrong with a call is said before anything is stored."""
    with pytest.raises(UserErrorException, match=message.replace("?", r"\?")):
        bench.submit(**fields)


def test_wrong_graphs(bench: Bench) -> None:
    """Every problem is listed, by validation as by submission."""
    broken = a_graph(
        a_step("a", reads=("b.out",)),
        a_step("b", reads=("a.out",), compute_target="gpu"),
    )
    body = as_body(broken)
    found = bench.client.validate_graph(WORKSPACE, body["graph"])
    assert {"Cycle", "UnknownCompute"} <= {problem["code"] for problem in found}
    with pytest.raises(UserErrorException) as caught:
        bench.client.submit_run(WORKSPACE, EXPERIMENT, body)
    assert [detail["Code"] for detail in caught.value.details] == [problem["code"] for problem in found]
    malformed = bench.client.validate_graph(WORKSPACE, {"format": 7})
    assert [problem["code"] for problem in malformed] == ["InvalidGraph"]
    assert bench.client.validate_graph(WORKSPACE, graph().model_dump(mode="json")) == []


def test_source_folder_that_was_not_uploaded(bench: Bench) -> None:
    """The step is named; so is a script that its folder lacks."""
    settings = PythonScriptSettings(script_name="main.py", snapshot="2" * 64)
    with pytest.raises(UserErrorException, match="of step 'a' has not been uploaded"):
        bench.client.submit_run(WORKSPACE, EXPERIMENT, as_body(a_graph(a_step("a", settings=settings))))
    settings = PythonScriptSettings(script_name="other.py", snapshot=manifest().digest)
    with pytest.raises(UserErrorException, match=r"has no script 'other\.py'"):
        bench.client.submit_run(WORKSPACE, EXPERIMENT, as_body(a_graph(a_step("a", settings=settings))))


def test_data_given_on_an_unknown_datastore(bench: Bench) -> None:
    """A datapath given for a run is checked like one in the graph."""
    path = ParameterDef(name="data", type="datapath", default=a_path("workspaceblobstore/x"))
    given = {"parameters": {"data": a_path("elsewhere/x").model_dump(mode="json")}}
    with pytest.raises(UserErrorException, match="'data' is on the datastore 'elsewhere'"):
        bench.client.submit_run(WORKSPACE, EXPERIMENT, as_body(graph(parameters=(*graph().parameters, path)), **given))


def test_run_that_airflow_refuses(bench: Bench) -> None:
    """If Airflow's half of the registration fails, ours is not there either."""
    before = len(bench.client.list_runs(WORKSPACE))
    with pytest.raises(UserErrorException, match="Airflow refuses the run"):
        bench.submit(parameters={"rate": 101})
    assert len(bench.client.list_runs(WORKSPACE)) == before


# --- reading ----------------------------------------------------------------------------------------------------


def test_life_of_a_run(bench: Bench) -> None:
    """States, times, outputs and reasons follow what Airflow's tasks do."""
    run_id = bench.submit()
    assert {step["status"] for step in bench.steps(run_id).values()} == {"NotStarted"}
    plan = Plan(
        decisions={
            "prepare": Decision(action="run", message="m", explanation=explanation("prepare", Reason.FIRST_RUN)),
            "train": Decision(action="later", message="It reads outputs of steps that have to run first."),
        }
    )
    bench.set(run_id, run="running", reuse="success", prepare="running")
    bench.push(run_id, "reuse", "airloom_plan", plan)
    steps = bench.steps(run_id)
    assert bench.run(run_id)["status"] == "Running"
    assert [(step["name"], step["status"], step["reason"]) for step in steps.values()] == [
        ("Prepare data", "Running", "first_run."),
        ("train", "NotStarted", "It reads outputs of steps that have to run first."),
    ]
    done = explanation("prepare", Reason.FIRST_RUN)
    result = StepResult(status="executed", outputs={"out": OUTPUT}, key="k", attempt="1-bbbb", explanation=done)
    bench.push(run_id, "prepare", "airloom_result", result)
    bench.set(run_id, run="success", prepare="success", train="success")
    prepare = bench.steps(run_id)["prepare"]
    assert (prepare["status"], prepare["reused"], prepare["attempt"]) == ("Finished", False, "1-bbbb")
    assert prepare["outputs"] == {"out": OUTPUT.model_dump()}
    assert prepare["seconds"] is not None and prepare["ended_at"] >= prepare["started_at"]
    run = bench.run(run_id)
    assert run["status"] == "Finished" and run["ended_at"] is not None


def test_reused_steps(bench: Bench) -> None:
    """Reused by the plan, or by the step itself at run time: both are finished, and say whose result it is."""
    run_id = bench.submit()
    unchanged = StepResult(
        status="reused",
        outputs={"out": OUTPUT},
        key="k",
        attempt="1-aaaa",
        reused_from=ORIGIN,
        explanation=explanation("prepare", Reason.UNCHANGED, compared_to=ORIGIN),
    )
    cutoff = unchanged.model_copy(update={"explanation": explanation("train", Reason.EARLY_CUTOFF)})
    bench.push(run_id, "reuse", "airloom_plan", Plan(reused={"prepare": unchanged}))
    bench.push(run_id, "train", "airloom_result", cutoff)
    bench.set(run_id, run="success", reuse="success", prepare="skipped", train="skipped")
    for step in bench.steps(run_id).values():
        assert (step["status"], step["reused"]) == ("Finished", True)
        assert step["reused_from"] == {"run_id": "earlier", "step_id": "prepare"}
        assert step["outputs"] == {"out": OUTPUT.model_dump()}
    explained = bench.client.explain(WORKSPACE, run_id)
    assert [each["reason"] for each in explained] == ["unchanged", "early_cutoff"]
    assert [each["reason"] for each in bench.client.explain(WORKSPACE, run_id, "Prepare data")] == ["unchanged"]
    with pytest.raises(NotFoundException, match="no step 'tarin'"):
        bench.client.explain(WORKSPACE, run_id, "tarin")


def test_failed_run(bench: Bench) -> None:
    """The run names the step that failed; what could not start after it is canceled."""
    run_id = bench.submit()
    bench.set(run_id, run="failed", reuse="success", prepare="failed", train="upstream_failed")
    run = bench.run(run_id)
    assert run["status"] == "Failed"
    assert run["error"] == {
        "code": "StepFailed",
        "message": "Failed: 'prepare'. The log of the step tells why.",
        "steps": ["prepare"],
    }
    steps = bench.steps(run_id)
    assert (steps["prepare"]["status"], steps["train"]["status"]) == ("Failed", "Canceled")
    assert steps["train"]["reason"] == "A step before it failed."


def test_run_that_could_not_be_planned(bench: Bench) -> None:
    """When the root task fails no step is to blame."""
    run_id = bench.submit()
    bench.set(run_id, run="failed", reuse="failed", prepare="upstream_failed", train="upstream_failed")
    assert bench.run(run_id)["error"]["code"] == "PlanningFailed"


def test_run_deleted_in_airflow(bench: Bench) -> None:
    """Our row stays readable and says what happened."""
    run_id = bench.submit()
    bench.server.act("delete_run", run_id=run_id)
    run = bench.run(run_id)
    assert (run["status"], run["error"]["code"]) == ("Failed", "RunDeleted")
    assert {step["status"] for step in bench.steps(run_id).values()} == {"NotStarted"}


def test_xcoms_of_another_version(bench: Bench) -> None:
    """Values that this version cannot read are as good as none, never a failure of the page."""
    run_id = bench.submit()
    for task, key in (("reuse", "airloom_plan"), ("prepare", "airloom_result")):
        bench.server.act("push", run_id=run_id, task_id=task, key=key, value={"format": 99})
    bench.set(run_id, prepare="success")
    assert bench.steps(run_id)["prepare"]["status"] == "Finished"


def test_list_runs(bench: Bench) -> None:
    """The newest first, filtered by experiment and status, as many as wanted."""
    first, second = bench.submit(), bench.submit()
    bench.set(first, run="failed", prepare="failed")
    runs = bench.client.list_runs(WORKSPACE)
    assert [run["id"] for run in runs[:2]] == [second, first]
    assert [run["id"] for run in bench.client.list_runs(WORKSPACE, limit=1)] == [second]
    assert first in [run["id"] for run in bench.client.list_runs(WORKSPACE, status="Failed")]
    assert second in [run["id"] for run in bench.client.list_runs(WORKSPACE, status="NotStarted")]
    assert bench.client.list_runs(WORKSPACE, experiment="none") == []
    of_experiment = [run for run in runs if run["experiment"] == EXPERIMENT]
    assert bench.client.list_runs(WORKSPACE, experiment=EXPERIMENT) == of_experiment
    with pytest.raises(UserErrorException, match=r"query\.status"):
        bench.client.list_runs(WORKSPACE, status="Lost")


def test_runs_of_another_workspace(bench: Bench) -> None:
    """A run is found in its own workspace only."""
    run_id = bench.submit()
    with pytest.raises(NotFoundException, match="'default' has no run"):
        bench.client.get_run("default", run_id)


def test_rights_on_single_pipelines(server: ApiServer, bench: Bench) -> None:
    """An auth manager that grants rights per DAG is asked for each DAG: to submit, to read, to cancel and in lists."""
    boss = server.client("admin")
    run_id = boss.submit_run(WORKSPACE, "secret", as_body(graph()))["id"]
    assert boss.list_runs(WORKSPACE, experiment="secret", limit=1)[0]["id"] == run_id
    assert bench.client.list_runs(WORKSPACE, experiment="secret") == []
    visible = bench.submit()
    assert [run["id"] for run in bench.client.list_runs(WORKSPACE, limit=1)] == [visible]
    with pytest.raises(AuthenticationException, match=r"may not run the DAG 'secret\."):
        bench.client.submit_run(WORKSPACE, "secret", as_body(graph()))
    for refused in (bench.client.get_run, bench.client.cancel_run, bench.client.list_steps, bench.client.explain):
        with pytest.raises(AuthenticationException, match=r"lacks the right to .* on dag 'secret\."):
            refused(WORKSPACE, run_id)
    with pytest.raises(AuthenticationException, match="lacks the right to GET TASK_LOGS"):
        bench.client.read_log(WORKSPACE, run_id, "prepare")
    assert boss.get_run(WORKSPACE, run_id)["status"] == "NotStarted"


def test_change_a_run(bench: Bench) -> None:
    """What is given changes, what is not stays."""
    run_id = bench.submit(tags={"a": "b"}, description="kept")
    run = bench.client.update_run(WORKSPACE, run_id, {"tags": {"c": "d"}, "display_name": "new"})
    assert (run["tags"], run["display_name"], run["description"]) == ({"c": "d"}, "new", "kept")
    assert bench.run(run_id) == run


# --- canceling --------------------------------------------------------------------------------------------------


def test_cancel(bench: Bench) -> None:
    """What runs is ended, what waits never starts; both are canceled, what was done before stays as it was."""
    run_id = bench.submit()
    bench.set(run_id, run="running", reuse="success", prepare="running")
    run = bench.client.cancel_run(WORKSPACE, run_id)
    assert (run["status"], run["error"]) == ("Canceled", None)
    steps = bench.steps(run_id)
    assert [(step["status"], step["reason"]) for step in steps.values()] == [
        ("Canceled", "Canceled while it ran."),
        ("Canceled", "The run ended before it could start."),
    ]
    assert run_id in [each["id"] for each in bench.client.list_runs(WORKSPACE, status="Canceled")]
    assert run_id not in [each["id"] for each in bench.client.list_runs(WORKSPACE, status="Failed")]
    assert bench.client.cancel_run(WORKSPACE, run_id) == run


def test_cancel_before_the_start(bench: Bench) -> None:
    """A run that the scheduler has not seen yet can be canceled as well."""
    run_id = bench.submit()
    assert bench.client.cancel_run(WORKSPACE, run_id)["status"] == "Canceled"


def test_cancel_what_has_ended(bench: Bench) -> None:
    """A finished run stays finished, and a step that failed by itself before has failed."""
    run_id = bench.submit()
    bench.set(run_id, run="success", reuse="success", prepare="success", train="success")
    assert bench.client.cancel_run(WORKSPACE, run_id)["status"] == "Finished"
    run_id = bench.submit()
    bench.set(run_id, run="running", reuse="success", prepare="failed", train="running")
    bench.client.cancel_run(WORKSPACE, run_id)
    steps = bench.steps(run_id)
    assert (steps["prepare"]["status"], steps["train"]["status"]) == ("Failed", "Canceled")


def test_workspace_with_a_live_run(bench: Bench) -> None:
    """It cannot be deleted under the run."""
    bench.submit()
    with pytest.raises(UserErrorException, match="has a run that has not ended"):
        bench.server.client("admin").delete_workspace(WORKSPACE)


def test_binding_is_what_the_graph_says() -> None:
    """The stand-in DAG has the steps of the graph, or the tests above would prove nothing."""
    steps = {step.id: step for step in graph().steps}
    assert list(steps) == ["prepare", "train"]
    assert steps["train"].inputs[0].binding == OutputOf(step="prepare", port="out")
