"""The API does what its own description says, whatever it is sent: schemathesis against running servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from schemathesis import APIOperation, BaseSchema, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.api.bench import Bench, as_body, client_upload, graph
from tests.integration.api.server import ApiServer
from tests.integration.api.wire_caller import WireCaller, made

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
DOCUMENTS = {"native": "/airloom", "as Azure ML": "/pipelines"}


class Subject:
    """One API of a server with its description, a user who may do everything, and ids of things that exist."""

    def __init__(self, server: ApiServer, api: str) -> None:
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {server.token('admin')}"
        self.address = server.url + DOCUMENTS[api]
        document = self.session.get(f"{self.address}/openapi.json", timeout=30).json()
        self.schema: BaseSchema = schemathesis.openapi.from_dict(document)
        self.known = _something_of_each(server)

    def operations(self) -> Iterator[APIOperation[Any, Any, Any]]:
        for result in self.schema.get_all_operations():
            yield result.ok()

    def cases(self, operation: APIOperation[Any, Any, Any]) -> st.SearchStrategy[Case]:
        """Requests as described and requests that are not, for things that exist and for things that do not."""
        strategies = []
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            strategies.append(operation.as_strategy(generation_mode=mode))
            if not (operation.method == "delete" and operation.path.endswith("{ws}")):
                strategies.append(operation.as_strategy(generation_mode=mode, path_parameters=self.known_of(operation)))
        return st.one_of(strategies)

    def known_of(self, operation: APIOperation[Any, Any, Any]) -> dict[str, Any]:
        names = {each.name for each in operation.path_parameters}
        return {name: value for name, value in self.known.items() if name in names}


def _something_of_each(server: ApiServer) -> dict[str, str]:
    ws = f"described-{uuid4().hex[:8]}"
    admin = server.client("admin")
    admin.create_workspace({"name": ws})
    client_upload(admin, ws)
    run = admin.submit_run(ws, "described", as_body(graph()))
    caller = WireCaller(server, "admin", ws)
    pipeline = caller.publish()
    recurrence = {"frequency": "Day", "interval": 1}
    body = {"name": "daily", "experiment": "described", "pipeline_id": pipeline["id"], "recurrence": recurrence}
    schedule = made(caller.native.post(f"/workspaces/{ws}/schedules", json=body))
    return {
        "ws": ws,
        "exp": "described",
        "run_id": run["id"],
        "step_id": "prepare",
        "version": "0",
        "pipeline_id": pipeline["id"],
        "endpoint_id": caller.endpoint(pipeline)["id"],
        "schedule_id": schedule["id"],
    }


@pytest.fixture(params=list(DOCUMENTS))
def subject(request: pytest.FixtureRequest, bench: Bench) -> Iterator[Subject]:
    made = Subject(bench.server, request.param)
    yield made
    made.session.close()


@pytest.mark.thorough
def test_every_answer_is_as_described(subject: Subject, rounds: Callable[[int, int], int]) -> None:
    """No failure of the server, no status and no answer that is not in the document; and nothing for nobody."""
    found = [fault for operation in subject.operations() for fault in faults(subject, operation, rounds(4, 300))]
    assert not found, "\n\n".join(found)


def faults(subject: Subject, operation: APIOperation[Any, Any, Any], examples: int) -> Iterator[str]:
    @hypothesis.given(case=subject.cases(operation))
    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=examples < 100,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(case: Case) -> None:
        # Airflow itself takes no address with a line break for one of ours, and answers in its own words.
        hypothesis.assume("%0A" not in case.formatted_path)
        answer = case.call(subject.address, session=subject.session, timeout=60)
        case.validate_response(answer, checks=CHECKS)
        unsigned = case.call(subject.address, timeout=60)
        assert unsigned.status_code >= 400, f"{case!r} answers nobody with {unsigned.status_code}"

    try:
        check()
    except (FailureGroup, AssertionError) as failure:
        yield f"{operation.label}\n{failure}"
