"""What the engine does for one call, timed and counted as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

from huatuo_server.admission.fair_queue import Place
from huatuo_server.answer_text import AnswerText, Ending, TakePiece
from huatuo_server.call import Call
from huatuo_server.engine.base import Sampling, TokenDelta, all_deltas
from huatuo_server.errors import EngineRequestError
from huatuo_server.lane import LANES
from huatuo_server.prompted import Prompted
from huatuo_server.protocol.chat_request import ChatRequest
from huatuo_server.sampling import sampling_of_choice
from huatuo_server.scoring import Ask, Fork, NextLogprobs, next_logprobs
from huatuo_server.served_model import ServedModel
from huatuo_server.service import Service


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of a call, yet to be generated; the engine reads their common prompt once.

    generations: one an answer. Each gives its pieces to whom it is called with, as fast as the engine makes them: the
    engine must not wait for a client, who would keep a place in it from others.
    """

    generations: Sequence[Callable[[TakePiece], Awaitable[None]]]

    async def run(self, take: TakePiece) -> None:
        """All of them, up to the last piece. Cancelling aborts them; where one raises, so does this, and the others
        are given up.
        """
        if len(self.generations) == 1:
            await self.generations[0](take)
            return
        tasks = [asyncio.ensure_future(generation(take)) for generation in self.generations]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            # An error that knows the tasks which know the error would keep the prompt until the collector comes.
            del tasks


@dataclass(slots=True)
class Running:
    """How many of a call's answers the engine still works on; with the last one it leaves its place."""

    num: int
    place: Place

    def one_less(self, completion_tokens: int) -> None:
        """One has ended. An answer that was cut off has used its tokens too."""
        self.num -= 1
        if not self.num:
            self.place.leave(completion_tokens)


class _Generation:
    """One answer of a call: deltas -> pieces, timed and counted."""

    def __init__(self, index: int, text: AnswerText, running: Running, call: Call, take: TakePiece) -> None:
        self._index = index
        self._text = text
        self._running = running
        self._call = call
        self._take = take
        self._begun = False
        self.ended = False

    def take(self, delta: TokenDelta) -> bool:
        """The engine's next delta; whether more of them are wanted."""
        piece = self._text.piece(delta)
        if num_tokens := len(piece.token_ids):
            if not self._begun:
                self._begun = True
                self._running.place.first_token()
            self._call.meter.tokens(num_tokens, self._index)
            self._call.completion_tokens += num_tokens
        if piece.finish_reason is not None:
            self.ended = True
            if self._call.finish_reason != "length":
                self._call.finish_reason = piece.finish_reason
        self._take(self._index, piece)
        return not self.ended


def answers(
    service: Service,
    model: ServedModel,
    request: ChatRequest,
    prompted: Prompted,
    sampling: Sampling,
    call: Call,
    place: Place,
) -> Answers:
    """The answers that a request wants."""
    running, awaited = Running(request.n, place), service.startup.awaited
    ending = Ending(request.stop, request.min_tokens or 0, num_logprobs=request.num_logprobs)

    async def generate(index: int, take: TakePiece) -> None:
        text = AnswerText(model.card.tokenizer.text_decoder(), ending)
        generation = _Generation(index, text, running, call, take)
        try:
            with awaited.one_more():
                await model.engine.generate(
                    prompted.prompt,
                    sampling_of_choice(sampling, index),
                    f"{call.engine_id}-{index}" if index else call.engine_id,
                    generation.take,
                    priority=LANES.index(call.caller.lane),
                )
            if not generation.ended:
                raise EngineRequestError("The engine ended the answer without a reason.")
        finally:
            running.one_less(call.completion_tokens)

    call.meter.entered_engine()
    return Answers([partial(generate, index) for index in range(request.n)])


def asking(service: Service, model: ServedModel, prompted: Prompted, call: Call, place: Place) -> Ask:
    """Asks the engine what follows the prompt and the beginning of an option, timed and counted."""
    numbers = count()
    call.meter.entered_engine()

    async def ask(fork: Fork) -> NextLogprobs:
        number = next(numbers)
        prompt = replace(prompted.prompt, token_ids=prompted.prompt.token_ids + fork.prefix)
        sampling = Sampling(max_tokens=1, ignore_eos=True, logprob_token_ids=fork.next_ids)
        request_id = f"{call.engine_id}-{number}" if number else call.engine_id
        priority = LANES.index(call.caller.lane)
        with service.startup.awaited.one_more():
            found = next_logprobs(await all_deltas(model.engine, prompt, sampling, request_id, priority=priority), fork)
        if not fork.length:
            place.first_token()
            call.meter.tokens(1)
        call.completion_tokens += 1
        return found

    return ask
