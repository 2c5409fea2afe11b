"""Lines of JSON, each of which holds the hash of the line before it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

OWN_FIELDS = frozenset({"seq", "at", "prev", "hash"})
"""What the chain says of a line; an event may have every other field."""

HASH = re.compile(r"[0-9a-f]{64}")

MAX_LINE_BYTES = 64 * 1024
"""Far more than any event needs; whoever reads a file may refuse a longer line."""

_HASH_FIELD = b',"hash":"'
_HASH_ENDS = re.compile(rb'([0-9a-f]{64})"\}')


class BrokenLine(ValueError):
    """A line that does not belong where it stands; its text says why, without quoting it."""


@dataclass(frozen=True, slots=True)
class Link:
    """Where a chain has come to. seq: the number of the next line. prev: the last line's hash, in hexadecimal."""

    seq: int
    prev: str


BEGINNING = Link(0, "0" * 64)
"""No line yet."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, not yet in the chain. at: RFC 3339. fields: a JSON object in ASCII, not an empty one."""

    at: str
    fields: str

    @classmethod
    def of(cls, at: str, fields: Mapping[str, Any]) -> Event:
        """Raises TypeError or ValueError for what is not an event: that is a defect of who records it."""
        if not fields or not OWN_FIELDS.isdisjoint(fields):
            raise ValueError("an event has fields, and none of the chain's own")
        text = json.dumps(dict(fields), separators=(",", ":"), allow_nan=False)
        if len(text) > MAX_LINE_BYTES // 2:
            raise ValueError("an event is a few numbers and names")
        return cls(at, text)


def sealed(event: Event, link: Link) -> tuple[bytes, Link]:
    """The event's line, with its newline, and where the chain is then.

    The hash is the last field: SHA-256 of the line's bytes as they would be without it. So it can be computed without
    knowing how this program writes numbers.
    """
    body = f'{{"seq":{link.seq},"at":"{event.at}",{event.fields[1:-1]},"prev":"{link.prev}"}}'.encode("ascii")
    digest = sha256(body).hexdigest()
    return body[:-1] + _HASH_FIELD + f'{digest}"}}\n'.encode(), Link(link.seq + 1, digest)


def followed(line: bytes, link: Link | None) -> Link:
    """Where the chain is after a line, given without its newline. Raises BrokenLine.

    link: where it was before; None takes the line's own word for it, as for the first one that is read, which may
    continue what an earlier file holds.
    """
    body, digest = _parted(line)
    if sha256(body).hexdigest() != digest:
        raise BrokenLine("its hash is not that of its content: it was changed")
    seq, prev = _own_fields(body)
    if link is None:
        link = Link(seq, prev) if seq else BEGINNING
    if seq != link.seq:
        raise BrokenLine(f"it is number {seq} where number {link.seq} is due: lines were removed, added or moved")
    if prev != link.prev:
        raise BrokenLine("it does not hold the hash of the line before it: that one was replaced")
    return Link(seq + 1, digest)


def before(line: bytes) -> Link:
    """Where the chain was before a line that `followed` takes."""
    return Link(*_own_fields(_parted(line)[0]))


def _parted(line: bytes) -> tuple[bytes, str]:
    """The line without its hash, and the hash."""
    head, _, tail = line.rpartition(_HASH_FIELD)
    digest = _HASH_ENDS.fullmatch(tail)
    if not head or digest is None:
        raise BrokenLine("it does not end in a hash")
    return head + b"}", digest[1].decode()


def _own_fields(body: bytes) -> tuple[int, str]:
    """`seq` and `prev`."""
    try:
        fields = json.loads(body, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError):
        raise BrokenLine("it is not a JSON object whose fields come once") from None
    match fields:
        case {"seq": int(seq), "at": str(), "prev": str(prev)} if seq >= 0 and HASH.fullmatch(prev):
            return seq, prev
    raise BrokenLine("it lacks the number, the time or the hash of the line before it")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A reader that takes the first of two fields would read another line than one that takes the last."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError
    return fields
