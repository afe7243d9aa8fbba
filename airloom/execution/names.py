"""The names under which the tasks of a run, and the server that reads them, find each other's values."""

from __future__ import annotations

ROOT_TASK = "reuse"
"""Id of the task that plans a submitted pipeline; no step may be called so."""

PLAN_KEY = "airloom_plan"
"""XCom of the root task: the plan."""

RESULT_KEY = "airloom_result"
"""XCom of a step: its result."""

FAILURE_KEY = "airloom_failure"
"""XCom of a step that has no result: why, in words."""

REUSE_PARAM = "airloom.reuse"
"""DAG param that carries the reuse mode of a run, beside the pipeline's own parameters."""

RUN_KEY = "airloom.run"
"""Key in the conf of a run of a published pipeline: what else belongs to this run, such as its experiment."""
