"""One session of a run: from the data and a server to answers in a folder; the next one goes on where it ended."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any

import httpx

from benchmarks.accuracy.answer import Answer
from benchmarks.accuracy.asking import Asking, ask_all
from benchmarks.accuracy.data import Checked, checked
from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.formats import Reader
from benchmarks.accuracy.item import Item
from benchmarks.accuracy.patience import Limits, Patience
from benchmarks.accuracy.progress import Progress
from benchmarks.accuracy.run_folder import Run
from benchmarks.accuracy.server_identity import IDENTIFYING, ServerIdentity, client, identity
from benchmarks.accuracy.settings import Settings


@dataclass(frozen=True, slots=True)
class Session:
    """What to ask of whom.

    reader, read: its name and itself. path: of the data. model: None for the only one that the server has. folder: of
    the run. concurrency: questions in flight, and so the most pictures in memory. limit: ask only the first ones.
    """

    reader: str
    read: Reader
    path: Path
    folder: Path
    base_url: str
    model: str | None
    settings: Settings
    concurrency: int
    limit: int | None = None

    async def hold(self) -> int:
        """Ask all that has no answer yet, and count what failed.

        Raises DataError and RunError; what came until then is kept.
        """
        data = await self._checked()
        async with client(self.base_url, self.concurrency) as connection:
            server = await identity(connection, self.model)
            about = self._about(data, server)
            run = Run.open(self.folder) if Run.is_at(self.folder) else Run.create(self.folder, about)
            with run:
                _check_same(run, about)
                # Not by their places: the data may have been moved, and the server too.
                run.rewrite({**run.about, **{name: about[name] for name in ("data", "base_url", "concurrency")}})
                return await self._ask(run, data.ids[: self.limit], connection, server.model)

    async def _checked(self) -> Checked:
        # In a thread, so that a signal is heard while 20,000 records are read.
        stop = threading.Event()
        try:
            return await asyncio.to_thread(checked, self.read, self.path, stop)
        finally:
            stop.set()

    def _about(self, data: Checked, server: ServerIdentity) -> dict[str, Any]:
        return {
            "data": {
                "reader": self.reader,
                "path": str(self.path.resolve()),
                "sha256": data.sha256,
                "num_items": len(data.ids),
            },
            "base_url": self.base_url,
            "model": server.model,
            "settings": asdict(self.settings),
            "server": server.about(),
            "concurrency": self.concurrency,
            "sessions": [],
        }

    async def _ask(self, run: Run, ids: tuple[str, ...], connection: httpx.AsyncClient, model: str) -> int:
        answered, failed = run.answered_ids(), run.failed_ids().intersection(ids)
        fresh = set(ids) - answered - failed
        patience = Patience(Limits(), any_answer=bool(answered))
        done = len(ids) - len(fresh) - len(failed)
        progress = Progress(sys.stderr, len(ids), done, lambda: patience.num_refusals)

        def keep(answer: Answer) -> None:
            run.append(answer)
            progress.count(failed=answer.error is not None)

        asking = Asking(connection, model, self.settings, patience)
        # What failed before comes last, so that it keeps nothing else from being asked.
        items = chain(self._items(fresh), self._items(failed))
        with _on_record(run, progress):
            async with progress.shown():
                await ask_all(asking, items, keep, self.concurrency)
        return progress.num_failed

    def _items(self, ids: set[str]) -> Iterator[Item]:
        """Those, one at a time; the data is read no further than it must be."""
        return islice((item for item in self.read(self.path) if item.id in ids), len(ids))


def _check_same(run: Run, now: dict[str, Any]) -> None:
    """Raises RunError where a run that is gone on with was begun with something else."""
    then, after = _asked(run.about), _asked(now)
    names = [name for name in {**then, **after} if then.get(name) != after.get(name)]
    differ = [f"{name} {then.get(name)}, now {after.get(name)}" for name in names]
    if differ:
        raise RunError(f"{run.folder}: was begun with {'; '.join(differ)}. Another run needs another folder.")


def _asked(about: dict[str, Any]) -> dict[str, Any]:
    """What must be the same in all sessions of a run, by its name for people."""
    return {
        "the data (sha256)": about["data"]["sha256"],
        "the model": about["model"],
        **{f"the setting {name}": value for name, value in about["settings"].items()},
        **{f"the server's {name}": about["server"].get(name) for name in IDENTIFYING},
    }


@contextmanager
def _on_record(run: Run, progress: Progress) -> Iterator[None]:
    """A session in `run.json`; one whose process was killed stays without an end."""
    session: dict[str, Any] = {"started": _now(), "ended": None, "asked": 0, "seconds": 0.0}
    sessions, began = run.about["sessions"], time.monotonic()
    run.rewrite({**run.about, "sessions": [*sessions, session]})
    try:
        yield
    finally:
        session |= {"ended": _now(), "asked": progress.num_asked, "seconds": round(time.monotonic() - began, 3)}
        run.rewrite({**run.about, "sessions": [*sessions, session]})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
