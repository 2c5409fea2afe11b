"""Questions to an OpenAI-compatible server, so many at once; each one's pictures are read when it is asked."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NoReturn

import httpx

from benchmarks.accuracy.answer import Answer, Failure
from benchmarks.accuracy.chat import Completion, Question, completion, failure, question
from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.item import Item
from benchmarks.accuracy.patience import Patience, told
from benchmarks.accuracy.reply import Kind, Reply, key_of, replied
from benchmarks.accuracy.settings import Settings
from benchmarks.accuracy.side_by_side import side_by_side

PATH = "chat/completions"

NO_COMPLETION = "no_completion"
"""The code of a failure: a reply with status 200 that holds no answer, such as a proxy's page."""

_NOTHING = Completion("", None, None, None)


async def ask_all(asking: Asking, items: Iterator[Item], keep: Callable[[Answer], None], concurrency: int) -> None:
    """Ask until there are no more items; `keep` gets each answer as it comes.

    Raises the first error of `items`, of asking (RunError) or of `keep`; what was in flight then is given up.
    """

    async def ask_on() -> None:
        for item in items:
            keep(await asking.answer(item))

    await side_by_side(ask_on, concurrency)


class Asking:
    """One model behind one client, asked with the same settings and patience."""

    def __init__(self, client: httpx.AsyncClient, model: str, settings: Settings, patience: Patience) -> None:
        self._client = client
        self._model = model
        self._settings = settings
        self._patience = patience

    async def answer(self, item: Item) -> Answer:
        """The model's, or the error of an item that the server will not answer.

        Raises RunError where the run should stop, DataError where a picture cannot be read.
        """
        asked = question(item, self._model, self._settings)
        replies: Counter[Kind] = Counter()
        while True:
            began = time.monotonic()
            reply = await replied(self._client, PATH, asked.body)
            seconds = time.monotonic() - began
            replies[reply.kind] += 1
            wait_s = self._wait_s(item, reply, replies[reply.kind])
            if wait_s is None:
                return self._concluded(item, asked, reply, seconds)
            await asyncio.sleep(wait_s)

    def _wait_s(self, item: Item, reply: Reply, num_replies: int) -> float | None:
        """Before it is asked again; None where the reply is the last one. num_replies: of this kind, for this item."""
        if reply.failure is None:
            return None
        self._check_penalty(reply.failure)
        if reply.kind == "refused":
            return self._patience.refused(reply.failure, num_replies, reply.retry_after_s)
        wait_s = self._patience.troubled(num_replies) if reply.kind in ("troubled", "unreachable") else None
        if reply.kind == "stop" or (reply.kind == "unreachable" and wait_s is None):
            self._stop(item, reply.failure)
        return wait_s

    def _check_penalty(self, failure: Failure) -> None:
        penalty = "repetition_penalty"
        if failure.status in (400, 422) and penalty in failure.message and penalty in self._settings.fields():
            raise RunError(
                f"The server takes no {penalty}: {told(failure)}. --plain asks without it, and the run says so."
            )

    def _stop(self, item: Item, failure: Failure) -> NoReturn:
        hint = " The key is read from OPENAI_API_KEY." if failure.status in (401, 403) else ""
        raise RunError(f"{self._client.base_url}: no answer to {item.id}: {told(failure)}.{hint}")

    def _concluded(self, item: Item, asked: Question, reply: Reply, seconds: float) -> Answer:
        found, error = self._found(reply)
        if error is None:
            self._patience.answered()
        else:
            self._patience.failed(error)
        return _answer(item, asked, found, seconds, error)

    def _found(self, reply: Reply) -> tuple[Completion, Failure | None]:
        if reply.failure is not None:
            return _NOTHING, reply.failure
        try:
            return completion(reply.body), None
        except ValueError as error:
            said = failure(200, reply.body, key_of(self._client)).message
            return _NOTHING, Failure(200, NO_COMPLETION, f"{error}: {said}")


def _answer(item: Item, asked: Question, found: Completion, seconds: float, error: Failure | None) -> Answer:
    return Answer(
        id=item.id,
        dataset=item.dataset,
        subset=item.subset,
        label=item.label,
        options=item.options,
        text=found.text,
        finish_reason=found.finish_reason,
        prompt_tokens=found.prompt_tokens,
        completion_tokens=found.completion_tokens,
        seconds=round(seconds, 3),
        prompt_sha256=asked.prompt_sha256,
        error=error,
    )
