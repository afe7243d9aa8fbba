"""Workspaces: how they are found, made, and looked into."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airloom.core import Datastore, Workspace
from airloom.core._compat import IgnoredArgumentWarning
from airloom.core.authentication import ServicePrincipalAuthentication
from airloom.core.compute import AmlCompute
from airloom.exceptions import AuthenticationException, ServiceException, UserErrorException, WorkspaceException
from tests.unit.sdk_core.conftest import write_config
from tests.unit.sdk_core.server import PASSWORD, USER, State


class TestFromConfig:
    def test_reads_the_file_of_the_working_folder(self, ws: Workspace) -> None:
        assert (ws.name, ws.subscription_id, ws.resource_group, ws.location) == ("default", "sub", "group", "local")

    @pytest.mark.parametrize("folder", [".airloom", ".azureml", "aml_config"])
    def test_looks_in_configuration_folders_and_upward(
        self, folder: str, server: tuple[str, State], own_surroundings: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_config(own_surroundings / folder, server[0])
        deep = own_surroundings / "a" / "b"
        deep.mkdir(parents=True)
        monkeypatch.chdir(deep)
        assert Workspace.from_config().name == "default"

    def test_takes_the_path_of_a_file_or_a_folder(self, server: tuple[str, State], tmp_path: Path) -> None:
        file = write_config(tmp_path / "elsewhere", server[0])
        assert Workspace.from_config(path=str(file)) == Workspace.from_config(path=str(file.parent))

    def test_a_file_of_azure_serves_with_the_server_of_a_file_above(
        self, server: tuple[str, State], own_surroundings: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_config(own_surroundings / ".airloom", server[0])
        project = own_surroundings / "project"
        write_config(project / ".azureml", None)
        monkeypatch.chdir(project)
        assert Workspace.from_config().subscription_id == "sub"

    def test_without_any_file_says_where_it_looked(self, own_surroundings: Path) -> None:
        with pytest.raises(UserErrorException, match=r"no config\.json in .*work, .*`airloom up`"):
            Workspace.from_config()

    def test_names_what_a_file_lacks(self, own_surroundings: Path) -> None:
        (own_surroundings / "config.json").write_text('{"workspace_name": "default"}')
        with pytest.raises(UserErrorException, match="lacks subscription_id, resource_group"):
            Workspace.from_config()

    def test_refuses_a_file_that_is_not_json(self, own_surroundings: Path) -> None:
        (own_surroundings / "config.json").write_text("workspace: default")
        with pytest.raises(UserErrorException, match="is not JSON"):
            Workspace.from_config()

    def test_suggests_the_right_name(self, server: tuple[str, State], own_surroundings: Path) -> None:
        write_config(own_surroundings, server[0], workspace="defualt")
        with pytest.raises(WorkspaceException, match=r"no workspace 'defualt'. Did you mean 'default'"):
            Workspace.from_config()

    def test_says_that_no_server_answers(self, own_surroundings: Path) -> None:
        write_config(own_surroundings, "http://127.0.0.1:9")
        with pytest.raises(ServiceException, match=r"Cannot reach the Airloom server at .*airloom up"):
            Workspace.from_config()

    def test_says_that_the_password_is_wrong(self, server: tuple[str, State], own_surroundings: Path) -> None:
        write_config(own_surroundings, server[0], password="wrong")
        with pytest.raises(AuthenticationException, match="password is not right"):
            Workspace.from_config()


class TestTheServerThatIsMeant:
    def test_an_endpoint_of_the_environment_counts_most(
        self, server: tuple[str, State], own_surroundings: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_config(own_surroundings, "http://127.0.0.1:9")
        monkeypatch.setenv("AIRLOOM_ENDPOINT", server[0])
        monkeypatch.setenv("AIRLOOM_TOKEN", "token-0")
        assert Workspace.get("default").name == "default"

    def test_a_password_is_never_sent_to_another_server_than_its_own(
        self, server: tuple[str, State], own_surroundings: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_config(own_surroundings, "http://127.0.0.1:9")
        monkeypatch.setenv("AIRLOOM_ENDPOINT", server[0])
        with pytest.raises(AuthenticationException, match="no credentials"):
            Workspace.get("default")
        assert server[1].logins == 0

    def test_a_foreign_config_json_on_the_way_is_passed_over(
        self, server: tuple[str, State], own_surroundings: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_config(own_surroundings, server[0])
        below = own_surroundings / "web"
        below.mkdir()
        (below / "config.json").write_text("[1, 2]")
        monkeypatch.chdir(below)
        assert Workspace("sub", "group", "default").name == "default"

    def test_the_home_of_the_embedded_server_is_the_last_place(
        self, server: tuple[str, State], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_config(tmp_path / "home", server[0])
        monkeypatch.setenv("AIRLOOM_HOME", str(tmp_path / "home"))
        assert Workspace.get("default").name == "default"

    def test_an_explicit_sign_in_is_taken(self, server: tuple[str, State], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRLOOM_ENDPOINT", server[0])
        auth = ServicePrincipalAuthentication("tenant", USER, PASSWORD)
        assert Workspace.get("default", auth=auth).name == "default"


class TestMaking:
    def test_create_makes_a_workspace_with_datastores(self, ws: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
        team = Workspace.create("team", tags={"a": "b"}, location="westeurope", friendly_name="The team")
        assert team.tags == {"a": "b"}
        assert sorted(team.datastores) == ["workspaceblobstore", "workspacefilestore"]
        assert team.get_details()["friendlyName"] == "The team"
        assert "Workspace 'team' is ready" in capsys.readouterr().out

    def test_a_taken_name_is_an_error_unless_exist_ok(self, ws: Workspace) -> None:
        with pytest.raises(WorkspaceException, match="exist_ok=True"):
            Workspace.create("default")
        assert Workspace.create("default", exist_ok=True, show_output=False) == ws

    def test_default_compute_targets_are_made(self, ws: Workspace) -> None:
        sizes = AmlCompute.provisioning_configuration(max_nodes=2)
        team = Workspace.create("team", default_cpu_compute_target=sizes, show_output=False)
        target = team.get_default_compute_target("CPU")
        assert target is not None and target.name == "cpu-cluster"
        assert team.get_default_compute_target("GPU") is None

    def test_azure_resources_warn_once(self, ws: Workspace) -> None:
        with pytest.warns(IgnoredArgumentWarning, match="key_vault"):
            Workspace.create("team", key_vault="vault", show_output=False)

    def test_a_bad_name_is_refused_with_the_rule(self, ws: Workspace) -> None:
        with pytest.raises(UserErrorException, match="2 to 33 letters"):
            Workspace.create("no spaces", show_output=False)

    def test_list_and_delete(self, ws: Workspace) -> None:
        Workspace.create("team", show_output=False).delete()
        assert {name: [found.name for found in all] for name, all in Workspace.list("sub").items()} == {
            "default": ["default"]
        }


class TestConfigFile:
    def test_what_write_config_writes_from_config_reads(self, ws: Workspace, tmp_path: Path) -> None:
        ws.write_config(str(tmp_path / "project"))
        again = Workspace.from_config(str(tmp_path / "project"))
        assert again == ws and again.resource_group == "group"

    def test_it_holds_no_password(self, ws: Workspace, tmp_path: Path) -> None:
        ws.write_config(str(tmp_path))
        written = json.loads((tmp_path / ".airloom" / "config.json").read_text())
        assert PASSWORD not in json.dumps(written)
        assert written["airloom"]["password_file"] == f"../{Path.cwd().name}/passwords.json"


class TestContents:
    def test_the_default_datastore_can_be_changed(self, ws: Workspace) -> None:
        ws.set_default_datastore("workspacefilestore")
        assert ws.get_default_datastore().name == "workspacefilestore"
        assert Datastore.get_default(ws).is_default

    def test_an_unknown_datastore_is_not_made_the_default(self, ws: Workspace) -> None:
        with pytest.raises(UserErrorException, match="Did you mean 'workspacefilestore'"):
            ws.set_default_datastore("workspacefilestor")

    def test_compute_targets_and_experiments_are_dicts(self, ws: Workspace, state: State) -> None:
        state.add_run("r1", "Hello_World1")
        assert list(ws.experiments) == ["Hello_World1"] and ws.compute_targets == {}

    def test_equal_workspaces_are_equal(self, ws: Workspace) -> None:
        assert len({ws, Workspace.from_config()}) == 1 and "name='default'" in repr(ws)
