"""Clusters: a number of steps at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from airloom.core._compat import ignored, ignored_unless_default
from airloom.core.compute.compute import ComputeTarget
from airloom.exceptions import ComputeTargetException

DEFAULT_MAX_NODES = 4
_SAME_MACHINES = "steps run on the workers that the Airloom server has."
_PRIORITIES = ("dedicated", "lowpriority")


@dataclass
class AmlComputeProvisioningConfiguration:
    """What a cluster should be. Of all this, `max_nodes` counts: so many steps run on it at a time."""

    vm_size: str = ""
    vm_priority: str = "dedicated"
    min_nodes: int = 0
    max_nodes: int | None = None
    idle_seconds_before_scaledown: int | None = 1800
    admin_username: str | None = None
    admin_user_password: str | None = field(default=None, repr=False)
    admin_user_ssh_key: str | None = field(default=None, repr=False)
    vnet_resourcegroup_name: str | None = None
    vnet_name: str | None = None
    subnet_name: str | None = None
    tags: dict[str, str] | None = None
    description: str | None = None
    remote_login_port_public_access: str = "NotSpecified"
    identity_type: str | None = None
    identity_id: list[str] | None = None
    location: str | None = None
    enable_node_public_ip: bool = True

    def validate_configuration(self) -> None:
        """Raise ComputeTargetException if the configuration contradicts itself."""
        if self.vm_priority not in _PRIORITIES:
            raise ComputeTargetException(f"vm_priority must be 'dedicated' or 'lowpriority', not {self.vm_priority!r}.")
        self._check_nodes()
        self._check_groups()
        if self.remote_login_port_public_access not in ("NotSpecified", "Enabled", "Disabled"):
            raise ComputeTargetException(
                "remote_login_port_public_access must be 'Enabled', 'Disabled' or 'NotSpecified', "
                f"not {self.remote_login_port_public_access!r}."
            )

    def _check_nodes(self) -> None:
        low, high = self.min_nodes, DEFAULT_MAX_NODES if self.max_nodes is None else self.max_nodes
        check_nodes(low, high)
        idle = self.idle_seconds_before_scaledown
        if idle is not None and (not isinstance(idle, int) or idle <= 0):
            raise ComputeTargetException(f"idle_seconds_before_scaledown must be a number above 0, not {idle!r}.")

    def _check_groups(self) -> None:
        """Some arguments go together."""
        network = (self.vnet_name, self.vnet_resourcegroup_name, self.subnet_name)
        if any(network) and not all(network):
            raise ComputeTargetException("Give vnet_name, vnet_resourcegroup_name and subnet_name together.")
        secret = self.admin_user_password or self.admin_user_ssh_key
        if bool(self.admin_username) != bool(secret):
            raise ComputeTargetException(
                "admin_username goes with admin_user_password or admin_user_ssh_key: give both or none."
            )
        if self.identity_type not in (None, "SystemAssigned", "UserAssigned"):
            raise ComputeTargetException(
                f"identity_type must be 'SystemAssigned' or 'UserAssigned', not {self.identity_type!r}."
            )
        if (self.identity_type == "UserAssigned") != bool(self.identity_id):
            raise ComputeTargetException("identity_id goes with identity_type='UserAssigned': give both or none.")

    def _fields(self) -> dict[str, Any]:
        provisioning = {
            "vm_size": self.vm_size or None,
            "vm_priority": self.vm_priority,
            "min_nodes": self.min_nodes,
            "max_nodes": DEFAULT_MAX_NODES if self.max_nodes is None else self.max_nodes,
            "idle_seconds_before_scaledown": self.idle_seconds_before_scaledown,
        }
        return {
            "type": "AmlCompute",
            "provisioning": provisioning,
            "description": self.description or "",
            "tags": self.tags or {},
        }


@dataclass(frozen=True)
class ScaleSettings:
    """The bounds of a cluster."""

    minimum_node_count: int
    maximum_node_count: int
    idle_seconds_before_scaledown: int | None


@dataclass(frozen=True)
class AmlComputeStatus:
    """The state of a cluster. Its nodes are slots on the server's workers, so they are all there at once."""

    provisioning_state: str
    allocation_state: str
    current_node_count: int
    target_node_count: int
    vm_size: str
    vm_priority: str
    scale_settings: ScaleSettings
    creation_time: str | None
    errors: None = None

    def serialize(self) -> dict[str, Any]:
        """The status as plain values, with v1's keys."""
        scale = self.scale_settings
        return {
            "errors": self.errors,
            "creationTime": self.creation_time,
            "provisioningState": self.provisioning_state,
            "allocationState": self.allocation_state,
            "currentNodeCount": self.current_node_count,
            "targetNodeCount": self.target_node_count,
            "vmPriority": self.vm_priority,
            "vmSize": self.vm_size,
            "scaleSettings": {
                "minNodeCount": scale.minimum_node_count,
                "maxNodeCount": scale.maximum_node_count,
                "nodeIdleTimeBeforeScaleDown": scale.idle_seconds_before_scaledown,
            },
        }


class AmlCompute(ComputeTarget):
    """A cluster. `AmlCompute(workspace, name)` finds an existing one, `ComputeTarget.create` makes one."""

    _compute_type: ClassVar[str | None] = "AmlCompute"

    @staticmethod
    def provisioning_configuration(
        vm_size: str = "",
        vm_priority: str = "dedicated",
        min_nodes: int = 0,
        max_nodes: int | None = None,
        idle_seconds_before_scaledown: int | None = 1800,
        admin_username: str | None = None,
        admin_user_password: str | None = None,
        admin_user_ssh_key: str | None = None,
        vnet_resourcegroup_name: str | None = None,
        vnet_name: str | None = None,
        subnet_name: str | None = None,
        tags: dict[str, str] | None = None,
        description: str | None = None,
        remote_login_port_public_access: str = "NotSpecified",
        identity_type: str | None = None,
        identity_id: list[str] | None = None,
        location: str | None = None,
        enable_node_public_ip: bool = True,
    ) -> AmlComputeProvisioningConfiguration:
        """What a cluster should be. `max_nodes` (default 4) is how many steps run on it at a time.

        `vm_size`, `min_nodes`, `idle_seconds_before_scaledown` and `location` are kept and have no effect; what
        speaks of networks, priorities, accounts and identities of virtual machines warns once that it has none.
        Raises ComputeTargetException if the arguments contradict each other.
        """
        configuration = AmlComputeProvisioningConfiguration(**locals())
        configuration.validate_configuration()
        _warn_of_machines(configuration)
        return configuration

    def wait_for_completion(  # type: ignore[override]  # v1 puts two arguments of its own in the middle
        self,
        show_output: bool = False,
        min_node_count: int | None = None,
        timeout_in_minutes: float = 25,
        is_delete_operation: bool = False,
    ) -> None:
        """Wait until the cluster can be used, or until it is gone if `is_delete_operation`.

        Its nodes are slots, which are there from the start: `min_node_count` nodes are never waited for longer.
        """
        if min_node_count is not None and not is_delete_operation and min_node_count > self._document["slots"]:
            raise ComputeTargetException(
                f"The compute target {self.name!r} has {self._document['slots']} nodes at most, not {min_node_count}."
            )
        self._wait(show_output, is_delete_operation, timeout_in_minutes)

    def get(self) -> dict[str, Any]:
        """All that the server says of it, read anew."""
        self.refresh_state()
        return self.serialize()

    def get_status(self) -> AmlComputeStatus:
        """The state of the cluster, read anew."""
        self.refresh_state()
        return self.status

    @property
    def status(self) -> AmlComputeStatus:
        """The state of the cluster when it was last read."""
        document, provisioning = self._document, self._document["provisioning"]
        slots = int(document["slots"])
        return AmlComputeStatus(
            provisioning_state=self.provisioning_state,
            allocation_state="Steady",
            current_node_count=slots,
            target_node_count=slots,
            vm_size=provisioning.get("vm_size") or "",
            vm_priority=provisioning.get("vm_priority") or "dedicated",
            scale_settings=ScaleSettings(
                int(provisioning.get("min_nodes", 0)), slots, provisioning.get("idle_seconds_before_scaledown")
            ),
            creation_time=document.get("created_at"),
        )

    @property
    def vm_size(self) -> str:
        """The size it was made with; a label."""
        return self.status.vm_size

    @property
    def scale_settings(self) -> ScaleSettings:
        """Its bounds."""
        return self.status.scale_settings

    def update(
        self,
        min_nodes: int | None = None,
        max_nodes: int | None = None,
        idle_seconds_before_scaledown: int | None = None,
    ) -> None:
        """Change the bounds. A new `max_nodes` counts at once, for steps that wait as well."""
        now = self.status.scale_settings
        low = now.minimum_node_count if min_nodes is None else min_nodes
        check_nodes(low, now.maximum_node_count if max_nodes is None else max_nodes)
        changes = {
            "min_nodes": min_nodes,
            "max_nodes": max_nodes,
            "idle_seconds_before_scaledown": idle_seconds_before_scaledown,
        }
        given = {name: value for name, value in changes.items() if value is not None}
        if given:
            self._document = self._client.update_compute(self.workspace.name, self.name, given)

    def list_nodes(self) -> list[dict[str, Any]]:
        """Always empty: the nodes are slots on the server's workers, not machines to sign in to."""
        return []


def check_nodes(low: int, high: int) -> None:
    """Raise ComputeTargetException unless 0 <= low <= high and high is at least 1."""
    for name, value in (("min_nodes", low), ("max_nodes", high)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ComputeTargetException(f"{name} must be a whole number, 0 or more, not {value!r}.")
    if high < 1:
        raise ComputeTargetException("max_nodes must be at least 1: with none, no step could run.")
    if low > high:
        raise ComputeTargetException(f"min_nodes ({low}) must not be larger than max_nodes ({high}).")


def _warn_of_machines(given: AmlComputeProvisioningConfiguration) -> None:
    default = AmlComputeProvisioningConfiguration()
    names = ("vm_priority", "vnet_name", "identity_type", "remote_login_port_public_access", "enable_node_public_ip")
    ignored_unless_default(
        "AmlCompute.provisioning_configuration",
        {name: (getattr(given, name), getattr(default, name)) for name in names},
        _SAME_MACHINES,
    )
    if given.admin_username is not None:
        ignored(
            "AmlCompute.provisioning_configuration(admin_username=...)",
            f"{_SAME_MACHINES} The password or key is not sent anywhere.",
        )
