"""What holds for any store: hypothesis makes histories of pipelines, edits, passing time and damage, then collects."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airloom.reuse.plan import Plan
from airloom.upkeep import verify
from tests.unit.upkeep.deployment import Deployment, Pipe, check_sound, finish

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
LIMIT = timedelta(days=30)
SHAPES = (
    (("a", ()),),
    (("a", ()), ("b", ("a",))),
    (("a", ()), ("b", ("a",)), ("c", ("a", "b"))),
)

pipes = st.builds(
    Pipe, name=st.sampled_from(["p", "q"]), salt=st.sampled_from(["1", "2"]), steps=st.sampled_from(SHAPES)
)
actions = st.one_of(
    st.tuples(st.just("run"), pipes),
    st.tuples(st.just("run"), pipes),
    st.tuples(st.just("wait"), st.integers(1, 40)),
    st.tuples(st.just("lose an output"), st.integers(0, 5)),
    st.tuples(st.just("lose a record"), st.integers(0, 5)),
)


class History:
    """A deployment with a past, and what of it must be kept: the pipelines that were run within the limit."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.last_run: dict[Pipe, int] = {}
        self.day = 0

    def act(self, action: tuple[str, object]) -> None:
        kind, value = action
        if kind == "run" and isinstance(value, Pipe):
            self.deployment.run_pipe(value)
            self.last_run[value] = self.day
        elif kind == "wait" and isinstance(value, int):
            self.deployment.age(timedelta(days=value))
            self.day += value
        elif isinstance(value, int):
            folder = self.deployment.data if "output" in kind else self.deployment.store.root
            pattern = "azureml/*/*/*/*" if "output" in kind else "workspaces/default/reuse/records/*/*"
            found = sorted(folder.glob(pattern))
            if found:
                found[value % len(found)].unlink()

    def kept(self) -> list[Pipe]:
        """The pipelines that were run within the limit."""
        return [pipe for pipe, day in self.last_run.items() if self.day - day < LIMIT.days]


def answers(plan: Plan) -> dict[str, object]:
    """What the planner decided, without its words."""
    return {
        step: (decision.action, plan.reused[step].outputs if step in plan.reused else None)
        for step, decision in plan.decisions.items()
    }


@given(past=st.lists(actions, max_size=8), size_limit=st.one_of(st.none(), st.floats(0, 1)))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
def test_after_a_collection_the_rest_is_as_good_as_before(
    past: list[tuple[str, object]], size_limit: float | None
) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        check_collection(Path(folder), past, size_limit)


@pytest.mark.thorough
def test_after_a_collection_the_rest_is_as_good_as_before_at_length(rounds: Callable[[int, int], int]) -> None:
    count = rounds(1, 400)
    run = given(past=st.lists(actions, max_size=14), size_limit=st.one_of(st.none(), st.floats(0, 1)))
    quiet = settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck))

    def check(past: list[tuple[str, object]], size_limit: float | None) -> None:
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
            check_collection(Path(folder), past, size_limit)

    quiet(run(check))()


def check_collection(folder: Path, past: list[tuple[str, object]], size_limit: float | None) -> None:
    deployment = Deployment(folder / "deployment")
    history = History(deployment)
    for action in past:
        history.act(action)
    twin = deployment.copy_to(folder / "twin")
    live = Pipe("live", "1", SHAPES[1])
    with deployment.live_run(live) as run:
        foretold = deployment.gc(LIMIT, dry_run=True)
        before = {pipe: answers(twin.plan_of(pipe)) for pipe in history.kept()}
        done = deployment.gc(LIMIT)
        assert done.freed == foretold.freed and done.problems == ()
        for pipe, answer in before.items():
            assert answers(deployment.plan_of(pipe)) == answer, f"{pipe} is planned otherwise than before"
        assert deployment.gc(LIMIT).freed == {}, "a second collection found more"
        if size_limit is not None:
            limit = int(done.kept_bytes * size_limit)
            report = deployment.gc(LIMIT, max_bytes=limit)
            assert report.kept_bytes <= max(limit, deployment.gc(LIMIT, dry_run=True, max_bytes=0).kept_bytes)
        run.finish()
        deployment.check_results(live, run)
    lost = {finding.kind for finding in finish(verify(deployment.storage)).findings}
    assert lost <= {"output"}, "only what the past has lost may be lost"
    for pipe in {*history.last_run, live}:
        deployment.run_pipe(pipe)
    check_sound(deployment, finish(verify(deployment.storage)))
