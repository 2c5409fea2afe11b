"""The whole path of a request, once: `_asked` is the list of its stages, from the request to the pieces of its answers.

bytes -> protocol -> a place -> images -> prompt -> the turn -> engine -> responses -> bytes

Up to the engine a stage is awaited; from there on each token is pushed, by plain calls, up to the socket.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias, TypeVar

from huatuo_server.admission.body import Body
from huatuo_server.answer_text import RunAnswers
from huatuo_server.call import Call
from huatuo_server.errors import ContextLengthExceeded, ModelNotFound
from huatuo_server.generation import answers, asking
from huatuo_server.prompt import prompt_pieces
from huatuo_server.prompted import Prompted, content_of, prompt_of, refuse_endless
from huatuo_server.protocol.chat_rendering import ChatRendering
from huatuo_server.protocol.chat_request import ChatRequest, parse_chat_request
from huatuo_server.protocol.chat_response import ChatCompletion
from huatuo_server.protocol.choices_request import parse_choices_request
from huatuo_server.protocol.choices_response import ChatChoices
from huatuo_server.protocol.provenance import ImageProvenance
from huatuo_server.protocol.render_request import parse_render_request
from huatuo_server.protocol.responses_object import ResponseObject
from huatuo_server.protocol.responses_request import parse_responses_request
from huatuo_server.protocol.tokenization import Tokenization
from huatuo_server.protocol.tokenize_request import parse_tokenize_request
from huatuo_server.record import put_on_record
from huatuo_server.responses.chat import ChatStream, completion
from huatuo_server.responses.chat_rendering import chat_rendering
from huatuo_server.responses.choices import weighed
from huatuo_server.responses.heading import Heading
from huatuo_server.responses.response import ResponseHeading, response
from huatuo_server.responses.response_stream import ResponseStream
from huatuo_server.responses.tokenization import tokenization
from huatuo_server.sampling import (
    parameters_on_record,
    sampling_for,
)
from huatuo_server.scoring import (
    AT_ONCE,
    forks,
    num_tokens,
    require_room,
    scored,
    tokenised,
)
from huatuo_server.served_model import ServedModel
from huatuo_server.service import Service

Request = TypeVar("Request")
Stream = TypeVar("Stream")

Streamed: TypeAlias = tuple[Stream, RunAnswers]
"""A stream that has not begun: who writes its events, and what makes the pieces for them."""

SLOW = re.compile(rb'"(json_schema|structured_outputs)"|\\u')
"""How a body shows that it may hold a schema, whose trial takes milliseconds; any name may be escaped."""

SHORT_BYTES = 16 * 1024
"""A longer body may take as long without one."""


async def answer(
    service: Service, model: ServedModel, body: Body, call: Call
) -> Awaitable[ChatCompletion] | Streamed[ChatStream]:
    """A chat request's completion, yet to be awaited, or its stream, yet to be run.

    Raises errors.RequestError; so do the completion and the stream.
    """
    request = await _read(parse_chat_request, service, model, body)
    run, heading = await _asked(service, model, request, body, call)
    return (ChatStream(heading), run) if request.stream else completion(run, heading)


async def _read(parse: Callable[..., Request], service: Service, model: ServedModel, body: Body) -> Request:
    """The request in a body; read off the event loop where that takes more than a thread costs."""
    taken, limits = body.take(), service.limits
    known = {"max_images": limits.max_images, "vocab_size": model.card.vocab_size, "strict": limits.strict}
    if len(taken) > SHORT_BYTES or SLOW.search(taken):
        return await asyncio.to_thread(parse, taken, **known)
    return parse(taken, **known)


async def _asked(
    service: Service, model: ServedModel, request: ChatRequest, body: Body, call: Call
) -> tuple[RunAnswers, Heading]:
    """The whole path of a request that wants answers, up to the engine. Raises RequestError."""
    _require_model(request.model, service.model_name)
    place = call.held.enter_context(service.queue.place(call.flow))
    prompted = await prompt_of(service, model, request.messages, body, call)
    sampling, clamped_to = sampling_for(request, model.card.family.sampling, prompted.room)
    call.use.tokens(prompted.room.prompt + request.n * sampling.max_tokens)
    await put_on_record(service, call, model, prompted.sha256, parameters_on_record(sampling, request.n))
    await place.enter(prompted.room.prompt, sampling.max_tokens, call.deadline, num_seqs=request.n)
    call.entered, call.prompt_tokens = True, prompted.room.prompt
    wanted = answers(service, model, request, prompted, sampling, call, place)
    return wanted.run, _chat_heading(service, model, request, prompted, call, clamped_to)


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
) -> Awaitable[ResponseObject] | Streamed[ResponseStream]:
    """A Responses request's response, yet to be awaited, or its stream, yet to be run.

    Raises errors.RequestError; so do the response and the stream.
    """
    defaults = model.card.family.sampling
    request = await _read(parse_responses_request, service, model, body)
    try:
        run, heading = await _asked(service, model, request.asked, body, call)
    except ContextLengthExceeded as error:
        error.param = "input"
        raise
    said = ResponseHeading.of(call.id, heading, request, defaults)
    return (ResponseStream(said), run) if request.asked.stream else response(run, said)


async def score(service: Service, model: ServedModel, body: Body, call: Call) -> ChatChoices:
    """How probable each choice of a request is as the model's answer. Raises errors.RequestError."""
    limits = service.limits
    request = parse_choices_request(body.take(), max_images=limits.max_images, strict=limits.strict)
    _require_model(request.model, service.model_name)
    place = call.held.enter_context(service.queue.place(call.flow))
    prompted = await prompt_of(service, model, request.messages, body, call)
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
        scores = await scored(options, asking(service, model, prompted, call, place), at_once=at_once)
    finally:
        place.leave(call.completion_tokens)
    call.completion_tokens = scores.num_tokens
    return weighed(scores, _heading(service, model, request.ignored_fields, prompted, call))


async def shown(service: Service, model: ServedModel, body: Body, call: Call) -> ChatRendering:
    """What a chat request would be to the engine, which hears nothing of it. Raises errors.RequestError as `answer`."""
    card = model.card
    request = await _read(parse_chat_request, service, model, body)
    _require_model(request.model, service.model_name)
    prompted = await prompt_of(service, model, request.messages, body, call)
    sampling, clamped_to = sampling_for(request, card.family.sampling, prompted.room)
    await put_on_record(service, call, model, prompted.sha256, parameters_on_record(sampling, request.n))
    heading = _chat_heading(service, model, request, prompted, call, clamped_to)
    pieces = prompt_pieces(request.messages)
    async with service.showing:
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
    async with service.showing:
        if request.prompt is None:
            await refuse_endless([message.text for message in request.messages], "messages", model)
        else:
            await refuse_endless([request.prompt], "prompt", model)
        pieces = prompt_pieces(request.messages) if request.prompt is None else (request.prompt,)
        return await asyncio.to_thread(tokenization, request, pieces, model.card, model.engine.facts.max_model_len)


def _require_model(wanted: str, name: str) -> None:
    if wanted != name:
        raise ModelNotFound("This server serves another model: GET /v1/models names it.", param="model")


async def rendering(service: Service, model: ServedModel, body: Body, call: Call) -> tuple[bytes, ImageProvenance]:
    """The PNG that a render request asks for, and what was done for it. Raises errors.RequestError."""
    request = parse_render_request(body.take())
    call.use.images(1)
    async with content_of(request.image, service, call) as content:
        await put_on_record(service, call, model, [content.sha256])
        return await service.preparation.rendering(
            content, request.image.view, call.claimant, model.card, request.max_side, request.form
        )
