"""Reading a whole log again: which line is broken first, and whether a head that was noted is still there."""

from __future__ import annotations

from pathlib import Path

import pytest

from huatuo_server.audit.chain import Link
from huatuo_server.audit.verification import ChainBroken, verified
from huatuo_server.errors import HuatuoError
from tests.server.audit.chains import chain_of, numbered, write


def test_a_whole_log_is_counted_and_its_head_told(tmp_path: Path) -> None:
    """What one notes elsewhere."""
    lines, end = chain_of(*numbered(5))

    chain = verified([write(tmp_path / "audit.jsonl", lines)])

    assert (chain.num_lines, chain.ends, chain.unfinished, chain.holds) == (5, end, False, None)


def test_the_first_broken_line_is_named_by_file_and_number(tmp_path: Path) -> None:
    """Numbers as an editor counts; nothing of the line is repeated."""
    lines, _ = chain_of(*numbered(5))
    lines[3] = lines[3].replace(b"accepted", b"rejected")
    path = write(tmp_path / "audit.jsonl", lines)

    with pytest.raises(ChainBroken) as broken:
        verified([path])

    assert broken.value.message == f"{path}: line 4 is broken: its hash is not that of its content: it was changed"


def test_files_are_one_chain_in_their_order(tmp_path: Path) -> None:
    """A rotated log: the order matters, and the later file alone says that it begins in the middle."""
    earlier, middle = chain_of(*numbered(3))
    later, end = chain_of(*numbered(2), link=middle)
    one, two = write(tmp_path / "1.jsonl", earlier), write(tmp_path / "2.jsonl", later)

    assert verified([one, two]).ends == end
    assert verified([two]).begins == middle
    with pytest.raises(ChainBroken, match=r"1\.jsonl: line 1"):
        verified([two, one])


def test_a_log_cut_at_a_line_is_whole_but_does_not_hold_the_head(tmp_path: Path) -> None:
    """What a chain alone cannot show: a head noted elsewhere does."""
    lines, end = chain_of(*numbered(4))
    path = write(tmp_path / "audit.jsonl", lines[:3])

    assert verified([path]).num_lines == 3
    assert verified([path], end.prev).holds is False
    assert verified([write(path, lines)], end.prev).holds is True


def test_a_log_written_anew_from_some_line_on_does_not_hold_the_head(tmp_path: Path) -> None:
    """Every hash computed again: only the head tells."""
    lines, end = chain_of(*numbered(4))
    _, link = chain_of(*numbered(2))
    forged, _ = chain_of({"event": "accepted", "request_id": "another"}, numbered(4)[3], link=link)
    path = write(tmp_path / "audit.jsonl", [*lines[:2], *forged])

    assert verified([path]).num_lines == 4
    assert verified([path], end.prev).holds is False
    assert verified([path], link.prev).holds is True


def test_an_unfinished_last_line_is_no_breach(tmp_path: Path) -> None:
    """The log may be in use."""
    lines, _ = chain_of(*numbered(2))

    chain = verified([write(tmp_path / "audit.jsonl", [*lines, b'{"seq":2,"at"'])])

    assert (chain.num_lines, chain.unfinished) == (2, True)


def test_an_empty_log_is_whole(tmp_path: Path) -> None:
    """Nothing was recorded yet."""
    assert verified([write(tmp_path / "audit.jsonl", [])]).ends == Link(0, "0" * 64)


def test_a_file_without_lines_is_not_read_into_memory(tmp_path: Path) -> None:
    """A wrong path costs a sentence."""
    path = tmp_path / "weights"
    path.write_bytes(b"\0" * 1_000_000)

    with pytest.raises(ChainBroken, match="no audit log"):
        verified([path])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """One sentence with the path."""
    with pytest.raises(HuatuoError, match=r"nowhere\.jsonl cannot be read"):
        verified([tmp_path / "nowhere.jsonl"])
