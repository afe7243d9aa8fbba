"""Workspaces, datastores, compute targets and experiments."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from airloom.client import Client
from airloom.exceptions import AlreadyExistsException, NotFoundException, UserErrorException
from tests.integration.api.server import ApiServer


def airflow_pool(server: ApiServer, name: str) -> dict[str, object] | None:
    """The pool as Airflow itself tells it."""
    http = server.http("admin")
    answer = http.get(f"{server.url}/api/v2/pools/{name}")
    return answer.json() if answer.status_code == 200 else None


def test_default_workspace_is_there(admin: Client) -> None:
    """Nobody has to create it, even if many ask for it at once."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(admin.get_workspace, ["default"] * 16))
    assert {workspace["name"] for workspace in found} == {"default"}
    assert found[0]["default_datastore"] == "workspaceblobstore"
    assert [workspace["name"] for workspace in admin.list_workspaces()].count("default") == 1


def test_create_and_delete(server: ApiServer, admin: Client) -> None:
    """A workspace has two datastores from the start; deleted, it is gone with its pools, but its files stay."""
    created = admin.create_workspace({"name": "team-a", "tags": {"team": "a"}, "description": "ours"})
    assert (created["tags"], created["description"], created["created_by"]) == ({"team": "a"}, "ours", "admin")
    stores = {store["name"]: store for store in admin.list_datastores("team-a")}
    assert {name: store["is_default"] for name, store in stores.items()} == {
        "workspaceblobstore": True,
        "workspacefilestore": False,
    }
    admin.create_compute("team-a", {"name": "cpu"})
    admin.upload_file("team-a", "workspaceblobstore", "kept.txt", b"data")
    admin.delete_workspace("team-a")
    with pytest.raises(NotFoundException, match="no workspace 'team-a'"):
        admin.get_workspace("team-a")
    assert airflow_pool(server, "team-a.cpu") is None
    assert (server.store / "workspaces/team-a/data/workspaceblobstore/kept.txt").read_text() == "data"


def test_create_twice(admin: Client, workspace: str) -> None:
    """A second creation is refused unless it is declared welcome."""
    with pytest.raises(AlreadyExistsException, match=f"There is a workspace '{workspace}' already"):
        admin.create_workspace({"name": workspace})
    assert admin.create_workspace({"name": workspace, "exist_ok": True})["name"] == workspace


@pytest.mark.parametrize("name", ["", "a", "-a", "a b", "a/b", "..", "a" * 34, "a.b", "ä1"])
def test_bad_workspace_names(admin: Client, name: str) -> None:
    """Names become folders and parts of pool names."""
    with pytest.raises(UserErrorException, match="cannot be the name of a workspace"):
        admin.create_workspace({"name": name})


def test_misspelt_field(admin: Client) -> None:
    """An unknown field is named, not ignored."""
    with pytest.raises(UserErrorException, match=r"body\.tag: Extra inputs are not permitted"):
        admin.create_workspace({"name": "other", "tag": {}})


def test_register_datastore(server: ApiServer, admin: Client, workspace: str) -> None:
    """Workers find a datastore by a file in the store, which is there once the call returns."""
    root = server.home / "shared" / workspace
    created = admin.create_datastore(workspace, {"name": "shared_data", "root": str(root), "tags": {"a": "b"}})
    assert (created["root"], created["type"], created["tags"]) == (str(root), "local", {"a": "b"})
    mirror = server.store / f"workspaces/{workspace}/datastores/shared_data.json"
    assert json.loads(mirror.read_text())["body"]["root"] == str(root)
    with pytest.raises(AlreadyExistsException, match="has a datastore 'shared_data' already"):
        admin.create_datastore(workspace, {"name": "shared_data"})
    moved = admin.create_datastore(workspace, {"name": "shared_data", "root": f"{root}-2", "overwrite": True})
    assert moved["root"] == json.loads(mirror.read_text())["body"]["root"] == f"{root}-2"
    admin.delete_datastore(workspace, "shared_data")
    assert not mirror.exists()
    with pytest.raises(NotFoundException, match="It has: workspaceblobstore, workspacefilestore"):
        admin.get_datastore(workspace, "shared_data")


@pytest.mark.parametrize("root", ["/etc", "/", "relative", "{shared}/../x", "{shared}-not", "{store}/definitions"])
def test_roots_that_would_give_files_away(server: ApiServer, admin: Client, workspace: str, root: str) -> None:
    """Not even who may register datastores can open other folders of the server."""
    given = root.format(shared=server.home / "shared", store=server.store)
    with pytest.raises(UserErrorException, match=r"local_roots in section \[airloom\]|must be an absolute folder"):
        admin.create_datastore(workspace, {"name": "sneaky", "root": given})


def test_root_behind_a_link(server: ApiServer, admin: Client, workspace: str) -> None:
    """A link out of an allowed folder is followed before the check."""
    link = server.home / "shared" / f"link-{workspace}"
    link.symlink_to("/etc")
    with pytest.raises(UserErrorException, match="may not have the root"):
        admin.create_datastore(workspace, {"name": "sneaky", "root": str(link)})


def test_racing_registrations_agree(server: ApiServer, admin: Client, workspace: str) -> None:
    """Of many registrations of one name exactly one wins, and the workers' file is the winner's."""

    def register(number: int) -> str | None:
        root = str(server.home / "shared" / f"{workspace}-{number}")
        try:
            return str(admin.create_datastore(workspace, {"name": "raced", "root": root})["root"])
        except UserErrorException:
            return None

    with ThreadPoolExecutor(8) as pool:
        winners = [root for root in pool.map(register, range(8)) if root]
    mirror = server.store / f"workspaces/{workspace}/datastores/raced.json"
    assert winners == [json.loads(mirror.read_text())["body"]["root"]]
    assert admin.get_datastore(workspace, "raced")["root"] == winners[0]


def test_default_datastore(admin: Client, workspace: str) -> None:
    """The default can be changed to one that exists, and cannot be removed."""
    assert admin.set_default_datastore(workspace, "workspacefilestore")["default_datastore"] == "workspacefilestore"
    with pytest.raises(UserErrorException, match="Make another one the default first"):
        admin.delete_datastore(workspace, "workspacefilestore")
    with pytest.raises(NotFoundException, match="no datastore 'none'"):
        admin.set_default_datastore(workspace, "none")


def test_compute_has_a_pool(server: ApiServer, admin: Client, workspace: str) -> None:
    """A compute target and its pool are made, resized and removed together."""
    body = {"name": "cpu", "provisioning": {"vm_size": "STANDARD_D2", "max_nodes": 3}, "tags": {"a": "b"}}
    created = admin.create_compute(workspace, body)
    assert (created["slots"], created["state"], created["pool"]) == (3, "Succeeded", f"{workspace}.cpu")
    assert created["provisioning"] == {"vm_size": "STANDARD_D2", "min_nodes": 0, "max_nodes": 3}
    pool = airflow_pool(server, f"{workspace}.cpu")
    assert pool is not None and pool["slots"] == 3
    changed = admin.update_compute(workspace, "cpu", {"max_nodes": 5, "description": "bigger"})
    assert (changed["slots"], changed["description"], changed["tags"]) == (5, "bigger", {"a": "b"})
    pool = airflow_pool(server, f"{workspace}.cpu")
    assert pool is not None and pool["slots"] == 5
    with pytest.raises(UserErrorException, match="min_nodes 6 above max_nodes 5"):
        admin.update_compute(workspace, "cpu", {"min_nodes": 6})
    assert admin.get_compute(workspace, "cpu")["provisioning"]["min_nodes"] == 0
    admin.delete_compute(workspace, "cpu")
    assert admin.list_computes(workspace) == []
    assert airflow_pool(server, f"{workspace}.cpu") is None


def test_compute_names_are_taken_once(admin: Client, workspace: str) -> None:
    """A second creation is refused unless it is declared welcome; an unknown name lists the known ones."""
    admin.create_compute(workspace, {"name": "cpu"})
    with pytest.raises(AlreadyExistsException, match="has a compute target 'cpu' already"):
        admin.create_compute(workspace, {"name": "cpu"})
    assert admin.create_compute(workspace, {"name": "cpu", "exist_ok": True})["name"] == "cpu"
    with pytest.raises(NotFoundException, match="It has: cpu"):
        admin.get_compute(workspace, "gpu")


def test_experiments(admin: Client, workspace: str) -> None:
    """Creating one that exists returns it, also to many at once; changes leave the rest alone."""
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: admin.create_experiment(workspace, {"name": "first"}), range(8)))
    assert len({str(experiment) for experiment in made}) == 1
    changed = admin.update_experiment(workspace, "first", {"tags": {"a": "b"}})
    assert (changed["tags"], changed["archived"], changed["workspace"]) == ({"a": "b"}, False, workspace)
    assert admin.update_experiment(workspace, "first", {"archived": True})["tags"] == {"a": "b"}
    assert [experiment["name"] for experiment in admin.list_experiments(workspace)] == ["first"]
    with pytest.raises(NotFoundException, match="comes into being with its first run"):
        admin.get_experiment(workspace, "second")
    with pytest.raises(UserErrorException, match="cannot be the name of an experiment"):
        admin.create_experiment(workspace, {"name": "a\nb"})
