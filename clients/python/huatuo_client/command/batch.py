"""A batch: items, the answers that are there already, and those that come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing, suppress
from typing import Any, Final

from huatuo_client import errors, record
from huatuo_client.client import HuatuoClient, Outcome
from huatuo_client.command.failures import Failures
from huatuo_client.command.flags import Misuse
from huatuo_client.command.progress import Progress
from huatuo_client.command.stopping import Stopping
from huatuo_client.errors import HuatuoError
from huatuo_client.item import Item
from huatuo_client.journal import Journal

NOT_ABOUT_ONE_ITEM: Final = (*errors.REDIRECTS, 401, 403, 404, 405, 429, 503)
"""Statuses that the next item would get too: the key, the address, the model, a server that takes no more."""


class Batch:
    """One run over the items of a source.

    num_twice: how many items ask the same as another one. stopped_by: the signal that ended it early. ended_by: the
    error that would have met every other item too.
    """

    def __init__(self, items: Sequence[Item], model: str, results: Journal, failures: Failures) -> None:
        """Raises Misuse where the results are those of another batch."""
        self._items = {one.key(model): one for one in items}
        self.num_twice = len(items) - len(self._items)
        self._results = results
        self.failures = failures
        self._cut: set[str] = set()
        self._answered = self._answered_before()
        self._num_before = len(self._answered)
        self._num_failed = 0
        self.stopped_by: int | None = None
        self.ended_by: HuatuoError | None = None

    def _answered_before(self) -> set[str]:
        records = self._results.records()
        keys = {str(one.get("key")) for one in records}
        ids = {one.id for key, one in self._items.items() if one.id is not None and key not in keys}
        if any(one.get("id") in ids for one in records) or (records and not keys & self._items.keys()):
            raise Misuse(
                f"{self._results.path} holds answers to another question, of another model or with other settings: "
                "name another file with --out."
            )
        self._cut = {str(one["key"]) for one in records if one.get("finish_reason") == "length"} & self._items.keys()
        return keys & self._items.keys()

    def told(self) -> dict[str, int]:
        """How many there are of each."""
        return {
            "items": len(self._items),
            "answered": len(self._answered),
            "answered_before": self._num_before,
            "cut": len(self._cut),
            "failed": self._num_failed,
            "left": len(self._items) - len(self._answered) - self._num_failed,
        }

    async def run(self, client: HuatuoClient, concurrency: int) -> None:
        """Ask what is not answered. Raises OSError where an answer cannot be written."""
        todo = [(key, one) for key, one in self._items.items() if key not in self._answered]
        with Progress(len(self._items), self._num_before) as progress, Stopping(progress.note) as stopping:
            with suppress(asyncio.CancelledError):
                await self._ask(client, todo, concurrency, progress, stopping)
            await client.aclose()
            self.stopped_by = stopping.signal
        self.failures.settle(self._items, self._answered)

    async def _ask(
        self,
        client: HuatuoClient,
        todo: Sequence[tuple[str, Item]],
        concurrency: int,
        progress: Progress,
        stopping: Stopping,
    ) -> None:
        questions = (one.question for _, one in todo)
        async with aclosing(client.amap(questions, concurrency=concurrency, stop=stopping.event)) as outcomes:
            async for outcome in outcomes:
                key, one = todo[outcome.index]
                error = self._answer_of(key, one, outcome) or outcome.error
                if error is None:
                    progress.answered()
                elif _is_about_one_item(error):
                    self._fail(key, one, error, outcome)
                    progress.failed()
                elif self.ended_by is None:
                    self.ended_by = error
                    stopping.event.set()

    def _answer_of(self, key: str, one: Item, outcome: Outcome) -> HuatuoError | None:
        """Put an answer down; returns why there is none though the server gave one."""
        if outcome.answer is None:
            return None
        try:
            said = record.of_answer(outcome.answer, by_schema=one.question.json_schema is not None)
        except HuatuoError as error:
            return error
        self._results.append({**_head(one), **said, "key": key})
        self._answered.add(key)
        if said.get("finish_reason") == "length":
            self._cut.add(key)
        return None

    def _fail(self, key: str, one: Item, error: HuatuoError, outcome: Outcome) -> None:
        said = {} if outcome.answer is None else record.of_answer(outcome.answer)
        self.failures.add({**_head(one), "error": record.of_error(error), **said, "key": key})
        self._num_failed += 1


def _head(one: Item) -> dict[str, Any]:
    """What was asked."""
    return {"id": one.id, "files": list(one.files), "question": one.question.text}


def _is_about_one_item(error: HuatuoError) -> bool:
    """Whether the next item may fare better."""
    if isinstance(error, errors.InvalidRequest):
        return (error.param or "").startswith("messages")
    if isinstance(error, errors.ServerError):
        return error.status not in NOT_ABOUT_ONE_ITEM and not isinstance(error, errors.HostRefused)
    return not isinstance(error, errors.Unreachable)
