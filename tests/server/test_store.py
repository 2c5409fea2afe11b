"""Uploads in a folder: whole or not there, private, found by their tenant alone, and gone when they are to go."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from huatuo_server import store as store_module
from huatuo_server.errors import FileNotFound, QuotaExceeded, RequestError, SettingsError, StorageFailed, UploadsOff
from huatuo_server.store import FILE_ID, HEAD_BYTES, LEFTOVER_S, DirectoryStore, StoredFile, required

CANARY = "canary-7c1f"
NOW = 1_800_000_000.25
TTL_S = 3600
QUOTA_BYTES = 1000
NEVER_WAS = "file-" + "0" * 46
NOBODY = 65534

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


class Clock:
    """A wall clock that stands still until it is moved."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def store(folder: Path, clock: Clock) -> DirectoryStore:
    return opened(folder, clock)


def opened(folder: Path, clock: Callable[[], float], quota_bytes: int = QUOTA_BYTES) -> DirectoryStore:
    return DirectoryStore(folder, ttl_s=TTL_S, quota_bytes=quota_bytes, clock=clock)


def put(store: DirectoryStore, content: bytes = b"pixels", tenant: str = "", **options: Any) -> StoredFile:
    return store.put(tenant, content, **{"filename": "film.png", "purpose": "vision", **options})


def content_of(store: DirectoryStore, file_id: str, tenant: str = "") -> bytes:
    with store.open(tenant, file_id) as file:
        return file.read()


def everything_in(folder: Path) -> list[Path]:
    """All that is no folder."""
    return sorted(path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())


def path_of(folder: Path, stored: StoredFile) -> Path:
    (path,) = folder.rglob(stored.id)
    return path


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


# ---------------------------------------------------------------- what is kept


def test_what_is_put_can_be_had_again(store: DirectoryStore) -> None:
    """The bytes as they came, and what is known of them."""
    stored = put(store, b"some pixels")

    assert FILE_ID.fullmatch(stored.id)
    assert stored == StoredFile(
        id=stored.id,
        num_bytes=11,
        created_at=1_800_000_000,
        expires_at=1_800_003_600,
        filename="film.png",
        purpose="vision",
        # printf 'some pixels' | sha256sum
        sha256="75caeec8264a68a6b979df6afaecf3cf43e9880c9945a3bd9ff3c4d8c73cc0d5",
    )
    assert store.get("", stored.id) == stored
    assert content_of(store, stored.id) == b"some pixels"


def test_a_view_of_a_larger_body_is_kept_without_the_rest(store: DirectoryStore) -> None:
    """The form around an upload need not be copied away first."""
    body = bytearray(b"head|pixels|tail")

    stored = store.put("", memoryview(body)[5:11], filename="a", purpose="vision")

    assert content_of(store, stored.id) == b"pixels"


@pytest.mark.parametrize("filename", ["", "片.dcm", 'a"\n\0b', "../../etc/passwd", "\ud800", "🩻" * 1000])
def test_any_filename_fits(store: DirectoryStore, filename: str) -> None:
    """It is kept for the client alone, cut to 255 characters; it names nothing on the disk."""
    stored = put(store, filename=filename)

    assert store.get("", stored.id).filename == filename[:255]
    assert content_of(store, stored.id) == b"pixels"


def test_a_list_holds_the_newest_first(store: DirectoryStore, clock: Clock) -> None:
    """By the microsecond, and each tenant sees its own."""
    first = put(store)
    clock.now += 0.001
    second = put(store)
    put(store, tenant="another")

    assert store.list("") == [second, first]
    assert store.list("nobody") == []


def test_ids_sort_by_time_and_cannot_be_guessed(store: DirectoryStore, clock: Clock) -> None:
    """Two of one microsecond still differ in 128 bits."""
    ids = []
    for _ in range(20):
        clock.now += 0.001
        ids.append(put(store).id)

    assert ids == sorted(ids)
    assert len({one[-32:] for one in ids}) == 20
    assert put(store).id != put(store).id


def test_a_shorter_life_can_be_asked_for_and_a_longer_one_cannot(store: DirectoryStore) -> None:
    """The operator's limit is a promise to patients."""
    assert put(store, expires_after_s=60).expires_at == int(NOW) + 60
    assert put(store, expires_after_s=TTL_S * 10).expires_at == int(NOW) + TTL_S


def test_two_replicas_over_one_folder_see_each_others_files(folder: Path, clock: Clock) -> None:
    """Nothing that one needs is in the other's memory."""
    one, other = opened(folder, clock), opened(folder, clock)

    stored = put(one)

    assert other.list("") == [stored]
    assert content_of(other, stored.id) == b"pixels"
    other.delete("", stored.id)
    with pytest.raises(FileNotFound):
        one.get("", stored.id)


def test_facts_of_a_later_version_do_not_hide_a_file(store: DirectoryStore, folder: Path) -> None:
    """Replicas are not updated in the same second."""
    stored = put(store)
    path = path_of(folder, stored)
    raw = path.read_bytes()
    facts = json.loads(raw[:HEAD_BYTES])
    path.write_bytes(json.dumps({**facts, "hue": 1}).encode().ljust(HEAD_BYTES) + raw[HEAD_BYTES:])

    assert store.get("", stored.id) == stored


# ---------------------------------------------------------------- whose it is


def test_anothers_file_looks_like_none(store: DirectoryStore) -> None:
    """The same error in the same words, so that nobody learns which ids exist."""
    stored = put(store, tenant="a")
    messages = set()

    for tenant, file_id in (("b", stored.id), ("", stored.id), ("a", NEVER_WAS), ("b", NEVER_WAS)):
        for method in (store.get, store.open, store.delete):
            with pytest.raises(FileNotFound) as caught:
                method(tenant, file_id)
            messages.add((caught.value.message, caught.value.param))

    assert len(messages) == 1
    assert store.get("a", stored.id) == stored


IDS = [
    *(
        "",
        ".",
        "..",
        "/etc/passwd",
        "../../../../etc/passwd",
        "file-",
        "file-..",
        "file-" + "0" * 45,
        "file-" + "0" * 47,
    ),
    *("file-" + "0" * 45 + "/", "file-" + "F" * 46, "file-" + "0" * 45 + "\n", "\0", "file-" + "٣" * 46, "é" * 5000),
]


@pytest.mark.parametrize("file_id", IDS, ids=range(len(IDS)))
def test_an_id_that_is_none_of_ours_reaches_no_path(
    store: DirectoryStore, file_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it holds."""
    put(store)
    names: list[object] = []
    real = os.open

    def noting(path: Any, *arguments: Any, **options: Any) -> int:
        names.append(path)
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", noting)
    for method in (store.get, store.open, store.delete):
        with pytest.raises(FileNotFound):
            method("", file_id)

    assert file_id not in names


@pytest.mark.parametrize("suffix", [".part", ""])
def test_an_id_of_a_file_being_written_is_none(store: DirectoryStore, folder: Path, suffix: str) -> None:
    """Nor is one that a copy of it was given: its facts are of another length."""
    stored = put(store)
    path = path_of(folder, stored)
    half = path.with_name(NEVER_WAS + suffix)
    half.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(FileNotFound):
        store.get("", NEVER_WAS + suffix)
    assert store.list("") == [stored]


def test_a_tenants_name_is_on_no_path(store: DirectoryStore, folder: Path) -> None:
    """It may be a clinic's, or `../..`."""
    put(store, tenant=f"../../{CANARY}")

    assert not any(CANARY in str(path) for path in folder.parent.rglob("*"))
    assert len(store.list(f"../../{CANARY}")) == 1


# ---------------------------------------------------------------- who can read it


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_all_that_is_made_is_private(folder: Path, clock: Clock, mask: int) -> None:
    """Whatever the umask, and while a file is being written as well."""
    modes: list[int] = []
    real = os.rename

    def noting(*names: Any, **options: Any) -> None:
        modes.extend(stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*.part"))
        real(*names, **options)

    with umask(mask), pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "rename", noting)
        put(opened(folder, clock))

    assert modes == [0o600]
    for path in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_volume_that_all_may_write_to_will_do(tmp_path: Path, clock: Clock) -> None:
    """Kubernetes mounts its volumes so; what is ours inside is private all the same."""
    tmp_path.chmod(0o777)

    store = opened(tmp_path, clock)

    assert stat.S_IMODE((tmp_path / "uploads").stat().st_mode) == 0o700
    assert content_of(store, put(store).id) == b"pixels"


def test_a_folder_that_was_opened_to_others_is_closed_again(store: DirectoryStore, folder: Path) -> None:
    """Kubernetes gives all of a volume to the pod's group whenever a pod mounts it."""
    stored = put(store)
    (folder / "uploads").chmod(0o2770)

    store.get("", stored.id)

    assert stat.S_IMODE((folder / "uploads").stat().st_mode) == 0o700


def test_a_folder_that_stays_open_to_others_is_refused(
    folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some network file systems have one mode for all."""
    store = opened(folder, clock)
    (folder / "uploads").chmod(0o755)
    monkeypatch.setattr(os, "fchmod", lambda fd, mode: None)

    with pytest.raises(SettingsError, match=r"^--files-dir .*/files: .* readable by others$"):
        opened(folder, clock)
    with pytest.raises(StorageFailed, match="readable by others"):
        put(store)


@as_root
def test_a_folder_of_another_user_is_refused(folder: Path, clock: Clock) -> None:
    """Its owner could read what is put there."""
    opened(folder, clock)
    os.chown(folder / "uploads", NOBODY, NOBODY)

    with pytest.raises(SettingsError, match="belongs to another user"):
        opened(folder, clock)


def test_links_are_not_followed(store: DirectoryStore, folder: Path, tmp_path: Path) -> None:
    """Not in place of a file, not in place of a tenant's folder."""
    stored = put(store)
    path = path_of(folder, stored)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / stored.id).write_bytes(path.read_bytes())
    path.unlink()

    path.symlink_to(outside / stored.id)
    with pytest.raises(FileNotFound):
        store.open("", stored.id)
    assert store.list("") == []

    path.unlink()
    path.parent.rmdir()
    path.parent.symlink_to(outside)
    with pytest.raises(StorageFailed):
        store.open("", stored.id)
    with pytest.raises(StorageFailed):
        put(store)
    assert store.sweep() == 0
    assert [one.name for one in outside.iterdir()] == [stored.id]


def test_a_link_in_place_of_our_folder_is_refused(folder: Path, clock: Clock, tmp_path: Path) -> None:
    """Whoever may write to the operator's folder could send the uploads elsewhere."""
    folder.mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / "uploads").symlink_to(elsewhere)

    with pytest.raises(SettingsError):
        opened(folder, clock)
    assert list(elsewhere.iterdir()) == []


def test_a_pipe_in_place_of_a_file_blocks_nobody(store: DirectoryStore, folder: Path) -> None:
    """Nor does a folder: neither is a file of ours."""
    stored = put(store)
    path = path_of(folder, stored)
    path.unlink()
    os.mkfifo(path)
    (path.parent / NEVER_WAS).mkdir()

    for file_id in (stored.id, NEVER_WAS):
        with pytest.raises(FileNotFound):
            store.open("", file_id)
    assert store.list("") == []


# ---------------------------------------------------------------- how it ends


def test_what_has_expired_is_never_served(store: DirectoryStore, clock: Clock) -> None:
    """To the second, and before anybody sweeps."""
    stored = put(store)
    clock.now = stored.expires_at - 0.001
    assert store.get("", stored.id) == stored

    clock.now = stored.expires_at
    for method in (store.get, store.open, store.delete):
        with pytest.raises(FileNotFound):
            method("", stored.id)
    assert store.list("") == []


def test_a_sweep_removes_what_has_expired_and_nothing_else(store: DirectoryStore, folder: Path, clock: Clock) -> None:
    """Of all tenants; a stranger's file in the folder is left alone."""
    put(store, expires_after_s=60)
    put(store, tenant="another", expires_after_s=60)
    kept = put(store)
    stranger = path_of(folder, kept).with_name("notes.txt")
    stranger.touch()
    os.utime(stranger, (0, 0))
    clock.now += 60

    assert store.sweep() == 2
    assert store.sweep() == 0
    assert everything_in(folder) == sorted([path_of(folder, kept), stranger])


def test_deleted_means_gone_from_the_disk(store: DirectoryStore, folder: Path) -> None:
    """No copy, no marker; and a second time there is nothing to delete."""
    stored = put(store, CANARY.encode())

    assert store.delete("", stored.id) == stored

    assert everything_in(folder) == []
    with pytest.raises(FileNotFound):
        store.delete("", stored.id)


def test_a_reader_keeps_what_is_deleted_meanwhile(store: DirectoryStore) -> None:
    """A download that has begun ends well."""
    stored = put(store)

    with store.open("", stored.id) as file:
        store.delete("", stored.id)
        assert file.read() == b"pixels"


# ---------------------------------------------------------------- how much


def test_the_quota_is_exact_and_survives_a_restart(store: DirectoryStore, folder: Path, clock: Clock) -> None:
    """It is counted from the folder; the refusal names the setting, and leaves nothing."""
    put(store, b"x" * 600)
    put(store, b"x" * 400)
    before = everything_in(folder)

    for one in (store, opened(folder, clock)):
        with pytest.raises(QuotaExceeded, match="--file-quota-bytes"):
            put(one, b"x")

    assert everything_in(folder) == before


def test_one_file_over_the_quota_is_refused(store: DirectoryStore) -> None:
    """Even the first."""
    with pytest.raises(QuotaExceeded):
        put(store, b"x" * (QUOTA_BYTES + 1))

    assert put(store, b"x" * QUOTA_BYTES).num_bytes == QUOTA_BYTES


def test_a_tenants_quota_is_its_own(store: DirectoryStore) -> None:
    """A noisy neighbour takes no room."""
    put(store, b"x" * QUOTA_BYTES, tenant="noisy")

    assert put(store, b"x" * QUOTA_BYTES)


def test_what_was_deleted_or_has_expired_takes_no_room(store: DirectoryStore, clock: Clock) -> None:
    """Without waiting for a sweep."""
    store.delete("", put(store, b"x" * QUOTA_BYTES).id)
    put(store, b"x" * QUOTA_BYTES, expires_after_s=60)
    clock.now += 60

    assert put(store, b"x" * QUOTA_BYTES)


def test_the_number_of_files_is_limited_too(store: DirectoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every count reads all of them."""
    monkeypatch.setattr(store_module, "MAX_FILES", 2)
    put(store)
    put(store)

    with pytest.raises(QuotaExceeded, match="2 files"):
        put(store)


def test_threads_together_do_not_go_over_the_quota(folder: Path, clock: Clock) -> None:
    """What is being written counts in full from its first moment."""
    store = opened(folder, clock, quota_bytes=500)
    together = threading.Barrier(8)

    def one(number: int) -> bool:
        together.wait()
        try:
            put(store, bytes([number]) * 100)
        except QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        kept = sum(pool.map(one, range(8)))

    assert kept == 5
    contents = [content_of(store, stored.id) for stored in store.list("")]
    assert sorted(content[0] for content in contents) == sorted({content[0] for content in contents})
    assert all(content == content[:1] * 100 for content in contents)


# ---------------------------------------------------------------- when things go wrong


def test_nothing_is_seen_before_it_is_whole(store: DirectoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the last moment before it appears, with every byte on the disk, there is still nothing."""
    seen: list[object] = []
    real = os.rename

    def looking(source: str, target: str, **options: Any) -> None:
        with pytest.raises(FileNotFound):
            store.get("", target)
        seen.append(store.list(""))
        real(source, target, **options)

    monkeypatch.setattr(os, "rename", looking)
    put(store)

    assert seen == [[]]
    assert len(store.list("")) == 1


def test_a_crash_in_the_middle_leaves_nothing_that_is_served(folder: Path, clock: Clock) -> None:
    """What it leaves is swept once nobody can still be writing it."""
    script = """
        import os, signal, sys
        from pathlib import Path
        from huatuo_server.store import DirectoryStore
        os.rename = lambda *names, **options: os.kill(os.getpid(), signal.SIGKILL)
        store = DirectoryStore(Path(sys.argv[1]), ttl_s=60, quota_bytes=1000)
        store.put("", b"pixels", filename="a", purpose="vision")
    """
    server = Path(store_module.__file__).parents[1]
    crashed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(folder)], env={"PYTHONPATH": str(server)}, check=False
    )
    assert crashed.returncode == -signal.SIGKILL
    store = opened(folder, clock)
    (leftover,) = everything_in(folder)
    assert leftover.name.endswith(".part")

    assert store.list("") == []
    assert store.sweep() == 0
    os.utime(leftover, (0, leftover.stat().st_mtime - LEFTOVER_S - 1))
    assert store.sweep() == 1
    assert everything_in(folder) == []


def test_an_upload_in_progress_is_not_swept(
    store: DirectoryStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even when the clock jumps: how old a file is, the file system tells."""
    swept: list[int] = []
    real = os.rename

    def sweeping(*names: Any, **options: Any) -> None:
        clock.now += 365 * 24 * 3600
        swept.append(store.sweep())
        real(*names, **options)

    monkeypatch.setattr(os, "rename", sweeping)
    put(store)

    assert swept == [0]


def failing(name: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a function of `os` fail."""

    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(code, os.strerror(code), CANARY)

    monkeypatch.setattr(os, name, fail)


@pytest.mark.parametrize("name", ["write", "fsync", "rename", "ftruncate"])
def test_a_full_disk_is_said_and_leaves_nothing(
    store: DirectoryStore, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it shows; the next upload, with room again, is kept."""
    put(store, b"earlier")
    before = everything_in(folder)
    with monkeypatch.context() as patch:
        failing(name, errno.ENOSPC, patch)
        with pytest.raises(StorageFailed, match="the disk is full"):
            put(store)
    assert everything_in(folder) == before

    assert put(store)


def test_a_real_full_disk_is_said_and_leaves_nothing(tmp_path: Path, clock: Clock) -> None:
    """A file system of 256 KiB."""
    volume = tmp_path / "volume"
    volume.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", volume], check=False)
    if mounted.returncode != 0:
        pytest.skip("this user may not mount a file system")
    try:
        store = opened(volume, clock, quota_bytes=10_000_000)
        kept = put(store, b"x" * 100_000)
        with pytest.raises(StorageFailed, match="the disk is full"):
            put(store, b"x" * 300_000)

        assert store.list("") == [kept]
        assert everything_in(volume) == [path_of(volume, kept)]
        assert content_of(store, kept.id) == b"x" * 100_000
        assert put(store, b"x" * 100_000)
    finally:
        subprocess.run(["umount", volume], check=True)


def test_writes_in_pieces_make_a_whole(store: DirectoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may take less than it is given."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:7]))

    stored = put(store, b"0123456789" * 10)

    assert content_of(store, stored.id) == b"0123456789" * 10


CAUSES = [
    (errno.EROFS, "read-only"),
    (errno.EDQUOT, "quota"),
    (errno.EACCES, "may not"),
    (errno.EIO, "input/output error"),
]


@pytest.mark.parametrize(("code", "said"), CAUSES, ids=[errno.errorcode[code] for code, _ in CAUSES])
def test_every_cause_is_said_without_a_path(
    store: DirectoryStore, code: int, said: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """To the client and, for who can mend it, in the log."""
    failing("open", code, monkeypatch)

    with pytest.raises(StorageFailed, match=said) as caught:
        store.get("", NEVER_WAS)

    assert said in caplog.text
    assert CANARY not in caplog.text + caught.value.message


def test_a_folder_that_goes_away_is_said_and_not_made_anew(store: DirectoryStore, folder: Path) -> None:
    """An unmounted volume leaves its empty mount point: what is written there would be on another disk."""
    stored = put(store)
    (folder / "uploads").rename(folder.parent / "unmounted")

    calls: list[Callable[[], object]] = [
        lambda: put(store),
        lambda: store.get("", stored.id),
        lambda: store.open("", stored.id),
        lambda: store.delete("", stored.id),
        lambda: store.list(""),
        store.sweep,
    ]
    for call in calls:
        with pytest.raises(StorageFailed, match="is not there"):
            call()
    assert list(folder.iterdir()) == []

    (folder.parent / "unmounted").rename(folder / "uploads")
    assert store.get("", stored.id) == stored


def test_nothing_of_an_upload_is_logged_or_said(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither its name nor its bytes, on the paths that succeed and those that fail."""
    caplog.set_level(logging.DEBUG)
    said: list[str] = []

    def attempt(call: Callable[[], object]) -> None:
        try:
            call()
        except RequestError as error:
            said.append(f"{error.message} {error.param}")

    def canary_put(size: int = 1) -> StoredFile:
        return put(store, CANARY.encode() * size, tenant=CANARY, filename=CANARY)

    attempt(lambda: store.delete(CANARY, canary_put().id))
    attempt(lambda: store.get(CANARY, CANARY))
    attempt(lambda: canary_put(QUOTA_BYTES))
    for name in ("write", "fsync", "rename", "open"):
        with monkeypatch.context() as patch:
            failing(name, errno.EIO, patch)
            attempt(canary_put)

    assert len(said) == 6
    assert CANARY not in caplog.text + "".join(said)


# ---------------------------------------------------------------- the start


def test_a_missing_folder_is_made_and_an_existing_one_is_left_as_it_is(tmp_path: Path, clock: Clock) -> None:
    """Private where it is ours to make; a mounted volume's mode is the operator's."""
    tmp_path.chmod(0o755)

    opened(tmp_path / "new", clock)
    opened(tmp_path, clock)

    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_second_start_finds_what_the_first_kept(store: DirectoryStore, folder: Path, clock: Clock) -> None:
    """And leaves no trace of having tried the folder out."""
    stored = put(store)

    assert opened(folder, clock).list("") == [stored]
    assert everything_in(folder) == [path_of(folder, stored)]


def test_a_file_in_place_of_the_folder_is_refused(folder: Path, clock: Clock) -> None:
    """In one sentence that names the flag and the path."""
    folder.touch()

    with pytest.raises(SettingsError) as caught:
        opened(folder, clock)

    assert caught.value.message.startswith(f"--files-dir {folder}: it is not a folder")


def test_a_folder_without_a_parent_is_refused(tmp_path: Path, clock: Clock) -> None:
    """A mistyped path, or a volume that is not mounted: nothing is made."""
    with pytest.raises(SettingsError, match=r"is not there$"):
        opened(tmp_path / "mistyped" / "files", clock)

    assert list(tmp_path.iterdir()) == []


@as_root
def test_a_folder_that_cannot_be_written_is_refused(folder: Path, clock: Clock) -> None:
    """At the start, and not at the first upload."""
    folder.mkdir()
    for path in (folder, *list(folder.parents)[:-2]):
        path.chmod(0o755)
    os.seteuid(NOBODY)
    try:
        with pytest.raises(SettingsError, match="may not write there"):
            opened(folder, clock)
    finally:
        os.seteuid(0)


def test_a_full_disk_does_not_keep_the_server_from_starting(
    folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fills it may be uploads, which only a server that runs can sweep."""
    opened(folder, clock)
    real = os.open

    def full(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", full)

    assert opened(folder, clock).sweep() == 0


def test_without_a_store_uploads_are_off(store: DirectoryStore) -> None:
    """The message names the flag."""
    assert required(store) is store
    with pytest.raises(UploadsOff, match="--files-dir"):
        required(None)
