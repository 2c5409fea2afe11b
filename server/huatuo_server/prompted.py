"""A conversation and its images -> the prompt that the engine reads, and the room it leaves for an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import islice

from huatuo_server.admission.body import Body
from huatuo_server.call import Call
from huatuo_server.engine.base import Prompt, PromptImage
from huatuo_server.errors import RequestError
from huatuo_server.images.cache import Picture
from huatuo_server.images.content import Content
from huatuo_server.images.identity import cache_salt
from huatuo_server.model_card import ModelCard
from huatuo_server.prompt import Message, render
from huatuo_server.protocol.conversation import ChatMessage
from huatuo_server.protocol.image_source import ImageRequest
from huatuo_server.protocol.provenance import ImageProvenance
from huatuo_server.sampling import PIECE_CHARS, Room, length, refuse_endless_text
from huatuo_server.served_model import ServedModel
from huatuo_server.service import Service

SHORT_CHARS = 4_000
SHORT_MESSAGES = 16
"""So much text in so many messages becomes tokens on the event loop, in less than half a millisecond: a thread costs
more than the work."""


@dataclass(frozen=True, slots=True)
class Prompted:
    """A conversation as the engine reads it: its prompt, the room that leaves, and what was done to its images."""

    prompt: Prompt
    room: Room
    images: tuple[ImageProvenance, ...]

    @property
    def sha256(self) -> list[str]:
        """Of the images' files."""
        return [image["sha256"] for image in self.images]


async def prompt_of(
    service: Service, model: ServedModel, messages: Sequence[ChatMessage], body: Body, call: Call
) -> Prompted:
    """Images and texts -> the prompt, if it leaves room for an answer. Raises RequestError."""
    card = model.card
    texts = [message.text for message in messages]
    await refuse_endless(texts, "messages", model)
    call.use.images(sum(len(message.images) for message in messages))
    pictures = await _pictures(messages, service, card, call)
    body.release()
    spoken = _spoken(messages, pictures)
    if is_short(texts):
        prompt = render(spoken, card.tokenizer)
    else:
        prompt = await asyncio.to_thread(render, spoken, card.tokenizer)
    prompt = replace(prompt, cache_salt=cache_salt(service.secret, call.tenant))
    room = Room.of(prompt, tokens_per_image=card.tokens_per_image, context=model.engine.facts.max_model_len)
    return Prompted(prompt, room, tuple(picture.provenance for picture in pictures))


def is_short(texts: Sequence[str]) -> bool:
    """Whether texts, one a message, become tokens on the event loop."""
    return len(texts) <= SHORT_MESSAGES and length(texts) <= SHORT_CHARS


async def refuse_endless(texts: Sequence[str], param: str, model: ServedModel) -> None:
    """Raises ContextLengthExceeded for text that cannot fit, before all of it is made into tokens."""
    if length(texts) > PIECE_CHARS:
        context, tokenizer = model.engine.facts.max_model_len, model.card.tokenizer
        await asyncio.to_thread(refuse_endless_text, texts, context, tokenizer, param)


async def _pictures(messages: Sequence[ChatMessage], service: Service, card: ModelCard, call: Call) -> list[Picture]:
    """The images of all messages, in order. Raises errors.RequestError with the path of an offending one."""
    images = [image for message in messages for image in message.images]
    tasks = [asyncio.create_task(_picture(image, service, card, call)) for image in images]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        await _given_up(tasks)
        raise
    finally:
        # An error that knows the tasks which know the error would keep the body until the collector comes.
        del tasks


async def _given_up(tasks: Sequence[asyncio.Task[Picture]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _picture(image: ImageRequest, service: Service, card: ModelCard, call: Call) -> Picture:
    async with content_of(image, service, call) as content:
        return await service.preparation.picture(content, image.view, call.claimant, card)


@asynccontextmanager
async def content_of(image: ImageRequest, service: Service, call: Call) -> AsyncIterator[Content]:
    """An image's file, for as long as it is needed; whatever is wrong with the image is told with its path."""
    try:
        with (
            service.bytes_in_flight.reservation(call.claimant) as held,
            await service.sources.read(image.source, call.tenant, call.meter.stage, held.grow_to) as content,
        ):
            yield content
    except RequestError as error:
        raise error.under(image.param) from None


def _spoken(messages: Sequence[ChatMessage], pictures: Sequence[Picture]) -> list[Message]:
    """The messages with their images, which `pictures` holds in order."""
    images = iter([PromptImage(picture.pixels, picture.identity) for picture in pictures])
    return [Message(message.role, message.text, tuple(islice(images, len(message.images)))) for message in messages]
