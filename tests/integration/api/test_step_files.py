"""Logs and artifacts of steps, of this run and of the one reused."""

from __future__ import annotations

import pytest

from airloom.exceptions import NotFoundException, UserErrorException
from airloom.graph.results import Origin, StepResult
from airloom.reuse.plan import Plan
from tests.integration.api.bench import WORKSPACE, Bench


def test_logs_of_a_running_step(bench: Bench) -> None:
    """The log of the latest attempt, piece by piece, and never half a character."""
    run_id = bench.submit()
    assert bench.client.read_log(WORKSPACE, run_id, "prepare") == ("", 0)
    bench.storage.write_artifact(run_id, "prepare", "9-old", "logs/stdout.txt", b"old")
    bench.storage.write_artifact(run_id, "prepare", "10-new", "logs/stdout.txt", "caf\u00e9".encode()[:-1])
    assert bench.client.read_log(WORKSPACE, run_id, "prepare") == ("caf", 3)
    bench.storage.write_artifact(run_id, "prepare", "10-new", "logs/stdout.txt", "caf\u00e9!\n".encode())
    assert bench.client.read_log(WORKSPACE, run_id, "prepare", offset=3) == ("\u00e9!\n", 7)
    assert bench.client.read_log(WORKSPACE, run_id, "prepare", offset=7) == ("", 7)
    assert bench.client.read_log(WORKSPACE, run_id, "prepare", "stderr") == ("", 0)
    with pytest.raises(NotFoundException, match=r"no step 'nobody'\. It has: prepare, train"):
        bench.client.read_log(WORKSPACE, run_id, "nobody")
    with pytest.raises(UserErrorException, match="stream"):
        bench.client.read_log(WORKSPACE, run_id, "prepare", "secrets")


def test_long_logs_come_in_pieces(bench: Bench) -> None:
    """However long a log is, one answer is not."""
    run_id = bench.submit()
    text = "0123456\u00e9\n" * 300_000
    bench.storage.write_artifact(run_id, "prepare", "1-a", "logs/stdout.txt", text.encode())
    pieces, offset = [], 0
    while (answer := bench.client.read_log(WORKSPACE, run_id, "prepare", offset=offset))[0]:
        pieces.append(answer[0])
        offset = answer[1]
    assert len(pieces) > 2 and "".join(pieces) == text


def test_artifacts_follow_reuse(bench: Bench) -> None:
    """A reused step shows what its origin has left."""
    origin = bench.submit()
    for name, content in {"logs/stdout.txt": b"out", "outputs/model/m.bin": b"\x00\x01"}.items():
        bench.storage.write_artifact(origin, "prepare", "2-cc", name, content)
    run_id = bench.submit()
    reused = StepResult(
        status="reused",
        outputs={},
        key="k",
        attempt="2-cc",
        reused_from=Origin(run_id=origin, step_id="prepare", attempt="2-cc"),
    )
    bench.push(run_id, "reuse", "airloom_plan", Plan(reused={"prepare": reused}))
    bench.set(run_id, prepare="skipped")
    listed = bench.client.list_artifacts(WORKSPACE, run_id, "prepare")
    assert listed == [{"path": "logs/stdout.txt", "size": 3}, {"path": "outputs/model/m.bin", "size": 2}]
    assert bench.client.read_log(WORKSPACE, run_id, "prepare") == ("out", 3)
    blocks = bench.client.download_artifact(WORKSPACE, run_id, "prepare", "outputs/model/m.bin")
    assert b"".join(blocks) == b"\x00\x01"
    with pytest.raises(NotFoundException):
        list(bench.client.download_artifact(WORKSPACE, run_id, "prepare", "outputs/none"))
    with pytest.raises(NotFoundException, match="has left no files yet"):
        list(bench.client.download_artifact(WORKSPACE, run_id, "train", "logs/stdout.txt"))
    assert bench.client.list_artifacts(WORKSPACE, run_id, "train") == []
