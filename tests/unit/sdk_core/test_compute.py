"""Compute targets."""

from __future__ import annotations

from typing import Any

import pytest

from airloom.core import ComputeTarget, Workspace
from airloom.core._compat import IgnoredArgumentWarning
from airloom.core.compute import AmlCompute
from airloom.core.compute import compute as compute_module
from airloom.core.compute_target import ComputeTargetException
from airloom.exceptions import UserErrorException
from tests.unit.sdk_core.server import State


def make(ws: Workspace, name: str = "cpu-cluster", **sizes: Any) -> ComputeTarget:
    """A cluster."""
    return ComputeTarget.create(ws, name, AmlCompute.provisioning_configuration(vm_size="STANDARD_D2_V2", **sizes))


class TestMaking:
    def test_the_way_every_notebook_does_it(self, ws: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
        try:
            target = AmlCompute(ws, "cpu-cluster")
        except ComputeTargetException:
            target = make(ws, min_nodes=1, max_nodes=4)  # type: ignore[assignment]
            target.wait_for_completion(show_output=True, min_node_count=None, timeout_in_minutes=20)
        assert isinstance(target, AmlCompute)
        assert capsys.readouterr().out == "Succeeded\n"
        assert list(ws.compute_targets) == ["cpu-cluster"]

    def test_a_default_of_four_nodes(self, ws: Workspace) -> None:
        make(ws)
        assert AmlCompute(ws, "cpu-cluster").scale_settings.maximum_node_count == 4

    def test_a_taken_name_is_an_error(self, ws: Workspace) -> None:
        make(ws)
        with pytest.raises(ComputeTargetException, match="has a compute target 'cpu-cluster' already"):
            make(ws)

    @pytest.mark.parametrize("name", ["1cluster", "c", "cpu_cluster", "cpu-", "x" * 25])
    def test_bad_names_are_refused_with_the_rule(self, ws: Workspace, name: str) -> None:
        with pytest.raises(ComputeTargetException, match="2 to 24 letters, digits and '-'"):
            make(ws, name)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"vm_priority": "high"}, "'dedicated' or 'lowpriority'"),
            ({"min_nodes": 3, "max_nodes": 2}, r"min_nodes \(3\) must not be larger than max_nodes \(2\)"),
            ({"min_nodes": -1}, "min_nodes must be a whole number"),
            ({"max_nodes": 0}, "at least 1"),
            ({"max_nodes": "4"}, "max_nodes must be a whole number"),
            ({"idle_seconds_before_scaledown": 0}, "above 0"),
            ({"vnet_name": "net"}, "together"),
            ({"admin_username": "me"}, "give both or none"),
            ({"identity_type": "Mine"}, "'SystemAssigned' or 'UserAssigned'"),
            ({"identity_type": "UserAssigned"}, "identity_id goes with"),
            ({"remote_login_port_public_access": "Yes"}, "'Enabled', 'Disabled'"),
        ],
    )
    def test_contradictions_are_refused(self, arguments: dict[str, Any], message: str) -> None:
        with pytest.raises(ComputeTargetException, match=message):
            AmlCompute.provisioning_configuration(**arguments)

    def test_what_speaks_of_machines_warns_and_passwords_stay_here(self, ws: Workspace, state: State) -> None:
        with pytest.warns(IgnoredArgumentWarning) as warned:
            make(ws, vm_priority="lowpriority", admin_username="me", admin_user_password="secret")
        assert sorted(str(warning.message).split("(")[1].split("=")[0] for warning in warned) == [
            "admin_username",
            "vm_priority",
        ]
        assert "secret" not in str(state.of("default", "computes"))

    def test_attaching_is_not_there_yet(self, ws: Workspace) -> None:
        with pytest.raises(UserErrorException, match=r"Attaching 'vm' .* ComputeTarget.create"):
            ComputeTarget.attach(ws, "vm", object())


class TestFinding:
    def test_the_class_follows_from_the_type(self, ws: Workspace) -> None:
        make(ws)
        found = ComputeTarget(workspace=ws, name="cpu-cluster")
        assert isinstance(found, AmlCompute)
        assert (found.name, found.type, found.provisioning_state) == ("cpu-cluster", "AmlCompute", "Succeeded")
        assert found.provisioning_errors is None and found.workspace is ws and "cpu-cluster" in repr(found)

    def test_a_missing_one_is_an_exception_with_a_suggestion(self, ws: Workspace) -> None:
        make(ws)
        with pytest.raises(
            ComputeTargetException, match=r"ComputeTargetNotFound: .* cpu-clster not found.*Did you mean 'cpu-cluster'"
        ):
            ComputeTarget(ws, "cpu-clster")

    def test_another_kind_is_not_taken_for_a_cluster(self, ws: Workspace, state: State) -> None:
        sizes = {"max_nodes": 1}
        state.add_compute("default", {"name": "mine", "type": "ComputeInstance", "provisioning": sizes})
        with pytest.raises(ComputeTargetException, match="'mine' is of type ComputeInstance, not AmlCompute"):
            AmlCompute(ws, "mine")
        assert type(ComputeTarget(ws, "mine")) is ComputeTarget
        assert [target.name for target in ComputeTarget.list(ws)] == ["mine"]


class TestLife:
    def test_status_has_the_names_of_v1(self, ws: Workspace) -> None:
        make(ws, min_nodes=1, max_nodes=3, tags={"a": "b"}, description="small")
        cluster = AmlCompute(ws, "cpu-cluster")
        status = cluster.get_status().serialize()
        assert status["scaleSettings"]["maxNodeCount"] == 3 and status["vmSize"] == "STANDARD_D2_V2"
        assert (cluster.tags, cluster.description, cluster.vm_size) == ({"a": "b"}, "small", "STANDARD_D2_V2")
        assert cluster.list_nodes() == [] and cluster.get()["slots"] == 3

    def test_update_changes_what_is_given(self, ws: Workspace) -> None:
        make(ws, min_nodes=1, max_nodes=3)
        cluster = AmlCompute(ws, "cpu-cluster")
        cluster.update(max_nodes=8)
        assert (cluster.scale_settings.minimum_node_count, cluster.scale_settings.maximum_node_count) == (1, 8)
        with pytest.raises(ComputeTargetException, match="must not be larger"):
            cluster.update(min_nodes=9)

    def test_waiting_for_more_nodes_than_there_can_be_is_an_error(self, ws: Workspace) -> None:
        make(ws, max_nodes=2)
        with pytest.raises(ComputeTargetException, match="has 2 nodes at most, not 3"):
            AmlCompute(ws, "cpu-cluster").wait_for_completion(min_node_count=3)

    def test_waiting_ends_with_the_timeout(self, ws: Workspace, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compute_module, "POLL_SECONDS", 0.01)
        make(ws)
        state.of("default", "computes")["cpu-cluster"]["state"] = "Creating"
        with pytest.raises(ComputeTargetException, match=r"still 'Creating' after 0\.001 minutes"):
            AmlCompute(ws, "cpu-cluster").wait_for_completion(timeout_in_minutes=0.001)

    def test_a_failed_one_is_an_error(self, ws: Workspace, state: State) -> None:
        make(ws)
        state.of("default", "computes")["cpu-cluster"]["state"] = "Failed"
        with pytest.raises(ComputeTargetException, match="could not be made"):
            ComputeTarget(ws, "cpu-cluster").wait_for_completion()

    def test_deleting(self, ws: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
        cluster = make(ws)
        cluster.delete()
        cluster.wait_for_completion(show_output=True, is_delete_operation=True)
        assert capsys.readouterr().out == "Deleted\n"
        with pytest.raises(ComputeTargetException, match="not found"):
            cluster.refresh_state()
        with pytest.raises(ComputeTargetException, match="is gone"):
            cluster.wait_for_completion()
        with pytest.raises(ComputeTargetException, match=r"use delete\(\)"):
            cluster.detach()
