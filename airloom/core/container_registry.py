"""Where container images are pulled from."""

from __future__ import annotations

from dataclasses import dataclass

from airloom.core._config_element import ConfigElement


@dataclass
class ContainerRegistry(ConfigElement):
    """A container registry: its address and, for a private one, the credentials."""

    address: str | None = None
    username: str | None = None
    password: str | None = None
