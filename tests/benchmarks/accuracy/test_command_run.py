"""The command `run`: its flags, and what is left of a run whose process is stopped or killed."""

from __future__ import annotations

import argparse
import signal
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.accuracy import command_run
from benchmarks.accuracy.__main__ import main
from benchmarks.accuracy.formats import READERS
from benchmarks.accuracy.run_folder import Run
from benchmarks.accuracy.settings import PLAIN
from tests.benchmarks.accuracy.chat_server import ChatServer, Said, chat_server, completion, error
from tests.benchmarks.accuracy.made_items import PNG, bundle
from tests.benchmarks.accuracy.run_process import run_process

CONCURRENCY = 8
LIMIT_S = 300


def parsed(*flags: str) -> argparse.Namespace:
    """As the command line would have it."""
    parser = argparse.ArgumentParser()
    command_run.add_arguments(parser)
    return parser.parse_args(flags)


def test_what_is_not_said_is_the_paper_and_the_server_on_this_machine() -> None:
    """Sixteen questions at once; the model is the only one there is."""
    given = parsed("--data", "bundle=data.json", "--out", "run")

    assert vars(given) == {
        "data": ("bundle", Path("data.json")),
        "out": Path("run"),
        "base_url": "http://127.0.0.1:8000/v1",
        "model": None,
        "concurrency": 16,
        "limit": None,
        "plain": False,
    }


@pytest.mark.parametrize(
    "flags",
    [["--data", "data.json"], ["--data", "other=x"], ["--data", "bundle="], ["--concurrency", "0"], ["--limit", "x"]],
)
def test_flags_that_mean_nothing_are_refused(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is read; the readers are named."""
    with pytest.raises(SystemExit):
        parsed("--data", "bundle=data.json", "--out", "run", *flags)

    if flags[0] == "--data":
        assert ", ".join(READERS) in capsys.readouterr().err


def test_a_run_over_the_bundle_tells_how_it_went(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What failed is counted, how to ask it again is told, and the table of the report comes with where it lies."""
    file = bundle(tmp_path / "data", 5)

    def reply(question: str, _before: int) -> Said:
        return error(400, "invalid_image", "No.") if question == "Question 2?" else completion()

    with chat_server(reply) as server:
        flags = ["--base-url", server.base_url, "--plain"]
        code = command_run.run(parsed("--data", f"bundle={file}", "--out", str(tmp_path / "run"), *flags))

    told = capsys.readouterr()
    lines = told.err.splitlines()
    assert code == 0
    assert "HuatuoGPT-Vision-7B" in told.out
    assert (tmp_path / "run" / "report" / "report.md").read_text().count("VQA-RAD")
    assert told.out.endswith(f"{tmp_path / 'run' / 'report' / 'report.md'}\n")
    assert lines[-2].startswith("5 of 5 done, 1 failed, ")
    assert lines[-1] == "The same command asks the 1 that failed again."
    assert Run.open(tmp_path / "run").about["settings"]["repetition_penalty"] is PLAIN.repetition_penalty is None


def killed_and_resumed(folder: Path, server: ChatServer, num: int, num_answered: int, picture: bytes) -> float:
    """Killed (SIGKILL) when so many are answered and all others in flight; the second session's most memory in MiB."""
    file = bundle(folder / "data", num, picture)
    flags = ["--concurrency", str(CONCURRENCY)]
    with run_process(file, folder / "run", server.base_url, *flags) as first:
        server.wait_for(num_answered + CONCURRENCY)
        first.kill()
        first.wait(LIMIT_S)
    server.release()
    with run_process(file, folder / "run", server.base_url, *flags) as second:
        memory, errors = second.communicate(timeout=LIMIT_S)
        assert second.returncode == 0, errors
    return float(memory.splitlines()[-1])


def check_each_asked_once(folder: Path, server: ChatServer, num: int) -> None:
    """But for those that were in flight when the process was killed."""
    times = Counter(server.asked.values())
    answers = [answer.id for answer in Run.open(folder / "run").answers()]
    assert len(server.asked) == num
    assert times == {1: num - CONCURRENCY, 2: CONCURRENCY}
    assert sorted(answers) == sorted(f"VQA-RAD_test/{number}" for number in range(num))
    assert (folder / "run" / "answers.jsonl").read_bytes().count(b"\n") == num


def test_a_run_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    """Of 300 questions each is asked once, and again only what was in flight; each has one line."""
    with chat_server(hold_after=120) as server:
        killed_and_resumed(tmp_path, server, 300, 120, PNG)
        check_each_asked_once(tmp_path, server, 300)

    sessions = Run.open(tmp_path / "run").about["sessions"]
    assert [session["ended"] is None for session in sessions] == [True, False]
    assert sessions[1]["asked"] == 300 - 120


@pytest.mark.long
def test_twenty_thousand_records_are_each_asked_once_in_little_memory(tmp_path: Path) -> None:
    """As many as the bundle and more, killed half-way; pictures of 100 kB, which would be 2 GB together."""
    with chat_server(hold_after=10_000) as server:
        memory_mib = killed_and_resumed(tmp_path, server, 20_000, 10_000, PNG.ljust(100_000, b"x"))
        check_each_asked_once(tmp_path, server, 20_000)

    print(f"20,000 records with pictures of 100 kB: at most {memory_mib:.0f} MiB in memory")
    assert memory_mib < 300


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_told_to_stop_stops_at_once_and_keeps_what_came(
    tmp_path: Path, signum: signal.Signals, code: int
) -> None:
    """Without waiting for the questions in flight, which are not answered; it says how to go on."""
    file = bundle(tmp_path / "data", 30)
    with chat_server(hold_after=10) as server:
        with run_process(file, tmp_path / "run", server.base_url, "--concurrency", "4") as process:
            server.wait_for(14)
            process.send_signal(signum)
            errors = process.communicate(timeout=LIMIT_S)[1]
        server.release()

    run = Run.open(tmp_path / "run")
    (session,) = run.about["sessions"]
    assert process.returncode == code, errors
    assert errors.splitlines()[-1] == "Stopped. The same command goes on: what is answered is not asked twice."
    assert len(run.answered_ids()) == session["asked"] == 10
    assert session["ended"]


def test_the_key_is_nowhere_on_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in the run's folder, and not in what the command says."""
    monkeypatch.setenv("OPENAI_API_KEY", "canary-7c1f")
    file = bundle(tmp_path / "data", 3)
    with chat_server() as server, run_process(file, tmp_path / "run", server.base_url) as process:
        said = "".join(process.communicate(timeout=LIMIT_S))

    kept = b"".join(file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file())
    assert server.headers[0]["authorization"] == "Bearer canary-7c1f"
    assert "canary" not in said
    assert b"canary" not in kept


@pytest.mark.parametrize(("status", "code"), [(400, 0), (200, 0), (401, 1)])
def test_a_key_that_the_server_repeats_is_nowhere_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: int, code: int
) -> None:
    """Neither where it fails one question nor where it ends the run, in its message or in its code."""
    monkeypatch.setenv("OPENAI_API_KEY", "canary-7c1f")
    file = bundle(tmp_path / "data", 3)

    def reply(question: str, _before: int) -> Said:
        return error(status, "canary-7c1f", "No: canary-7c1f.") if question == "Question 2?" else completion()

    with chat_server(reply) as server:
        given = ["run", "--data", f"bundle={file}", "--out", str(tmp_path / "run"), "--base-url", server.base_url]
        ended = main([*given, "--concurrency", "1"])

    said = capsys.readouterr()
    kept = b"".join(file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file())
    assert ended == code
    assert "No: [key]." in (kept.decode("utf-8", "replace") if code == 0 else said.err)
    assert b"canary" not in kept
    assert "canary" not in said.out + said.err
