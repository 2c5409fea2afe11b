"""The whole path of a request, once: `answer` is the list of its stages.

bytes -> protocol -> (admission) -> images -> prompt -> engine -> responses -> bytes
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice

from huatuo_server.answer_text import Ending, Piece, answer_text
from huatuo_server.engine.base import FinishReason, PromptImage
from huatuo_server.errors import ModelNotFound, RequestError
from huatuo_server.images.decode import decode
from huatuo_server.images.identity import identity
from huatuo_server.images.prepare import prepare
from huatuo_server.metrics import Metrics, RequestMeter
from huatuo_server.model_card import ModelCard
from huatuo_server.prompt import Message, render
from huatuo_server.protocol.chat_request import ChatRequest, parse_chat_request
from huatuo_server.protocol.chat_response import ChatCompletion, ChatCompletionChunk, ImageFacts
from huatuo_server.protocol.data_url import DataUrl
from huatuo_server.responses import Heading, chunks, completion
from huatuo_server.sampling import Room, refuse_endless_text, sampling_for
from huatuo_server.served_model import ServedModel
from huatuo_server.startup import Startup


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may bring. max_image_side: pixels, of the longer side."""

    max_body_bytes: int
    max_images: int
    max_image_pixels: int
    max_image_side: int


@dataclass(frozen=True, slots=True)
class Service:
    """What the routes of the API may use; built once, in `app.create_app`.

    model_name: the one name that requests may ask for. image_secret: keys the identities of images.
    """

    model_name: str
    limits: Limits
    startup: Startup
    metrics: Metrics
    image_secret: bytes


@dataclass(slots=True)
class Call:
    """One request on its way. The counts are filled in as they become known, for its meter.

    id: the client's X-Request-Id or ours. engine_id: never used twice, whatever the client sends.
    failed: what ended a stream that had begun.
    """

    id: str
    engine_id: str
    meter: RequestMeter
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: FinishReason | None = None
    failed: RequestError | None = None


async def answer(
    service: Service, model: ServedModel, body: bytes, call: Call
) -> Awaitable[ChatCompletion] | AsyncGenerator[ChatCompletionChunk, None]:
    """A chat request's completion, yet to be awaited, or the chunks of its stream.

    Raises errors.RequestError; so do the completion and the chunks.
    """
    card, context = model.card, model.engine.facts.max_model_len
    request = parse_chat_request(body, max_images=service.limits.max_images, vocab_size=card.vocab_size)
    _require_model(request, service.model_name)
    refuse_endless_text(request, context)
    pictures = await _pictures(request, service, card, call)
    prompt = await asyncio.to_thread(render, _messages(request, pictures), card.tokenizer)
    room = Room.of(prompt, tokens_per_image=card.tokens_per_image, context=context)
    sampling, clamped_to = sampling_for(request, card.family.sampling, room)
    call.prompt_tokens = room.prompt
    deltas = model.engine.generate(prompt, sampling, call.engine_id)
    ending = Ending(request.stop, request.min_tokens or 0, card.eos_token_ids)
    pieces = _metered(answer_text(deltas, card.tokenizer.text_decoder(), ending), call)
    heading = Heading(
        id=f"chatcmpl-{call.id}",
        created=int(time.time()),
        model=service.model_name,
        prompt_tokens=room.prompt,
        images=tuple(picture.facts for picture in pictures),
        ignored_fields=request.ignored_fields,
        max_tokens_clamped_to=clamped_to,
        include_usage=request.include_usage,
        prompt_token_ids=prompt.token_ids if request.return_token_ids else None,
    )
    return chunks(pieces, heading) if request.stream else completion(pieces, heading)


def _require_model(request: ChatRequest, name: str) -> None:
    if request.model != name:
        raise ModelNotFound("This server serves another model: GET /v1/models names it.", param="model")


@dataclass(frozen=True, slots=True)
class _Picture:
    """An image of the request, as the engine reads it and as the client is told of it."""

    image: PromptImage
    facts: ImageFacts


async def _pictures(request: ChatRequest, service: Service, card: ModelCard, call: Call) -> list[_Picture]:
    """The images of all messages, in order. Raises errors.RequestError with the path of the offending one."""
    urls = [url for message in request.messages for url in message.images]
    return [await asyncio.to_thread(_picture, url, service, card, call.meter) for url in urls]


def _picture(url: DataUrl, service: Service, card: ModelCard, meter: RequestMeter) -> _Picture:
    content, limits = url.content(), service.limits
    with meter.stage("decode"):
        image = decode(content, param=url.param, max_pixels=limits.max_image_pixels, max_side=limits.max_image_side)
    with meter.stage("prepare"):
        pixels = prepare(image, card.family.picture)
    key = identity(content, card.family.name, service.image_secret)
    facts = ImageFacts(width=image.width, height=image.height, format=image.format or "unknown")
    return _Picture(PromptImage(pixels, key), facts)


def _messages(request: ChatRequest, pictures: Sequence[_Picture]) -> list[Message]:
    """The request's messages with their images, which `pictures` holds in order."""
    images = iter([picture.image for picture in pictures])
    return [
        Message(message.role, message.text, tuple(islice(images, len(message.images)))) for message in request.messages
    ]


async def _metered(pieces: AsyncGenerator[Piece, None], call: Call) -> AsyncGenerator[Piece, None]:
    """The same pieces, timed and counted as they come."""
    call.meter.entered_engine()
    async with aclosing(pieces):
        async for piece in pieces:
            if piece.token_ids:
                call.meter.tokens(len(piece.token_ids))
                call.completion_tokens += len(piece.token_ids)
            call.finish_reason = piece.finish_reason
            yield piece
