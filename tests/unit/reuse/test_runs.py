"""Which steps run again after a change, over whole pipelines: a chain of three steps with one source."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from airloom.errors import IntegrityError
from airloom.graph.model import LiteralValue, ParameterDef, ParameterValue, PipelineGraph, ReuseMode
from airloom.graph.results import Origin, Reason
from airloom.storage.snapshot import collect, store_snapshot
from tests.support.builders import a_graph, a_step
from tests.support.in_process import DATASTORE, InProcessRun, Script, Workbench

SCRIPTS: dict[str, Script] = {
    "clean": lambda texts: texts["raw"].strip().lower(),
    "train": lambda texts: f"model of {texts['clean_out']}",
    "score": lambda texts: f"score of {texts['train_out']}",
}


def chain(**changes: Any) -> PipelineGraph:
    """clean -> train -> score. Changes are given as step="field=value" updates."""
    steps = {
        "clean": a_step("clean", reads=["raw"]),
        "train": a_step("train", reads=["clean.out"]),
        "score": a_step("score", reads=["train.out"]),
    }
    steps.update({name: steps[name].model_copy(update=update) for name, update in changes.items()})
    return a_graph(*steps.values(), sources={"raw": f"{DATASTORE}/raw.txt"})


@pytest.fixture
def first(bench: Workbench) -> InProcessRun:
    """The first run, after which everything is on record. Snapshots are not looked at: no step narrows them."""
    bench.write("raw.txt", "Some Data")
    run = bench.run(chain(), SCRIPTS)
    assert run.executed == ["clean", "train", "score"]
    return run


def origins(run: InProcessRun) -> list[Origin]:
    """Where the results of a run come from; all of them must be reused."""
    return [result.reused_from for result in run.results.values() if result.reused_from is not None]


def test_an_unchanged_pipeline_runs_nothing_and_gives_the_same_results(bench: Workbench, first: InProcessRun) -> None:
    again = bench.run(chain(), SCRIPTS)
    assert again.executed == []
    assert {k: r.outputs for k, r in again.results.items()} == {k: r.outputs for k, r in first.results.items()}
    assert {origin.run_id for origin in origins(again)} == {first.info.run_id}


def test_the_third_run_is_answered_by_one_record(bench: Workbench, first: InProcessRun) -> None:
    bench.run(chain(), SCRIPTS)
    records = list(bench.storage.store.list(bench.storage.key("reuse", "records")))
    for record in records:
        bench.storage.store.delete(record)
    third = bench.run(chain(), SCRIPTS)
    assert third.executed == []


def test_a_changed_argument_runs_its_step_and_what_depends_on_it(bench: Workbench, first: InProcessRun) -> None:
    step = chain().step("train")
    changed = chain(train={"arguments": (*step.arguments, LiteralValue(value=2))})
    scripts = {**SCRIPTS, "train": lambda texts: f"other model of {texts['clean_out']}"}
    again = bench.run(changed, scripts)
    assert again.executed == ["train", "score"]
    explanation = again.results["train"].explanation
    assert explanation is not None
    assert explanation.reason == Reason.CHANGED
    assert [change.part for change in explanation.changed] == ["arguments"]
    assert explanation.compared_to is not None
    assert explanation.compared_to.run_id == first.info.run_id


def test_equal_bytes_of_an_upstream_step_cut_the_run_short(bench: Workbench, first: InProcessRun) -> None:
    bench.write("raw.txt", "  SOME DATA  ")
    again = bench.run(chain(), SCRIPTS)
    assert again.executed == ["clean"]
    assert again.results["train"].explanation is not None
    assert again.results["train"].explanation.reason == Reason.EARLY_CUTOFF


def test_changed_bytes_under_the_same_path_run_all_that_they_reach(bench: Workbench, first: InProcessRun) -> None:
    bench.write("raw.txt", "other data")
    assert bench.run(chain(), SCRIPTS).executed == ["clean", "train", "score"]


def test_a_touched_but_equal_input_runs_nothing(bench: Workbench, first: InProcessRun) -> None:
    os.utime(bench.data / "raw.txt")
    assert bench.run(chain(), SCRIPTS).executed == []


def output_path(bench: Workbench, run: InProcessRun, step: str) -> Path:
    return bench.data / run.results[step].outputs["out"].path


def test_a_deleted_output_runs_its_step_only(bench: Workbench, first: InProcessRun) -> None:
    output_path(bench, first, "train").unlink()
    again = bench.run(chain(), SCRIPTS)
    assert again.executed == ["train"]
    assert again.results["train"].explanation is not None
    assert again.results["train"].explanation.reason == Reason.OUTPUT_LOST


def test_an_output_altered_behind_its_old_time_is_never_handed_out(bench: Workbench, first: InProcessRun) -> None:
    """Same length, modification time restored: DVC, joblib and Snakemake hand such an output out."""
    path = output_path(bench, first, "train")
    before = path.stat()
    path.write_text("X" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    again = bench.run(chain(), SCRIPTS)
    assert again.executed == ["train"]
    assert "altered" in str(again.results["train"].explanation)
    assert output_path(bench, again, "train").read_text() == "model of some data"


@pytest.mark.parametrize("reuse", ["auto", "off", "refresh"])
def test_no_step_runs_on_an_output_that_was_altered_after_the_plan(
    bench: Workbench, first: InProcessRun, reuse: ReuseMode
) -> None:
    step = chain().step("train")
    changed = chain(train={"arguments": (*step.arguments, LiteralValue(value=2))})
    run = InProcessRun(bench, changed, SCRIPTS, reuse=reuse)
    run.results["clean"] = first.results["clean"]
    output_path(bench, first, "clean").write_text("some tata")
    with pytest.raises(IntegrityError, match=r"'train' cannot run .* was altered since\. Submit the pipeline again"):
        run.execute(changed.step("train"))
    assert run.executed == []


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "another record"])
def test_a_damaged_record_is_dropped_and_its_step_runs(bench: Workbench, first: InProcessRun, damage: str) -> None:
    paths = {step: record_path(bench, first, step) for step in ("train", "score")}
    good = paths["train"].read_bytes()
    bad = {
        "truncate": good[: len(good) // 2],
        "flip": good.replace(b"azureml", b"azurexx", 1),
        "empty": b"",
        "another record": paths["score"].read_bytes(),
    }[damage]
    paths["train"].write_bytes(bad)
    assert bench.run(chain(), SCRIPTS).executed == ["train"]
    assert bench.run(chain(), SCRIPTS).executed == []


def record_path(bench: Workbench, run: InProcessRun, step: str) -> Path:
    key = run.results[step].key
    assert key is not None
    path = bench.storage.store.local_path(bench.storage.key("reuse", "records", key[:2], f"{key}.json"))
    assert path is not None
    return path


def test_allow_reuse_false_always_runs_and_leaves_nothing_to_reuse(bench: Workbench, first: InProcessRun) -> None:
    graph = chain(train={"allow_reuse": False})
    assert bench.run(graph, SCRIPTS).executed == ["train"]
    assert bench.run(graph, SCRIPTS).executed == ["train"]
    no_record = chain(train={"allow_reuse": False, "version": "new"})
    bench.run(no_record, SCRIPTS)
    assert "train" in bench.run(chain(train={"version": "new"}), SCRIPTS).executed


def test_refresh_runs_everything_and_replaces_the_records(bench: Workbench, first: InProcessRun) -> None:
    refreshed = bench.run(chain(), SCRIPTS, reuse="refresh")
    assert refreshed.executed == ["clean", "train", "score"]
    later = bench.run(chain(), SCRIPTS)
    assert later.executed == []
    assert {origin.run_id for origin in origins(later)} == {refreshed.info.run_id}


def test_refresh_replaces_what_the_record_of_the_whole_pipeline_answers(bench: Workbench, first: InProcessRun) -> None:
    assert bench.run(chain(), SCRIPTS).executed == [], "now there is a record of the whole pipeline"
    refreshed = bench.run(chain(), SCRIPTS, reuse="refresh")
    for _ in range(2):
        assert {origin.run_id for origin in origins(bench.run(chain(), SCRIPTS))} == {refreshed.info.run_id}


def test_reuse_off_runs_everything_and_changes_no_record(bench: Workbench, first: InProcessRun) -> None:
    assert bench.run(chain(), SCRIPTS, reuse="off").executed == ["clean", "train", "score"]
    later = bench.run(chain(), SCRIPTS)
    assert {origin.run_id for origin in origins(later)} == {first.info.run_id}


def test_a_parameter_value_is_part_of_the_key_of_the_steps_that_use_it(bench: Workbench) -> None:
    bench.write("raw.txt", "data")
    step = chain().step("score")
    graph = chain(score={"arguments": (*step.arguments, ParameterValue(parameter="k"))}).model_copy(
        update={"parameters": (ParameterDef(name="k", type="int", default=1),)}
    )
    bench.run(graph, SCRIPTS)
    assert bench.run(graph, SCRIPTS, parameters={"k": 2}).executed == ["score"]
    assert bench.run(graph, SCRIPTS, parameters={"k": 1}).executed == []


def test_a_key_that_cannot_be_computed_means_run(bench: Workbench, first: InProcessRun) -> None:
    graph = chain(clean={"settings": chain().step("clean").settings.model_copy(update={"hash_paths": ("gone.py",)})})
    run = bench.run(graph, SCRIPTS)
    assert run.executed == ["clean"]
    assert run.results["clean"].key is None
    assert run.results["clean"].explanation is not None
    assert run.results["clean"].explanation.reason == Reason.NO_KEY
    assert bench.run(graph, SCRIPTS).executed == ["clean"]


def test_hash_paths_narrow_what_counts_of_the_source_folder(bench: Workbench, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    bench.write("raw.txt", "data")

    def graph() -> PipelineGraph:
        manifest = collect(source)
        store_snapshot(bench.storage, manifest, source)
        narrowed = {"snapshot": manifest.digest, "hash_paths": ("helper.py",)}
        return chain(clean={"settings": chain().step("clean").settings.model_copy(update=narrowed)})

    (source / "main.py").write_text("1")
    (source / "helper.py").write_text("1")
    (source / "notes.txt").write_text("a")
    bench.run(graph(), SCRIPTS)
    (source / "notes.txt").write_text("b")
    assert bench.run(graph(), SCRIPTS).executed == []
    (source / "helper.py").write_text("2")
    assert bench.run(graph(), SCRIPTS).executed == ["clean"]
    (source / "main.py").write_text("2")
    assert bench.run(graph(), SCRIPTS).executed == ["clean"], "the script counts without being named"


def test_the_explanation_names_the_changed_files(bench: Workbench, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    bench.write("raw.txt", "data")

    def graph() -> PipelineGraph:
        manifest = collect(source)
        store_snapshot(bench.storage, manifest, source)
        settings = chain().step("clean").settings.model_copy(update={"snapshot": manifest.digest})
        return chain(clean={"settings": settings})

    (source / "main.py").write_text("1")
    (source / "old.py").write_text("1")
    bench.run(graph(), SCRIPTS)
    (source / "main.py").write_text("2")
    (source / "old.py").rename(source / "new.py")
    explanation = bench.run(graph(), SCRIPTS).results["clean"].explanation
    assert explanation is not None
    assert "source (main.py, new.py added, old.py removed)" in explanation.message


def test_inputs_that_change_while_the_step_runs_leave_no_record(bench: Workbench) -> None:
    bench.write("raw.txt", "before")

    def clean(texts: dict[str, str]) -> str:
        bench.write("raw.txt", "after!")
        return texts["raw"]

    bench.run(chain(), {**SCRIPTS, "clean": clean})
    bench.write("raw.txt", "before")
    assert "clean" in bench.run(chain(), SCRIPTS).executed
