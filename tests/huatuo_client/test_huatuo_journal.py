"""A journal keeps what was appended, whatever befalls its writer."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import pytest

from huatuo_client.journal import Journal, JournalError, as_line, write_anew

FIRST, SECOND = {"id": "骨折", "text": "a\u2028b\n\udcff\ud800", "key": "1"}, {"id": "b", "key": "2"}


def test_what_was_appended_is_there_again(tmp_path: Path) -> None:
    """In its order, one line each, line breaks of all kinds and names that are no UTF-8 included."""
    with Journal(tmp_path / "results.jsonl") as journal:
        journal.append(FIRST)
        journal.append(SECOND)

    with Journal(tmp_path / "results.jsonl") as journal:
        assert journal.records() == [FIRST, SECOND]
    assert (tmp_path / "results.jsonl").read_bytes().count(b"\n") == 2


def test_wherever_the_last_line_is_cut_the_others_stay(tmp_path: Path) -> None:
    """And what is appended next stands on a line of its own. Tried at every byte."""
    line = as_line(SECOND)
    for cut in range(1, len(line)):
        path = tmp_path / f"{cut}.jsonl"
        path.write_bytes(as_line(FIRST) + line[:cut])
        with Journal(path) as journal:
            found = journal.records()
            journal.append(SECOND)
            after = journal.records()
        assert found == ([FIRST, SECOND] if cut == len(line) - 1 else [FIRST])
        assert after == [*found, SECOND]


@pytest.mark.parametrize(
    "content",
    [
        b"file,label\na.png,1\n",
        b"not json",
        b'{"key": "a"}\noops\n{"key": "b"}\n',
        b"[]\n",
        b'{"id": "a"}\n',
        b'{"id": "a"}',
        b'{"id": "a", "key": 1}',
        b'{"half": ',
        b'{"key": "a"}\n{"id": "b"}\n{"ha',
        b'{"key": "a"}\nhalf',
    ],
)
def test_a_file_of_somebody_else_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    """The line that is no record is named by its number."""
    (tmp_path / "table.csv").write_bytes(content)

    with Journal(tmp_path / "table.csv") as journal, pytest.raises(JournalError, match=r"line \d"):
        journal.records()

    assert (tmp_path / "table.csv").read_bytes() == content


def test_two_cannot_write_one_file(tmp_path: Path) -> None:
    """The second is told so; when the first has ended there is room."""
    with Journal(tmp_path / "results.jsonl"), pytest.raises(JournalError, match="another process"):
        Journal(tmp_path / "results.jsonl")
    with Journal(tmp_path / "results.jsonl") as journal:
        assert journal.records() == []


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """With its path and the reason."""
    with pytest.raises(JournalError, match="No such file"):
        Journal(tmp_path / "missing" / "results.jsonl")


def test_what_does_not_fit_the_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    """No half line that the next one would be joined to."""
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Journal(tmp_path / "results.jsonl") as journal:
        journal.append(FIRST)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(as_line(FIRST)) + 5, hard))
            with pytest.raises(OSError, match="too large"):
                journal.append(SECOND)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, ignored)
        journal.append(SECOND)
        assert journal.records() == [FIRST, SECOND]


def test_a_file_is_written_anew_as_a_whole(tmp_path: Path) -> None:
    """Nothing else is left beside it; without records there is no file."""
    path = tmp_path / "failures.jsonl"
    write_anew(path, [FIRST, SECOND])
    assert path.read_bytes() == as_line(FIRST) + as_line(SECOND)
    write_anew(path, [])
    assert list(tmp_path.iterdir()) == []
