"""Compute targets: what steps run on, and how many at a time."""

from __future__ import annotations

from airloom.core.compute.amlcompute import AmlCompute
from airloom.core.compute.compute import ComputeTarget
from airloom.core.compute.datafactory import DataFactoryCompute

__all__ = ["AmlCompute", "ComputeTarget", "DataFactoryCompute"]
