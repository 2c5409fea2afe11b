"""The whole path of a request, once: `answer` is the list of its stages.

bytes -> protocol -> a place -> images -> prompt -> the turn -> engine -> responses -> bytes
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import ExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import islice

from huatuo_server.admission.body import Body
from huatuo_server.admission.budget import Budget
from huatuo_server.admission.fair_queue import FairQueue, Place
from huatuo_server.admission.flow import Claimant, Flow
from huatuo_server.answer_text import ChoicePiece, Ending, Piece, answer_text
from huatuo_server.audit import AuditLog, AuditUnanswered
from huatuo_server.caller import Caller
from huatuo_server.engine.base import FinishReason, Prompt, PromptImage, Sampling
from huatuo_server.errors import AuditFailed, ModelNotFound, RequestError
from huatuo_server.images.cache import Picture
from huatuo_server.images.content import Content
from huatuo_server.images.identity import PREPARATION_VERSION, cache_salt, on_record
from huatuo_server.images.preparation import Preparation
from huatuo_server.images.sources import Sources
from huatuo_server.interruption import InFlight, Interruption
from huatuo_server.lane import LANES
from huatuo_server.metrics import Metrics, RequestMeter
from huatuo_server.model_card import ModelCard
from huatuo_server.prompt import Message, render
from huatuo_server.protocol.chat_request import ChatRequest, parse_chat_request
from huatuo_server.protocol.chat_response import ChatCompletion, ChatCompletionChunk
from huatuo_server.protocol.conversation import ChatMessage
from huatuo_server.protocol.image_source import ImageRequest
from huatuo_server.protocol.provenance import ImageProvenance
from huatuo_server.protocol.render_request import parse_render_request
from huatuo_server.pulse import Awaited
from huatuo_server.read_ahead import read_ahead
from huatuo_server.responses.chat import chunks, completion
from huatuo_server.responses.heading import Heading
from huatuo_server.sampling import (
    PIECE_CHARS,
    Room,
    length,
    parameters_on_record,
    refuse_endless_text,
    sampling_for,
    sampling_of_choice,
)
from huatuo_server.served_model import ServedModel
from huatuo_server.startup import Startup
from huatuo_server.store import Store
from huatuo_server.tenants.quota import Quotas, Use


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may bring, and how long it may take. strict: a field that changes nothing is refused."""

    max_body_bytes: int
    max_images: int
    max_image_bytes: int
    body_timeout_s: float
    request_timeout_s: float
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """What the routes of the API may use; built once, in `app.create_app`.

    model_name: the one name that requests may ask for. bytes_in_flight: of all bodies. store: None where uploads are
    off. audit: None where nothing is put on record. secret: keys what tenants must not share.
    """

    model_name: str
    limits: Limits
    startup: Startup
    metrics: Metrics
    in_flight: InFlight
    quotas: Quotas
    bytes_in_flight: Budget
    queue: FairQueue
    sources: Sources
    preparation: Preparation
    store: Store | None
    audit: AuditLog | None
    secret: bytes


@dataclass(slots=True)
class Call:
    """One request on its way. The counts are filled in as they become known, for its meter.

    id: the client's X-Request-Id or ours. engine_id: never used twice, whatever the client sends. route: its template.
    use: of the caller's quotas. deadline: of time.monotonic. held: given back when the request has ended.
    on_record: whether the audit log has its beginning. entered: whether the
    engine has begun with it. begun: whether the head of the answer is out. failed: what ended
    a stream that had begun.
    """

    id: str
    engine_id: str
    route: str
    caller: Caller
    meter: RequestMeter
    use: Use
    deadline: float = math.inf
    interruption: Interruption = field(default_factory=Interruption)
    held: ExitStack = field(default_factory=ExitStack)
    on_record: bool = False
    entered: bool = False
    begun: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: FinishReason | None = None
    failed: RequestError | None = None

    @property
    def tenant(self) -> str:
        """Whose files, pictures and cached prefixes it may use."""
        return self.caller.tenant

    @property
    def headers(self) -> dict[str, str]:
        """What the answer says of the caller's quotas."""
        return self.use.headers()

    @property
    def flow(self) -> Flow:
        """Where it waits for its turn."""
        return Flow(self.caller.tenant, self.caller.lane)

    @property
    def claimant(self) -> Claimant:
        """Who holds what is in flight for it."""
        return Claimant(self.flow, self.engine_id)


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
    limits = service.limits
    request = parse_chat_request(
        body.take(), max_images=limits.max_images, vocab_size=model.card.vocab_size, strict=limits.strict
    )
    pieces, heading = await _asked(service, model, request, body, call)
    return chunks(pieces, heading) if request.stream else completion(pieces, heading)


async def _asked(
    service: Service, model: ServedModel, request: ChatRequest, body: Body, call: Call
) -> tuple[AsyncGenerator[ChoicePiece, None], Heading]:
    """The whole path of a request that wants answers: the pieces of all of them as they come. Raises RequestError."""
    _require_model(request.model, service.model_name)
    place = call.held.enter_context(service.queue.place(call.flow))
    prompted = await _prompted(service, model, request.messages, body, call)
    sampling, clamped_to = sampling_for(request, model.card.family.sampling, prompted.room)
    call.use.tokens(prompted.room.prompt + request.n * sampling.max_tokens)
    await put_on_record(service, call, model, prompted.sha256, sampling)
    await place.enter(prompted.room.prompt, sampling.max_tokens, call.deadline, num_seqs=request.n)
    call.entered, call.prompt_tokens = True, prompted.room.prompt
    pieces = read_ahead(*_choices(service, model, request, prompted, sampling, call, place))
    return pieces, _heading(service, model, request, prompted, call, clamped_to)


async def _prompted(
    service: Service, model: ServedModel, messages: Sequence[ChatMessage], body: Body, call: Call
) -> Prompted:
    """Images and texts -> the prompt, if it leaves room for an answer. Raises RequestError."""
    card, context = model.card, model.engine.facts.max_model_len
    if length(messages) > PIECE_CHARS:
        await asyncio.to_thread(refuse_endless_text, messages, context, card.tokenizer)
    call.use.images(sum(len(message.images) for message in messages))
    pictures = await _pictures(messages, service, card, call)
    body.release()
    prompt = await asyncio.to_thread(render, _spoken(messages, pictures), card.tokenizer)
    prompt = replace(prompt, cache_salt=cache_salt(service.secret, call.tenant))
    room = Room.of(prompt, tokens_per_image=card.tokens_per_image, context=context)
    return Prompted(prompt, room, tuple(picture.provenance for picture in pictures))


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
    ending = Ending(request.stop, request.min_tokens or 0, card.eos_token_ids)

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


def _heading(
    service: Service, model: ServedModel, request: ChatRequest, prompted: Prompted, call: Call, clamped_to: int | None
) -> Heading:
    return Heading(
        id=f"chatcmpl-{call.id}",
        created=int(time.time()),
        model=service.model_name,
        system_fingerprint=model.fingerprint,
        demo=model.card.demo,
        prompt_tokens=prompted.room.prompt,
        n=request.n,
        ignored_fields=request.ignored_fields,
        include_usage=request.include_usage,
        images=prompted.images,
        max_tokens_clamped_to=clamped_to,
        prompt_token_ids=prompted.prompt.token_ids if request.return_token_ids else None,
    )


def _require_model(wanted: str, name: str) -> None:
    if wanted != name:
        raise ModelNotFound("This server serves another model: GET /v1/models names it.", param="model")


async def put_on_record(
    service: Service,
    call: Call,
    model: ServedModel | None = None,
    images: Iterable[str] = (),
    sampling: Sampling | None = None,
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
        "parameters": parameters_on_record(sampling) if sampling is not None else {},
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
