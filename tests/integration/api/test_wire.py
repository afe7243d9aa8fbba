"""The API in the shape of Azure ML's v1 service: each route, asked by a caller who knows HTTP and JSON only."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from airloom.graph.results import Reason, StepResult
from airloom.reuse.plan import Plan
from tests.integration.api.bench import ORIGIN, OUTPUT, Bench, explanation
from tests.integration.api.wire_caller import EXPERIMENT, Json, WireCaller, done, made, refused

NOT_STARTED, RUNNING, FAILED, FINISHED, CANCELED = range(5)
STEP_RUNNING, STEP_FAILED, STEP_FINISHED, STEP_CANCELED = 2, 3, 4, 5


@pytest.fixture
def caller(bench: Bench) -> WireCaller:
    return WireCaller(bench.server)


@pytest.fixture
def pipeline(caller: WireCaller) -> Json:
    return caller.publish()


# --- submitting -------------------------------------------------------------------------------------------------


def test_submit_with_everything(caller: WireCaller, pipeline: Json) -> None:
    """What was given is told again, typed as the parameters are, and Airflow's run has it."""
    run = done(
        caller.http.post(
            pipeline["endpoint"],
            json={
                "ExperimentName": EXPERIMENT,
                "DisplayName": "Try 1",
                "Description": "a try",
                "RunSource": "SDK",
                "RunType": "HTTP",
                "ParameterAssignments": {"rate": "45", "share": 0.25, "fast": True, "style": 7},
                "DataPathAssignments": {"data": {"DataStoreName": "workspaceblobstore", "RelativePath": "new"}},
                "DataSetDefinitionValueAssignments": {
                    "files": {"LiteralValue": {"DataStoreName": "workspaceblobstore", "RelativePath": "a.csv"}}
                },
                "ContinueRunOnStepFailure": True,
                "EnableNotification": True,
                "Tags": {"a": "b"},
                "Properties": {"c": "d"},
                "Reuse": "off",
            },
        )
    )
    assert run["ParameterAssignments"] == {"rate": "45", "share": "0.25", "fast": "true", "style": "7"}
    assert run["DataPathAssignments"] == {"data": {"DataStoreName": "workspaceblobstore", "RelativePath": "new"}}
    assert run["DataSetDefinitionValueAssignments"] == {
        "files": {"LiteralValue": {"DataStoreName": "workspaceblobstore", "RelativePath": "a.csv"}}
    }
    assert (run["PipelineId"], run["PipelineEndpointId"], run["ScheduleId"]) == (pipeline["id"], None, None)
    assert (run["RunHistoryExperimentName"], run["DisplayName"], run["Description"]) == (EXPERIMENT, "Try 1", "a try")
    assert (run["tags"], run["Properties"], run["Reuse"]) == ({"a": "b"}, {"c": "d"}, "off")
    assert (run["RunSource"], run["RunType"], run["ContinueRunOnStepFailure"]) == ("SDK", 1, True)
    assert (run["TotalRunSteps"], run["GraphId"]) == (2, pipeline["graph_digest"])
    assert (run["IsSubmitted"], run["HasErrors"], run["EntityStatus"], run["UploadState"]) == (True, False, 0, 1)
    assert run["Status"]["StatusCode"] == NOT_STARTED and run["Status"]["EndTime"] is None
    assert run["RunUrl"] == f"{caller.server.url}/dags/{pipeline['dag_id']}/runs/{run['Id']}"
    conf = caller.http.get(f"/api/v2/dags/{pipeline['dag_id']}/dagRuns/{run['Id']}").json()["conf"]
    assert (conf["rate"], conf["share"], conf["fast"], conf["style"]) == (45, 0.25, True, "7")
    assert conf["airloom.reuse"] == "off"
    assert caller.get(f"PipelineRuns/{run['Id']}") == run


def test_a_run_is_given_a_saved_dataset_by_its_id(caller: WireCaller, pipeline: Json) -> None:
    place = {"datastore": "workspaceblobstore", "path": "in/*.csv"}
    source = {"kind": "files", "locations": [place, {**place, "path": "more"}]}
    datasets = "/airloom/api/v1/workspaces/runs/datasets"
    saved = made(caller.http.post(datasets, json={"source": source}))
    assert saved["source"] == source
    assert done(caller.http.get(f"{datasets}/{saved['id']}")) == {**saved, "registered": None}
    assigned = {"files": {"SavedDataSetReference": {"Id": saved["id"]}}}
    body = {"ExperimentName": EXPERIMENT, "DataSetDefinitionValueAssignments": assigned}
    run = done(caller.http.post(pipeline["endpoint"], json=body))
    conf = caller.http.get(f"/api/v2/dags/{pipeline['dag_id']}/dagRuns/{run['Id']}").json()["conf"]
    assert conf["files"] == source
    elsewhere = {"kind": "files", "locations": [{**place, "datastore": "elsewhere"}]}
    assert "elsewhere" in refused(caller.http.post(datasets, json={"source": elsewhere}), 400)


def test_a_run_is_given_a_registered_dataset_by_its_name(caller: WireCaller, pipeline: Json) -> None:
    client, name = caller.server.client(), f"ds-{uuid4().hex[:8]}"
    client.upload_file("runs", "workspaceblobstore", f"{name}/a.csv", b"1")
    place = {"datastore": "workspaceblobstore", "path": name}
    body = {"source": {"kind": "files", "locations": [place]}}
    version = client.register_dataset("runs", name, body)
    reference = {"DataSetReference": {"Id": version["id"], "Name": name, "Version": "1"}}
    for asked in ({"Name": name}, {"Name": name, "Version": 1}, {"Id": version["id"]}):
        assigned = {"files": {"DataSetReference": asked}}
        body = {"ExperimentName": EXPERIMENT, "DataSetDefinitionValueAssignments": assigned}
        run = done(caller.http.post(pipeline["endpoint"], json=body))
        assert run["DataSetDefinitionValueAssignments"]["files"] == reference
        conf = caller.http.get(f"/api/v2/dags/{pipeline['dag_id']}/dagRuns/{run['Id']}").json()["conf"]
        assert conf["files"] == version["source"]


@pytest.mark.parametrize("content", ["{}", "", None])
def test_submit_with_nothing(caller: WireCaller, content: str | None) -> None:
    """All parameters have their defaults; the experiment is that of the pipeline."""
    pipeline = caller.publish(experiment="of the pipeline")
    run = done(caller.ask("POST", f"PipelineRuns/PipelineSubmit/{pipeline['id']}", content=content))
    assert run["ParameterAssignments"] == {"rate": "10", "share": "0.5", "fast": "false", "style": "candy"}
    assert run["RunHistoryExperimentName"] == "of the pipeline"
    assert (run["RunSource"], run["RunType"]) == ("HTTP", 0)


def test_submit_an_endpoint_in_every_way(caller: WireCaller) -> None:
    """By id or name, of the default version or another; the address that the service gives is one of the ways."""
    first, second = caller.publish(), caller.publish()
    endpoint = caller.endpoint(first, second)
    submit = "PipelineRuns/PipelineEndpointSubmit"
    body = {"ExperimentName": EXPERIMENT, "ParameterAssignments": {"rate": 3}}
    ways = {
        f"{submit}/Id/{endpoint['id']}": first,
        f"{submit}/Id/{endpoint['id']}/0": first,
        f"{submit}/Id/{endpoint['id']}/1": second,
        f"{submit}/Id/{endpoint['id']}?pipelineVersion=1": second,
        f"{submit}/Name?name={endpoint['name']}": first,
        f"{submit}/Name?name={endpoint['name']}&pipelineVersion=1": second,
        f"{submit}/Name?Name={endpoint['name']}": first,
    }
    for path, pipeline in ways.items():
        run = caller.post(path, body)
        assert (run["PipelineId"], run["PipelineEndpointId"]) == (pipeline["id"], endpoint["id"]), path
        assert run["ParameterAssignments"]["rate"] == "3"
    assert done(caller.http.post(endpoint["endpoint"], json=body))["PipelineId"] == first["id"]
    assert done(caller.http.post(f"{endpoint['endpoint']}/1", json=body))["PipelineId"] == second["id"]


def test_paths_in_any_case_of_letters(caller: WireCaller, pipeline: Json) -> None:
    """Clients exist that write `pipelineruns` and `resourcegroups`."""
    run = caller.post(f"pipelineruns/pipelinesubmit/{pipeline['id']}", {"experimentName": EXPERIMENT})
    assert caller.get(f"PIPELINERUNS/{run['Id']}")["Id"] == run["Id"]
    lower = pipeline["endpoint"].replace("resourceGroups", "resourcegroups").replace("Microsoft.", "microsoft.")
    done(caller.http.post(lower, json={}))


def test_repeated_request_makes_no_second_run(caller: WireCaller, pipeline: Json) -> None:
    """The same key gives the first run, also by an endpoint; with another body or target it is refused."""
    endpoint = caller.endpoint(pipeline)
    paths = [f"PipelineSubmit/{pipeline['id']}", f"PipelineEndpointSubmit/Id/{endpoint['id']}"]
    for path, other in (paths, reversed(paths)):
        headers = {"Idempotency-Key": uuid4().hex}
        body = {"ExperimentName": EXPERIMENT, "ParameterAssignments": {"rate": 2}}
        first, again = (done(caller.ask("POST", f"PipelineRuns/{path}", body, headers)) for _ in range(2))
        assert first == again
        changed = {**body, "ParameterAssignments": {"rate": 3}}
        for refused_path, refused_body in ((path, changed), (other, body)):
            answer = caller.ask("POST", f"PipelineRuns/{refused_path}", refused_body, headers)
            assert "was used for another request" in refused(answer, 409)
        assert answer.json()["Error"]["Code"] == "Conflict"


# --- a run, followed by REST ------------------------------------------------------------------------------------


def test_life_of_a_run(bench: Bench, caller: WireCaller, pipeline: Json) -> None:
    """From not started to finished: states and codes of the run and of its steps, outputs and logs."""
    run_id = caller.submit(pipeline["id"])["Id"]
    run, graph = f"PipelineRuns/{run_id}", f"PipelineRuns/{run_id}/Graph"
    assert caller.post(f"{graph}/AllNodes/StatusCode", []) == {"prepare": 0, "train": 0}
    bench.set(run_id, run="running", reuse="success", prepare="running")
    assert caller.get(run)["Status"]["StatusCode"] == RUNNING
    assert caller.post(f"{graph}/Node/StatusCode", ["prepare"]) == STEP_RUNNING
    assert caller.post(f"{run}/Outputs", ["prepare"]) == {}
    result = StepResult(
        status="executed",
        outputs={"out": OUTPUT},
        key="k",
        attempt="1-bbbb",
        explanation=explanation("prepare", Reason.FIRST_RUN),
    )
    bench.push(run_id, "prepare", "airloom_result", result)
    bench.storage.write_artifact(run_id, "prepare", "1-bbbb", "logs/stdout.txt", b"gr\xc3\xbc\xc3\x9fe\n")
    bench.set(run_id, run="success", prepare="success", train="success")
    ended = caller.get(run)
    assert ended["Status"]["StatusCode"] == FINISHED and ended["Status"]["EndTime"] is not None
    state = caller.post(f"{graph}/AllNodes/Status", [])["prepare"]
    assert state == caller.post(f"{graph}/Node/Status", ["prepare"])
    assert (state["Name"], state["StatusCode"], state["RunId"]) == ("Prepare data", STEP_FINISHED, run_id)
    assert (state["ReuseInfo"], state["StatusDetail"]) == (None, "first_run.")
    assert state["EndTime"] >= state["StartTime"]
    assert done_text(caller.http.get(state["RealTimeLogPath"])) == "grüße\n"
    assert done_text(caller.ask("POST", f"{graph}/Shareable/STDOUT", ["prepare"])) == "grüße\n"
    assert done_text(caller.ask("POST", f"{graph}/Shareable/stderr", ["prepare"])) == ""
    output = caller.post(f"{run}/Outputs", ["prepare"])["out"]
    place = {"AmlDataStoreName": OUTPUT.datastore, "RelativePath": OUTPUT.path}
    assert output["DataLocation"]["DataReference"]["AzureBlobReference"] == place
    assert (output["Hash"], output["PhysicalSizeInBytes"]) == (OUTPUT.digest, OUTPUT.size)


def done_text(answer: Any) -> str:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    return str(answer.text)


def test_reused_steps(bench: Bench, caller: WireCaller, pipeline: Json) -> None:
    run_id = caller.submit(pipeline["id"])["Id"]
    unchanged = StepResult(
        status="reused",
        outputs={"out": OUTPUT},
        key="k",
        attempt="1-aaaa",
        reused_from=ORIGIN,
        explanation=explanation("prepare", Reason.UNCHANGED, compared_to=ORIGIN),
    )
    bench.push(run_id, "reuse", "airloom_plan", Plan(reused={"prepare": unchanged}))
    bench.set(run_id, run="success", reuse="success", prepare="skipped", train="success")
    state = caller.post(f"PipelineRuns/{run_id}/Graph/Node/Status", ["prepare"])
    assert state["StatusCode"] == STEP_FINISHED
    assert (state["ReuseInfo"]["RunId"], state["ReuseInfo"]["NodeId"]) == ("earlier", "prepare")


def test_failed_run(bench: Bench, caller: WireCaller, pipeline: Json) -> None:
    """The run says which step failed; what could not start after it is canceled."""
    run_id = caller.submit(pipeline["id"])["Id"]
    bench.set(run_id, run="failed", reuse="success", prepare="failed", train="upstream_failed")
    run = caller.get(f"PipelineRuns/{run_id}")
    assert (run["Status"]["StatusCode"], run["HasErrors"]) == (FAILED, True)
    assert "'prepare'" in run["Status"]["StatusDetail"]
    codes = caller.post(f"PipelineRuns/{run_id}/Graph/AllNodes/StatusCode", [])
    assert codes == {"prepare": STEP_FAILED, "train": STEP_CANCELED}


def test_cancel(bench: Bench, caller: WireCaller, pipeline: Json) -> None:
    """A run under way is ended; one that has ended stays as it is."""
    run_id = caller.submit(pipeline["id"])["Id"]
    for _ in range(2):
        answer = caller.ask("DELETE", f"PipelineRuns/{run_id}/Execution")
        assert (answer.status_code, answer.content) == (200, b"")
    assert caller.get(f"PipelineRuns/{run_id}")["Status"]["StatusCode"] == CANCELED
    finished = caller.submit(pipeline["id"])["Id"]
    bench.set(finished, run="success")
    caller.ask("DELETE", f"PipelineRuns/{finished}/Execution")
    assert caller.get(f"PipelineRuns/{finished}")["Status"]["StatusCode"] == FINISHED


def test_pipeline_outputs(bench: Bench, caller: WireCaller) -> None:
    """An output that the author has named as one of the pipeline, once it is there."""
    plain = caller.publish()
    answer = caller.ask("GET", f"PipelineRuns/{caller.submit(plain['id'])['Id']}/PipelineRunOutputs/model")
    assert "pipeline_output_name" in refused(answer, 404)


# --- lists ------------------------------------------------------------------------------------------------------


def test_runs_of_a_pipeline(caller: WireCaller, pipeline: Json) -> None:
    """The newest first, and only its own."""
    caller.submit(caller.publish()["id"])
    ids = [caller.submit(pipeline["id"])["Id"] for _ in range(3)]
    assert [run["Id"] for run in caller.get(f"PipelineRuns/Pipeline/{pipeline['id']}")] == ids[::-1]


def test_pipelines(caller: WireCaller, pipeline: Json) -> None:
    """Listed and read; a disabled one is not among the active ones, and takes no submits."""
    read = caller.get(f"Pipelines/{pipeline['id']}")
    assert (read["Name"], read["Id"], read["EntityStatus"]) == (pipeline["name"], pipeline["id"], 0)
    assert (read["GraphId"], read["TotalRunSteps"]) == (pipeline["graph_digest"], 2)
    assert read["ParameterAssignments"]["rate"] == "10"
    assert read["DataPathAssignments"]["data"] == {"DataStoreName": "workspaceblobstore", "RelativePath": "raw"}
    assert read["Url"].endswith(f"PipelineRuns/PipelineSubmit/{pipeline['id']}")
    done(caller.http.post(read["Url"], json={}))
    assert read in caller.get("Pipelines")
    for status, listed in (("Disabled", False), ("Active", True), (2, False), (0, True)):
        assert caller.ask("PUT", f"Pipelines/{pipeline['id']}/status", status).status_code == 200
        ids = {each["Id"] for each in caller.get("Pipelines?activeOnly=true")}
        assert (pipeline["id"] in ids) is listed
        assert pipeline["id"] in {each["Id"] for each in caller.get("Pipelines")}
    assert "no status" in refused(caller.ask("PUT", f"Pipelines/{pipeline['id']}/status", "Deprecated"), 400)


def test_endpoints(caller: WireCaller, pipeline: Json) -> None:
    """Listed, and read by id and by name, with all versions and their pipelines."""
    other = caller.publish()
    endpoint = caller.endpoint(pipeline, other)
    read = caller.get(f"PipelineEndpoints/Id/{endpoint['id']}")
    versions = [{"Version": "0", "PipelineId": pipeline["id"]}, {"Version": "1", "PipelineId": other["id"]}]
    assert (read["PipelineVersionList"], read["DefaultVersion"]) == (versions, "0")
    assert (read["Name"], read["EntityStatus"]) == (endpoint["name"], 0)
    assert done(caller.http.post(read["Url"], json={}))["PipelineId"] == pipeline["id"]
    assert caller.get(f"PipelineEndpoints/Name?Name={endpoint['name']}") == read
    assert read in caller.get("PipelineEndpoints?activeOnly=true")
    pipelines = caller.get(f"PipelineEndpoints/{endpoint['id']}/pipelines")
    assert [each["Id"] for each in pipelines] == [pipeline["id"], other["id"]]
    caller.ask("PUT", f"Pipelines/{other['id']}/status", "Disabled")
    pipelines = caller.get(f"PipelineEndpoints/{endpoint['id']}/pipelines?activeOnly=true")
    assert [each["Id"] for each in pipelines] == [pipeline["id"]]


# --- schedules --------------------------------------------------------------------------------------------------


def scheduled(caller: WireCaller, **fields: Any) -> Json:
    body = {"name": f"schedule {uuid4().hex[:8]}", "experiment": EXPERIMENT, **fields}
    return made(caller.native.post(f"/workspaces/{caller.workspace}/schedules", json=body))


def test_schedules_by_the_clock(caller: WireCaller, pipeline: Json) -> None:
    """Read, and listed by pipeline and by endpoint, with the rule as the service writes it."""
    endpoint = caller.endpoint(pipeline)
    weekly = {"frequency": "Week", "interval": 2, "time_zone": "UTC", "week_days": ["Monday"], "time_of_day": "3:30"}
    of_pipeline = scheduled(caller, pipeline_id=pipeline["id"], recurrence=weekly, parameters={"rate": 3})
    of_endpoint = scheduled(caller, endpoint_id=endpoint["id"], recurrence={"frequency": "Hour", "interval": 6})
    read = caller.get(f"Schedules/{of_pipeline['id']}")
    assert (read["Name"], read["EntityStatus"], read["ScheduleType"]) == (of_pipeline["name"], 0, 0)
    assert (read["PipelineId"], read["PipelineEndpointId"]) == (pipeline["id"], None)
    assert (read["Recurrence"]["Frequency"], read["Recurrence"]["Interval"]) == (1, 2)
    assert read["Recurrence"]["Schedule"] == {"Hours": [3], "Minutes": [30], "WeekDays": ["Monday"]}
    assert read["DataStoreTriggerInfo"] is None
    submission = read["PipelineSubmissionInfo"]
    assert (submission["ExperimentName"], submission["ParameterAssignments"]) == (EXPERIMENT, {"rate": "3"})
    assert caller.get(f"Schedules/Pipeline/{pipeline['id']}") == [read]
    (hourly,) = caller.get(f"Schedules/PipelineEndpoint/{endpoint['id']}")
    assert (hourly["Id"], hourly["PipelineEndpointId"]) == (of_endpoint["id"], endpoint["id"])
    assert (hourly["Recurrence"]["Frequency"], hourly["Recurrence"]["Schedule"]) == (3, None)
    assert read in caller.get("Schedules")


def test_runs_of_a_schedule(caller: WireCaller, pipeline: Json) -> None:
    """Airflow makes them; each is told with the schedule that it is of."""
    schedule = scheduled(caller, pipeline_id=pipeline["id"], recurrence={"frequency": "Day", "interval": 1})
    address = f"PipelineRuns/Schedule/{schedule['id']}"
    assert caller.get(address) == []
    assert "has made no run yet" in refused(caller.ask("GET", f"{address}/Last"), 404)
    conf = {"airloom.run": {"experiment": EXPERIMENT, "schedule_id": schedule["id"]}}
    dag_runs = f"/api/v2/dags/{pipeline['dag_id']}/dagRuns"
    for _ in range(2):
        caller.http.post(dag_runs, json={"logical_date": None, "conf": conf}).raise_for_status()
    runs = caller.get(address)
    assert len(runs) == 2 and caller.get(f"{address}/Last") == runs[0]
    assert {(run["ScheduleId"], run["RunType"], run["RunSource"]) for run in runs} == {(schedule["id"], 2, "Schedule")}


def test_schedules_by_data(caller: WireCaller, pipeline: Json) -> None:
    data = {"datastore": "workspaceblobstore", "path": "in", "polling_interval": 7, "data_path_parameter_name": "data"}
    read = caller.get(f"Schedules/{scheduled(caller, pipeline_id=pipeline['id'], data=data)['id']}")
    assert (read["ScheduleType"], read["Recurrence"]) == (1, None)
    assert read["DataStoreTriggerInfo"] == {
        "DataStoreName": "workspaceblobstore",
        "PathOnDataStore": "in",
        "PollingInterval": 7,
        "DataPathParameterName": "data",
    }
