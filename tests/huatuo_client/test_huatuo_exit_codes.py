"""The README's table of exit codes is true: each of them is what a command really ends with."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from huatuo_client.command.exit_code import ExitCode
from huatuo_client.command.parse import COMMANDS
from huatuo_server.engine.scripted import Completion
from tests.clients.answers import TEXT, saying
from tests.docs.markdown import section, table
from tests.huatuo_client.commands import CLIENT, begun, ended, huatuo
from tests.huatuo_client.pictures import greys
from tests.service.served import scripted_engine, served

README = CLIENT / "README.md"


def done(tmp_path: Path) -> int:
    """An answer."""
    with saying(TEXT) as server:
        return huatuo(server, "ask", "What is this?").returncode


def failed(tmp_path: Path) -> int:
    """A field that the server refuses."""
    with saying(TEXT) as server:
        return huatuo(server, "ask", "What is this?", "--temperature", "9").returncode


def misused(tmp_path: Path) -> int:
    """A file that is not there."""
    return huatuo(None, "ask", tmp_path / "missing.png", "What is this?").returncode


def unavailable(tmp_path: Path) -> int:
    """Nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return huatuo(f"http://127.0.0.1:{port}", "ask", "What is this?", "--retries", "0").returncode


def some_failed(tmp_path: Path) -> int:
    """One of two files is damaged."""
    first, _ = greys(tmp_path / "films", 2)
    (tmp_path / "films" / first).write_bytes(b"\x89PNG\r\n\x1a\n")
    with saying(TEXT) as server:
        options = ("--question", "What?", "--out", tmp_path / "r.jsonl")
        return huatuo(server, "map", tmp_path / "films", *options).returncode


def signalled(number: signal.Signals) -> int:
    """In the middle of an answer, as a shell reports it."""
    with served(scripted_engine(Completion(text=TEXT, hang_after=3))) as server:
        process = begun(server, "ask", "What is this?")
        assert process.stdout is not None
        process.stdout.read(1)
        process.send_signal(number)
        code, _, err = ended(process)
        server.engine.aborts.get(timeout=30)
    assert err == ""
    return code if code >= 0 else 128 - code


def interrupted(tmp_path: Path) -> int:
    """Ctrl-C."""
    return signalled(signal.SIGINT)


def terminated(tmp_path: Path) -> int:
    """SIGTERM."""
    return signalled(signal.SIGTERM)


def reader_gone(tmp_path: Path) -> int:
    """A pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    with saying(TEXT) as server, os.fdopen(writing, "wb") as stdout:
        code, _, _ = ended(begun(server, "ask", "What is this?", stdout=stdout, stderr=subprocess.PIPE))
    return code


WAYS: dict[int, Callable[[Path], int]] = {
    0: done,
    1: failed,
    2: misused,
    3: unavailable,
    4: some_failed,
    130: interrupted,
    141: reader_gone,
    143: terminated,
}


def test_the_table_lists_every_code() -> None:
    """And no other; each has its way below."""
    listed = [int(row[0]) for row in table(README, "Exit codes")]

    assert listed == sorted(ExitCode) == sorted(WAYS)


@pytest.mark.parametrize("code", sorted(WAYS))
def test_a_code_is_what_a_command_ends_with(code: int, tmp_path: Path) -> None:
    """As a shell sees it."""
    assert WAYS[code](tmp_path) == code


def test_a_server_that_is_not_ready_is_exit_3(tmp_path: Path) -> None:
    """For a question that has no patience, and for `huatuo health`."""
    with served(scripted_engine(start_delay_s=60.0), ready=False) as server:
        asked = huatuo(server, "ask", "What is this?", "--patience", "0.1")
        health = huatuo(server, "health")

    assert (asked.returncode, health.returncode) == (3, 3)
    assert b"not_ready" in asked.stderr
    assert b"Trying again" not in asked.stderr
    assert health.stdout.startswith(b"starting: ")


def test_the_readme_names_every_command() -> None:
    """With what it writes."""
    assert [row[0] for row in table(README, "The command line")] == [module.NAME for module in COMMANDS]


@pytest.mark.parametrize("command", [module.NAME for module in COMMANDS])
def test_help_says_how(command: str) -> None:
    """On stdout, with examples, in lines that fit a terminal, and without a server."""
    said = huatuo(None, command, "--help")

    assert said.returncode == 0
    assert b"examples:" in said.stdout
    assert max(len(line) for line in said.stdout.decode().splitlines()) <= 100


def test_the_readme_has_no_flag_that_is_not_there() -> None:
    """Every `--flag` in it is one of some command's."""
    helps = b"".join(huatuo(None, module.NAME, "--help").stdout for module in COMMANDS).decode()
    named = set(re.findall(r"--[a-z][a-z-]+", README.read_text(encoding="utf-8")))

    assert named <= set(re.findall(r"--[a-z][a-z-]+", helps))
    assert "--patience" in section(README, "The command line")
