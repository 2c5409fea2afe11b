"""The file of keys: JSON lines, one key a line, without any secret. It is read strictly and replaced whole.

What it raises tells a line's number and never what stands there: somebody may have put a secret into it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from huatuo_server.errors import KeysFileError
from huatuo_server.private_folder import write_all
from huatuo_server.tenants.key import LIMITS, Key

MAX_BYTES = 4 * 1024 * 1024
"""Some 12,000 keys. A larger file is not one of keys."""

_NAMES = {"lane": "class"}
"""Fields that are called otherwise in the file."""

_FIELDS = {_NAMES.get(field.name, field.name): field.name for field in fields(Key)}
_REQUIRED = {_NAMES.get(field.name, field.name) for field in fields(Key) if field.default is MISSING}


@dataclass(frozen=True, slots=True)
class Version:
    """What tells one state of the file from the next: a change alters at least one of these.

    changed_ns, the inode's, moves with every write, rename and chmod, also where the times of the content are kept.
    """

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


@dataclass(frozen=True, slots=True)
class Contents:
    """One state of the file. readable_by_others: by the group or by all, as a mounted Secret often is."""

    keys: tuple[Key, ...]
    version: Version
    readable_by_others: bool


class KeyFile:
    """The file at a path, which may be a link: a mounted Secret is one, swapped at each change.

    All methods block, and raise KeysFileError with what is wrong, without the path.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def version(self) -> Version:
        """The state of the file now, without reading it."""
        with _reasons():
            return _version(self._path.stat())

    def read(self) -> Contents:
        """The keys. Refused: a file that anybody may write to, a damaged line, two keys with one id or secret."""
        with _reasons():
            # Not blocking, for what is no file: opening a pipe waits for its writer.
            fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                found = os.fstat(fd)
                _refuse_unsafe(found)
                with os.fdopen(fd, "rb", closefd=False) as file:
                    content = file.read(MAX_BYTES + 1)
            finally:
                os.close(fd)
        return Contents(_keys(content), _version(found), bool(found.st_mode & 0o044))

    def add(self, key: Key) -> None:
        """Put a key at the end; the file is made where there is none."""
        with _reasons(), _locked(self._path, os.O_CREAT) as target:
            _replace(target, (*KeyFile(target).read().keys, key))

    def remove(self, key_id: str) -> bool:
        """Take a key out; False where there is none of this id."""
        with _reasons(), _locked(self._path) as target:
            before = KeyFile(target).read().keys
            after = tuple(key for key in before if key.id != key_id)
            if len(after) < len(before):
                _replace(target, after)
        return len(after) < len(before)


def _version(found: os.stat_result) -> Version:
    return Version(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _refuse_unsafe(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise KeysFileError("the keys file is not a file")
    if found.st_mode & 0o002:
        raise KeysFileError("the keys file can be written by every user of this machine: chmod 600 it")


def _keys(content: bytes) -> tuple[Key, ...]:
    """Empty lines are left out."""
    if len(content) > MAX_BYTES:
        raise KeysFileError(f"the keys file is larger than {MAX_BYTES} bytes")
    keys: list[Key] = []
    seen: set[str] = set()
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            key = _key(line)
            _refuse_twins(key, seen)
        except ValueError as error:
            raise KeysFileError(f"the keys file, line {number}: {error}") from None
        keys.append(key)
    return tuple(keys)


def _refuse_twins(key: Key, seen: set[str]) -> None:
    if key.id in seen:
        raise ValueError("an earlier line has the same id")
    if key.sha256 in seen:
        raise ValueError("an earlier line has the same sha256")
    seen |= {key.id, key.sha256}


def _key(line: bytes) -> Key:
    """Raises ValueError in words of ours."""
    given = _json_object(line)
    if not given.keys() <= _FIELDS.keys():
        raise ValueError(f"a field that is none of {', '.join(sorted(_FIELDS))}")
    missing = sorted(_REQUIRED - given.keys())
    if missing:
        raise ValueError(f"{missing[0]} is missing")
    values = {_FIELDS[name]: value for name, value in given.items()}
    if "scopes" in values:
        scopes = values["scopes"]
        if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
            raise ValueError("scopes must be a list of words")
        values["scopes"] = frozenset(scopes)
    return Key(**values)


def _json_object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line.decode(), object_pairs_hook=_once)
    # Python's reader descends as deep as the text does.
    except (ValueError, RecursionError):
        raise ValueError("not a JSON object, or one with a field twice") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a field that stands twice, readers disagree which one counts."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _line(key: Key) -> str:
    """One line of the file; a limit that is none is left out."""
    values = {name: getattr(key, field) for name, field in _FIELDS.items()}
    values["scopes"] = sorted(key.scopes)
    return json.dumps({name: value for name, value in values.items() if value is not None or name not in LIMITS})


@contextmanager
def _locked(path: Path, create: int = 0) -> Iterator[Path]:
    """The file itself, behind any links, for one who changes it. create: O_CREAT, to make an empty one where it is
    missing.

    Whoever waited for the lock may hold that of a file which was replaced meanwhile, and tries the new one.
    """
    target = Path(os.path.realpath(path))
    while True:
        fd = os.open(target, os.O_RDWR | create | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if _is_still(target, fd):
                yield target
                return
        finally:
            os.close(fd)


def _is_still(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except FileNotFoundError:
        return False


def _replace(path: Path, keys: Sequence[Key]) -> None:
    """Whole: whoever reads meanwhile sees the old file or the new one. It is 0600, and of the owner that it had."""
    content = "".join(f"{_line(key)}\n" for key in keys).encode()
    _keys(content)
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(fd, 0o600)
        _give(fd, path.stat().st_uid)
        write_all(fd, content)
        os.fsync(fd)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)
    _sync_folder(path.parent)


def _give(fd: int, user: int) -> None:
    """The server may run as another user than who makes keys, and must still be able to read them."""
    if user != os.geteuid():
        os.fchown(fd, user, -1)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def _reasons() -> Iterator[None]:
    """What the system says, as a KeysFileError."""
    try:
        yield
    except OSError as error:
        raise KeysFileError(f"the keys file: {os.strerror(error.errno or errno.EIO).lower()}") from None
