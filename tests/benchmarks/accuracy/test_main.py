"""The command line: each command is reached, and what is wrong is one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.accuracy import __main__, command_submit
from benchmarks.accuracy.__main__ import main
from benchmarks.accuracy.errors import RunError

COMMANDS = ("run", "choices", "report", "compare", "judge", "submit")


def given(command: str, folder: Path) -> list[str]:
    """The command with all that it needs, over what is not there."""
    flags = {
        "run": ["--data", f"bundle={folder}", "--out", str(folder / "run")],
        "choices": [str(folder)],
        "report": [str(folder), "--out", str(folder / "out")],
        "compare": [str(folder), str(folder), "--out", str(folder / "out")],
        "judge": [str(folder), "--judge-base-url", "http://127.0.0.1:1/v1", "--judge-model", "some"],
        "submit": [str(folder), "--out", str(folder / "out")],
    }
    return [command, *flags[command]]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_over_what_is_not_there_ends_with_one_line(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, and the path that is wrong on stderr."""
    code = main(given(command, tmp_path / "typo"))

    said = capsys.readouterr()
    assert code == 1
    assert said.out == ""
    assert said.err.startswith(f"python -m benchmarks.accuracy: {tmp_path / 'typo'}")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_tells_its_flags(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With exit code 0."""
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])

    assert ended.value.code == 0
    assert f"usage: python -m benchmarks.accuracy {command} " in capsys.readouterr().out


def test_all_commands_are_tested_here() -> None:
    """A new one is added to the list."""
    assert {command.NAME for command in __main__.COMMANDS} == set(COMMANDS)


def test_the_exit_code_is_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as 130 after Ctrl-C."""
    monkeypatch.setattr(command_submit, "run", lambda _given: 130)

    assert main(given("submit", tmp_path)) == 130


def test_an_error_cannot_write_to_the_terminal_what_it_likes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It holds what a server said: no second line, no escape sequence, no half character."""

    def run(_given: object) -> int:
        raise RunError("It said: \x1b[2J\nAll is well.\r\u202e\ud83d")

    monkeypatch.setattr(command_submit, "run", run)

    main(given("submit", tmp_path))

    line = "It said: \\x1b[2J\\nAll is well.\\x0d\\u202e\\ud83d"
    assert capsys.readouterr().err == f"python -m benchmarks.accuracy: {line}\n"
