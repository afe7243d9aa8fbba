"""docs/rest.md has every route with its right, every field of every body and answer, and every error; and no others."""

from __future__ import annotations

from typing import Any, get_args

from airloom.graph.model import ReuseMode
from tests.docs.support import codes, rows, section

PAGE = "docs/rest.md"
NO_STATUS = "200"
WIRE = "In the shape of Azure ML"


def test_every_route_is_there_with_its_right_and_status(facts: dict[str, Any]) -> None:
    routes = {(each["method"], each["path"], each["right"], each["status"]) for each in facts["routes"]}
    found = set()
    for method, path, right, _, answer in rows(section(PAGE, "Routes")):
        status = answer.partition(",")[0].partition(";")[0]
        found.add((method, path.strip("`"), right, status if status.isdecimal() else NO_STATUS))
    assert found == routes


def test_every_body_and_answer_is_there_with_its_fields(facts: dict[str, Any]) -> None:
    tables = rows(section(PAGE, "Bodies")) + rows(section(PAGE, "Answers"))
    assert {codes(name)[0]: codes(fields) for name, fields in tables} == facts["models"]


def test_routes_in_the_shape_of_azure_ml(facts: dict[str, Any]) -> None:
    routes = {(each["method"], each["path"], each["right"]) for each in facts["wire_routes"]}
    found = {(row[0], row[1].strip("`"), row[2]) for row in rows(section(PAGE, WIRE)) if len(row) > 3}
    assert found == routes


def test_bodies_and_answers_in_the_shape_of_azure_ml(facts: dict[str, Any]) -> None:
    tables = [row for row in rows(section(PAGE, WIRE)) if len(row) == 2 and codes(row[0])]
    assert {codes(name)[0]: codes(fields) for name, fields in tables} == facts["wire_models"]


def test_names_of_bodies_in_the_routes_are_those_of_the_tables(facts: dict[str, Any]) -> None:
    cells = [cell for row in rows(section(PAGE, "Routes")) for cell in row[3:]]
    named = {code for cell in cells for code in codes(cell) if code[0].isupper()}
    assert named <= set(facts["models"])


def test_every_error_code_is_there(facts: dict[str, Any]) -> None:
    codes_of_status = {code for row in rows(section(PAGE, "Errors")) for code in codes(row[1])}
    assert set(facts["codes"]) <= codes_of_status
    assert set(facts["status_codes"]) <= codes_of_status


def test_modes_are_named() -> None:
    assert set(get_args(ReuseMode)) <= set(codes(section(PAGE, "Bodies")))
