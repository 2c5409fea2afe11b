"""Pieces of an answer -> the chunks of a stream, or one completion."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from huatuo_server.answer_text import Piece
from huatuo_server.errors import EngineRequestError
from huatuo_server.protocol.chat_response import (
    AssistantMessage,
    ChatCompletion,
    ChatCompletionChunk,
    Choice,
    ChunkChoice,
    Delta,
    FinishReason,
    Usage,
)
from huatuo_server.protocol.provenance import ImageProvenance


@dataclass(frozen=True, slots=True)
class Heading:
    """What is known of an answer before its first token.

    created: Unix time in seconds. system_fingerprint: of the model, its preparation and the software. prompt_tokens:
    images included. prompt_token_ids: None unless asked for.
    max_tokens_clamped_to: None where it was not clamped. demo: what a demo checkpoint is; None for a real one.
    """

    id: str
    created: int
    model: str
    system_fingerprint: str
    prompt_tokens: int
    images: tuple[ImageProvenance, ...] = ()
    ignored_fields: tuple[str, ...] = ()
    max_tokens_clamped_to: int | None = None
    demo: str | None = None
    include_usage: bool = False
    prompt_token_ids: tuple[int, ...] | None = None

    @property
    def return_token_ids(self) -> bool:
        """Whether the client asked for token ids."""
        return self.prompt_token_ids is not None

    def usage(self, completion_tokens: int, cached_tokens: int) -> Usage:
        """OpenAI's usage."""
        return Usage(
            prompt_tokens=self.prompt_tokens,
            completion_tokens=completion_tokens,
            total_tokens=self.prompt_tokens + completion_tokens,
            prompt_tokens_details={"cached_tokens": cached_tokens},
        )

    def chunk(self, choices: list[ChunkChoice]) -> ChatCompletionChunk:
        """A chunk of this answer."""
        return ChatCompletionChunk(
            id=self.id,
            object="chat.completion.chunk",
            created=self.created,
            model=self.model,
            system_fingerprint=self.system_fingerprint,
            choices=choices,
        )

    def first_chunk(self) -> ChatCompletionChunk:
        """The one with the role."""
        chunk = self.chunk([_choice(Delta(role="assistant", content=""))])
        if self.prompt_token_ids is not None:
            chunk["prompt_token_ids"] = list(self.prompt_token_ids)
        return chunk

    def piece_chunk(self, piece: Piece) -> ChatCompletionChunk:
        """The one of a piece; with the extensions when it is the last."""
        choice = _choice(Delta(content=piece.text) if piece.text else Delta(), piece.finish_reason)
        if self.return_token_ids:
            choice["token_ids"] = list(piece.token_ids)
        chunk = self.chunk([choice])
        if piece.finish_reason is not None:
            chunk["images"] = list(self.images)
            chunk["ignored_fields"] = list(self.ignored_fields)
            if self.max_tokens_clamped_to is not None:
                chunk["max_tokens_clamped_to"] = self.max_tokens_clamped_to
            if self.demo is not None:
                chunk["demo"] = self.demo
        return chunk


def _choice(delta: Delta, finish_reason: FinishReason | None = None) -> ChunkChoice:
    return ChunkChoice(index=0, delta=delta, logprobs=None, finish_reason=finish_reason)


async def chunks(pieces: AsyncGenerator[Piece, None], heading: Heading) -> AsyncGenerator[ChatCompletionChunk, None]:
    """The chunks of a stream; none before the engine's first sign of life, so that its failure can still be a status.

    A piece that adds nothing (its text is held back) gives no chunk.
    """
    begun = False
    completion_tokens = cached_tokens = 0
    async with aclosing(pieces):
        async for piece in pieces:
            completion_tokens += len(piece.token_ids)
            cached_tokens = max(cached_tokens, piece.num_cached_tokens)
            if not begun:
                yield heading.first_chunk()
                begun = True
            if piece.text or piece.finish_reason or (heading.return_token_ids and piece.token_ids):
                yield heading.piece_chunk(piece)
    if heading.include_usage:
        chunk = heading.chunk([])
        chunk["usage"] = heading.usage(completion_tokens, cached_tokens)
        yield chunk


async def completion(pieces: AsyncGenerator[Piece, None], heading: Heading) -> ChatCompletion:
    """The whole answer at once."""
    async with aclosing(pieces):
        received = [piece async for piece in pieces]
    finish_reason = received[-1].finish_reason if received else None
    if finish_reason is None:
        raise EngineRequestError("The engine ended the answer without a reason.")
    token_ids = [token_id for piece in received for token_id in piece.token_ids]
    choice = Choice(
        index=0,
        message=AssistantMessage(role="assistant", content="".join(one.text for one in received), refusal=None),
        logprobs=None,
        finish_reason=finish_reason,
    )
    answer = ChatCompletion(
        id=heading.id,
        object="chat.completion",
        created=heading.created,
        model=heading.model,
        system_fingerprint=heading.system_fingerprint,
        choices=[choice],
        usage=heading.usage(len(token_ids), max(piece.num_cached_tokens for piece in received)),
        images=list(heading.images),
        ignored_fields=list(heading.ignored_fields),
    )
    if heading.max_tokens_clamped_to is not None:
        answer["max_tokens_clamped_to"] = heading.max_tokens_clamped_to
    if heading.demo is not None:
        answer["demo"] = heading.demo
    if heading.prompt_token_ids is not None:
        choice["token_ids"] = token_ids
        answer["prompt_token_ids"] = list(heading.prompt_token_ids)
    return answer
