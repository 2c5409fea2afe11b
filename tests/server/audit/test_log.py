"""The audit log on a disk that fills, a file that is moved, cut or spoiled, and beside a second server."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import resource
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from huatuo_server import __version__
from huatuo_server.audit import AuditLog, AuditUnanswered
from huatuo_server.audit import file as file_module
from huatuo_server.audit.chain import Link
from huatuo_server.audit.head import Head
from huatuo_server.audit.verification import ChainBroken, verified
from huatuo_server.errors import AuditFailed, AuditLogError
from tests.server.audit.chains import chain_of, numbered, write
from tests.server.audit.open_log import OpenLog, open_log
from tests.service.supervised import until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def events(path: Path) -> list[dict[str, Any]]:
    """All lines; the last one is whole."""
    text = path.read_text(encoding="ascii")
    assert not text or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def kinds(path: Path) -> list[str]:
    return [event["event"] for event in events(path)]


async def together(log: OpenLog, events: list[dict[str, Any]], at_a_time: int = 1000) -> float:
    """Record all of them, so many at once; returns the processor time of the event loop's thread, seconds."""
    waiting = asyncio.Semaphore(at_a_time)

    async def one(event: dict[str, Any]) -> None:
        async with waiting:
            await log.log.record(event)

    used = time.thread_time()
    await asyncio.gather(*map(one, events))
    return time.thread_time() - used


async def given_up(log: OpenLog, event: dict[str, Any]) -> None:
    """A caller that is cancelled once its record is queued."""
    recording = asyncio.create_task(log.log.record(event))
    await asyncio.sleep(0)
    recording.cancel()
    await asyncio.wait({recording})
    assert recording.cancelled()


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """No file of this process may become longer than this one plus half a line: a write is cut short, then fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_recorded_event_is_on_the_disk(path: Path) -> None:
    """When `record` returns, the line is there, numbered, dated, linked and private."""
    with open_log(path) as log:
        log.record({"event": "accepted", "request_id": "r1", "images": ["ab"]})
        assert events(path)[-1]["request_id"] == "r1"

    first, accepted, closed = events(path)
    assert first["event"] == "opened"
    assert first["versions"]["huatuo_server"] == __version__
    assert accepted["images"] == ["ab"]
    assert accepted["at"].endswith("Z")
    assert closed["event"] == "closed"
    assert path.stat().st_mode & 0o777 == 0o600
    assert verified([path]).num_lines == 3


def test_a_line_is_synced_before_it_is_acknowledged(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`record` waits for fsync: a power cut after it loses nothing."""
    may_sync = threading.Event()
    fsync = os.fsync

    def held_fsync(fd: int) -> None:
        assert may_sync.wait(10)
        fsync(fd)

    with open_log(path) as log:
        monkeypatch.setattr(os, "fsync", held_fsync)
        recording = log.recording({"event": "accepted"})
        until(lambda: len(path.read_bytes().splitlines()) == 2)
        assert not recording.done()
        may_sync.set()
        recording.result(10)


def test_what_comes_together_is_synced_together(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred requests at once cost a few syncs: the disk does not bound the server's rate."""
    syncs = []
    fsync = os.fsync

    def counted_fsync(fd: int) -> None:
        syncs.append(fd)
        fsync(fd)

    with open_log(path) as log:
        monkeypatch.setattr(os, "fsync", counted_fsync)
        log.run(together(log, numbered(100)))

    assert [event["request_id"] for event in events(path)[1:-1]] == [f"r{number}" for number in range(100)]
    assert len(syncs) < 20


def test_a_thousand_records_a_second_are_no_burden(path: Path) -> None:
    """Two thousand records, 64 at a time: the event loop's own share is far below a millisecond each (0.1 on a quiet
    core, four times that beside a busy one).
    """
    num = 2000

    with open_log(path) as log:
        began = time.monotonic()
        used = log.run(together(log, numbered(num), at_a_time=64))
        took = time.monotonic() - began
        print(f"{num / took:.0f} records a second, {used / num * 1e6:.0f} us of the loop's time each")
        assert used / num < 0.001
    assert verified([path]).num_lines == num + 2


def test_a_chain_goes_on_after_a_restart(path: Path) -> None:
    """The second server's first line holds the hash of the first server's last one."""
    with open_log(path):
        pass
    with open_log(path):
        pass

    assert kinds(path) == ["opened", "closed", "opened", "closed"]
    assert verified([path]).num_lines == 4


def test_a_full_disk_refuses_new_work_and_keeps_what_has_ended(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Half a line fits: it is taken back. `record` refuses, `keep` is written when there is room again."""
    caplog.set_level(logging.INFO)

    with open_log(path) as log:
        log.record({"event": "accepted", "request_id": "r1"})
        whole = path.read_bytes()
        with full_disk(path):
            with pytest.raises(AuditFailed):
                log.record({"event": "accepted", "request_id": "r2"})
            assert log.failing == "file too large"
            assert path.read_bytes() == whole
            with pytest.raises(AuditFailed):
                log.record({"event": "accepted", "request_id": "r3"})
            with pytest.raises(AuditFailed):
                log.log.check()
            log.keep({"event": "ended", "request_id": "r1"})
        until(lambda: log.failing is None)
        log.log.check()
        log.record({"event": "accepted", "request_id": "r4"})

    assert kinds(path) == ["opened", "accepted", "resumed", "ended", "accepted", "closed"]
    assert events(path)[2]["refused"] == 3
    verified([path])
    said = [record.getMessage() for record in caplog.records]
    assert said.count("the audit log cannot be written, so that no new work is taken") == 1
    assert said.count("the audit log can be written again") == 1


def test_those_that_wait_when_the_disk_fills_are_all_refused(path: Path) -> None:
    """Nobody waits for a disk that is full."""
    with open_log(path) as log, full_disk(path):
        recordings = [log.recording(event) for event in numbered(50)]
        assert all(isinstance(recording.exception(10), AuditFailed) for recording in recordings)

    assert kinds(path) == ["opened", "resumed", "closed"]
    assert events(path)[1]["refused"] == 50


def test_a_failed_sync_is_not_believed_the_second_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed fsync the kernel may call the pages clean: the lines are written anew, and not only synced."""
    fsync, failures = os.fsync, [OSError(5, "Input/output error")]

    def failing_fsync(fd: int) -> None:
        if failures:
            raise failures.pop()
        fsync(fd)

    with open_log(path) as log:
        monkeypatch.setattr(os, "fsync", failing_fsync)
        before = path.stat().st_size
        log.keep({"event": "ended"})
        until(lambda: log.failing is not None)
        assert path.stat().st_size == before
        until(lambda: log.failing is None)

    assert kinds(path) == ["opened", "resumed", "ended", "closed"]


def test_a_disk_that_hangs_refuses_within_the_limit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network's disk may answer never: requests are refused, and the end of the server does not wait for it."""
    monkeypatch.setattr("huatuo_server.audit.log.HANG_S", 0.2)
    may_sync = threading.Event()
    fsync = os.fsync

    def hanging_fsync(fd: int) -> None:
        may_sync.wait(30)
        fsync(fd)

    began = time.monotonic()
    with open_log(path) as log:
        monkeypatch.setattr(os, "fsync", hanging_fsync)
        for _ in range(2):
            with pytest.raises(AuditFailed):
                log.record({"event": "accepted"})
        assert log.failing == "the disk does not answer"

    took = time.monotonic() - began
    may_sync.set()
    until(lambda: not any(thread.name == "audit log" for thread in threading.enumerate()))

    assert took < 5


def test_what_the_disk_never_began_with_is_taken_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the one that is being written when the disk hangs nobody knows; one that waits behind it is not written."""
    monkeypatch.setattr("huatuo_server.audit.log.HANG_S", 0.5)
    may_sync = threading.Event()
    fsync = os.fsync

    def hanging_fsync(fd: int) -> None:
        assert may_sync.wait(30)
        fsync(fd)

    with open_log(path) as log:
        monkeypatch.setattr(os, "fsync", hanging_fsync)
        first = log.recording({"event": "accepted", "request_id": "r1"})
        until(lambda: len(path.read_bytes().splitlines()) == 2)
        second = log.recording({"event": "accepted", "request_id": "r2"})
        failures = [type(one.exception(10)) for one in (first, second)]
        may_sync.set()
        until(lambda: log.failing is None)
        log.record({"event": "accepted", "request_id": "r3"})

    assert failures == [AuditUnanswered, AuditFailed]
    assert [event.get("request_id") for event in events(path)] == [None, "r1", None, "r3", None]
    assert (events(path)[2]["event"], events(path)[2]["refused"]) == ("resumed", 1)


def test_a_defect_refuses_instead_of_hanging(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the writer fails of, whoever waits is told."""
    with open_log(path) as log:
        with monkeypatch.context() as broken:
            broken.setattr("huatuo_server.audit.log.sealed", lambda *_: 1 / 0)
            with pytest.raises(AuditFailed):
                log.record({"event": "accepted"})
        until(lambda: log.failing is None)

    assert kinds(path) == ["opened", "resumed", "closed"]


def test_a_caller_that_gives_up_does_not_hold_up_the_log(path: Path) -> None:
    """A client that hung up meanwhile: its record is written, and the next one after it."""
    with open_log(path) as log:
        log.run(given_up(log, {"event": "accepted", "request_id": "r1"}))
        log.record({"event": "accepted", "request_id": "r2"})

    assert [event["request_id"] for event in events(path)[1:-1]] == ["r1", "r2"]


def test_a_closed_log_refuses(path: Path) -> None:
    """What would never be written is not promised."""
    with open_log(path) as log:
        log.close()
        with pytest.raises(AuditFailed):
            log.record({"event": "accepted"})


def test_a_second_server_is_refused(path: Path) -> None:
    """Two writers would break the chain; the second one says who is in its way, and the first one goes on."""
    second = textwrap.dedent(
        """
        import asyncio, sys
        from pathlib import Path
        from huatuo_server.audit import AuditLog
        from huatuo_server.errors import AuditLogError
        try:
            asyncio.run(AuditLog(Path(sys.argv[1])).open())
        except AuditLogError as error:
            print(error.message)
        """
    )

    with open_log(path) as log:
        said = subprocess.check_output([sys.executable, "-c", second, str(path)], text=True)
        assert "another process writes it" in said
        log.record({"event": "accepted"})
    assert kinds(path) == ["opened", "accepted", "closed"]


@pytest.mark.parametrize("end", [b"{", b'{"seq":3,"at":"2026', b'{"seq":3,"at":"20\0\0\0', b"\0" * 4000])
def test_a_line_that_a_crash_left_unfinished_is_cut_off_and_told(
    path: Path, end: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody was told that it is written. How much was cut stands in the chain."""
    lines, _ = chain_of(*numbered(3))
    write(path, [*lines, end])

    with open_log(path):
        pass

    assert kinds(path) == ["accepted", "accepted", "accepted", "opened", "closed"]
    assert events(path)[3]["cut_bytes"] == len(end)
    assert "which nobody was told is written" in caplog.text
    verified([path])


@pytest.mark.parametrize(
    "content",
    [b"a text file", b"a text file\n", b"\n", b'{"seq":9,"at":"', b"x" * 2_000_000, b"x" * 2_000_000 + b"\nx"],
)
def test_a_file_that_is_no_audit_log_is_left_alone(path: Path, content: bytes) -> None:
    """A wrong path must not cost the operator that file."""
    path.write_bytes(content)

    with pytest.raises(AuditLogError, match=r"audit\.jsonl"):
        asyncio.run(AuditLog(path).open())

    assert path.read_bytes() == content


def test_a_damaged_end_stops_the_start(path: Path) -> None:
    """A log that was tampered with is evidence: nothing is added to it."""
    lines, _ = chain_of(*numbered(3))
    write(path, [lines[0], lines[2]])

    with pytest.raises(AuditLogError, match="damaged"):
        asyncio.run(AuditLog(path).open())

    assert path.read_bytes() == lines[0] + lines[2]


def test_only_the_end_of_a_long_log_is_read_at_the_start(path: Path) -> None:
    """A start does not wait for years of records, which `audit verify` reads."""
    lines, _ = chain_of(*numbered(10_000))
    lines[0] = lines[0].replace(b"r0", b"rX")
    write(path, lines)
    assert path.stat().st_size > 2 * file_module.TAIL_BYTES

    with open_log(path):
        pass

    assert events(path)[-1]["seq"] == 10_001


@pytest.mark.parametrize("how", ["a folder", "a pipe", "no folder around it"])
def test_what_cannot_be_a_log_is_named(path: Path, how: str) -> None:
    """One sentence with the path, and no waiting for a pipe's reader."""
    if how == "a folder":
        path.mkdir()
    elif how == "a pipe":
        os.mkfifo(path)
    else:
        path = path / "audit.jsonl"

    with pytest.raises(AuditLogError) as failed:
        asyncio.run(AuditLog(path).open())

    assert str(path) in failed.value.message


def test_a_full_disk_stops_the_start(path: Path) -> None:
    """No request could be taken."""
    path.touch()
    with full_disk(path), pytest.raises(AuditLogError, match="cannot be written: file too large"):
        asyncio.run(AuditLog(path).open())


def test_a_file_that_others_may_read_becomes_private(path: Path) -> None:
    """A volume's mount opens files to a group; the log says who asked when."""
    path.touch(0o664)
    path.chmod(0o664)

    with open_log(path):
        pass

    assert path.stat().st_mode & 0o777 == 0o600


def test_a_log_that_is_moved_away_is_continued_in_a_new_file(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Rotation is a rename: no line is lost, the chain goes through both files, and the old one may be read alone."""
    old = path.with_suffix(".1")

    with open_log(path) as log:
        log.record({"event": "accepted", "request_id": "r1"})
        path.rename(old)
        log.record({"event": "accepted", "request_id": "r2"})

    assert kinds(old) == ["opened", "accepted"]
    assert kinds(path) == ["opened", "accepted", "closed"]
    assert verified([old, path]).num_lines == 5
    assert verified([path]).begins.seq == 2
    assert "a new file continues it" in caplog.text


KILLED = textwrap.dedent(
    """
    import asyncio, sys
    from pathlib import Path
    from huatuo_server.audit import AuditLog

    async def main():
        log = AuditLog(Path(sys.argv[1]))
        await log.open()
        for number in range(3):
            await log.record({"event": "accepted", "request_id": str(number)})
        print("written", flush=True)
        await asyncio.sleep(60)

    asyncio.run(main())
    """
)
"""A server of four lines, which waits to be killed."""


@contextmanager
def killed(path: Path) -> Iterator[None]:
    """It has written its lines within the block, and is killed at the end."""
    with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == "written\n"
            yield
        finally:
            server.kill()


@pytest.mark.parametrize("create", [True, False], ids=["create", "nocreate"])
def test_a_rotation_and_a_kill_before_the_next_line_lose_no_link(
    path: Path, create: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The next server's first line follows the last one of the file that was put away, wherever that is now."""
    old = path.with_suffix(".1")

    with killed(path):
        path.rename(old)
        if create:
            path.touch(0o600)
    with open_log(path):
        pass

    assert kinds(old) == ["opened", "accepted", "accepted", "accepted"]
    assert verified([old, path]).num_lines == 6
    assert verified([path]).begins.seq == 4
    assert "a new file continues it" in caplog.text
    assert Head.beside(path).path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.glob("*.new")] == []


@pytest.mark.parametrize("create", [True, False], ids=["create", "nocreate"])
def test_a_rotation_while_no_server_runs_loses_no_link(path: Path, create: bool) -> None:
    """Nor does a second one after it."""
    first, second = path.with_suffix(".2"), path.with_suffix(".1")

    for old in (first, second):
        with open_log(path):
            pass
        path.rename(old)
        if create:
            path.touch(0o600)
    with open_log(path) as log:
        log.record({"event": "accepted"})

    assert verified([first, second, path]).num_lines == 7


def test_lines_removed_from_a_log_that_was_put_away_still_show(path: Path) -> None:
    """The new file says how many there were: a cut in the old one is not taken for a rotation."""
    old = path.with_suffix(".1")
    with killed(path):
        path.rename(old)
        path.touch(0o600)
    with open_log(path):
        pass

    write(old, old.read_bytes().splitlines(keepends=True)[:-1])

    with pytest.raises(ChainBroken, match="it is number 4 where number 3 is due: lines were removed"):
        verified([old, path])


def test_a_log_that_was_emptied_does_not_begin_anew(path: Path) -> None:
    """Its first line says how many there were."""
    with open_log(path) as log:
        log.record({"event": "accepted"})
    os.truncate(path, 0)

    with open_log(path):
        pass

    assert verified([path]).begins.seq == 3


@pytest.mark.parametrize("content", [None, b"", b"\0" * 128, b"{}\n"], ids=["lost", "empty", "zeros", "spoiled"])
def test_without_a_head_an_empty_file_begins_a_new_chain(
    path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Each file is then whole alone, and the two are not one; the log says so where something is wrong with it."""
    old, head = path.with_suffix(".1"), Head.beside(path).path
    with open_log(path):
        pass
    path.rename(old)
    head.unlink()
    if content is not None:
        head.write_bytes(content)

    with open_log(path):
        pass

    assert verified([old]).num_lines == verified([path]).num_lines == 2
    with pytest.raises(ChainBroken, match="it is number 0 where number 2 is due"):
        verified([old, path])
    assert ("a new chain begins" in caplog.text) == (content is not None)


def test_a_stale_head_is_not_believed_against_the_log(path: Path) -> None:
    """A file that has lines says itself where it is."""
    lines, _ = chain_of(*numbered(3))
    write(path, lines)
    Head.beside(path).keep(Link(1, "ab" * 32))

    with open_log(path):
        pass

    assert verified([path]).num_lines == 5
    assert Head.beside(path).noted() == verified([path]).ends


def test_an_unfinished_first_line_of_a_new_file_is_cut_off(path: Path) -> None:
    """A crash in the first line after a rotation: the head tells which number it has."""
    lines, link = chain_of(*numbered(3))
    old = write(path.with_suffix(".1"), lines)
    Head.beside(path).keep(link)
    path.write_bytes(b'{"seq":3,"at":"2026')

    with open_log(path):
        pass

    assert events(path)[0]["cut_bytes"] == 19
    assert verified([old, path]).num_lines == 5


def test_a_log_is_kept_where_no_head_can_be(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder that the server may not write, and the like: told once, and no request is refused for it."""
    Head.beside(path).path.mkdir()

    with open_log(path) as log:
        log.record({"event": "accepted"})

    assert kinds(path) == ["opened", "accepted", "closed"]
    assert caplog.text.count("cannot be kept beside it") == 1


def test_a_log_that_is_replaced_by_another_is_not_written_on(path: Path) -> None:
    """A file with content in its place: no work until that is put away."""
    lines, _ = chain_of(*numbered(2))
    old = path.with_suffix(".1")

    with open_log(path) as log:
        path.rename(old)
        write(path, lines)
        with pytest.raises(AuditFailed):
            log.record({"event": "accepted"})
        assert log.failing == "a file that is not empty stands in its place"
        assert path.read_bytes() == b"".join(lines)
        path.unlink()
        until(lambda: log.failing is None)

    assert kinds(path) == ["opened", "resumed", "closed"]
    verified([old, path])


@pytest.mark.parametrize("how", ["cut", "added to"])
def test_a_log_that_something_else_writes_to_refuses_work_until_it_is_moved_away(path: Path, how: str) -> None:
    """Nothing is written after what may be forged; moved away it is evidence, and a new file goes on."""
    old = path.with_suffix(".1")

    with open_log(path) as log:
        log.record({"event": "accepted", "request_id": "r1"})
        if how == "cut":
            os.truncate(path, path.stat().st_size - 10)
        else:
            with path.open("ab") as file:
                file.write(b"{}\n")
        with pytest.raises(AuditFailed):
            log.record({"event": "accepted", "request_id": "r2"})
        assert log.failing is not None
        assert "something else wrote to the file" in log.failing
        path.rename(old)
        until(lambda: log.failing is None)
        log.record({"event": "accepted", "request_id": "r3"})

    assert kinds(path) == ["opened", "resumed", "accepted", "closed"]
    assert verified([path]).begins.seq == 2


def test_the_head_is_in_the_server_s_log(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Logs are collected elsewhere: an audit log that was cut later does not hold the head that stands there."""
    caplog.set_level(logging.INFO)

    with open_log(path):
        pass

    details = [record.__dict__.get("details", {}) for record in caplog.records]
    assert {"lines": 2, "head": events(path)[-1]["hash"]} in details
