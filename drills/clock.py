"""A wall clock that a drill moves: libfaketime, loaded into the server. The monotonic clock goes on as it does."""

from __future__ import annotations

from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
FOLDERS = ("/usr/lib", "/usr/lib64", "/usr/local/lib")


class Missing(Exception):
    """libfaketime is not installed."""


class Clock:
    """One server's. folder: where the file that sets it stands."""

    def __init__(self, folder: Path) -> None:
        """Raises Missing."""
        self._file = folder / "clock"
        self._library = _library()
        self.jump(0)

    @property
    def environ(self) -> dict[str, str]:
        """For the server's process; its children inherit it."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Files keep the times that they have: they do not jump with a clock.
            "NO_FAKE_STAT": "1",
        }

    def jump(self, seconds: int) -> None:
        """To so long after the true time; negative: before it."""
        written = self._file.with_suffix(".new")
        written.write_text(f"{seconds:+d}\n", encoding="ascii")
        written.replace(self._file)

    def clear(self, pid: int) -> None:
        """Take away what the library leaves behind where its process did not end by returning from `main`."""
        for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
            (SHARED_MEMORY / name).unlink(missing_ok=True)


def _library() -> Path:
    for folder in FOLDERS:
        for found in sorted(Path(folder).glob("**/faketime/libfaketimeMT.so.1")):
            return found
    raise Missing("libfaketime is not installed: `make ci-tools` installs it (Debian's package is called `faketime`)")
