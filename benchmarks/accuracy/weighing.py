"""How probable a server finds each letter as the answer to an item: `POST /v1/chat/choices`, and what it says.

The same prompt as a chat's, which lists the options and asks for a letter; so it is letters that are weighed, and not
the options' texts: a letter is what the model is about to say, and no option is less probable for being longer.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from string import ascii_uppercase
from types import NoneType, UnionType
from typing import Any

import httpx

from benchmarks.accuracy.answer import Failure
from benchmarks.accuracy.chat import Question, asked, failure
from benchmarks.accuracy.insistence import Insistence
from benchmarks.accuracy.item import Item
from benchmarks.accuracy.patience import Patience
from benchmarks.accuracy.reply import Reply, key_of
from benchmarks.accuracy.verdict import Verdict

PATH = "chat/choices"

NO_CHOICES = "no_choices"
"""The code of a failure: a reply with status 200 that does not say what each letter is worth."""


@dataclass(frozen=True, slots=True)
class Weighing:
    """What became of one item. label: the right option's letter.

    log_probs: natural, of each option's letter, in their order; empty where there is an error. tokens: as the server
    counts them. seconds, prompt_sha256: as of an Answer.
    """

    id: str
    dataset: str
    subset: str
    label: str | None
    options: tuple[str, ...]
    log_probs: tuple[float, ...]
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float
    prompt_sha256: str
    error: Failure | None = None

    @property
    def verdict(self) -> Verdict:
        """The most probable letter is the answer, the first of equals."""
        if self.error is not None or not self.log_probs:
            return Verdict("failed", None)
        letter = ascii_uppercase[self.log_probs.index(max(self.log_probs))]
        return Verdict("right" if letter == self.label else "wrong", letter)


_TYPES: dict[str, type | UnionType] = {
    "id": str,
    "dataset": str,
    "subset": str,
    "label": str | None,
    "options": list,
    "log_probs": list,
    "prompt_tokens": int | None,
    "completion_tokens": int | None,
    "seconds": int | float,
    "prompt_sha256": str,
    "error": dict | NoneType,
}
"""Of a line's fields, as JSON has them."""


def weighing_of(fields: Any) -> Weighing:
    """From what a line says. Raises TypeError where a field is missing, unknown or of another type."""
    if not isinstance(fields, dict) or fields.keys() != _TYPES.keys():
        raise TypeError("other fields")
    if wrong := [name for name, kind in _TYPES.items() if not isinstance(fields[name], kind)]:
        raise TypeError(f"other types: {wrong}")
    if not all(isinstance(each, int | float) for each in fields["log_probs"]):
        raise TypeError("other types: log_probs")
    error = fields["error"]
    lists = {name: tuple(fields[name]) for name in ("options", "log_probs")}
    return Weighing(**{**fields, **lists, "error": None if error is None else Failure(**error)})


class Scale:
    """One model behind one client."""

    def __init__(self, client: httpx.AsyncClient, model: str, patience: Patience) -> None:
        self._client = client
        self._model = model
        self._patience = patience
        self._insistence = Insistence(client, patience, lambda _: None)

    async def weighing(self, item: Item) -> Weighing:
        """Raises RunError where the run should stop, DataError where a picture cannot be read."""
        letters = ascii_uppercase[: len(item.options)]
        question = asked(item, self._model, {"choices": list(letters)})
        reply, seconds = await self._insistence.reply(PATH, question.body, item.id)
        return self._concluded(item, question, reply, seconds)

    def _concluded(self, item: Item, question: Question, reply: Reply, seconds: float) -> Weighing:
        found, error = self._found(reply, len(item.options))
        if error is None:
            self._patience.answered()
        else:
            self._patience.failed(error)
        return Weighing(
            id=item.id,
            dataset=item.dataset,
            subset=item.subset,
            label=item.label,
            options=item.options,
            log_probs=found.log_probs,
            prompt_tokens=found.prompt_tokens,
            completion_tokens=found.completion_tokens,
            seconds=round(seconds, 3),
            prompt_sha256=question.prompt_sha256,
            error=error,
        )

    def _found(self, reply: Reply, num_options: int) -> tuple[_Said, Failure | None]:
        if reply.failure is not None:
            return _NOTHING, reply.failure
        try:
            return _said(reply.body, num_options), None
        except ValueError as error:
            said = failure(200, reply.body, key_of(self._client)).message
            return _NOTHING, Failure(200, NO_CHOICES, f"{error}: {said}")


@dataclass(frozen=True, slots=True)
class _Said:
    log_probs: tuple[float, ...]
    prompt_tokens: int | None
    completion_tokens: int | None


_NOTHING = _Said((), None, None)


def _said(body: bytes, num_options: int) -> _Said:
    """Raises ValueError where the reply has no number for each option."""
    try:
        reply = json.loads(body)
        log_probs = tuple(float(choice["logprob_sum"]) for choice in reply["choices"])
        usage = reply.get("usage") or {}
        tokens = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError("no weighed choices") from error
    if len(log_probs) != num_options or not all(map(math.isfinite, log_probs)):
        raise ValueError("no weighed choices")
    return _Said(log_probs, *(each if isinstance(each, int) else None for each in tokens))
