"""AIPerf is handed the requests as they are, and its records become answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.speed import aiperf
from benchmarks.speed.aiperf import LoadFailedError, write_requests
from benchmarks.speed.measurement import Load
from benchmarks.speed.server import Server
from benchmarks.speed.workload import Step

BODIES = [[{"messages": [number]}] for number in range(200)]
CLOSED, OPEN = Step(Load(4), 2), Step(Load(0, 50.0), 200)


def record(issued_ns: int, turn: int = 0, **others: Any) -> dict[str, Any]:
    """As AIPerf writes one, of what is read of it."""
    metadata = {
        "credit_issued_ns": issued_ns,
        "request_start_ns": issued_ns + 1_000_000,
        "request_end_ns": issued_ns + 2_000_000_000,
        "turn_index": turn,
    }
    metrics = {
        "time_to_first_token": {"value": 250.0, "unit": "ms"},
        "usage_prompt_tokens": {"value": 600, "unit": "tokens"},
        "usage_completion_tokens": {"value": 32, "unit": "tokens"},
        "inter_chunk_latency": {"value": [1.0] * 30, "unit": "ms"},
    }
    return {"metadata": metadata, "metrics": metrics, **others}


def lines(path: Path) -> list[dict[str, Any]]:
    """Of a JSON-lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def program(folder: Path, *records: dict[str, Any], code: int = 0) -> Path:
    """An environment whose `aiperf` writes these records where it is started, and ends."""
    (folder / "bin").mkdir(parents=True)
    text = "".join(json.dumps(one) + "\n" for one in records)
    script = f"import pathlib, sys\npathlib.Path({aiperf.RECORDS!r}).write_text({text!r})\nsys.exit({code})\n"
    (folder / "bin" / "aiperf").write_text(f"#!{sys.executable}\n{script}", encoding="utf-8")
    (folder / "bin" / "aiperf").chmod(0o755)
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """A process that serves nothing, to be metered."""
    command = ["sleep", "60"]
    return Server("ours", tmp_path, command, dict(os.environ), "http://127.0.0.1:1", "/", tmp_path / "log")


def test_a_conversation_of_a_closed_loop_is_a_file_of_its_turns(tmp_path: Path) -> None:
    """Byte for byte what both sides get."""
    write_requests(tmp_path / "requests", [[{"messages": [1]}, {"messages": [1, 2]}], [{"messages": [3]}]], CLOSED, "x")

    files = sorted((tmp_path / "requests").iterdir())
    assert [lines(file) for file in files] == [[{"messages": [1]}, {"messages": [1, 2]}], [{"messages": [3]}]]


def test_an_open_loop_has_the_times_of_a_poisson_process(tmp_path: Path) -> None:
    """200 arrivals at 50 a second take about four seconds, and the same seed gives the same times."""
    for name in ("one", "two"):
        write_requests(tmp_path / name, BODIES, OPEN, "seed")

    taken = lines(tmp_path / "one" / "requests.jsonl")
    times_ms = [one["timestamp"] for one in taken]
    assert times_ms == sorted(times_ms)
    assert times_ms[0] == 0
    assert 3000 < times_ms[-1] < 5200
    assert [one["payload"] for one in taken] == [body for (body,) in BODIES]
    assert lines(tmp_path / "two" / "requests.jsonl") == taken


def test_a_record_becomes_an_answer_with_its_chunks(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between 31 chunks are 30 gaps; a request with an error has no answer."""
    environment = program(tmp_path / "venv", record(5_000), record(1_000, turn=1), record(9_000, error={"code": 500}))
    monkeypatch.setattr(aiperf, "ENVIRONMENT", environment)
    write_requests(tmp_path / "requests", BODIES[:2], CLOSED, "x")

    with server:
        answers, failed, _, command = aiperf.run(server, tmp_path / "requests", CLOSED, tmp_path / "artifacts")

    assert failed == 1
    assert [one.turn for one in answers] == [1, 0]
    assert (answers[1].sent_ns, answers[1].ended_ns) == (1_005_000, 2_000_005_000)
    assert (answers[0].ttft_s, answers[0].prompt_tokens, answers[0].output_tokens, answers[0].chunks) == (
        0.25,
        600,
        32,
        31,
    )
    assert "--concurrency 4" in command


def test_an_aiperf_that_fails_is_an_error_with_its_last_words(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No figures of a load that was not there."""
    monkeypatch.setattr(aiperf, "ENVIRONMENT", program(tmp_path / "venv", record(1), code=3))
    write_requests(tmp_path / "requests", BODIES[:2], CLOSED, "x")

    with server, pytest.raises(LoadFailedError, match="ended with 3"):
        aiperf.run(server, tmp_path / "requests", CLOSED, tmp_path / "artifacts")


def test_the_generator_is_named_with_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a measurement keeps it."""
    folder = program(tmp_path / "venv")
    (folder / "bin" / "aiperf").write_text("#!/bin/sh\necho 0.13.0\n", encoding="utf-8")
    monkeypatch.setattr(aiperf, "ENVIRONMENT", folder)

    assert aiperf.version() == "aiperf 0.13.0"


def test_without_its_environment_there_is_no_generator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make bench` installs it."""
    monkeypatch.setattr(aiperf, "ENVIRONMENT", tmp_path / "nothing")

    with pytest.raises((FileNotFoundError, subprocess.CalledProcessError)):
        aiperf.version()
