"""AIPerf as the load generator: a file of requests in, its record of each answer out.

It runs from an environment of its own (`make .venv-bench`), with one worker and one processor of records: on two cores
more of them take time from the servers and make no more load.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed.answers import Answer
from benchmarks.speed.conversation import MODEL
from benchmarks.speed.meter import Meter
from benchmarks.speed.server import Server
from benchmarks.speed.workload import Step

ENVIRONMENT = Path(".venv-bench")
LIMIT_S = 300.0
RECORDS = "profile_export.jsonl"

QUIET = ("--no-server-metrics", "--no-gpu-telemetry", "--ui", "none", "--export-level", "records")
SMALL = ("--workers-max", "1", "--record-processors", "1")


class LoadFailedError(Exception):
    """AIPerf ended with an error, or without the answers."""


def version() -> str:
    """As a measurement names its generator. Raises FileNotFoundError where it is not installed."""
    said = subprocess.run([_program(), "--version"], capture_output=True, text=True, check=True)
    return f"aiperf {said.stdout.split()[-1]}"


def write_requests(folder: Path, conversations: Sequence[Sequence[dict[str, Any]]], step: Step, seed: str) -> None:
    """What `run` will send: with its times where the loop is open, a file a conversation where they have turns."""
    folder.mkdir(parents=True)
    if step.load.is_open:
        times_ms = _poisson_ms(len(conversations), step.load.rate_per_s, seed)
        timed = [{"timestamp": at_ms, "payload": body} for at_ms, (body,) in zip(times_ms, conversations, strict=True)]
        _write(folder / "requests.jsonl", timed)
    else:
        for number, bodies in enumerate(conversations):
            _write(folder / f"{number:05}.jsonl", bodies)


def run(server: Server, requests: Path, step: Step, artifacts: Path) -> tuple[list[Answer], int, Meter, str]:
    """The answers, how many requests had none, what was used meanwhile, and the command.

    requests: of `write_requests`. artifacts: a folder for AIPerf's files. Raises LoadFailedError.
    """
    command = _command(server, requests, step, artifacts)
    artifacts.mkdir(parents=True)
    with (artifacts / "said.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=artifacts, stdout=log, stderr=subprocess.STDOUT)
        with Meter(server.pid, process.pid) as meter:
            try:
                process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                process.terminate()
                process.wait()
    records = list(_records(artifacts / RECORDS))
    if process.returncode != 0 or not records:
        said = (artifacts / "said.log").read_text(encoding="utf-8", errors="replace")
        raise LoadFailedError(f"aiperf ended with {process.returncode}:\n{said[-2000:]}")
    due_ms = _due_ms(requests) if step.load.is_open else None
    answers = _answers(records, due_ms)
    return answers, len(records) - len(answers), meter, " ".join(command)


def _command(server: Server, requests: Path, step: Step, artifacts: Path) -> list[str]:
    words = [
        _program(),
        "profile",
        "--model-names",
        MODEL,
        "--url",
        server.url,
        "--endpoint-type",
        "chat",
        "--streaming",
    ]
    words += [
        "--use-server-token-count",
        "--tokenizer",
        str(server.checkpoint),
        "--output-artifact-dir",
        str(artifacts),
    ]
    if step.load.is_open:
        words += ["--input-file", str(requests / "requests.jsonl"), "--custom-dataset-type", "mooncake-trace"]
        words += ["--fixed-schedule", "--fixed-schedule-auto-offset"]
    else:
        words += ["--input-file", str(requests), "--custom-dataset-type", "raw-payload"]
        words += ["--dataset-sampling-strategy", "sequential", "--concurrency", str(step.load.concurrency)]
        words += ["--conversation-num", str(step.conversations)]
    return [*words, *SMALL, *QUIET]


def _program() -> str:
    # Not resolved: a venv's program is known by where it stands.
    return str(ENVIRONMENT.absolute() / "bin" / "aiperf")


def _poisson_ms(count: int, rate_per_s: float, seed: str) -> list[int]:
    """Arrivals of a Poisson process, the first at 0; the same for both sides of a pair."""
    chance = random.Random(seed)
    at_s, times = 0.0, []
    for _ in range(count):
        times.append(round(1e3 * at_s))
        at_s += chance.expovariate(rate_per_s)
    return times


def _due_ms(requests: Path) -> list[int]:
    lines = (requests / "requests.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["timestamp"] for line in lines]


def _records(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


def _answers(records: Sequence[dict[str, Any]], due_ms: Sequence[int] | None) -> list[Answer]:
    """Of the requests that have one. due_ms: of a schedule, in its order, which is that of all requests' issue; None in
    a closed loop.
    """
    issued = sorted(records, key=lambda one: int(one["metadata"]["credit_issued_ns"]))
    due = due_ms if due_ms is not None else [None] * len(issued)
    return [_answer(record, at_ms) for record, at_ms in zip(issued, due, strict=False) if record.get("error") is None]


def _answer(record: dict[str, Any], due_ms: int | None) -> Answer:
    metadata, metrics = record["metadata"], record["metrics"]
    return Answer(
        sent_ns=int(metadata["request_start_ns"]),
        ended_ns=int(metadata["request_end_ns"]),
        ttft_s=metrics["time_to_first_token"]["value"] / 1e3,
        turn=int(metadata["turn_index"]),
        prompt_tokens=int(metrics["usage_prompt_tokens"]["value"]),
        output_tokens=int(metrics["usage_completion_tokens"]["value"]),
        # Between chunks with text in them, so one fewer than there are.
        chunks=len(metrics.get("inter_chunk_latency", {"value": ()})["value"]) + 1,
        due_ns=None if due_ms is None else due_ms * 1_000_000,
    )


def _write(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
