"""Questions to an OpenAI-compatible server, so many at once; each one's pictures are read when it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx

from benchmarks.accuracy.answer import Answer, Failure
from benchmarks.accuracy.chat import Completion, Question, completion, failure, question
from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.insistence import Insistence
from benchmarks.accuracy.item import Item
from benchmarks.accuracy.patience import Patience, told
from benchmarks.accuracy.reply import Reply, key_of
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
        self._insistence = Insistence(client, patience, self._check_penalty)

    async def answer(self, item: Item) -> Answer:
        """The model's, or the error of an item that the server will not answer.

        Raises RunError where the run should stop, DataError where a picture cannot be read.
        """
        asked = question(item, self._model, self._settings)
        reply, seconds = await self._insistence.reply(PATH, asked.body, item.id)
        return self._concluded(item, asked, reply, seconds)

    def _check_penalty(self, failure: Failure) -> None:
        penalty = "repetition_penalty"
        if failure.status in (400, 422) and penalty in failure.message and penalty in self._settings.fields():
            raise RunError(
                f"The server takes no {penalty}: {told(failure)}. --plain asks without it, and the run says so."
            )

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
