"""`huatuo-server audit verify`: what it prints, and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from huatuo_server.__main__ import main
from tests.server.audit.chains import chain_of, numbered, write


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Five lines."""
    return write(tmp_path / "audit.jsonl", chain_of(*numbered(5))[0])


def test_a_whole_log_exits_0_with_its_count_and_head(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The head is what one notes."""
    assert main(["audit", "verify", str(log)]) == 0
    assert capsys.readouterr().out == f"5 lines, whole; head: {chain_of(*numbered(5))[1].prev}\n"


def test_a_broken_line_exits_1_and_is_named(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line on stderr with the file and the line's number."""
    lines = log.read_bytes().splitlines(keepends=True)
    write(log, [*lines[:2], *lines[3:]])

    assert main(["audit", "verify", str(log)]) == 1
    assert capsys.readouterr().err.startswith(f"huatuo-server: {log}: line 3 is broken: it is number 3 where number 2")


def test_a_head_that_is_not_there_exits_1(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log that was cut is whole, and yet not what it was."""
    lines, end = chain_of(*numbered(5))
    assert main(["audit", "verify", str(log), "--head", end.prev]) == 0

    write(log, lines[:4])

    assert main(["audit", "verify", str(log), "--head", end.prev]) == 1
    assert "The head that was given is not in the chain" in capsys.readouterr().out


def test_an_unfinished_line_and_a_later_part_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither is a breach, and both are what a reader of the log must know."""
    _, middle = chain_of(*numbered(3))
    later, _ = chain_of(*numbered(2), link=middle)
    log = write(tmp_path / "audit.jsonl", [*later, b'{"seq":'])

    assert main(["audit", "verify", str(log)]) == 0

    said = capsys.readouterr().out
    assert "They begin with number 3" in said
    assert "The last line is not finished" in said


@pytest.mark.parametrize(
    "arguments",
    [["audit"], ["audit", "verify"], ["audit", "verify", "a", "--head", "5f0c"], ["audit", "verify", "a", "--haed"]],
)
def test_misuse_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """One line, with the command whose help says more."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert "(see huatuo-server audit" in capsys.readouterr().err


def test_help_tells_what_a_chain_does_not_show(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever runs it learns of the head."""
    with pytest.raises(SystemExit):
        main(["audit", "verify", "--help"])

    said = capsys.readouterr().out
    assert "--head HASH" in said
    assert "whole chain as well" in said
