"""Pieces of answers -> the chunks of a chat stream, or one chat completion."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from huatuo_server.answer_text import ChoicePiece, Piece
from huatuo_server.errors import EngineRequestError
from huatuo_server.protocol.chat_response import (
    AssistantMessage,
    ChatCompletion,
    ChatCompletionChunk,
    Choice,
    ChoiceLogprobs,
    ChunkChoice,
    Delta,
    FinishReason,
)
from huatuo_server.responses.heading import Heading
from huatuo_server.responses.token_logprobs import content_logprobs


async def chunks(
    pieces: AsyncGenerator[ChoicePiece, None], heading: Heading
) -> AsyncGenerator[ChatCompletionChunk, None]:
    """The chunks of a stream; none before the engine's first sign of life, so that its failure can still be a status.

    A piece that adds nothing (its text is held back) gives no chunk. Our extensions stand on the last chunk that has a
    finish_reason.
    """
    begun: set[int] = set()
    num_ended = completion_tokens = cached_tokens = 0
    async with aclosing(pieces):
        async for index, piece in pieces:
            completion_tokens += len(piece.token_ids)
            cached_tokens = max(cached_tokens, piece.num_cached_tokens)
            num_ended += piece.finish_reason is not None
            if index not in begun:
                yield _first_chunk(heading, index, whole=not begun)
                begun.add(index)
            if piece.text or piece.finish_reason or (heading.return_token_ids and piece.token_ids):
                yield _piece_chunk(heading, index, piece, last=num_ended == heading.n)
    if heading.include_usage:
        chunk = _chunk(heading, [])
        chunk["usage"] = heading.usage(completion_tokens, cached_tokens)
        yield chunk


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
        choice["logprobs"] = _logprobs(heading, [piece])
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


async def completion(pieces: AsyncGenerator[ChoicePiece, None], heading: Heading) -> ChatCompletion:
    """The whole answer at once."""
    received: list[list[Piece]] = [[] for _ in range(heading.n)]
    async with aclosing(pieces):
        async for index, piece in pieces:
            received[index].append(piece)
    everything = [piece for one in received for piece in one]
    num_tokens = sum(len(piece.token_ids) for piece in everything)
    answer = ChatCompletion(
        id=heading.id,
        object="chat.completion",
        created=heading.created,
        model=heading.model,
        system_fingerprint=heading.system_fingerprint,
        choices=[_whole_choice(heading, index, one) for index, one in enumerate(received)],
        usage=heading.usage(num_tokens, max((piece.num_cached_tokens for piece in everything), default=0)),
        images=[],
        ignored_fields=[],
    )
    _extend(answer, heading)
    if heading.prompt_token_ids is not None:
        answer["prompt_token_ids"] = list(heading.prompt_token_ids)
    return answer


def _whole_choice(heading: Heading, index: int, pieces: Sequence[Piece]) -> Choice:
    finish_reason = pieces[-1].finish_reason if pieces else None
    if finish_reason is None:
        raise EngineRequestError("The engine ended the answer without a reason.")
    text = "".join(piece.text for piece in pieces)
    choice = Choice(
        index=index,
        message=AssistantMessage(role="assistant", content=text, refusal=None),
        logprobs=_logprobs(heading, pieces),
        finish_reason=finish_reason,
    )
    if heading.return_token_ids:
        choice["token_ids"] = [token_id for piece in pieces for token_id in piece.token_ids]
    return choice


def _logprobs(heading: Heading, pieces: Sequence[Piece]) -> ChoiceLogprobs | None:
    if heading.tokenizer is None:
        return None
    logprobs = [one for piece in pieces for one in piece.logprobs]
    return ChoiceLogprobs(content=content_logprobs(logprobs, heading.tokenizer), refusal=None)
