"""A judge model behind any OpenAI-compatible endpoint: a question goes in, a JSON object of some form comes out."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import httpx

from benchmarks.accuracy.asking import PATH
from benchmarks.accuracy.chat import completion
from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.patience import Patience, told
from benchmarks.accuracy.reply import Kind, Reply, replied
from benchmarks.accuracy.rubric import ROLE, Malformed

T = TypeVar("T")

KEY = "JUDGE_API_KEY"
"""The environment variable with the judge's key."""

SETTINGS = {"temperature": 0, "max_tokens": 4096}
"""The same question is to get the same reply; the room is for judges that reason before they reply."""

NUM_SECOND_TRIES = 2
"""After a malformed reply, each with what was wrong about the one before."""

Messages = Sequence[dict[str, str]]


class NoJudgement(Exception):
    """One question got no usable reply, others may; the message says why."""


class Judge:
    """One judge model behind one client."""

    def __init__(self, client: httpx.AsyncClient, model: str, patience: Patience) -> None:
        self.model = model
        self._client = client
        self._patience = patience

    def digest(self, question: str) -> str:
        """SHA-256 of all that the reply depends on: the model, its settings and the messages."""
        return hashlib.sha256(self._body(_opening(question))).hexdigest()

    async def ask(self, question: str, read: Callable[[Mapping[str, Any]], T]) -> T:
        """What `read` makes of the reply's object.

        Raises NoJudgement where `read` raises Malformed three times or the judge refuses the question, and RunError
        where the judge cannot be reached, is out of service for long, or is none.
        """
        messages, problem = _opening(question), ""
        for _try in range(1 + NUM_SECOND_TRIES):
            reply = await self._reply(messages)
            try:
                return read(reply_object(reply))
            except Malformed as wrong:
                problem = str(wrong)
                messages = [*messages, *_again(reply, problem)]
        raise NoJudgement(f"malformed reply: {problem}")

    def _body(self, messages: Messages) -> bytes:
        return json.dumps({"model": self.model, **SETTINGS, "messages": messages}).encode()

    async def _reply(self, messages: Messages) -> str:
        body, replies = self._body(messages), Counter[Kind]()
        while True:
            reply = await replied(self._client, PATH, body)
            replies[reply.kind] += 1
            wait_s = self._wait_s(reply, replies[reply.kind])
            if wait_s is None:
                return self._concluded(reply)
            await asyncio.sleep(wait_s)

    def _wait_s(self, reply: Reply, num_replies: int) -> float | None:
        """Before the next try; None where the reply is the last one. num_replies: of this kind, to this question."""
        if reply.failure is None:
            return None
        if reply.kind == "refused":
            return self._patience.refused(reply.failure, num_replies, reply.retry_after_s)
        wait_s = self._patience.troubled(num_replies) if reply.kind in ("troubled", "unreachable") else None
        if reply.kind == "stop" or (reply.kind == "unreachable" and wait_s is None):
            raise RunError(f"{self._client.base_url}: no judgement: {told(reply.failure)}. A key is read from {KEY}.")
        return wait_s

    def _concluded(self, reply: Reply) -> str:
        if reply.failure is not None:
            self._patience.failed(reply.failure)
            raise NoJudgement(told(reply.failure))
        self._patience.answered()
        try:
            return completion(reply.body).text
        except ValueError as error:
            raise RunError(f"{self._client.base_url}: answers, but with {error}") from error


def reply_object(reply: str) -> dict[str, Any]:
    """The last JSON object of a reply: a judge may reason first, or wrap it in a code block. Raises Malformed."""
    found = list(_objects(reply))
    if not found:
        raise Malformed("there is no JSON object in it")
    return found[-1]


def _objects(text: str) -> Iterator[dict[str, Any]]:
    decoder, at = json.JSONDecoder(), text.find("{")
    while at >= 0:
        try:
            found, end = decoder.raw_decode(text, at)
            yield found
        except (ValueError, RecursionError):
            end = at + 1
        at = text.find("{", end)


def _opening(question: str) -> Messages:
    return [{"role": "system", "content": ROLE}, {"role": "user", "content": question}]


def _again(reply: str, problem: str) -> Messages:
    said = f"Your reply was not right: {problem}. Reply with the whole JSON object again, and nothing else."
    return [{"role": "assistant", "content": reply}, {"role": "user", "content": said}]
