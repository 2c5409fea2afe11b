"""Reads an audit log from its first line to its last, and says whether each follows the one before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from huatuo_server.audit.chain import BEGINNING, MAX_LINE_BYTES, BrokenLine, Link, before, followed
from huatuo_server.errors import HuatuoError
from huatuo_server.private_folder import cause


class ChainBroken(HuatuoError):
    """A line does not follow the one before it; the message names the file and the line."""


@dataclass(frozen=True, slots=True)
class Chain:
    """What was read. begins: before the first line. ends: after the last one. unfinished: the last line is not whole.

    holds: whether the head that was asked for is one of its hashes; None where none was.
    """

    begins: Link
    ends: Link
    unfinished: bool
    holds: bool | None

    @property
    def num_lines(self) -> int:
        return self.ends.seq - self.begins.seq


def verified(paths: Iterable[Path], head: str | None = None) -> Chain:
    """The chain through these files, in this order. Raises ChainBroken, and HuatuoError for a file that cannot be read.

    head: a hash that the chain had at some time.
    """
    begins: Link | None = None
    link: Link | None = None
    unfinished, held = False, False
    for path in paths:
        for number, line in enumerate(_lines(path), 1):
            if unfinished := not line.endswith(b"\n"):
                break
            try:
                begins = begins or before(line[:-1])
                link = followed(line[:-1], link)
            except BrokenLine as error:
                raise ChainBroken(f"{path}: line {number} is broken: {error}") from None
            held = held or head in (link.prev, begins.prev)
    return Chain(begins or BEGINNING, link or BEGINNING, unfinished, None if head is None else held)


def _lines(path: Path) -> Iterator[bytes]:
    """With their newlines; the last one has none where it is unfinished."""
    try:
        with path.open("rb") as file:
            yield from iter(lambda: _line(file, path), b"")
    except OSError as error:
        raise HuatuoError(f"{path} cannot be read: {cause(error)}") from error


def _line(file: BinaryIO, path: Path) -> bytes:
    line = file.readline(MAX_LINE_BYTES + 1)
    if len(line) > MAX_LINE_BYTES:
        raise ChainBroken(f"{path} is no audit log: it has a line of more than {MAX_LINE_BYTES} bytes")
    return line
