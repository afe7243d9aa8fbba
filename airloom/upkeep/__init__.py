"""The upkeep of a workspace: freeing what nothing refers to, and checking that what is stored is what was stored."""

from airloom.upkeep.collect import Limits, collect
from airloom.upkeep.progress import GcReport, Progress, VerifyReport
from airloom.upkeep.runs import KnownRuns, RunUse
from airloom.upkeep.verify import verify

__all__ = ["GcReport", "KnownRuns", "Limits", "Progress", "RunUse", "VerifyReport", "collect", "verify"]
