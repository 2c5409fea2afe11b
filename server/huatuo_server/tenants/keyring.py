"""The keys that hold now: read at the start, and again whenever their file changes."""

from __future__ import annotations

import asyncio
import hmac
import logging
import threading
import time
from pathlib import Path
from typing import Self

from huatuo_server.errors import KeysFileError
from huatuo_server.lane import Lane
from huatuo_server.tenants.key import Key, sha256_of
from huatuo_server.tenants.key_file import Contents, KeyFile, Version

POLL_S = 0.25
"""A change holds after two of these at most: it is seen at one, and read at the next, when its writer is done with it
and the file system's clock, which ticks every few milliseconds, would date another change otherwise."""

STUCK_S = 5.0
"""A file that cannot be looked at for so long is on a disk that does not answer."""

_SELECTOR_CHARS = 32
"""The half of a hash that finds the key in a table; the other 128 bits are compared in constant time."""

log = logging.getLogger(__name__)


class Keyring:
    """The keys of a file. `find` and `has_lane` are for the event loop; the file is read in a thread.

    When the file is damaged or gone, the keys that were read last still hold, and `failing` says so.
    """

    def __init__(self, file: KeyFile, contents: Contents) -> None:
        self._file = file
        self._failure: str | None = None
        self._failed_at: Version | None = None
        self._watched = False
        self._looked_at = 0.0
        self._keys: dict[str, Key] = {}
        self._lanes: frozenset[Lane] = frozenset()
        self._version: Version | None = None
        self._readable_by_others = False
        self._hold(contents)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file, for the first time. Blocks. Raises KeysFileError."""
        file = KeyFile(path)
        return cls(file, file.read())

    def find(self, secret: str) -> Key | None:
        """The key whose secret this is."""
        sha256 = sha256_of(secret)
        key = self._keys.get(sha256[:_SELECTOR_CHARS])
        return key if key is not None and hmac.compare_digest(key.sha256, sha256) else None

    def has_lane(self, lane: Lane) -> bool:
        """Whether some key is of this class."""
        return lane in self._lanes

    @property
    def failing(self) -> str | None:
        """Why changes of the file do not reach the server now; None where they do."""
        if self._watched and time.monotonic() - self._looked_at > STUCK_S:
            return f"the keys file: its disk has not answered for {STUCK_S:g} seconds"
        return self._failure

    async def watch(self) -> None:
        """Follow the file until cancelled.

        In a thread of its own, which nothing waits for: a network's disk may never answer.
        """
        stopping = threading.Event()
        self._watched, self._looked_at = True, time.monotonic()
        threading.Thread(target=self._follow, args=(stopping,), name="keys-file", daemon=True).start()
        try:
            await asyncio.Event().wait()
        finally:
            stopping.set()
            self._watched = False

    def _follow(self, stopping: threading.Event) -> None:
        changed = False
        while not stopping.wait(POLL_S):
            changed = self._look(changed)
            self._looked_at = time.monotonic()

    def _look(self, changed: bool) -> bool:
        """Look at the file once. changed: it was another than ours at the last look; returns whether it still is."""
        version = None
        try:
            version = self._file.version()
            if version == self._version:
                self._recover()
                return False
            if changed:
                self._hold(self._file.read())
                self._recover()
                return False
        except KeysFileError as error:
            if changed:
                self._fail(error.message, version)
        return True

    def _hold(self, contents: Contents) -> None:
        self._keys = {key.sha256[:_SELECTOR_CHARS]: key for key in contents.keys}
        self._lanes = frozenset(key.lane for key in contents.keys)
        self._version = contents.version
        log.info("the keys file was read: %d keys", len(contents.keys))
        if not contents.keys:
            log.warning("the keys file holds no key: everybody is refused; huatuo-server keys create makes one")
        if contents.readable_by_others and not self._readable_by_others:
            log.warning("the keys file can be read by other users; it holds hashes and no secrets, but 0600 is better")
        self._readable_by_others = contents.readable_by_others

    def _fail(self, reason: str, version: Version | None) -> None:
        """Says it once a change, however often the file is looked at."""
        if (reason, version) != (self._failure, self._failed_at):
            log.error("%s; the keys that were read last still hold, and none can be revoked", reason)
        self._failure, self._failed_at = reason, version

    def _recover(self) -> None:
        if self._failure is not None:
            log.info("the keys file is well again")
        self._failure = None
