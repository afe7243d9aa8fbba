"""The exception of compute targets, where v1 has it too."""

from __future__ import annotations

from airloom.exceptions import ComputeTargetException

__all__ = ["ComputeTargetException"]
