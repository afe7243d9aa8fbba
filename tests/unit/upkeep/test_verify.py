"""The check: it finds every kind of damage, says nothing of a sound store, and mends what it is asked to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airloom.graph.canonical import digest_value
from airloom.storage.datastore_config import LocalConfig
from airloom.storage.envelope import seal, unseal
from airloom.upkeep import VerifyReport, verify
from tests.support.in_process import DATASTORE
from tests.unit.upkeep.deployment import Deployment, Pipe, finish

CHAIN = Pipe("chain", "one", (("a", ()), ("b", ("a",)), ("c", ("b",))))
OTHER = Pipe("other", "two", (("a", ()),))

Damage = Callable[[Deployment], None]


@pytest.fixture
def deployment(each_deployment: Deployment) -> Deployment:
    """The rules are the same wherever the data lie."""
    return each_deployment


def check(deployment: Deployment, *, quarantine: bool = False) -> VerifyReport:
    datastores = {DATASTORE: deployment.config}
    work = verify(deployment.storage, quarantine=quarantine, datastores=datastores, settle_seconds=0)
    report: VerifyReport = finish(work)
    return report


def in_use(deployment: Deployment) -> Deployment:
    """Pipelines that ran, and one whose record as a whole was written."""
    for pipe in (CHAIN, CHAIN, OTHER):
        deployment.run_pipe(pipe)
    return deployment


def test_a_sound_store_has_no_findings_and_all_of_it_is_checked(deployment: Deployment) -> None:
    report = check(in_use(deployment))
    assert report.findings == () and report.quarantine is None
    assert {kind: tally.count for kind, tally in report.checked.items()} == {
        "datastore": 1,
        "pipeline": 2,
        "index": 16,
        "source folder": 4,
        "source file": 5,
        "remembered attempt": 4,
        "record": 4,
        "record of a pipeline": 1,
        "output": 4,
    }


def test_an_old_run_whose_destination_a_later_one_wrote_to_is_no_damage(deployment: Deployment) -> None:
    run = deployment.run_pipe(OTHER)
    record = deployment.workspace.records.find(str(run.results["a"].key), deployment.workspace.digest_of)
    assert record is not None
    deployment.write("shared/result", "first")
    output = record.outputs["out"].model_copy(update={"path": "shared/result"})
    for text, key in (("first", "1"), ("second", "2")):
        deployment.write("shared/result", text)
        parts = {"number": key}
        digest = deployment.workspace.digest_of(DATASTORE, "shared/result")
        outputs = {"out": output.model_copy(update={"digest": digest})}
        changes = {"key": digest_value(parts), "parts": parts, "outputs": outputs}
        deployment.workspace.records.add(record.model_copy(update=changes))
    assert check(deployment).findings == ()


# --- every kind of damage ---------------------------------------------------------------------------------------


def object_at(deployment: Deployment, pattern: str) -> Path:
    """The first object whose path fits."""
    return sorted(path for path in (deployment.store.root / "workspaces/default").glob(pattern) if path.is_file())[0]


def flipped(pattern: str) -> Damage:
    def damage(deployment: Deployment) -> None:
        path = object_at(deployment, pattern)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    return damage


def truncated(pattern: str) -> Damage:
    return lambda deployment: os.truncate(object_at(deployment, pattern), 10)


def emptied(pattern: str) -> Damage:
    return lambda deployment: os.truncate(object_at(deployment, pattern), 0)


def renamed(pattern: str) -> Damage:
    def damage(deployment: Deployment) -> None:
        path = object_at(deployment, pattern)
        name = ("0" if path.name[0] != "0" else "1") + path.name[1:]
        target = path.with_name(name)
        if path.parent.name == path.name[:2]:
            target = path.parent.with_name(name[:2]) / name
            target.parent.mkdir(exist_ok=True)
        path.rename(target)

    return damage


def forged(pattern: str, change: Callable[[dict[str, Any]], None]) -> Damage:
    """A changed record with a seal that fits."""

    def damage(deployment: Deployment) -> None:
        path = object_at(deployment, pattern)
        body = unseal(path.read_bytes(), "record")
        change(body)
        path.write_bytes(seal(body))

    return damage


def output_changed(change: Callable[[Path], None]) -> Damage:
    def damage(deployment: Deployment) -> None:
        path = sorted(path for path in deployment.data.glob("azureml/*/*/*/*") if path.is_file())[0]
        status = path.stat()
        change(path)
        if path.is_file():
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    return damage


def index_changed(change: Callable[[list[str]], Any]) -> Damage:
    def damage(deployment: Deployment) -> None:
        path = sorted((deployment.store.root / "index").iterdir())[0]
        listed = unseal(path.read_bytes(), "index")["definitions"]
        path.write_bytes(seal({"definitions": change(listed)}))

    return damage


def definition_changed(deployment: Deployment) -> None:
    path = sorted((deployment.store.root / "definitions").iterdir())[0]
    path.write_bytes(path.read_bytes().replace(b"default", b"another", 1))


def definition_gone(deployment: Deployment) -> None:
    sorted((deployment.store.root / "definitions").iterdir())[0].unlink()


def _another_version(body: dict[str, Any]) -> None:
    body["parts"]["version"] = "forged"


def _another_origin_of_a_step(body: dict[str, Any]) -> None:
    next(iter(body["steps"].values()))["parts"]["version"] = "forged"


def _datastore(root: str | None) -> Damage:
    def damage(deployment: Deployment) -> None:
        if root is None:
            deployment.storage.delete_datastore(DATASTORE)
        else:
            deployment.storage.put_datastore(LocalConfig(name=DATASTORE, root=root))

    return damage


RECORD = "reuse/records/*/*"
PIPELINE = "reuse/pipelines/*/*"
HISTORY = "reuse/history/*/*"
DAMAGES: dict[str, tuple[Damage, str]] = {
    "a record with a flipped bit": (flipped(RECORD), "record"),
    "a truncated record": (truncated(RECORD), "record"),
    "an empty record": (emptied(RECORD), "record"),
    "a record under another name": (renamed(RECORD), "record"),
    "a record whose key is not that of its parts": (forged(RECORD, _another_version), "record"),
    "a record of no format": (forged(RECORD, lambda body: body.update(format="none")), "record"),
    "a record of a pipeline with a flipped bit": (flipped(PIPELINE), "record of a pipeline"),
    "a record of a pipeline under another name": (renamed(PIPELINE), "record of a pipeline"),
    "a record of a pipeline with a forged step": (forged(PIPELINE, _another_origin_of_a_step), "record of a pipeline"),
    "a remembered attempt with a flipped bit": (flipped(HISTORY), "remembered attempt"),
    "a remembered attempt under another name": (renamed(HISTORY), "remembered attempt"),
    "a remembered attempt that was forged": (forged(HISTORY, _another_version), "remembered attempt"),
    "an output of other bytes": (output_changed(lambda path: path.write_text("x" * 64)), "output"),
    "an output that was cut": (output_changed(lambda path: os.truncate(path, 5)), "output"),
    "an output that is gone": (output_changed(Path.unlink), "output"),
    "an output that is a folder": (output_changed(lambda path: (path.unlink(), path.mkdir())), "output"),
    "a manifest with a flipped bit": (flipped("snapshots/*"), "source folder"),
    "a manifest under another name": (renamed("snapshots/*"), "source folder"),
    "an empty manifest": (emptied("snapshots/*"), "source folder"),
    "a source file with a flipped bit": (flipped("blobs/*/*"), "source file"),
    "a truncated source file": (truncated("blobs/*/*"), "source file"),
    "a source file that is gone": (lambda d: object_at(d, "blobs/*/*").unlink(), "source folder"),
    "an altered pipeline": (definition_changed, "pipeline"),
    "a pipeline that is gone": (definition_gone, "index"),
    "a pipeline that is not listed": (index_changed(lambda listed: listed[1:]), "index"),
    "an index that lists a stranger": (index_changed(lambda listed: [*listed, "0123456789abcdef"]), "index"),
    "an index that was cut": (lambda d: os.truncate(sorted((d.store.root / "index").iterdir())[0], 9), "index"),
    "an index that is gone": (lambda d: sorted((d.store.root / "index").iterdir())[0].unlink(), "index"),
    "an altered datastore": (flipped("datastores/*"), "datastore"),
    "a datastore with another root": (_datastore("/elsewhere"), "datastore"),
    "a datastore that is gone": (_datastore(None), "datastore"),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployment to be copied, so that its runs are made once."""
    return in_use(Deployment(tmp_path_factory.mktemp("sound") / "deployment")).root


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_and_put_aside_and_nothing_is_changed_unasked(sound: Path, folder: Path, name: str) -> None:
    damage, kind = DAMAGES[name]
    deployment = Deployment(shutil.copytree(sound, folder / "deployment"))
    damage(deployment)
    before = deployment.everything()
    findings = check(deployment).findings
    assert kind in {finding.kind for finding in findings}
    assert all(finding.done == "" and finding.means and finding.mend and finding.what for finding in findings)
    assert deployment.everything() == before
    done = check(deployment, quarantine=True)
    # A source folder goes aside with a file of it.
    assert {finding.what for finding in done.findings} >= {finding.what for finding in findings}
    assert {finding.kind for finding in done.findings} <= {finding.kind for finding in findings} | {"source folder"}
    assert check(deployment).findings == ()
    for pipe in (CHAIN, OTHER):
        deployment.run_pipe(pipe)
    assert check(deployment).findings == ()


def test_a_record_of_a_newer_version_is_left_to_that(deployment: Deployment) -> None:
    in_use(deployment)
    forged(RECORD, lambda body: body.update(format=99))(deployment)
    path = object_at(deployment, RECORD)
    assert check(deployment, quarantine=True).findings == () and path.exists()
    report = deployment.gc()
    assert "outputs" not in report.freed and any("newer version" in problem for problem in report.problems)


def test_what_is_put_aside_can_be_looked_at(deployment: Deployment) -> None:
    in_use(deployment)
    path = object_at(deployment, RECORD)
    os.truncate(path, 10)
    report = check(deployment, quarantine=True)
    (finding,) = report.findings
    key = path.relative_to(deployment.store.root).as_posix()
    assert finding.where == key and report.quarantine is not None
    assert finding.done == f"moved to {report.quarantine}/{key}"
    assert not path.exists()
    assert len(deployment.store.get(f"{report.quarantine}/{key}")) == 10


def test_the_collector_leaves_the_quarantine_alone(deployment: Deployment) -> None:
    in_use(deployment)
    os.truncate(object_at(deployment, RECORD), 10)
    report = check(deployment, quarantine=True)
    deployment.age(timedelta(days=200))
    deployment.gc()
    assert len(list(deployment.store.list(f"{report.quarantine}/"))) == 1


def test_a_datastore_that_is_not_mounted_costs_no_record(deployment: Deployment) -> None:
    in_use(deployment)
    deployment.data.rename(deployment.root / "unmounted")
    (finding,) = check(deployment, quarantine=True).findings
    assert finding.kind == "datastore" and "It has outputs, but" in finding.what
    (deployment.root / "unmounted").rename(deployment.data)
    assert check(deployment).findings == ()
    assert deployment.run_pipe(CHAIN).executed == []


def test_what_is_mended_while_it_is_looked_at_is_no_finding(deployment: Deployment) -> None:
    in_use(deployment)
    path = object_at(deployment, RECORD)
    whole = path.read_bytes()
    path.write_bytes(whole[:10])
    work = verify(deployment.storage, quarantine=True)
    for progress in work:
        if progress.phase == "checking: source file":
            path.write_bytes(whole)
            break
    assert finish(work).findings == ()
    assert path.exists()


def test_a_record_that_is_replaced_while_its_outputs_are_read_stays(deployment: Deployment) -> None:
    first = deployment.run_pipe(OTHER)
    work = verify(deployment.storage, quarantine=True)
    for progress in work:
        if progress.phase == "checking: output":
            deployment.run(OTHER.graph(deployment), {"a": OTHER.script_of("a")}, reuse="refresh")
            (deployment.data / first.results["a"].outputs["out"].path).unlink()
            break
    assert finish(work).findings == ()
    assert deployment.run_pipe(OTHER).executed == []
