"""What the API in the shape of Azure ML refuses: with a 4xx status and the one shape of errors, and nothing is made."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest

from tests.integration.api.bench import Bench
from tests.integration.api.server import ApiServer
from tests.integration.api.wire_caller import Json, WireCaller, done, refused

MIB = 1024 * 1024


@pytest.fixture
def caller(bench: Bench) -> WireCaller:
    return WireCaller(bench.server)


@pytest.fixture(scope="module")
def pipeline(bench: Bench) -> Json:
    return WireCaller(bench.server).publish()


@pytest.fixture
def nothing_is_made(caller: WireCaller, pipeline: Json) -> Iterator[None]:
    before = caller.everything()
    yield
    assert caller.everything() == before


def scalars(**values: Any) -> Json:
    return {"ExperimentName": "refused", "ParameterAssignments": values}


def path(**value: Any) -> Json:
    return {"ExperimentName": "refused", "DataPathAssignments": {"data": value}}


def dataset(**value: Any) -> Json:
    return {"ExperimentName": "refused", "DataSetDefinitionValueAssignments": {"files": value}}


BODIES: dict[str, tuple[Json, str]] = {
    "an unknown parameter": (scalars(rat=1), "no pipeline parameter 'rat'. Did you mean 'rate'?"),
    "a text for an int": (scalars(rate="fast"), "'rate' expects int (a whole number), but was given 'fast'"),
    "a fraction for an int": (scalars(rate=1.5), "'rate' expects int"),
    "a boolean for an int": (scalars(rate=True), "'rate' expects int"),
    "a text for a float": (scalars(share="much"), "'share' expects float"),
    "a number for a bool": (scalars(fast=2), "'fast' expects bool"),
    "nothing for a value": (scalars(rate=None), "ParameterAssignments.rate"),
    "a list for a value": (scalars(rate=[1]), "ParameterAssignments.rate"),
    "an object for a value": (scalars(rate={"a": 1}), "ParameterAssignments.rate"),
    "a scalar for a data path": (scalars(data="raw"), "'data' expects datapath"),
    "a path that climbs out": (path(DataStoreName="workspaceblobstore", RelativePath="../../etc"), "'data' expects"),
    "an unknown datastore": (path(DataStoreName="elsewhere", RelativePath="a"), "'elsewhere'"),
    "a path without a datastore": (path(RelativePath="a"), "DataStoreName: Field required"),
    "a dataset by an id": (dataset(SavedDataSetReference={"Id": str(uuid4())}), "has no dataset"),
    "a dataset by a name": (dataset(DataSetReference={"Name": "iris", "Version": "1"}), "no dataset 'iris'"),
    "an unknown field": ({"ParameterAssignment": {}}, "Did you mean 'ParameterAssignments'?"),
    "a field given twice": ({"tags": {}, "Tags": {}}, "'tags' is given twice"),
    "an unknown mode of reuse": ({"Reuse": "never"}, "Input should be 'auto', 'off' or 'refresh'"),
    "a name that is none": ({"ExperimentName": "a/b"}, "cannot be the name of an experiment"),
    "an empty name": ({"ExperimentName": ""}, "cannot be the name of an experiment"),
    "a name that is too long": ({"ExperimentName": "x" * 300}, "cannot be the name of an experiment"),
    "a display name that is too long": ({"DisplayName": "x" * 300}, "at most 255 characters"),
    "a tag that is no text": ({"tags": {"a": 1}}, "valid string"),
    "a tag that no database takes": ({"tags": {"a": "\0"}}, "NUL"),
    "half a character": ({"Description": "\ud800"}, "half of a surrogate pair"),
    "a list": ([], "valid dictionary"),
    "a text": ("submit", "valid dictionary"),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.usefixtures("nothing_is_made")
def test_bodies(caller: WireCaller, pipeline: Json, name: str) -> None:
    body, message = BODIES[name]
    assert message in refused(caller.ask("POST", f"PipelineRuns/PipelineSubmit/{pipeline['id']}", body), 400)


CONTENTS: dict[str, tuple[bytes, int, str]] = {
    "no JSON": (b"{'ExperimentName': 'x'}", 400, "not valid JSON"),
    "half of it": (b'{"ExperimentName": "x', 400, "not valid JSON"),
    "no UTF-8": (b'{"ExperimentName": "\xff"}', 400, "not valid JSON"),
    "not finite": (b'{"ParameterAssignments": {"share": NaN}}', 400, "NaN is no number"),
    "too large a number": (b'{"ParameterAssignments": {"share": 1e999}}', 400, "too large"),
    "too many digits": (b'{"ParameterAssignments": {"rate": ' + b"7" * 5000 + b"}}", 400, "not valid JSON"),
    "too deep": (b'{"tags":' * 100_000 + b"1" + b"}" * 100_000, 400, "64 levels deep"),
    "too large": (b'{"Description": "' + b"x" * 2 * MIB + b'"}', 413, "larger than 1 MiB"),
}


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.usefixtures("nothing_is_made")
def test_contents(caller: WireCaller, pipeline: Json, name: str) -> None:
    content, status, message = CONTENTS[name]
    answer = caller.ask("POST", f"PipelineRuns/PipelineSubmit/{pipeline['id']}", content=content)
    assert message in refused(answer, status)


@pytest.mark.usefixtures("nothing_is_made")
def test_too_large_without_saying_so(caller: WireCaller, pipeline: Json) -> None:
    pieces = (b" " * MIB for _ in range(3))
    answer = caller.ask("POST", f"PipelineRuns/PipelineSubmit/{pipeline['id']}", content=pieces)
    assert "larger than 1 MiB" in refused(answer, 413)


@pytest.mark.parametrize("key", ["", "k" * 256])
@pytest.mark.usefixtures("nothing_is_made")
def test_what_is_no_key(caller: WireCaller, pipeline: Json, key: str) -> None:
    address = f"PipelineRuns/PipelineSubmit/{pipeline['id']}"
    assert "idempotency key" in refused(caller.ask("POST", address, {}, {"Idempotency-Key": key}), 400)


def test_things_that_there_are_not(caller: WireCaller, pipeline: Json) -> None:
    """Unknown ids, names, versions and workspaces, with all methods."""
    endpoint = caller.endpoint(pipeline)
    other = str(uuid4())
    run_id = caller.submit(pipeline["id"])["Id"]
    before = caller.everything()
    for method, path, body in (
        ("POST", f"PipelineRuns/PipelineSubmit/{other}", {}),
        ("POST", "PipelineRuns/PipelineSubmit/%00", {}),
        ("POST", f"PipelineRuns/PipelineEndpointSubmit/Id/{other}", {}),
        ("POST", f"PipelineRuns/PipelineEndpointSubmit/Id/{endpoint['id']}/7", {}),
        ("POST", f"PipelineRuns/PipelineEndpointSubmit/Id/{endpoint['id']}/first", {}),
        ("POST", f"PipelineRuns/PipelineEndpointSubmit/Id/{endpoint['id']}?pipelineVersion=-1", {}),
        ("POST", f"PipelineRuns/PipelineEndpointSubmit/Name?name={other}", {}),
        ("POST", "PipelineRuns/PipelineEndpointSubmit/Name", {}),
        ("GET", f"PipelineRuns/{other}", None),
        ("DELETE", f"PipelineRuns/{other}/Execution", None),
        ("POST", f"PipelineRuns/{other}/Graph/AllNodes/Status", []),
        ("POST", f"PipelineRuns/{run_id}/Graph/Node/Status", ["tarin"]),
        ("POST", f"PipelineRuns/{run_id}/Graph/Node/Status", []),
        ("POST", f"PipelineRuns/{run_id}/Graph/Node/Status", {}),
        ("POST", f"PipelineRuns/{run_id}/Graph/Shareable/SYSLOG", ["train"]),
        ("GET", f"PipelineRuns/Pipeline/{other}", None),
        ("GET", f"PipelineRuns/Schedule/{other}", None),
        ("GET", f"PipelineRuns/Schedule/{other}/Last", None),
        ("GET", f"Pipelines/{other}", None),
        ("PUT", f"Pipelines/{other}/status", "Active"),
        ("GET", f"PipelineEndpoints/Id/{other}", None),
        ("GET", f"PipelineEndpoints/Name?Name={other}", None),
        ("GET", f"PipelineEndpoints/{other}/pipelines", None),
        ("GET", f"Schedules/{other}", None),
        ("GET", f"Schedules/Pipeline/{other}", None),
        ("GET", f"Schedules/PipelineEndpoint/{other}", None),
        ("GET", "Nothing", None),
    ):
        answer = caller.ask(method, path, body)
        refused(answer, 400 if answer.status_code == 400 else 404)
    assert caller.everything() == before
    assert "no workspace" in refused(WireCaller(caller.server, workspace="none").ask("GET", "Pipelines"), 404)
    answer = caller.ask("GET", f"PipelineRuns/PipelineSubmit/{pipeline['id']}")
    refused(answer, 405)


def test_disabled_and_archived(caller: WireCaller) -> None:
    """Neither takes submits, by any path."""
    pipeline = caller.publish()
    endpoint = caller.endpoint(pipeline)
    by_id = f"PipelineRuns/PipelineEndpointSubmit/Id/{endpoint['id']}"
    assert caller.ask("PUT", f"Pipelines/{pipeline['id']}/status", "Disabled").status_code == 200
    before = caller.everything()
    for path in (f"PipelineRuns/PipelineSubmit/{pipeline['id']}", by_id):
        assert "is disabled" in refused(caller.ask("POST", path, {}), 409)
    assert caller.everything() == before
    caller.ask("PUT", f"Pipelines/{pipeline['id']}/status", "Active")
    assert caller.native.post(f"/workspaces/{caller.workspace}/endpoints/{endpoint['id']}/archive").is_success
    assert "disabled or archived" in refused(caller.ask("POST", by_id, {}), 409)
    answer = caller.ask("POST", f"PipelineRuns/PipelineEndpointSubmit/Name?name={endpoint['name']}", {})
    refused(answer, 404)


# --- who asks ---------------------------------------------------------------------------------------------------


def resigned(server: ApiServer, *, key: str | None = None, **claims: Any) -> str:
    """The token of a user with other claims, signed with the server's key or another one."""
    token = server.token("user")
    own: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    header = jwt.get_unverified_header(token)
    return jwt.encode({**own, **claims}, key or server.environment[SECRET], header["alg"], header)


SECRET = "AIRFLOW__API_AUTH__JWT_SECRET"
TOKENS: dict[str, tuple[Callable[[ApiServer], str], tuple[int, ...]]] = {
    "none": (lambda server: "", (401,)),
    "no token at all": (lambda server: "Bearer token", (401, 403)),
    "expired": (lambda server: f"Bearer {resigned(server, exp=int(time.time()) - 3600)}", (401,)),
    "of another service": (
        lambda server: f"Bearer {resigned(server, aud='https://management.azure.com/')}",
        (401, 403),
    ),
    "signed by another": (lambda server: f"Bearer {resigned(server, key='k' * 64)}", (401, 403)),
}


@pytest.mark.parametrize("name", TOKENS)
@pytest.mark.usefixtures("nothing_is_made")
def test_tokens(caller: WireCaller, pipeline: Json, name: str) -> None:
    make, statuses = TOKENS[name]
    answer = httpx.post(pipeline["endpoint"], json={}, headers={"Authorization": make(caller.server)})
    assert answer.status_code in statuses
    refused(answer, answer.status_code)


def test_the_same_token_signed_by_the_server_is_good(caller: WireCaller, pipeline: Json) -> None:
    """Else the refusals above would prove nothing."""
    token = resigned(caller.server, exp=int(time.time()) + 3600)
    done(httpx.post(pipeline["endpoint"], json={}, headers={"Authorization": f"Bearer {token}"}))


def test_rights_on_one_pipeline(bench: Bench, caller: WireCaller) -> None:
    """A user who may submit others, but not this one, neither submits nor sees it."""
    admin = WireCaller(bench.server, "admin")
    secret = admin.publish("secret")
    endpoint = admin.endpoint(secret, name=f"of secrets {uuid4().hex[:8]}")
    run_id = admin.submit(secret["id"])["Id"]
    before = admin.everything()
    for method, path, body in (
        ("POST", f"PipelineRuns/PipelineSubmit/{secret['id']}", {}),
        ("POST", f"PipelineRuns/PipelineSubmit/{secret['id']}", {"ParameterAssignments": {"a": "b"}}),
        ("POST", f"PipelineRuns/PipelineEndpointSubmit/Id/{endpoint['id']}", {}),
        ("POST", f"PipelineRuns/PipelineEndpointSubmit/Id/{endpoint['id']}/0", {}),
        ("POST", f"PipelineRuns/PipelineEndpointSubmit/Name?name={endpoint['name']}", {}),
        ("GET", f"PipelineRuns/{run_id}", None),
        ("GET", f"PipelineRuns/Pipeline/{secret['id']}", None),
        ("POST", f"PipelineRuns/{run_id}/Graph/AllNodes/Status", []),
        ("POST", f"PipelineRuns/{run_id}/Graph/Shareable/STDOUT", ["train"]),
        ("POST", f"PipelineRuns/{run_id}/Outputs", ["train"]),
        ("DELETE", f"PipelineRuns/{run_id}/Execution", None),
        ("GET", f"Pipelines/{secret['id']}", None),
        ("PUT", f"Pipelines/{secret['id']}/status", "Disabled"),
        ("GET", f"PipelineEndpoints/Id/{endpoint['id']}", None),
        ("GET", f"PipelineEndpoints/Name?Name={endpoint['name']}", None),
        ("GET", f"PipelineEndpoints/{endpoint['id']}/pipelines", None),
        ("GET", f"Schedules/Pipeline/{secret['id']}", None),
    ):
        refused(caller.ask(method, path, body), 403)
    assert admin.everything() == before
    assert secret["id"] not in {each["Id"] for each in caller.get("Pipelines")}
    assert endpoint["id"] not in {each["Id"] for each in caller.get("PipelineEndpoints")}
    assert secret["id"] in {each["Id"] for each in admin.get("Pipelines")}


def test_who_may_only_read(bench: Bench, caller: WireCaller, pipeline: Json) -> None:
    """A viewer sees and follows; he submits, cancels and disables nothing."""
    viewer = WireCaller(bench.server, "viewer")
    run_id = caller.submit(pipeline["id"])["Id"]
    for path in (
        f"PipelineRuns/{run_id}",
        f"Pipelines/{pipeline['id']}",
        "Pipelines",
        "PipelineEndpoints",
        "Schedules",
    ):
        viewer.get(path)
    viewer.post(f"PipelineRuns/{run_id}/Graph/AllNodes/Status", [])
    for method, path, body in (
        ("POST", f"PipelineRuns/PipelineSubmit/{pipeline['id']}", {}),
        ("DELETE", f"PipelineRuns/{run_id}/Execution", None),
        ("PUT", f"Pipelines/{pipeline['id']}/status", "Disabled"),
    ):
        assert "lacks the right" in refused(viewer.ask(method, path, body), 403)
