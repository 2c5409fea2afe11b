"""Audit logs to read and to spoil."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huatuo_server.audit.chain import BEGINNING, Event, Link, sealed

AT = "2026-11-22T08:30:00.000Z"


def chain_of(*events: Mapping[str, Any], link: Link = BEGINNING) -> tuple[list[bytes], Link]:
    """Their lines, with newlines, and where the chain is then."""
    lines = []
    for event in events:
        line, link = sealed(Event.of(AT, event), link)
        lines.append(line)
    return lines, link


def numbered(count: int) -> list[dict[str, Any]]:
    """Events that differ."""
    return [{"event": "accepted", "request_id": f"r{number}"} for number in range(count)]


def write(path: Path, lines: list[bytes]) -> Path:
    """The lines as a file."""
    path.write_bytes(b"".join(lines))
    return path
