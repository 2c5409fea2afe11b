"""What is carried in pieces arrives whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.speed.device.carry import LOCK, SUMS, DamagedError, read_pieces, write_pieces
from tests.docs.markdown import ROOT

WHOLE = bytes(range(256)) * 10


@pytest.fixture
def pieces(tmp_path: Path) -> list[Path]:
    return write_pieces(WHOLE, tmp_path, piece_bytes=1000)


def test_pieces_are_small_and_come_together(pieces: list[Path], tmp_path: Path) -> None:
    """None is larger than was asked for, and what they hold is what was cut."""
    assert [path.stat().st_size for path in pieces] == [1000, 1000, 560]
    assert read_pieces(tmp_path) == WHOLE


def test_a_piece_that_was_left_behind_is_named(pieces: list[Path], tmp_path: Path) -> None:
    """Before anything is installed."""
    pieces[1].unlink()
    with pytest.raises(DamagedError, match="piece-01 is missing"):
        read_pieces(tmp_path)


def test_a_piece_that_was_changed_is_named(pieces: list[Path], tmp_path: Path) -> None:
    """One byte is enough."""
    pieces[2].write_bytes(b"x" + pieces[2].read_bytes()[1:])
    with pytest.raises(DamagedError, match="piece-02 is not what was packed"):
        read_pieces(tmp_path)


def test_the_pieces_may_be_read_in_any_order_of_their_arrival(pieces: list[Path], tmp_path: Path) -> None:
    """The list of checksums alone says which come in which order."""
    held = [(path, path.read_bytes()) for path in pieces]
    for path in pieces:
        path.unlink()
    for path, content in reversed(held):
        path.write_bytes(content)
    assert read_pieces(tmp_path) == WHOLE
    assert (tmp_path / SUMS).is_file()


def test_what_is_carried_leaves_pytorch_alone() -> None:
    """Two torches in one process are none: what comes with it is not in the lock, and every line of it has a hash."""
    pinned = [line for line in LOCK.read_text(encoding="utf-8").splitlines() if "==" in line]
    names = {line.partition("==")[0] for line in pinned}
    left_out = [
        line.partition(" ;")[0]
        for line in (ROOT / "locks/carried-without.txt").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    assert "vllm==0.26.0" in {line.rstrip(" \\") for line in pinned}
    assert names.isdisjoint(left_out)
    assert "torch" in left_out
    assert all(line.endswith("\\") for line in pinned)
