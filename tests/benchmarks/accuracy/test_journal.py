"""A file of JSON lines: what is kept, what a crash leaves, and who may write."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.journal import Journal


def test_records_are_read_as_they_were_kept(tmp_path: Path) -> None:
    """In order, over two sessions, half characters and line separators included."""
    kept = [{"text": "是\u2028\n\ud800"}, {"text": ""}]
    for record in kept:
        with Journal(tmp_path / "kept.jsonl") as journal:
            journal.append(record)

    assert list(Journal(tmp_path / "kept.jsonl").records()) == kept


def test_a_file_that_is_not_there_has_no_records(tmp_path: Path) -> None:
    """And reading does not make it."""
    assert list(Journal(tmp_path / "kept.jsonl").records()) == []
    assert not (tmp_path / "kept.jsonl").exists()


def test_half_a_last_line_is_dropped(tmp_path: Path) -> None:
    """What a killed process was writing; the next record starts a line of its own."""
    file = tmp_path / "kept.jsonl"
    file.write_bytes(b'{"a": 1}\n{"b": ')

    with Journal(file) as journal:
        journal.append({"c": 3})

    assert file.read_bytes() == b'{"a": 1}\n{"c": 3}\n'


@pytest.mark.parametrize("line", [b"", b'{"b": ', b"[]", b"\xff"])
def test_a_broken_line_is_named(tmp_path: Path, line: bytes) -> None:
    """No crash leaves one behind in the middle: someone has edited the file."""
    file = tmp_path / "kept.jsonl"
    file.write_bytes(b'{"a": 1}\n' + line + b"\n")

    with pytest.raises(RunError, match=r"kept\.jsonl: line 2"):
        list(Journal(file).records())


def test_one_at_a_time_may_append(tmp_path: Path) -> None:
    """A second one is told; after the first it may."""
    file = tmp_path / "kept.jsonl"
    with Journal(file), pytest.raises(RunError, match="another process"), Journal(file):
        pass

    with Journal(file) as journal:
        journal.append({"a": 1})

    assert list(Journal(file).records()) == [{"a": 1}]


def test_a_journal_that_is_not_held_takes_nothing(tmp_path: Path) -> None:
    """Half a line of another process may be in the way."""
    with pytest.raises(RunError, match="not held"):
        Journal(tmp_path / "kept.jsonl").append({"a": 1})


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """As one line for the user."""
    with pytest.raises(RunError, match=r"nowhere/kept\.jsonl: No such file"), Journal(tmp_path / "nowhere/kept.jsonl"):
        pass


def test_a_disk_that_fails_at_the_end_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system could not write is not kept in silence; the file is free again."""

    def fsync(_file: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    file = tmp_path / "kept.jsonl"
    monkeypatch.setattr("os.fsync", fsync)
    with pytest.raises(RunError, match=r"kept\.jsonl: Input/output error"), Journal(file):
        pass
    monkeypatch.undo()

    with Journal(file) as journal:
        journal.append({"a": 1})
