"""Lines that hold on to each other: what was changed, removed, added or moved shows."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huatuo_server.audit.chain import BEGINNING, BrokenLine, Event, Link, followed, sealed
from tests.server.audit.chains import AT, chain_of, numbered

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
EVENTS = st.dictionaries(st.text().filter(lambda name: name not in ("seq", "at", "prev", "hash")), VALUES, min_size=1)


def read(lines: list[bytes], link: Link | None = BEGINNING) -> Link | None:
    for line in lines:
        link = followed(line.removesuffix(b"\n"), link)
    return link


@given(st.lists(EVENTS, max_size=4))
def test_what_was_written_is_a_chain(events: list[dict[str, Any]]) -> None:
    """Whatever an event holds, its line is one line of ASCII that follows the one before and gives the event back."""
    lines, link = chain_of(*events)

    assert read(lines) == link
    for event, line in zip(events, lines, strict=True):
        assert line.count(b"\n") == 1
        assert line.isascii()
        assert event.items() <= json.loads(line).items()


def test_a_line_s_hash_is_that_of_the_line_without_it() -> None:
    """Anybody can compute it from the bytes alone: no other program need write numbers as this one does."""
    lines, _ = chain_of({"event": "ended", "temperature": 1e-7, "name": "Ä\n"})

    line = lines[0].decode().rstrip("\n")
    body, digest = line[: line.rindex(',"hash":"')] + "}", json.loads(line)["hash"]

    assert list(json.loads(line)) == ["seq", "at", "event", "temperature", "name", "prev", "hash"]
    assert hashlib.sha256(body.encode()).hexdigest() == digest
    assert json.loads(line)["prev"] == "0" * 64


@given(st.data())
def test_a_changed_byte_shows(data: st.DataObject) -> None:
    """Any byte of any line, changed to any other."""
    lines, _ = chain_of(*numbered(3))
    number = data.draw(st.integers(0, 2))
    line = bytearray(lines[number][:-1])
    position = data.draw(st.integers(0, len(line) - 1))
    line[position] = data.draw(st.integers(0, 255).filter(lambda byte: byte != line[position]))
    lines[number] = bytes(line)

    with pytest.raises(BrokenLine):
        read(lines)


def shuffled(lines: list[bytes], how: str) -> list[bytes]:
    one, two, three, four = lines
    return {
        "removed": [one, three, four],
        "the first removed": [two, three, four],
        "added": [one, two, two, three, four],
        "moved": [one, three, two, four],
    }[how]


@pytest.mark.parametrize("how", ["removed", "the first removed", "added", "moved"])
def test_lines_removed_added_or_moved_show(how: str) -> None:
    """Each line is whole in itself; its number or its link says that its neighbour is another."""
    lines, _ = chain_of(*numbered(4))

    with pytest.raises(BrokenLine, match="lines were removed, added or moved"):
        read(shuffled(lines, how))


def test_a_line_written_anew_shows_in_the_next() -> None:
    """A forger who computes the changed line's hash as well has to write all the later ones anew, and so the head."""
    lines, _ = chain_of(*numbered(3))
    forged, _ = chain_of(numbered(1)[0], {"event": "accepted", "request_id": "another"})

    with pytest.raises(BrokenLine, match="that one was replaced"):
        read([lines[0], forged[1], lines[2]])


def test_a_first_line_may_continue_an_earlier_file_but_not_pretend_to_be_the_first() -> None:
    """Taken at its word, number 0 still follows nothing."""
    later, end = chain_of({"event": "opened"}, link=Link(7, "ab" * 32))
    false, _ = chain_of({"event": "opened"}, link=Link(0, "ab" * 32))

    assert read(later, None) == end
    with pytest.raises(BrokenLine):
        read(false, None)


@pytest.mark.parametrize(
    "body",
    [
        b'{"seq":0,"at":"t","event":"a","event":"b","prev":"%s"}' % (b"0" * 64),
        b'{"seq":-1,"at":"t","prev":"%s"}' % (b"0" * 64),
        b'{"seq":"0","at":"t","prev":"%s"}' % (b"0" * 64),
        b'{"seq":0,"prev":"%s"}' % (b"0" * 64),
        b'{"seq":0,"at":"t","prev":"none"}',
        b'["seq"]}',
        b"[" * 100_000 + b"}",
    ],
)
def test_a_good_hash_does_not_make_a_line(body: bytes) -> None:
    """Two programs may read a field that comes twice differently; a line without its links holds on to nothing."""
    line = body[:-1] + b',"hash":"' + hashlib.sha256(body).hexdigest().encode() + b'"}'

    with pytest.raises(BrokenLine):
        followed(line, None)


@pytest.mark.parametrize(
    "event",
    [{}, {"event": "x", "seq": 1}, {"hash": ""}, {"temperature": math.nan}, {"image": b""}, {"text": "a" * 100_000}],
)
def test_what_is_no_event_is_refused_before_it_is_queued(event: dict[str, Any]) -> None:
    """The chain's own fields, bytes, and prompts by mistake: a defect that shows where it is made."""
    with pytest.raises((TypeError, ValueError)):
        sealed(Event.of(AT, event), BEGINNING)
