"""The shape of the original service: bodies in any case of letters, and three lists of parameter values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from airloom.errors import NotFound
from airloom.graph.model import DatasetRef, FilesSource, ParameterDef, TabularSource
from airloom.graph.parameters import check_parameters
from airloom.plugins.errors import BadRequest
from airloom.plugins.wire import assignments, codes
from airloom.plugins.wire.bodies import PipelineSubmissionInfo
from tests.support.builders import a_graph, a_path, a_step

TABLE = TabularSource(locations=(a_path("blob/old.csv").location,), separator=";")
PARAMETERS = (
    ParameterDef(name="epochs", type="int", default=10),
    ParameterDef(name="rate", type="float", default=0.5),
    ParameterDef(name="fast", type="bool", default=False),
    ParameterDef(name="style", type="string", default="candy"),
    ParameterDef(name="data", type="datapath", default=a_path("blob/raw")),
    ParameterDef(name="files", type="dataset", default=FilesSource(locations=(a_path("blob/a").location,))),
    ParameterDef(name="table", type="dataset", default=TABLE),
)


SAVED_ID = "6f1e9c1e-0d6c-5a63-9f64-7d1f2a9d2b11"
SAVED = FilesSource(locations=(a_path("blob/1").location, a_path("blob/2").location))


def read(**body: Any) -> PipelineSubmissionInfo:
    return PipelineSubmissionInfo.model_validate(body)


REFERENCE = DatasetRef(id="0e2c7a1b-8a3f-4f59-9d0e-2f7a5d9c1b11", name="cars", version=2, digest="d")
REGISTERED = SAVED.model_copy(update={"dataset": REFERENCE})


class Known:
    """One dataset that was saved, and version 2, the latest, of one that was registered."""

    def by_id(self, dataset_id: str) -> FilesSource:
        found = {SAVED_ID: SAVED, REFERENCE.id: REGISTERED}.get(dataset_id)
        if found is None:
            raise NotFound(f"There is no {dataset_id!r}.")
        return found

    def by_name(self, name: str, version: str | int | None) -> FilesSource:
        if (name, version) not in (("cars", None), ("cars", "2"), ("cars", 2)):
            raise NotFound(f"There is no version {version} of {name!r}.")
        return REGISTERED


saved = Known()


def checked(**body: Any) -> dict[str, Any]:
    """The values of a body for the parameters above, as a run would get them."""
    graph = a_graph(a_step("a")).model_copy(update={"parameters": PARAMETERS})
    return check_parameters(graph, assignments.given_values(read(**body), PARAMETERS, saved))


# --- bodies -----------------------------------------------------------------------------------------------------


def test_a_body_of_the_original_notebooks() -> None:
    info = read(ExperimentName="My_Pipeline1", RunSource="SDK", ParameterAssignments={"pipeline_arg": 45})
    assert (info.experiment_name, info.run_source) == ("My_Pipeline1", "SDK")
    assert info.parameter_assignments == {"pipeline_arg": 45}
    assert info.reuse == "auto"


@pytest.mark.parametrize("name", ["tags", "Tags", "TAGS"])
def test_names_in_any_case(name: str) -> None:
    assert read(**{name: {"a": "b"}}).tags == {"a": "b"}


def test_everything_may_be_left_out() -> None:
    assert read().parameter_assignments is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"ParameterAssignment": {}}, "no field 'ParameterAssignment'. Did you mean 'ParameterAssignments'"),
        ({"Tags": {}, "tags": {}}, "the field 'tags' is given twice"),
        ({"Tags": {"a": 1}}, "should be a valid string"),
        ({"ParameterAssignments": {"a": None}}, "should be a valid"),
        ({"ParameterAssignments": {"a": [1]}}, "should be a valid"),
        ({"ParameterAssignments": [1]}, "should be a valid dictionary"),
        ({"DataPathAssignments": {"a": {"RelativePath": "x"}}}, "Field required"),
        ({"DataPathAssignments": {"a": {"DataStoreName": "x", "Path": "x"}}}, "no field 'Path'"),
        ({"ContinueRunOnStepFailure": "yes"}, "should be a valid boolean"),
        ({"Reuse": "sometimes"}, "'auto', 'off' or 'refresh'"),
        ({"ExperimentName": 7}, "should be a valid string"),
    ],
)
def test_bodies_that_mean_nothing(body: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        read(**body)


# --- values -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("epochs", 20, 20),
        ("epochs", "20", 20),
        ("rate", 0.25, 0.25),
        ("rate", "0.25", 0.25),
        ("rate", 1, 1.0),
        ("fast", True, True),
        ("fast", "True", True),
        ("style", "udnie", "udnie"),
        ("style", 7, "7"),
        ("style", 0.5, "0.5"),
        ("style", False, "false"),
    ],
)
def test_scalars_as_numbers_or_texts(name: str, given: Any, value: Any) -> None:
    """A text parameter takes any scalar: in the original shape all of them are texts."""
    found = checked(ParameterAssignments={name: given})[name]
    assert (found, type(found)) == (value, type(value))


def test_data_paths() -> None:
    values = checked(DataPathAssignments={"data": {"DataStoreName": "blob", "RelativePath": "/new/path/"}})
    assert values["data"] == a_path("blob/new/path").model_dump(mode="json")


def test_datasets_are_read_as_their_default_is() -> None:
    literal = {"LiteralValue": {"DataStoreName": "blob", "RelativePath": "new.csv"}}
    values = checked(DataSetDefinitionValueAssignments={"files": literal, "table": literal})
    assert values["files"] == {"kind": "files", "locations": [{"datastore": "blob", "path": "new.csv"}]}
    assert values["table"] == {
        **TABLE.model_dump(mode="json"),
        "locations": [{"datastore": "blob", "path": "new.csv"}],
    }


@pytest.mark.parametrize("way", ["SavedDataSetReference", "DataSetReference"])
def test_a_saved_dataset_is_found_by_its_id(way: str) -> None:
    values = checked(DataSetDefinitionValueAssignments={"files": {way: {"Id": SAVED_ID}}})
    assert values["files"] == SAVED.model_dump(mode="json")


@pytest.mark.parametrize(
    "named", [{"Name": "cars"}, {"Name": "cars", "Version": "2"}, {"name": "cars", "version": 2}, {"Id": REFERENCE.id}]
)
def test_a_registered_dataset_is_found_by_its_name(named: dict[str, Any]) -> None:
    values = checked(DataSetDefinitionValueAssignments={"files": {"DataSetReference": named}})
    assert values["files"] == REGISTERED.model_dump(mode="json")
    told = assignments.datasets({"files": values["files"]})
    assert told == {"files": {"DataSetReference": {"Id": REFERENCE.id, "Name": "cars", "Version": "2"}}}
    assert checked(DataSetDefinitionValueAssignments=told) == values


def test_a_path_in_place_of_a_registered_dataset_is_not_that_dataset() -> None:
    parameters = (ParameterDef(name="files", type="dataset", default=REGISTERED),)
    body = read(DataSetDefinitionValueAssignments={"files": LITERAL})
    values = assignments.given_values(body, parameters, saved)
    assert values["files"] == {"kind": "files", "locations": [{"datastore": "blob", "path": "a"}]}


LITERAL = {"LiteralValue": {"DataStoreName": "blob", "RelativePath": "a"}}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"DataSetDefinitionValueAssignments": {"files": {"SavedDataSetReference": {"Id": "7"}}}},
            "dataset of the parameter 'files' is not known. There is no '7'",
        ),
        (
            {"DataSetDefinitionValueAssignments": {"files": {"DataSetReference": {"Name": "n", "Version": 1}}}},
            "There is no version 1 of 'n'",
        ),
        ({"DataSetDefinitionValueAssignments": {"files": {}}}, "is not known. Give its id"),
        (
            {"DataSetDefinitionValueAssignments": {"files": {**LITERAL, "SavedDataSetReference": {"Id": "7"}}}},
            "named in two ways",
        ),
        (
            {"ParameterAssignments": {"data": "x"}, "DataPathAssignments": {"data": {"DataStoreName": "blob"}}},
            "'data' is given in two lists",
        ),
    ],
)
def test_values_that_cannot_be_read(body: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        assignments.given_values(read(**body), PARAMETERS, saved)


SCALARS = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@given(SCALARS)
def test_what_is_told_can_be_sent_again(value: Any) -> None:
    """A caller who sends a run's assignments again asks for the same values."""
    kind = {bool: "fast", int: "epochs", float: "rate"}[type(value)]
    told = assignments.scalars(checked(ParameterAssignments={kind: value}))
    assert checked(ParameterAssignments=told)[kind] == value


def test_data_that_is_told_can_be_sent_again() -> None:
    values = checked()
    again = checked(
        DataPathAssignments=assignments.data_paths(values),
        DataSetDefinitionValueAssignments=assignments.datasets(values),
    )
    assert again == values


@pytest.mark.parametrize(
    ("named", "source"), [("SDK", "SDK"), ("sdk", "SDK"), ("Portal", "Portal"), ("Schedule", "HTTP"), (None, "HTTP")]
)
def test_callers_do_not_pass_for_schedules(named: str | None, source: str) -> None:
    assert codes.source_of(named) == source
