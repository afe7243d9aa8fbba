"""The trigger of data-change schedules, in Airflow's own manager of shared streams."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from airflow.triggers.base import BaseEventTrigger, TriggerEvent
from airflow.triggers.shared_stream import SharedStreamManager

from airloom.execution.hand_over import Order, hand_over
from airloom.operators.triggers import folder_changes
from airloom.operators.triggers.folder_changes import FolderChangesTrigger, Signalled
from airloom.operators.triggers.pace import Pace
from airloom.storage import watched
from airloom.storage.datastore_config import LocalConfig
from airloom.storage.handed_over import Check, HandOverStore
from airloom.storage.object_store import open_store
from airloom.storage.stat_cache import null_cache
from airloom.storage.watched import WatchedPlace
from airloom.storage.workspace import WorkspaceStore
from tests.support.crashes import memory_folder

OFTEN = 0.02 / 60
SELDOM = 1000.0


class Scene:
    """A store, a datastore with a folder, and schedules that watch it."""

    def __init__(self, root: Path) -> None:
        self.deployment = open_store((root / "store").as_uri())
        self.workspace = WorkspaceStore(self.deployment, "lab", null_cache())
        self.data = root / "data"
        (self.data / "in").mkdir(parents=True)
        self.workspace.put_datastore(LocalConfig(name="data", root=str(self.data)))
        self.looks: list[tuple[str, str, str]] = []

    def trigger(self, path: str = "in", every: float = OFTEN) -> FolderChangesTrigger:
        """A schedule that begins with what is there, and its trigger."""
        schedule = str(uuid.uuid4())
        place = WatchedPlace(datastore="data", path=path)
        self.memory(schedule).begin(place, self.workspace.datastore("data").survey(place.folder))
        return FolderChangesTrigger(schedule, "lab", "data", path, every)

    def memory(self, schedule: str) -> HandOverStore:
        return HandOverStore(self.deployment, schedule)

    def check(self, trigger: FolderChangesTrigger) -> Check | None:
        return self.memory(trigger.schedule_id).last_check()

    def hand_over(self, trigger: FolderChangesTrigger) -> None:
        hand_over(
            self.memory(trigger.schedule_id),
            trigger.place,
            Order("dag", {}),
            lambda place: self.workspace.datastore(place.datastore).survey(place.folder),
            lambda run: None,
        )


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A scene in memory, whose files are old enough at once, and which counts the looks at folders."""
    with memory_folder() as folder:
        scene = Scene(folder)
        monkeypatch.setenv("AIRFLOW__AIRLOOM__STORE", (folder / "store").as_uri())
        monkeypatch.setattr(watched, "RACY_NS", -1)
        survey = folder_changes._survey

        def counted(*key: str) -> watched.Survey:
            scene.looks.append(key)  # type: ignore[arg-type]
            return survey(*key)

        monkeypatch.setattr(folder_changes, "_survey", counted)
        yield scene


Next = Callable[[], Awaitable[TriggerEvent]]


@asynccontextmanager
async def watching(*triggers: BaseEventTrigger) -> AsyncIterator[list[Next]]:
    """Run triggers as the triggerer does. Yields for each a function that waits for its next event."""
    manager = SharedStreamManager()
    queues: list[asyncio.Queue[TriggerEvent]] = [asyncio.Queue() for _ in triggers]

    async def drain(number: int, trigger: BaseEventTrigger) -> None:
        key = trigger.shared_stream_key()
        try:
            async for event in trigger.filter_shared_stream(
                manager.subscribe(trigger_id=number, trigger=trigger, key=key)
            ):
                queues[number].put_nowait(event)
        finally:
            await manager.unsubscribe(number, key)

    tasks = [asyncio.create_task(drain(number, trigger)) for number, trigger in enumerate(triggers)]
    try:
        yield [lambda queue=queue: asyncio.wait_for(queue.get(), 10) for queue in queues]  # type: ignore[misc]
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def test_one_poll_serves_all_who_watch_a_folder(scene: Scene) -> None:
    everything, tables = scene.trigger("in", SELDOM), scene.trigger("in/*.csv", SELDOM)

    async def story() -> None:
        (scene.data / "in/a.csv").write_text("a")
        async with watching(everything, tables) as (of_everything, of_tables):
            first, second = await of_everything(), await of_tables()
        assert first.payload == {"schedule_id": everything.schedule_id, "changes": 1}
        assert second.payload == {"schedule_id": tables.schedule_id, "changes": 1}

    asyncio.run(story())
    assert scene.looks == [("lab", "data", "in")]


def test_who_watches_seldom_is_not_asked_at_each_poll_of_one_who_watches_often(scene: Scene) -> None:
    often, seldom = scene.trigger(every=OFTEN), scene.trigger(every=SELDOM)

    async def story() -> None:
        async with watching(often, seldom) as (of_often, _):
            await until(lambda: scene.check(often) and scene.check(seldom))
            first = scene.check(seldom)
            (scene.data / "in/a").write_text("a")
            await of_often()
            assert scene.check(seldom) == first

    asyncio.run(story())


def test_nothing_is_signalled_before_something_changes_nor_after_it_was_handed_over(scene: Scene) -> None:
    trigger = scene.trigger()

    async def story() -> None:
        async with watching(trigger) as (signal,):
            await until(lambda: len(scene.looks) > 2)
            assert outcome() == "unchanged"
            (scene.data / "in/deep").mkdir()
            (scene.data / "in/deep/a").write_text("a")
            await signal()
            assert outcome() == "found"
            scene.hand_over(trigger)
            await until(lambda: outcome() == "unchanged")
            (scene.data / "in/deep/a").write_text("changed")
            await signal()

    def outcome() -> str:
        check = scene.check(trigger)
        return check.outcome if check else ""

    asyncio.run(story())


def test_a_trigger_that_starts_anew_signals_again_what_is_not_handed_over(scene: Scene) -> None:
    trigger = scene.trigger()

    async def story() -> None:
        (scene.data / "in/a").write_text("a")
        for _ in range(2):
            again = FolderChangesTrigger(**trigger.serialize()[1])
            async with watching(again) as (signal,):
                await signal()

    asyncio.run(story())


def test_the_same_is_signalled_again_after_a_pause(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a task that has failed for good."""
    monkeypatch.setattr(folder_changes, "REPEAT_AFTER_SECONDS", 0.05)
    trigger = scene.trigger()

    async def story() -> None:
        (scene.data / "in/a").write_text("a")
        async with watching(trigger) as (signal,):
            for _ in range(3):
                await signal()

    asyncio.run(story())


def test_the_pause_between_equal_signals_keeps_a_busy_task_from_being_called_at_each_poll() -> None:
    signalled = Signalled()
    found = Check(at="", outcome="found", changes=1, message="1 file")
    assert [signalled.is_due(found) for _ in range(3)] == [True, False, False]
    assert signalled.is_due(found.model_copy(update={"message": "2 files"}))


def test_a_datastore_that_goes_and_comes_back_is_told_of_and_loses_nothing(scene: Scene) -> None:
    trigger = scene.trigger()
    (scene.data / "in/before").write_text("b")

    async def story() -> None:
        async with watching(trigger) as (signal,):
            await signal()
            scene.hand_over(trigger)
            scene.data.rename(scene.data.with_name("away"))
            await until(lambda: "is not there" in message())
            (scene.data.with_name("away") / "in/meanwhile").write_text("m")
            scene.data.with_name("away").rename(scene.data)
            assert (await signal()).payload["changes"] == 1

    def message() -> str:
        check = scene.check(trigger)
        return check.message if check and check.outcome == "failed" else ""

    asyncio.run(story())


def test_a_datastore_that_is_not_registered_is_told_of(scene: Scene) -> None:
    trigger = scene.trigger()
    scene.workspace.delete_datastore("data")

    async def story() -> None:
        async with watching(trigger):
            await until(lambda: scene.check(trigger))

    asyncio.run(story())
    check = scene.check(trigger)
    assert check and check.outcome == "failed" and "has no datastore 'data'" in check.message


def test_a_state_that_is_lost_is_told_of_and_nothing_is_signalled(scene: Scene) -> None:
    trigger = scene.trigger()
    (state,) = [key for key in scene.deployment.list("changes/") if key.endswith("state.json")]
    scene.deployment.delete(state)

    async def story() -> None:
        async with watching(trigger):
            await until(lambda: scene.check(trigger))

    asyncio.run(story())
    check = scene.check(trigger)
    assert check and check.outcome == "failed" and "is not known" in check.message


def test_a_store_that_cannot_be_written_ends_no_trigger(scene: Scene) -> None:
    trigger = scene.trigger()
    store = scene.data.with_name("store")

    async def story() -> None:
        async with watching(trigger) as (signal,):
            shutil.move(store, store.with_name("elsewhere"))
            store.write_text("a file in the way")
            looks = len(scene.looks)
            await until(lambda: len(scene.looks) > looks + 2)
            store.unlink()
            shutil.move(store.with_name("elsewhere"), store)
            (scene.data / "in/a").write_text("a")
            await signal()

    asyncio.run(story())


def test_it_watches_alone_where_nothing_is_shared(scene: Scene) -> None:
    trigger = scene.trigger()
    (scene.data / "in/a").write_text("a")

    async def story() -> TriggerEvent:
        events = trigger.run()
        try:
            return await anext(events)
        finally:
            await events.aclose()

    assert asyncio.run(story()).payload["changes"] == 1


def test_a_participant_who_joins_is_due_at_once_though_the_others_wait() -> None:
    async def story() -> None:
        pace = Pace()
        with pace.part("key", 1000) as first:
            assert await pace.turn("key") == {first}
            turn = asyncio.create_task(pace.turn("key"))
            await asyncio.sleep(0)
            with pace.part("key", 1000) as second:
                assert await asyncio.wait_for(turn, 30) == {second}
            turn = asyncio.create_task(pace.turn("key"))
        await asyncio.sleep(0)
        with pace.part("key", 1000) as third:  # also when all had left
            assert await asyncio.wait_for(turn, 30) == {third}

    asyncio.run(story())
