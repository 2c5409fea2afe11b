"""How far a batch is, on a terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm

from huatuo_client.command import output


class Progress:
    """A bar on stderr with rate and time left; nothing where stderr is no terminal."""

    def __init__(self, total: int, done: int) -> None:
        self._bar: Any = tqdm(
            total=total, initial=done, unit="q", file=sys.stderr, disable=not sys.stderr.isatty(), dynamic_ncols=True
        )
        self._num_failed = 0

    def answered(self) -> None:
        """One more."""
        self._bar.update()

    def failed(self) -> None:
        """One that is done, but not answered."""
        self._num_failed += 1
        self._bar.set_postfix_str(f"{self._num_failed} failed", refresh=False)
        self._bar.update()

    def note(self, text: str) -> None:
        """A line above the bar."""
        self._bar.clear()
        output.note(text)
        self._bar.refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.close()
