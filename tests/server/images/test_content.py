"""An image's file in sealed memory: whole, unchangeable, and gone with its block."""

from __future__ import annotations

import hashlib
import os

import pytest

from huatuo_server.images.content import Content

DATA = bytes(range(256)) * 1000


def test_what_went_in_can_be_read_by_its_descriptor() -> None:
    """Every byte, its length and its hash."""
    with Content([DATA]) as content:
        assert os.pread(content.fd, len(DATA) + 1, 0) == DATA
        assert (content.num_bytes, content.sha256) == (len(DATA), hashlib.sha256(DATA).hexdigest())


def test_nobody_can_change_it() -> None:
    """A decoder that a file has taken over can neither write to it nor cut it short under another's reading."""
    with Content([DATA]) as content:
        with pytest.raises(PermissionError):
            os.pwrite(content.fd, b"x", 0)
        with pytest.raises(PermissionError):
            os.ftruncate(content.fd, 0)


def test_the_memory_goes_with_the_block_or_the_object() -> None:
    """The descriptor is closed at the end of the block, and where the object was made for nobody."""
    with Content([DATA]) as content:
        closed = content.fd
    abandoned = Content([DATA])
    dropped = abandoned.fd
    del abandoned

    for fd in (closed, dropped):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)
