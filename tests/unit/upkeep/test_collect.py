"""The collector: what it takes and what it leaves, one rule a test."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airloom.graph.canonical import digest_bytes
from airloom.runner.outputs import staging_stem
from airloom.storage.datastore_config import LocalConfig
from airloom.storage.definitions import shard_of
from airloom.upkeep import Limits, collect, verify
from tests.support.builders import a_path
from tests.support.in_process import DATASTORE
from tests.unit.upkeep.deployment import Deployment, Pipe, check_sound, dag_of, finish

CHAIN = Pipe("chain", "one", (("a", ()), ("b", ("a",)), ("c", ("b",))))
EDITED = Pipe("chain", "two", CHAIN.steps)
DAY = timedelta(days=1)


@pytest.fixture
def deployment(each_deployment: Deployment) -> Deployment:
    """The rules are the same wherever the data lie."""
    return each_deployment


def test_nothing_is_taken_that_was_used_within_the_limit(deployment: Deployment) -> None:
    deployment.run_pipe(CHAIN)
    deployment.age(80 * DAY)
    before = deployment.everything()
    report = deployment.gc()
    assert report.freed == {} and report.problems == ()
    assert deployment.everything() == before
    assert {kind: tally.count for kind, tally in report.kept.items()} == {
        "records of pipelines": 0,
        "records": 3,
        "remembered attempts": 3,
        "outputs": 3,
        "files of runs": 6,
        "pipelines": 1,
        "source folders": 3,
        "source files": 4,
    }


def test_what_was_not_used_for_longer_goes_with_all_that_it_alone_referred_to(deployment: Deployment) -> None:
    deployment.run_pipe(CHAIN)
    deployment.age(100 * DAY)
    report = deployment.gc()
    assert {kind: tally.count for kind, tally in report.freed.items()} == {
        "records": 3,
        "remembered attempts": 3,
        "outputs": 3,
        "files of runs": 6,
        "pipelines": 1,
        "source folders": 3,
        "source files": 4,
    }
    assert report.freed["outputs"].bytes == 3 * 64
    left = [name for name in deployment.everything() if not name.startswith("store/index")]
    assert left == [f"store/workspaces/default/datastores/{DATASTORE}.json"]
    assert not (deployment.data / "azureml").exists() or list((deployment.data / "azureml").iterdir()) == []
    check_sound(deployment, finish(verify(deployment.storage)))


def test_an_unchanged_run_keeps_what_it_reuses_for_another_while(deployment: Deployment) -> None:
    first = deployment.run_pipe(CHAIN)
    deployment.age(80 * DAY)
    assert deployment.run_pipe(CHAIN).executed == []
    deployment.age(80 * DAY)
    assert "records" not in deployment.gc().freed
    again = deployment.run_pipe(CHAIN)
    assert again.executed == []
    assert {result.outputs["out"] for result in again.results.values()} == {
        result.outputs["out"] for result in first.results.values()
    }


def test_the_record_of_a_pipeline_keeps_the_records_of_its_steps(deployment: Deployment) -> None:
    deployment.run_pipe(CHAIN)
    deployment.run_pipe(CHAIN)  # all reused: the record of the whole is written
    deployment.age(80 * DAY)
    deployment.run_pipe(CHAIN)  # reads that record alone
    deployment.age(80 * DAY)
    assert "records" not in deployment.gc().freed
    edited_last = Pipe("chain", "one", (*CHAIN.steps[:2], ("c2", ("b",))))
    assert deployment.run_pipe(edited_last).executed == ["c2"]


def test_logs_of_the_attempt_that_is_reused_stay(deployment: Deployment) -> None:
    first = deployment.run_pipe(CHAIN)
    deployment.age(100 * DAY)
    second = deployment.run_pipe(CHAIN)
    deployment.gc()
    for name, result in second.results.items():
        assert result.reused_from is not None and result.reused_from.run_id == first.info.run_id
        assert deployment.storage.list_artifacts(first.info.run_id, name, result.reused_from.attempt)


def test_explanations_still_name_the_files_that_changed(deployment: Deployment) -> None:
    deployment.run_pipe(CHAIN)
    deployment.age(80 * DAY)
    deployment.run_pipe(CHAIN)
    deployment.age(80 * DAY)
    deployment.gc()
    decision = deployment.plan_of(EDITED).decisions["a"]
    assert decision.explanation is not None and "source (main.py)" in decision.explanation.message


def test_what_has_not_been_run_yet_keeps_its_source_folders(deployment: Deployment) -> None:
    """As a draft does; nothing else names them."""
    source = deployment.store_source({"main.py": "never run"})
    deployment.table.write("drafts", snapshots=[source, "0" * 64])
    deployment.age(200 * DAY)
    deployment.gc()
    (entry,) = deployment.storage.use_snapshot(source).entries
    assert deployment.store.exists(deployment.storage.blob_key(entry.digest))
    deployment.table.write("drafts", snapshots=[])
    deployment.age(200 * DAY)
    deployment.gc()
    assert not deployment.store.exists(deployment.storage.snapshot_key(source))


def test_a_live_run_keeps_all_that_it_uses_however_old(deployment: Deployment) -> None:
    deployment.run_pipe(CHAIN)
    with deployment.live_run(Pipe("chain", "one", (*CHAIN.steps, ("d", ("c",))))) as run:
        deployment.age(200 * DAY)
        deployment.gc(timedelta(hours=2))
        run.finish()
        assert run.executed == ["d"]
        assert all((deployment.data / result.outputs["out"].path).exists() for result in run.results.values())


def test_what_is_not_yet_two_hours_old_stays_whatever_the_limits(deployment: Deployment) -> None:
    deployment.run_pipe(CHAIN)
    deployment.age(timedelta(minutes=110))
    assert deployment.gc(timedelta(0), max_bytes=0).freed == {}


def test_a_dry_run_changes_nothing_and_foretells_what_is_freed(deployment: Deployment) -> None:
    deployment.run_pipe(CHAIN).stop()
    deployment.age(100 * DAY)
    deployment.run_pipe(EDITED)
    before = deployment.everything()
    foretold = deployment.gc(dry_run=True)
    assert deployment.everything() == before
    done = deployment.gc()
    assert foretold.freed == done.freed != {}
    assert foretold.kept == done.kept
    assert foretold.dry_run and not done.dry_run


# --- the limit of size ------------------------------------------------------------------------------------------


def test_the_least_recently_used_goes_first_and_no_more_than_has_to(deployment: Deployment) -> None:
    pipes = [Pipe(f"p{number}", str(number), (("a", ()),)) for number in range(4)]
    for pipe in pipes:
        deployment.run_pipe(pipe)
        deployment.age(DAY)
    total = deployment.gc(dry_run=True).kept_bytes
    report = deployment.gc(max_bytes=total - 1)
    assert report.freed["records"].count == 1
    assert report.kept_bytes <= total - 1
    executed = [deployment.run_pipe(pipe).executed for pipe in pipes]
    assert executed == [["a"], [], [], []]


def test_a_limit_that_cannot_be_met_leaves_what_is_in_use(deployment: Deployment) -> None:
    with deployment.live_run(CHAIN) as run:
        run.finish()
        deployment.age(DAY)
        report = deployment.gc(max_bytes=1)
        deployment.check_results(CHAIN, run)
        assert report.kept_bytes > 1


# --- outputs ----------------------------------------------------------------------------------------------------


def test_only_the_places_of_known_attempts_are_ever_taken(deployment: Deployment) -> None:
    run = deployment.run_pipe(CHAIN)
    deployment.write("azureml/another-run/a/1-00000000/out", "of another deployment on the same datastore")
    deployment.write(f"azureml/{run.info.run_id}/mine/result.txt", "put there by somebody")
    deployment.write("data.csv", "a,b")
    deployment.age(100 * DAY)
    deployment.gc()
    files = {str(path.relative_to(deployment.data)) for path in deployment.data.rglob("*") if path.is_file()}
    assert files == {
        "azureml/another-run/a/1-00000000/out",
        f"azureml/{run.info.run_id}/mine/result.txt",
        "data.csv",
    }


def test_an_output_that_a_kept_pipeline_names_as_its_data_stays(deployment: Deployment) -> None:
    path = deployment.run_pipe(CHAIN).results["a"].outputs["out"].path
    deployment.age(100 * DAY)
    definition = deployment.define(EDITED)
    graph = definition.graph.model_copy(update={"sources": {"old": a_path(f"{DATASTORE}/{path}")}})
    deployment.definitions.put(definition.model_copy(update={"graph": graph}))
    assert deployment.gc().freed["outputs"].count == 2
    assert (deployment.data / path).exists()


def test_an_output_needed_through_one_datastore_is_not_taken_through_another(near: Deployment) -> None:
    near.storage.put_datastore(LocalConfig(name="same", root=str(near.data)))
    link = near.root / "link"
    link.symlink_to(near.data)
    near.storage.put_datastore(LocalConfig(name="linked", root=str(link)))
    near.run_pipe(CHAIN)
    assert near.gc(dry_run=True).kept["outputs"].count == 3
    near.age(100 * DAY)
    assert near.gc().freed["outputs"].count == 3


@pytest.mark.parametrize("harm", ["unreadable", "not mounted"])
def test_no_outputs_go_while_a_datastore_cannot_be_reached(deployment: Deployment, harm: str) -> None:
    run = deployment.run_pipe(CHAIN)
    deployment.age(100 * DAY)
    config = deployment.storage.datastore_key(DATASTORE)
    sound = deployment.store.get(config)
    if harm == "unreadable":
        deployment.store.put(config, b"{}")
    else:
        deployment.data.rename(deployment.root / "unmounted")
    report = deployment.gc()
    assert "outputs" not in report.freed and "files of runs" not in report.freed
    assert any(DATASTORE in problem for problem in report.problems)
    deployment.store.put(config, sound)
    if harm == "not mounted":
        (deployment.root / "unmounted").rename(deployment.data)
    assert deployment.gc().freed["outputs"].count == 3, run.info


def test_outputs_at_a_destination_of_the_users_own_stay(deployment: Deployment) -> None:
    run = deployment.run_pipe(CHAIN)
    deployment.write(f"results/{run.info.run_id}", "kept")
    deployment.age(100 * DAY)
    deployment.gc()
    assert (deployment.data / "results" / run.info.run_id).read_text() == "kept"


# --- pipelines and source folders -------------------------------------------------------------------------------


def test_a_pipeline_goes_out_of_the_index_before_it_goes(deployment: Deployment) -> None:
    deployment.run_pipe(CHAIN)
    deployment.age(100 * DAY)
    digest = next(deployment.definitions.stored())
    retired: list[str] = []

    def retire(dag_id: str) -> bool:
        retired.append(dag_id)
        assert digest not in deployment.definitions.shard(int(digest[:2], 16) % 16)
        assert deployment.definitions.info(digest) is not None
        return True

    deployment.table.retire = retire  # type: ignore[method-assign]
    deployment.gc()
    assert retired == [dag_of(deployment, CHAIN)]
    assert list(deployment.definitions.stored()) == []


def test_a_pipeline_that_is_started_while_it_is_to_go_is_listed_again(deployment: Deployment) -> None:
    deployment.run_pipe(CHAIN)
    deployment.age(100 * DAY)
    deployment.table.retire = lambda dag_id: False  # type: ignore[method-assign]
    report = deployment.gc()
    assert "pipelines" not in report.freed
    check_sound(deployment, finish(verify(deployment.storage)))


def test_a_pipeline_that_is_submitted_while_it_is_to_go_stays_with_its_sources(deployment: Deployment) -> None:
    deployment.run_pipe(CHAIN)
    deployment.age(100 * DAY)

    def submitted_meanwhile(dag_id: str) -> bool:
        deployment.definitions.put(deployment.define(CHAIN))
        return True

    deployment.table.retire = submitted_meanwhile  # type: ignore[method-assign]
    report = deployment.gc()
    assert "pipelines" not in report.freed and "source files" not in report.freed
    check_sound(deployment, finish(verify(deployment.storage)))


def test_a_pipeline_that_a_killed_collection_left_unlisted_is_listed_again(deployment: Deployment) -> None:
    deployment.run_pipe(CHAIN)
    (digest,) = deployment.definitions.stored()
    deployment.definitions.unlist(digest)
    deployment.gc(dry_run=True)
    assert finish(verify(deployment.storage)).findings != ()
    deployment.gc()
    check_sound(deployment, finish(verify(deployment.storage)))


def test_pipelines_of_a_deleted_workspace_go_unless_they_run(deployment: Deployment) -> None:
    definition = deployment.define(CHAIN).model_copy(update={"workspace": "deleted"})
    idle = deployment.definitions.put(definition)
    live = deployment.definitions.put(definition.model_copy(update={"experiment": "live"}))
    deployment.table.write("run", definition=live)
    deployment.age(3 * timedelta(hours=1))
    deployment.gc()
    assert idle != live and list(deployment.definitions.stored()) == [live]


def test_pipelines_of_another_workspace_are_not_touched(deployment: Deployment) -> None:
    deployment.definitions.put(deployment.define(CHAIN).model_copy(update={"workspace": "other"}))
    deployment.table.workspaces = lambda: ["default", "other"]  # type: ignore[method-assign]
    deployment.age(100 * DAY)
    assert "pipelines" not in deployment.gc().freed


def test_an_unreadable_pipeline_keeps_all_source_folders_and_is_told_of(deployment: Deployment) -> None:
    deployment.run_pipe(CHAIN)
    deployment.age(100 * DAY)
    digest = next(deployment.definitions.stored())
    deployment.store.put(f"definitions/{digest}.json", b"{}")
    report = deployment.gc()
    assert not {"source folders", "source files", "outputs"} & report.freed.keys()
    assert any(digest in problem for problem in report.problems)


def test_files_of_an_upload_under_way_stay(deployment: Deployment) -> None:
    deployment.storage.put_blob(digest_bytes(b"young"), b"young")
    deployment.age(timedelta(hours=1))
    assert deployment.gc().freed == {}
    deployment.age(timedelta(hours=2))
    assert deployment.gc().freed["source files"].count == 1


# --- what nobody owns -------------------------------------------------------------------------------------------


def _leftovers(deployment: Deployment, run_id: str) -> list[Path]:
    """What killed processes leave, in store and datastore."""
    stem = staging_stem(run_id, "a")
    places = [
        deployment.data / ".airloom-tmp-0",
        deployment.data / "deep" / "er" / ".airloom-tmp-1" / "file",
        deployment.data / "azureml" / f"{stem}-0123456789abcdef" / "out" / "part",
        deployment.store.root / "definitions" / ".airloom-tmp-2",
        deployment.store.root / "workspaces" / "default" / "blobs" / "ab" / ".airloom-tmp-3",
    ]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("12345")
    return places


def test_leftovers_of_killed_processes_go_when_they_are_old(near: Deployment) -> None:
    run = near.run_pipe(CHAIN)
    places = _leftovers(near, run.info.run_id)
    for place in places:
        os.utime(place, (0, 0))  # a program may set this back, so it must not count
    assert "leftovers" not in near.gc().freed
    report = near.gc(now=datetime.now(UTC) + timedelta(hours=3))
    assert report.freed["leftovers"].count == len(places)
    assert report.freed["leftovers"].bytes >= 5 * len(places)
    assert not any(place.exists() for place in places)


def test_the_staging_folder_of_a_live_run_and_of_strangers_stays(near: Deployment) -> None:
    stranger = near.data / "azureml" / ".airloom-staging-0123456789abcdef-0123456789abcdef"
    stranger.mkdir(parents=True)
    with near.live_run(CHAIN) as run:
        run.finish()
        staged = near.data / "azureml" / f"{staging_stem(run.info.run_id, 'a')}-0123456789abcdef"
        staged.mkdir()
        near.gc(now=datetime.now(UTC) + timedelta(hours=3))
        assert staged.exists()
    near.gc(now=datetime.now(UTC) + timedelta(hours=3))
    assert not staged.exists() and stranger.exists()


def test_marks_of_stopped_runs_and_void_leases_go(deployment: Deployment) -> None:
    deployment.run_pipe(CHAIN).stop()
    deployment.store.put("workspaces/default/reuse/leases/" + "0" * 64, b"of a dead process")
    assert deployment.gc().freed == {}
    deployment.age(timedelta(hours=3))
    freed = deployment.gc().freed
    assert {kind: tally.count for kind, tally in freed.items()} == {"marks of stopped runs": 1, "void leases": 1}


def test_the_mark_of_a_live_run_stays(deployment: Deployment) -> None:
    with deployment.live_run(CHAIN) as run:
        run.stop()
        deployment.age(timedelta(hours=3))
        assert "marks of stopped runs" not in deployment.gc().freed


def test_a_collection_that_nobody_waits_for_stops(deployment: Deployment) -> None:
    deployment.run_pipe(CHAIN)
    deployment.age(100 * DAY)
    work = collect(deployment.storage, deployment.table, Limits())
    for progress in work:
        if progress.phase == "removing records" and progress.done == 1:
            break
    work.close()
    records = list(deployment.store.list("workspaces/default/reuse/records/"))
    assert len(records) == 2
    check_sound(deployment, finish(verify(deployment.storage)))


def test_a_published_pipeline_can_always_be_run(deployment: Deployment) -> None:
    """However long ago it was used: its definition stays and is listed, with the source folders that it needs."""
    for pipe in (CHAIN, EDITED):
        deployment.run_pipe(pipe)
    kept, gone = (deployment.definitions.put(deployment.define(pipe)) for pipe in (CHAIN, EDITED))
    deployment.table.publish(kept)
    deployment.age(1000 * DAY)
    report = deployment.gc(older_than=2 * DAY, max_bytes=1)
    assert list(deployment.definitions.stored()) == [kept]
    assert kept in deployment.definitions.shard(shard_of(kept))
    assert gone not in deployment.definitions.shard(shard_of(gone))
    assert {kind: report.kept[kind].count for kind in ("pipelines", "source folders", "source files")} == {
        "pipelines": 1,
        "source folders": 3,
        "source files": 4,
    }
    for step in deployment.definitions.get(kept).graph.steps:
        deployment.storage.use_snapshot(step.settings.snapshot)
    check_sound(deployment, finish(verify(deployment.storage)))


def test_what_was_to_be_published_when_its_server_died(deployment: Deployment) -> None:
    """It goes, if nobody published it, and not before its server is long dead; else it is one like others again."""
    definitions = deployment.definitions
    published, lost = (definitions.hold(deployment.define(pipe)) for pipe in (CHAIN, EDITED))
    deployment.table.publish(published)
    assert deployment.gc().freed == {}
    assert (list(definitions.stored()), list(definitions.held())) == ([published], [lost])
    deployment.age(DAY)
    assert deployment.gc(dry_run=True).freed["leftovers"].count == 1
    assert list(definitions.held()) == [lost]
    assert deployment.gc().freed["leftovers"].count == 1
    assert (list(definitions.stored()), list(definitions.held())) == ([published], [])
    assert definitions.shard(shard_of(published)) == [published]
