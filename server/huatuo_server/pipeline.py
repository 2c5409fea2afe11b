"""The whole path of a request, once: `answer` is the list of its stages.

bytes -> protocol -> a place -> images -> prompt -> the turn -> engine -> responses -> bytes
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import Any, TypeVar

from huatuo_server.admission.body import Body
from huatuo_server.admission.fair_queue import Place
from huatuo_server.answer_text import ChoicePiece, Ending, Piece, answer_text
from huatuo_server.audit import AuditUnanswered
from huatuo_server.call import Call
from huatuo_server.engine.base import Prompt, PromptImage, Sampling
from huatuo_server.errors import AuditFailed, ContextLengthExceeded, ModelNotFound, RequestError
from huatuo_server.images.cache import Picture
from huatuo_server.images.content import Content
from huatuo_server.images.identity import PREPARATION_VERSION, cache_salt, on_record
from huatuo_server.lane import LANES
from huatuo_server.model_card import ModelCard
from huatuo_server.prompt import Message, prompt_pieces, render
from huatuo_server.protocol.chat_rendering import ChatRendering
from huatuo_server.protocol.chat_request import ChatRequest, parse_chat_request
from huatuo_server.protocol.chat_response import ChatCompletion, ChatCompletionChunk
from huatuo_server.protocol.choices_request import parse_choices_request
from huatuo_server.protocol.choices_response import ChatChoices
from huatuo_server.protocol.conversation import ChatMessage
from huatuo_server.protocol.image_source import ImageRequest
from huatuo_server.protocol.provenance import ImageProvenance
from huatuo_server.protocol.render_request import parse_render_request
from huatuo_server.protocol.responses_object import ResponseObject
from huatuo_server.protocol.responses_request import parse_responses_request
from huatuo_server.protocol.tokenization import Tokenization
from huatuo_server.protocol.tokenize_request import parse_tokenize_request
from huatuo_server.pulse import Awaited
from huatuo_server.read_ahead import read_ahead
from huatuo_server.responses.chat import chunks, completion
from huatuo_server.responses.chat_rendering import chat_rendering
from huatuo_server.responses.choices import weighed
from huatuo_server.responses.heading import Heading
from huatuo_server.responses.response import ResponseHeading, response
from huatuo_server.responses.response_stream import ResponseStream
from huatuo_server.responses.tokenization import tokenization
from huatuo_server.sampling import (
    PIECE_CHARS,
    Room,
    length,
    parameters_on_record,
    refuse_endless_text,
    sampling_for,
    sampling_of_choice,
)
from huatuo_server.scoring import (
    AT_ONCE,
    Ask,
    Fork,
    NextLogprobs,
    forks,
    next_logprobs,
    num_tokens,
    require_room,
    scored,
    tokenised,
)
from huatuo_server.served_model import ServedModel
from huatuo_server.service import Service

Request = TypeVar("Request")

SCHEMA = re.compile(rb'"(json_schema|structured_outputs)"')
"""How a body shows that it may hold one."""

SHORT_BYTES = 1024 * 1024
"""Of a body that is searched for that; a longer one is taken to hold one."""


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


async def answer(
    service: Service, model: ServedModel, body: Body, call: Call
) -> Awaitable[ChatCompletion] | AsyncGenerator[ChatCompletionChunk, None]:
    """A chat request's completion, yet to be awaited, or the chunks of its stream.

    Raises errors.RequestError; so do the completion and the chunks.
    """
    request = await _read(parse_chat_request, service, model, body)
    pieces, heading = await _asked(service, model, request, body, call)
    return chunks(pieces, heading) if request.stream else completion(pieces, heading)


async def _read(parse: Callable[..., Request], service: Service, model: ServedModel, body: Body) -> Request:
    """The request in a body; off the event loop where it holds a schema, which takes up to 17 ms to be tried."""
    taken, limits = body.take(), service.limits
    known = {"max_images": limits.max_images, "vocab_size": model.card.vocab_size, "strict": limits.strict}
    if len(taken) > SHORT_BYTES or SCHEMA.search(taken):
        return await asyncio.to_thread(parse, taken, **known)
    return parse(taken, **known)


async def _asked(
    service: Service, model: ServedModel, request: ChatRequest, body: Body, call: Call
) -> tuple[AsyncGenerator[ChoicePiece, None], Heading]:
    """The whole path of a request that wants answers: the pieces of all of them as they come. Raises RequestError."""
    _require_model(request.model, service.model_name)
    place = call.held.enter_context(service.queue.place(call.flow))
    prompted = await _prompted(service, model, request.messages, body, call)
    sampling, clamped_to = sampling_for(request, model.card.family.sampling, prompted.room)
    call.use.tokens(prompted.room.prompt + request.n * sampling.max_tokens)
    await put_on_record(service, call, model, prompted.sha256, parameters_on_record(sampling))
    await place.enter(prompted.room.prompt, sampling.max_tokens, call.deadline, num_seqs=request.n)
    call.entered, call.prompt_tokens = True, prompted.room.prompt
    pieces = read_ahead(*_choices(service, model, request, prompted, sampling, call, place))
    return pieces, _chat_heading(service, model, request, prompted, call, clamped_to)


async def _prompted(
    service: Service, model: ServedModel, messages: Sequence[ChatMessage], body: Body, call: Call
) -> Prompted:
    """Images and texts -> the prompt, if it leaves room for an answer. Raises RequestError."""
    card = model.card
    await _refuse_endless([message.text for message in messages], "messages", model)
    call.use.images(sum(len(message.images) for message in messages))
    pictures = await _pictures(messages, service, card, call)
    body.release()
    prompt = await asyncio.to_thread(render, _spoken(messages, pictures), card.tokenizer)
    prompt = replace(prompt, cache_salt=cache_salt(service.secret, call.tenant))
    room = Room.of(prompt, tokens_per_image=card.tokens_per_image, context=model.engine.facts.max_model_len)
    return Prompted(prompt, room, tuple(picture.provenance for picture in pictures))


async def _refuse_endless(texts: Sequence[str], param: str, model: ServedModel) -> None:
    """Raises ContextLengthExceeded for text that cannot fit, before all of it is made into tokens."""
    if length(texts) > PIECE_CHARS:
        context, tokenizer = model.engine.facts.max_model_len, model.card.tokenizer
        await asyncio.to_thread(refuse_endless_text, texts, context, tokenizer, param)


def _choices(
    service: Service,
    model: ServedModel,
    request: ChatRequest,
    prompted: Prompted,
    sampling: Sampling,
    call: Call,
    place: Place,
) -> list[AsyncGenerator[ChoicePiece, None]]:
    """A generation for each of the answers that are wanted; the engine reads their common prompt once."""
    card, left = model.card, [request.n]
    ending = Ending(request.stop, request.min_tokens or 0, num_logprobs=request.num_logprobs)

    def pieces(index: int) -> AsyncGenerator[ChoicePiece, None]:
        deltas = model.engine.generate(
            prompted.prompt,
            sampling_of_choice(sampling, index),
            f"{call.engine_id}-{index}" if index else call.engine_id,
            priority=LANES.index(call.caller.lane),
        )
        text = answer_text(deltas, card.tokenizer.text_decoder(), ending)
        return _metered(text, index, left, call, place, service.startup.awaited)

    call.meter.entered_engine()
    return [pieces(index) for index in range(request.n)]


def _chat_heading(
    service: Service, model: ServedModel, request: ChatRequest, prompted: Prompted, call: Call, clamped_to: int | None
) -> Heading:
    return replace(
        _heading(service, model, request.ignored_fields, prompted, call),
        n=request.n,
        include_usage=request.include_usage,
        max_tokens_clamped_to=clamped_to,
        prompt_token_ids=prompted.prompt.token_ids if request.return_token_ids else None,
        tokenizer=model.card.tokenizer if request.num_logprobs is not None else None,
    )


def _heading(
    service: Service, model: ServedModel, ignored_fields: tuple[str, ...], prompted: Prompted, call: Call
) -> Heading:
    return Heading(
        request_id=call.id,
        created=int(time.time()),
        model=service.model_name,
        system_fingerprint=model.fingerprint,
        demo=model.card.demo,
        prompt_tokens=prompted.room.prompt,
        ignored_fields=ignored_fields,
        images=prompted.images,
    )


async def respond(
    service: Service, model: ServedModel, body: Body, call: Call
) -> Awaitable[ResponseObject] | ResponseStream:
    """A Responses request's response, yet to be awaited, or the events of its stream.

    Raises errors.RequestError; so do the response and the events.
    """
    defaults = model.card.family.sampling
    request = await _read(parse_responses_request, service, model, body)
    try:
        pieces, heading = await _asked(service, model, request.asked, body, call)
    except ContextLengthExceeded as error:
        error.param = "input"
        raise
    said = ResponseHeading.of(call.id, heading, request, defaults)
    return ResponseStream(pieces, said) if request.asked.stream else response(pieces, said)


async def score(service: Service, model: ServedModel, body: Body, call: Call) -> ChatChoices:
    """How probable each choice of a request is as the model's answer. Raises errors.RequestError."""
    limits = service.limits
    request = parse_choices_request(body.take(), max_images=limits.max_images, strict=limits.strict)
    _require_model(request.model, service.model_name)
    place = call.held.enter_context(service.queue.place(call.flow))
    prompted = await _prompted(service, model, request.messages, body, call)
    options = await asyncio.to_thread(tokenised, request.choices, model.card.tokenizer)
    require_room(options, prompted.room)
    call.use.tokens(prompted.room.prompt + num_tokens(options))
    parameters = {"num_choices": len(options), "num_choice_tokens": num_tokens(options)}
    await put_on_record(service, call, model, prompted.sha256, parameters)
    # The first question is asked alone, and the engine may run fewer at a time than the others would be.
    at_once = max(1, min(AT_ONCE, len(forks(options)) - 1, model.engine.facts.max_num_seqs))
    longest = max(len(option.token_ids) for option in options)
    await place.enter(prompted.room.prompt, longest, call.deadline, num_seqs=at_once)
    call.entered, call.prompt_tokens = True, prompted.room.prompt
    try:
        scores = await scored(options, _asking(service, model, prompted, call, place), at_once=at_once)
    finally:
        place.leave(call.completion_tokens)
    call.completion_tokens = scores.num_tokens
    return weighed(scores, _heading(service, model, request.ignored_fields, prompted, call))


def _asking(service: Service, model: ServedModel, prompted: Prompted, call: Call, place: Place) -> Ask:
    """Asks the engine what follows the prompt and the beginning of an option, timed and counted."""
    numbers = count()
    call.meter.entered_engine()

    async def ask(fork: Fork) -> NextLogprobs:
        number = next(numbers)
        deltas = model.engine.generate(
            replace(prompted.prompt, token_ids=prompted.prompt.token_ids + fork.prefix),
            Sampling(max_tokens=1, ignore_eos=True, logprob_token_ids=fork.next_ids),
            f"{call.engine_id}-{number}" if number else call.engine_id,
            priority=LANES.index(call.caller.lane),
        )
        with service.startup.awaited.one_more():
            found = await next_logprobs(deltas, fork)
        if not fork.length:
            place.first_token()
            call.meter.tokens(1)
        call.completion_tokens += 1
        return found

    return ask


async def shown(service: Service, model: ServedModel, body: Body, call: Call) -> ChatRendering:
    """What a chat request would be to the engine, which hears nothing of it. Raises errors.RequestError as `answer`."""
    card = model.card
    request = await _read(parse_chat_request, service, model, body)
    _require_model(request.model, service.model_name)
    prompted = await _prompted(service, model, request.messages, body, call)
    sampling, clamped_to = sampling_for(request, card.family.sampling, prompted.room)
    await put_on_record(service, call, model, prompted.sha256, parameters_on_record(sampling))
    heading = _chat_heading(service, model, request, prompted, call, clamped_to)
    pieces = prompt_pieces(request.messages)
    return await asyncio.to_thread(
        chat_rendering, request, heading, prompted.prompt, pieces, prompted.room, sampling, card
    )


async def tokenized(service: Service, model: ServedModel, body: Body, call: Call) -> Tokenization:
    """The tokens of a conversation or of a text. Its images are counted: none is fetched or decoded.

    Raises errors.RequestError.
    """
    limits = service.limits
    request = parse_tokenize_request(body.take(), max_images=limits.max_images, strict=limits.strict)
    _require_model(request.model, service.model_name)
    body.release()
    if request.prompt is None:
        await _refuse_endless([message.text for message in request.messages], "messages", model)
    else:
        await _refuse_endless([request.prompt], "prompt", model)
    pieces = prompt_pieces(request.messages) if request.prompt is None else (request.prompt,)
    return await asyncio.to_thread(tokenization, request, pieces, model.card, model.engine.facts.max_model_len)


def _require_model(wanted: str, name: str) -> None:
    if wanted != name:
        raise ModelNotFound("This server serves another model: GET /v1/models names it.", param="model")


async def put_on_record(
    service: Service,
    call: Call,
    model: ServedModel | None = None,
    images: Iterable[str] = (),
    parameters: Mapping[str, Any] | None = None,
) -> None:
    """Who asks what of which model, on disk before it is done. images: SHA-256 of the files. Raises AuditFailed."""
    if service.audit is None:
        return
    event = {
        "event": "accepted",
        "request_id": call.id,
        "engine_id": call.engine_id,
        "key": call.caller.key_id,
        "tenant": call.tenant,
        "route": call.route,
        "model": model.card.digest if model is not None else None,
        "preparation_version": PREPARATION_VERSION,
        "images": [on_record(sha256, service.secret, call.tenant) for sha256 in images],
        "parameters": parameters or {},
    }
    # One whose caller leaves meanwhile is written all the same, and so must its end be.
    call.on_record = True
    try:
        await service.audit.record(event)
    except AuditFailed as error:
        # One that may be written needs its end as well.
        call.on_record = isinstance(error, AuditUnanswered)
        raise


async def rendering(service: Service, model: ServedModel, body: Body, call: Call) -> tuple[bytes, ImageProvenance]:
    """The PNG that a render request asks for, and what was done for it. Raises errors.RequestError."""
    request = parse_render_request(body.take())
    call.use.images(1)
    async with _content(request.image, service, call) as content:
        await put_on_record(service, call, model, [content.sha256])
        return await service.preparation.rendering(
            content, request.image.view, call.claimant, model.card, request.max_side, request.form
        )


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
    async with _content(image, service, call) as content:
        return await service.preparation.picture(content, image.view, call.claimant, card)


@asynccontextmanager
async def _content(image: ImageRequest, service: Service, call: Call) -> AsyncIterator[Content]:
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


async def _metered(
    pieces: AsyncGenerator[Piece, None], index: int, left: list[int], call: Call, place: Place, awaited: Awaited
) -> AsyncGenerator[ChoicePiece, None]:
    """The pieces of one choice, timed and counted as they come. left: how many choices the engine still works on."""
    try:
        async with aclosing(pieces):
            while piece := await _next(pieces, awaited):
                if piece.token_ids:
                    place.first_token()
                    call.meter.tokens(len(piece.token_ids), index)
                    call.completion_tokens += len(piece.token_ids)
                if piece.finish_reason is not None and call.finish_reason != "length":
                    call.finish_reason = piece.finish_reason
                yield index, piece
    finally:
        left[0] -= 1
        if not left[0]:
            # An answer that was cut off has used its tokens too.
            place.leave(call.completion_tokens)


async def _next(pieces: AsyncGenerator[Piece, None], awaited: Awaited) -> Piece | None:
    """None after the last one. Only in here does a request wait for the engine."""
    with awaited.one_more():
        return await anext(pieces, None)
