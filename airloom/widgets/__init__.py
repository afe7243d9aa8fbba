"""Widgets: how a run goes, in a notebook or on a terminal."""

from __future__ import annotations

from airloom.widgets.run_details import RunDetails

__all__ = ["RunDetails"]
