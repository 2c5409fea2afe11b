"""What the engine does for one call, timed and counted as it comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import count

from huatuo_server.admission.fair_queue import Place
from huatuo_server.answer_text import ChoicePiece, Ending, Piece, answer_text
from huatuo_server.call import Call
from huatuo_server.engine.base import Sampling
from huatuo_server.lane import LANES
from huatuo_server.prompted import Prompted
from huatuo_server.protocol.chat_request import ChatRequest
from huatuo_server.pulse import Awaited
from huatuo_server.sampling import sampling_of_choice
from huatuo_server.scoring import Ask, Fork, NextLogprobs, next_logprobs
from huatuo_server.served_model import ServedModel
from huatuo_server.service import Service


@dataclass(slots=True)
class Running:
    """How many of a call's choices the engine still works on; with the last one it leaves its place."""

    num: int
    place: Place

    def one_less(self, completion_tokens: int) -> None:
        """One has ended. An answer that was cut off has used its tokens too."""
        self.num -= 1
        if not self.num:
            self.place.leave(completion_tokens)


def choices(
    service: Service,
    model: ServedModel,
    request: ChatRequest,
    prompted: Prompted,
    sampling: Sampling,
    call: Call,
    place: Place,
) -> list[AsyncGenerator[ChoicePiece, None]]:
    """A generation for each of the answers that are wanted; the engine reads their common prompt once."""
    card, running = model.card, Running(request.n, place)
    ending = Ending(request.stop, request.min_tokens or 0, num_logprobs=request.num_logprobs)

    def pieces(index: int) -> AsyncGenerator[ChoicePiece, None]:
        deltas = model.engine.generate(
            prompted.prompt,
            sampling_of_choice(sampling, index),
            f"{call.engine_id}-{index}" if index else call.engine_id,
            priority=LANES.index(call.caller.lane),
        )
        text = answer_text(deltas, card.tokenizer.text_decoder(), ending)
        return _metered(text, index, running, call, service.startup.awaited)

    call.meter.entered_engine()
    return [pieces(index) for index in range(request.n)]


def asking(service: Service, model: ServedModel, prompted: Prompted, call: Call, place: Place) -> Ask:
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


async def _metered(
    pieces: AsyncGenerator[Piece, None], index: int, running: Running, call: Call, awaited: Awaited
) -> AsyncGenerator[ChoicePiece, None]:
    """The pieces of one choice, timed and counted as they come."""
    try:
        async with aclosing(pieces):
            while piece := await _next(pieces, awaited):
                if piece.token_ids:
                    running.place.first_token()
                    call.meter.tokens(len(piece.token_ids), index)
                    call.completion_tokens += len(piece.token_ids)
                if piece.finish_reason is not None and call.finish_reason != "length":
                    call.finish_reason = piece.finish_reason
                yield index, piece
    finally:
        running.one_less(call.completion_tokens)


async def _next(pieces: AsyncGenerator[Piece, None], awaited: Awaited) -> Piece | None:
    """None after the last one. Only in here does a request wait for the engine."""
    with awaited.one_more():
        return await anext(pieces, None)
