"""The file of keys: strict when read, whole when written, private, and silent about what stands in it."""

from __future__ import annotations

import errno
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huatuo_server.caller import SCOPES
from huatuo_server.errors import KeysFileError
from huatuo_server.lane import LANES
from huatuo_server.tenants import key_file as key_file_module
from huatuo_server.tenants.key import MAX_LIMIT, Key, sha256_of
from huatuo_server.tenants.key_file import MAX_BYTES, KeyFile, _keys, _line
from tests.server.tenants.keys import SECRET, key

NOBODY = 65534

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.jsonl"


@pytest.fixture
def file(path: Path) -> KeyFile:
    return KeyFile(path)


def written(path: Path, *lines: Any) -> None:
    """Lines that are texts as they are, others as JSON."""
    path.write_text("".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in lines))
    path.chmod(0o600)


def fields(number: int = 1, **given: Any) -> dict[str, Any]:
    """A line's fields; `class_` stands for `class`, and `...` leaves one out."""
    values = {
        "id": f"key-{number:08x}",
        "tenant": "radiology",
        "sha256": sha256_of(str(number)),
        "created_at": 1_800_000_000,
        **{name.rstrip("_"): value for name, value in given.items()},
    }
    return {name: value for name, value in values.items() if value is not ...}


LIMIT = st.none() | st.integers(1, MAX_LIMIT)
KEYS = st.builds(
    Key,
    id=st.from_regex(r"\Akey-[0-9a-f]{8}\Z"),
    tenant=st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z"),
    sha256=st.binary(max_size=8).map(lambda some: sha256_of(some.hex() + "x")),
    created_at=st.integers(0, 4_000_000_000),
    name=st.text(max_size=64).filter(str.isprintable),
    scopes=st.sets(st.sampled_from(sorted(SCOPES)), min_size=1).map(frozenset),
    lane=st.sampled_from(LANES),
    requests_per_min=LIMIT,
    tokens_per_min=LIMIT,
    images_per_min=LIMIT,
    max_concurrent=LIMIT,
)


@given(st.lists(KEYS, unique_by=(lambda one: one.id, lambda one: one.sha256), max_size=5))
def test_what_is_written_is_what_is_read(keys: list[Key]) -> None:
    """Every key that there can be comes back as it was."""
    assert list(_keys("".join(f"{_line(one)}\n" for one in keys).encode())) == keys


def test_keys_are_added_and_removed(file: KeyFile) -> None:
    """The file is made by the first one, keeps the order, and remains when it is empty."""
    file.add(key(1))
    file.add(key(2, secret="other", lane="stat", tokens_per_min=5))

    assert file.remove("key-00000001")
    assert [one.id for one in file.read().keys] == ["key-00000002"]
    assert not file.remove("key-00000001")
    assert file.remove("key-00000002")
    assert file.read().keys == ()


def test_a_line_is_json_with_the_words_of_the_command_line(file: KeyFile, path: Path) -> None:
    """`class`, not `lane`; limits that do not exist are left out; no secret."""
    file.add(key(name="PACS", scopes=frozenset({"metrics", "chat"}), max_concurrent=4))

    assert json.loads(path.read_text()) == {
        "id": "key-00000001",
        "tenant": "radiology",
        "sha256": sha256_of(SECRET),
        "created_at": 1_800_000_000,
        "name": "PACS",
        "scopes": ["chat", "metrics"],
        "class": "routine",
        "max_concurrent": 4,
    }


def test_what_a_key_need_not_say_has_defaults(file: KeyFile, path: Path) -> None:
    """Four fields make a key: it opens chat, is routine, and has no limits. Empty lines are left out."""
    written(path, "", fields(), "  ", fields(2, class_="stat", tokens_per_min=None))

    first, second = file.read().keys

    assert (first.scopes, first.lane, first.tokens_per_min, first.name) == (frozenset({"chat"}), "routine", None, "")
    assert second.lane == "stat"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not a JSON object"),
        ('"canary-7c1f"', "not a JSON object"),
        ("[" * 100_000, "not a JSON object"),
        ("1" * 5000, "not a JSON object"),
        ('{"id": "canary-7c1f", "id": "key-00000002"}', "a field twice"),
        (fields(2, canary_7c1f="x"), "a field that is none of"),
        (fields(2, secret="canary-7c1f"), "a field that is none of"),
        (fields(2, sha256="canary-7c1f"), "sha256 must be 64"),
        (fields(2, sha256=...), "sha256 is missing"),
        (fields(2, id=...), "id is missing"),
        (fields(2, tenant="canary 7c1f"), "tenant must be"),
        (fields(2, class_="canary-7c1f"), "class must be one of stat, routine, batch"),
        (fields(2, scopes="chat"), "scopes must be a list"),
        (fields(2, scopes=[["chat"]]), "scopes must be a list"),
        (fields(2, scopes=["canary-7c1f"]), "scopes must be some of"),
        (fields(2, tokens_per_min=0), "tokens_per_min must be"),
        (fields(2, id="key-00000001"), "the same id"),
        (fields(2, sha256=sha256_of("1")), "the same sha256"),
    ],
    ids=lambda one: one if isinstance(one, str) and len(one) < 60 else None,
)
def test_a_damaged_line_is_told_by_its_number_alone(file: KeyFile, path: Path, line: Any, reason: str) -> None:
    """One bad line and no key is taken; the message names line and reason, and nothing that stands there."""
    written(path, fields(), line)

    with pytest.raises(KeysFileError) as refused:
        file.read()

    assert refused.value.message.startswith("the keys file, line 2: ")
    assert reason in refused.value.message
    assert "canary" not in refused.value.message
    assert "7c1f" not in refused.value.message


def test_bytes_that_are_no_text_are_refused(file: KeyFile, path: Path) -> None:
    """A gzip file or UTF-16 is told as what it is not."""
    path.write_bytes(b"\xff\xfe{\x00}")

    with pytest.raises(KeysFileError, match="line 1: not a JSON object"):
        file.read()


def test_a_file_that_is_too_large_is_not_read(file: KeyFile, path: Path) -> None:
    """A path to something else by mistake costs 4 MiB at most."""
    with path.open("wb") as sparse:
        sparse.truncate(MAX_BYTES + 1)

    with pytest.raises(KeysFileError, match=f"larger than {MAX_BYTES} bytes"):
        file.read()


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "loop"])
def test_what_is_no_file_is_refused(file: KeyFile, path: Path, kind: str) -> None:
    """Without waiting for a pipe's writer, without a descriptor left open, and without the path in the message."""
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(path)
    open_before = len(list(Path("/proc/self/fd").iterdir()))

    with pytest.raises(KeysFileError) as refused:
        file.read()

    assert str(path) not in refused.value.message
    assert refused.value.message.startswith("the keys file")
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


def test_a_file_that_anybody_may_write_to_is_refused(file: KeyFile, path: Path) -> None:
    """Whoever can write to it can give himself a key."""
    file.add(key())
    path.chmod(0o602)

    with pytest.raises(KeysFileError, match="chmod 600"):
        file.read()
    with pytest.raises(KeysFileError, match="chmod 600"):
        file.add(key(2, secret="other"))


@pytest.mark.parametrize(("mode", "readable"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_a_file_that_others_may_read_is_taken_and_noted(file: KeyFile, path: Path, mode: int, readable: bool) -> None:
    """A mounted Secret is readable by its group, or by all; it holds hashes."""
    file.add(key())
    path.chmod(mode)

    assert file.read().readable_by_others is readable


def test_the_file_is_private_whatever_the_umask(file: KeyFile, path: Path) -> None:
    """0600, at its making and after each change, also where it was wider; nothing else is left in the folder."""
    before = os.umask(0)
    try:
        file.add(key())
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o644)
        file.add(key(2, secret="other"))
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_the_secret_is_nowhere_in_the_file(file: KeyFile, path: Path) -> None:
    """Only its hash is."""
    file.add(key())

    assert SECRET.encode() not in path.read_bytes()
    assert SECRET.removeprefix("hgv-").encode() not in path.read_bytes()


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    """What it leads to is changed."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    path.symlink_to(folder / "keys.jsonl")

    KeyFile(path).add(key())

    assert path.is_symlink()
    assert KeyFile(folder / "keys.jsonl").read().keys == (key(),)


def test_those_who_add_keys_at_once_lose_none(path: Path) -> None:
    """Eight at a time, each with a file of its own in hand, as eight commands have."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: KeyFile(path).add(key(number, secret=str(number))), range(40)))

    assert sorted(one.id for one in KeyFile(path).read().keys) == [f"key-{number:08x}" for number in range(40)]


def test_whoever_reads_meanwhile_sees_a_whole_file(path: Path) -> None:
    """The old one or the new one: a reader never finds a damaged file, nor fewer keys than there were."""
    KeyFile(path).add(key(0, secret="0"))

    def add_many() -> None:
        for number in range(1, 30):
            KeyFile(path).add(key(number, secret=str(number)))

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(add_many)
        counts = [1]
        while not writing.done():
            counts.append(len(KeyFile(path).read().keys))
        writing.result()

    assert counts == sorted(counts)


def test_a_full_disk_leaves_the_old_file(file: KeyFile, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys that there are stay, the reason is told, and no half-written file is left."""
    file.add(key())
    before = path.read_bytes()

    def full(fd: int, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "canary-7c1f")

    monkeypatch.setattr(key_file_module, "write_all", full)
    with pytest.raises(KeysFileError, match=r"^the keys file: no space left on device$"):
        file.add(key(2, secret="other"))

    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_key_with_the_id_of_another_is_not_written(file: KeyFile) -> None:
    """What could not be read again is never written."""
    file.add(key())

    with pytest.raises(KeysFileError, match="the same id"):
        file.add(key(secret="other"))

    assert file.read().keys == (key(),)


def test_removing_from_a_file_that_is_not_there_makes_none(file: KeyFile, path: Path) -> None:
    """It is said instead."""
    with pytest.raises(KeysFileError, match="no such file"):
        file.remove("key-00000001")

    assert not path.exists()


@as_root
def test_the_file_keeps_its_owner(file: KeyFile, path: Path) -> None:
    """root makes a key, and the server, which is another user, can still read the file."""
    file.add(key())
    os.chown(path, NOBODY, -1)

    file.add(key(2, secret="other"))

    assert path.stat().st_uid == NOBODY
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_each_change_is_another_version(file: KeyFile, path: Path) -> None:
    """Added, removed, touched, opened to others: whoever compares versions misses none of it."""
    file.add(key())
    versions = [file.version()]

    file.add(key(2, secret="other"))
    versions.append(file.version())
    file.remove("key-00000002")
    versions.append(file.version())
    found = path.stat()
    path.chmod(0o640)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    versions.append(file.version())

    assert len(set(versions)) == 4
