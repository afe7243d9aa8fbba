"""Registered datasets over REST: versions, pins of their content, references to them, and outputs that become them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airloom.client import Client
from airloom.exceptions import AlreadyExistsException, NotFoundException, UserErrorException
from airloom.graph.model import DataLocation, FilesSource
from airloom.storage.contents import Content, content_of
from airloom.storage.object_store import open_store
from airloom.storage.registrations import Wish, Wishes
from airloom.storage.workspace import WorkspaceStore
from tests.integration.api.server import ApiServer

STORE = "workspaceblobstore"


def files(*paths: str) -> dict[str, Any]:
    """A file dataset as callers write it."""
    return {"kind": "files", "locations": [{"datastore": STORE, "path": path} for path in paths]}


@pytest.fixture
def uploaded(admin: Client, workspace: str) -> str:
    """A workspace with two files in `data`."""
    admin.upload_file(workspace, STORE, "data/a.csv", b"1")
    admin.upload_file(workspace, STORE, "data/b.csv", b"22")
    return workspace


def register(client: Client, workspace: str, name: str = "cars", **more: Any) -> dict[str, Any]:
    return client.register_dataset(workspace, name, {"source": files("data"), **more})


def storage_of(server: ApiServer, workspace: str) -> WorkspaceStore:
    return WorkspaceStore(open_store(server.store.as_uri()), workspace)


def test_a_dataset_is_registered_with_its_content(admin: Client, uploaded: str) -> None:
    made = register(admin, uploaded, description="both", tags={"a": "b"})
    assert (made["name"], made["version"], made["description"], made["tags"]) == ("cars", 1, "both", {"a": "b"})
    assert (made["content"]["files"], made["content"]["size"], made["created_by"]) == (2, 3, "admin")
    reference = {"id": made["id"], "name": "cars", "version": 1, "digest": made["content"]["digest"]}
    assert made["source"] == {**files("data"), "dataset": reference}
    assert admin.get_dataset_version(uploaded, "cars") == made
    assert admin.get_dataset_version(uploaded, "cars", 1) == made
    assert admin.list_datasets(uploaded) == [made]
    assert admin.get_dataset(uploaded, made["id"])["registered"] == made


def test_the_same_again_is_the_same_version(admin: Client, uploaded: str) -> None:
    first = register(admin, uploaded)
    again = register(admin, uploaded, create_new_version=True, description="said later")
    assert (again["id"], again["version"], again["description"]) == (first["id"], 1, "said later")


def test_other_data_under_a_name_needs_a_new_version(admin: Client, uploaded: str) -> None:
    register(admin, uploaded)
    admin.upload_file(uploaded, STORE, "data/c.csv", b"333")
    with pytest.raises(AlreadyExistsException, match="create_new_version"):
        register(admin, uploaded)
    second = register(admin, uploaded, create_new_version=True)
    assert (second["version"], second["content"]["files"]) == (2, 3)
    assert [each["version"] for each in admin.list_dataset_versions(uploaded, "cars")] == [2, 1]
    assert [each["version"] for each in admin.list_datasets(uploaded)] == [2]


def test_it_says_when_the_content_has_moved_on(admin: Client, uploaded: str) -> None:
    register(admin, uploaded)
    assert admin.get_dataset_content(uploaded, "cars")["state"] == "unchanged"
    admin.upload_file(uploaded, STORE, "data/b.csv", b"changed", overwrite=True)
    admin.upload_file(uploaded, STORE, "data/c.csv", b"new")
    admin.delete_file(uploaded, STORE, "data/a.csv")
    content = admin.get_dataset_content(uploaded, "cars")
    assert content["state"] == "changed"
    assert (content["registered"]["files"], content["now"]["size"]) == (2, 10)
    names = {what: content[what] for what in ("added", "removed", "changed")}
    assert names == {
        "added": [f"{STORE}/data/c.csv"],
        "removed": [f"{STORE}/data/a.csv"],
        "changed": [f"{STORE}/data/b.csv"],
    }
    admin.delete_file(uploaded, STORE, "data")
    gone = admin.get_dataset_content(uploaded, "cars")
    assert (gone["state"], gone["now"]) == ("missing", None)


def test_description_and_tags_may_change(admin: Client, uploaded: str) -> None:
    register(admin, uploaded, tags={"a": "1"})
    changed = admin.update_dataset_version(uploaded, "cars", 1, {"tags": {"b": "2"}})
    assert (changed["tags"], changed["description"]) == ({"b": "2"}, "")
    assert admin.update_dataset_version(uploaded, "cars", "latest", {"description": "x"})["tags"] == {"b": "2"}


def test_what_is_unregistered_is_forgotten_and_its_data_stays(admin: Client, uploaded: str) -> None:
    register(admin, uploaded)
    admin.upload_file(uploaded, STORE, "data/c.csv", b"333")
    register(admin, uploaded, create_new_version=True)
    admin.unregister_dataset_version(uploaded, "cars", 2)
    assert admin.get_dataset_version(uploaded, "cars")["version"] == 1
    admin.upload_file(uploaded, STORE, "data/d.csv", b"4")
    assert register(admin, uploaded, create_new_version=True)["version"] == 3  # numbers are not given again
    admin.unregister_dataset(uploaded, "cars")
    assert admin.list_datasets(uploaded) == []
    with pytest.raises(NotFoundException, match="no dataset 'cars'"):
        admin.get_dataset_version(uploaded, "cars")
    assert len(admin.list_files(uploaded, STORE, "data")) == 4


@pytest.mark.parametrize(
    ("name", "source", "error"),
    [
        ("cars", files("nothing/here"), NotFoundException),
        ("cars", {"kind": "files", "locations": [{"datastore": "elsewhere", "path": "a"}]}, UserErrorException),
        ("cars", files("../other"), UserErrorException),
        (" ", files("data"), UserErrorException),
        ("x" * 256, files("data"), UserErrorException),
    ],
)
def test_what_cannot_be_registered(
    admin: Client, uploaded: str, name: str, source: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        admin.register_dataset(uploaded, name, {"source": source})
    assert admin.list_datasets(uploaded) == []


@pytest.mark.parametrize("version", ["9", "0", "newest", "-1", "1.0"])
def test_versions_that_there_are_not(admin: Client, uploaded: str, version: str) -> None:
    register(admin, uploaded)
    with pytest.raises((NotFoundException, UserErrorException), match="version"):
        admin.get_dataset_version(uploaded, "cars", version)


def test_of_many_who_register_at_once_each_gets_a_number(admin: Client, uploaded: str) -> None:
    for number in range(8):
        admin.upload_file(uploaded, STORE, f"many/{number}", str(number).encode())

    def one(number: int) -> int:
        body = {"source": files(f"many/{number}"), "create_new_version": True}
        return int(admin.register_dataset(uploaded, "many", body)["version"])

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(one, range(8))) == list(range(1, 9))


# --- outputs that become datasets ---------------------------------------------------------------------------------


def wish(storage: WorkspaceStore, path: str, run_id: str = "run-1", name: str = "result", **more: Any) -> Wish:
    source = FilesSource(locations=(DataLocation(datastore=STORE, path=path),))
    fields = {"tags": {"made": "by a step"}, "source": source, "content": content_of(storage, source), **more}
    return Wish(name=name, workspace=storage.workspace, run_id=run_id, step_id="train", port="model", **fields)


def versions(admin: Client, workspace: str, name: str = "result") -> list[tuple[int, str]]:
    found = admin.list_dataset_versions(workspace, name)
    return [(each["version"], each["source"]["locations"][0]["path"]) for each in reversed(found)]


def test_an_output_becomes_a_version_once(server: ApiServer, admin: Client, uploaded: str) -> None:
    storage = storage_of(server, uploaded)
    for _ in range(3):  # as a step that is tried again leaves it
        Wishes(storage).add(wish(storage, "data/a.csv"))
        made = admin.list_datasets(uploaded)
        assert [(each["name"], each["version"], each["run_id"], each["step_id"]) for each in made] == [
            ("result", 1, "run-1", "train")
        ]
    assert made[0]["tags"] == {"made": "by a step"}
    assert list(Wishes(storage).all()) == []


def test_a_run_that_reuses_what_is_the_latest_adds_no_version(server: ApiServer, admin: Client, uploaded: str) -> None:
    storage = storage_of(server, uploaded)
    for run_id, path in (("r1", "data/a.csv"), ("r2", "data/a.csv"), ("r3", "data/b.csv"), ("r4", "data/a.csv")):
        Wishes(storage).add(wish(storage, path, run_id))
        admin.list_datasets(uploaded)
    assert versions(admin, uploaded) == [(1, "data/a.csv"), (2, "data/b.csv"), (3, "data/a.csv")]
    Wishes(storage).add(wish(storage, "data/a.csv", "r2"))  # its server had died before it took the wish away
    assert len(versions(admin, uploaded)) == 3


def test_a_later_attempt_corrects_what_an_earlier_one_had_registered(
    server: ApiServer, admin: Client, uploaded: str
) -> None:
    storage = storage_of(server, uploaded)
    Wishes(storage).add(wish(storage, "data/a.csv"))
    first = admin.get_dataset_version(uploaded, "result")
    Wishes(storage).add(wish(storage, "data/b.csv"))
    assert versions(admin, uploaded) == [(1, "data/b.csv")]
    assert admin.get_dataset_version(uploaded, "result")["id"] == first["id"]


def test_without_a_new_version_a_name_keeps_what_it_has(server: ApiServer, admin: Client, uploaded: str) -> None:
    storage = storage_of(server, uploaded)
    for run_id, path in (("r1", "data/a.csv"), ("r2", "data/b.csv")):
        Wishes(storage).add(wish(storage, path, run_id, create_new_version=False))
        admin.list_datasets(uploaded)
    assert versions(admin, uploaded) == [(1, "data/a.csv")]


def test_a_damaged_wish_hinders_no_other(server: ApiServer, admin: Client, uploaded: str) -> None:
    storage = storage_of(server, uploaded)
    storage.store.put(storage.key("registrations", "0.json"), b"{}")
    Wishes(storage).add(wish(storage, "data/a.csv"))
    assert [each["name"] for each in admin.list_datasets(uploaded)] == ["result"]


def test_many_who_look_grant_a_wish_once(server: ApiServer, admin: Client, uploaded: str) -> None:
    storage = storage_of(server, uploaded)
    for number in range(4):
        Wishes(storage).add(wish(storage, "data/a.csv", f"r{number}", name=f"n{number}"))
    with ThreadPoolExecutor(6) as pool:
        lists = list(pool.map(lambda _: admin.list_datasets(uploaded), range(6)))
    assert [(each["name"], each["version"]) for each in admin.list_datasets(uploaded)] == [
        (f"n{number}", 1) for number in range(4)
    ]
    assert all(len(found) <= 4 for found in lists)


def test_a_content_that_was_promised_and_is_not_there_is_told(server: ApiServer, admin: Client, uploaded: str) -> None:
    storage = storage_of(server, uploaded)
    promised = Content(digest="0" * 64, files=1, size=1)
    Wishes(storage).add(wish(storage, "data/a.csv", content=promised))
    assert admin.get_dataset_content(uploaded, "result")["state"] == "changed"
