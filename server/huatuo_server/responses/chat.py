"""Pieces of answers -> the chunks of a chat stream, or one chat completion."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from huatuo_server.answer_text import Piece, RunAnswers
from huatuo_server.engine.base import FinishReason
from huatuo_server.errors import EngineRequestError, RequestError
from huatuo_server.protocol import sse
from huatuo_server.protocol.chat_response import (
    AssistantMessage,
    ChatCompletion,
    ChatCompletionChunk,
    Choice,
    ChoiceLogprobs,
    ChunkChoice,
    Delta,
)
from huatuo_server.protocol.written_list import WrittenList
from huatuo_server.responses.heading import Heading
from huatuo_server.responses.token_logprobs import content_logprobs

_TEXT: Final = secrets.token_hex(16)
"""Stands for a text in the event that is made once for all of them."""


class ChatStream:
    """The events of a chat stream.

    A piece that adds nothing (its text is held back) gives no chunk. Our extensions stand on the last chunk that has a
    finish_reason.
    """

    def __init__(self, heading: Heading) -> None:
        self._heading = heading
        self._begun: set[int] = set()
        self._num_ended = self._completion_tokens = self._cached_tokens = 0
        self._around_text = [_around_text(heading, index) for index in range(heading.n)]

    def events(self, index: int, piece: Piece) -> bytes:
        """What a piece adds to the stream; may be nothing."""
        heading = self._heading
        self._completion_tokens += len(piece.token_ids)
        self._cached_tokens = max(self._cached_tokens, piece.num_cached_tokens)
        first = b"" if index in self._begun else self._first(index)
        if piece.finish_reason is None and not piece.logprobs and not heading.return_token_ids:
            if not piece.text:
                return first
            before, after = self._around_text[index]
            return first + before + sse.json_string(piece.text) + after
        self._num_ended += piece.finish_reason is not None
        if not (piece.text or piece.finish_reason or (heading.return_token_ids and piece.token_ids)):
            return first
        return first + sse.event(_piece_chunk(heading, index, piece, last=self._num_ended == heading.n))

    def _first(self, index: int) -> bytes:
        chunk = sse.event(_first_chunk(self._heading, index, whole=not self._begun))
        self._begun.add(index)
        return chunk

    def last(self) -> bytes:
        """The end of an answer that came to one. Where a choice did not, it is a failure: half must not look whole."""
        if self._num_ended < self._heading.n:
            return self.failure(_without_reason())
        if not self._heading.include_usage:
            return sse.DONE
        chunk = _chunk(self._heading, [])
        chunk["usage"] = self._heading.usage(self._completion_tokens, self._cached_tokens)
        return sse.event(chunk) + sse.DONE

    def failure(self, error: RequestError) -> bytes:
        """The end of one that did not."""
        return sse.event(error.body())


def _around_text(heading: Heading, index: int) -> tuple[bytes, bytes]:
    """The event of a chunk that has nothing but text, before the text and behind it: the bytes of most chunks."""
    event = sse.event(_piece_chunk(heading, index, Piece(_TEXT, ()), last=False))
    before, after = event.split(sse.json_string(_TEXT))
    return before, after


def _chunk(heading: Heading, choices: list[ChunkChoice]) -> ChatCompletionChunk:
    return ChatCompletionChunk(
        id=heading.id,
        object="chat.completion.chunk",
        created=heading.created,
        model=heading.model,
        system_fingerprint=heading.system_fingerprint,
        choices=choices,
    )


def _first_chunk(heading: Heading, index: int, *, whole: bool) -> ChatCompletionChunk:
    """A choice's one with the role. whole: it is the answer's first one too."""
    chunk = _chunk(heading, [_choice(index, Delta(role="assistant", content=""))])
    if whole and heading.prompt_token_ids is not None:
        chunk["prompt_token_ids"] = list(heading.prompt_token_ids)
    return chunk


def _piece_chunk(heading: Heading, index: int, piece: Piece, *, last: bool) -> ChatCompletionChunk:
    choice = _choice(index, Delta(content=piece.text) if piece.text else Delta(), piece.finish_reason)
    if piece.logprobs:
        choice["logprobs"] = _logprobs(WrittenList(_items(heading, piece)))
    if heading.return_token_ids:
        choice["token_ids"] = list(piece.token_ids)
    chunk = _chunk(heading, [choice])
    if last and piece.finish_reason is not None:
        _extend(chunk, heading)
    return chunk


def _choice(index: int, delta: Delta, finish_reason: FinishReason | None = None) -> ChunkChoice:
    return ChunkChoice(index=index, delta=delta, logprobs=None, finish_reason=finish_reason)


def _extend(answer: ChatCompletion | ChatCompletionChunk, heading: Heading) -> None:
    """Our extensions, at the top level."""
    answer["images"] = list(heading.images)
    answer["ignored_fields"] = list(heading.ignored_fields)
    if heading.max_tokens_clamped_to is not None:
        answer["max_tokens_clamped_to"] = heading.max_tokens_clamped_to
    if heading.demo is not None:
        answer["demo"] = heading.demo


@dataclass(slots=True)
class _Received:
    """What has come of a choice so far; its log-probabilities are written at once, which leaves nothing to its end."""

    texts: list[str] = field(default_factory=list)
    token_ids: list[int] = field(default_factory=list)
    logprobs: WrittenList = field(default_factory=WrittenList)
    num_cached_tokens: int = 0
    finish_reason: FinishReason | None = None

    def add(self, piece: Piece, heading: Heading) -> None:
        self.texts.append(piece.text)
        self.token_ids += piece.token_ids
        self.logprobs.extend(_items(heading, piece))
        self.num_cached_tokens = max(self.num_cached_tokens, piece.num_cached_tokens)
        self.finish_reason = piece.finish_reason


async def completion(run: RunAnswers, heading: Heading) -> ChatCompletion:
    """The whole answer at once."""
    received = [_Received() for _ in range(heading.n)]
    await run(lambda index, piece: received[index].add(piece, heading))
    num_tokens = sum(len(one.token_ids) for one in received)
    answer = ChatCompletion(
        id=heading.id,
        object="chat.completion",
        created=heading.created,
        model=heading.model,
        system_fingerprint=heading.system_fingerprint,
        choices=[_whole_choice(heading, index, one) for index, one in enumerate(received)],
        usage=heading.usage(num_tokens, max(one.num_cached_tokens for one in received)),
        images=[],
        ignored_fields=[],
    )
    _extend(answer, heading)
    if heading.prompt_token_ids is not None:
        answer["prompt_token_ids"] = list(heading.prompt_token_ids)
    return answer


def _whole_choice(heading: Heading, index: int, received: _Received) -> Choice:
    if received.finish_reason is None:
        raise _without_reason()
    choice = Choice(
        index=index,
        message=AssistantMessage(role="assistant", content="".join(received.texts), refusal=None),
        logprobs=None if heading.tokenizer is None else _logprobs(received.logprobs),
        finish_reason=received.finish_reason,
    )
    if heading.return_token_ids:
        choice["token_ids"] = received.token_ids
    return choice


def _without_reason() -> EngineRequestError:
    return EngineRequestError("The engine ended the answer without a reason.")


def _items(heading: Heading, piece: Piece) -> Iterator[bytes]:
    return iter(()) if heading.tokenizer is None else content_logprobs(piece.logprobs, heading.tokenizer)


def _logprobs(content: WrittenList) -> ChoiceLogprobs:
    return ChoiceLogprobs(content=content, refusal=None)
