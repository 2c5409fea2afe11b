"""The engine's twin: behaves as `VllmEngine` does, but says what a script says. For tests and drills.

A script is a JSON file (`huatuo-server serve --scripted FILE`) or a `Script`:

    {"start_delay_s": 0.5,
     "warm_up": {"text": "ready"},
     "completions": [{"text": "A fracture of the distal radius.", "delay_s": 0.02},
                     {"token_ids": [17, 18], "fail_after": 1, "failure": "request"}]}

The completions are handed out in the order in which generations begin, round and round. A completion's tokens are
followed by the end-of-sequence token; where that does not end the answer (`ignore_eos`, `min_tokens`) it starts over.
As vLLM's, an engine that dies ends all its generations at once, and one that hangs says nothing to any of them.
Of the sampling it minds what ends an answer and which log-probabilities are asked for; a schema it does not enforce.
"""

from __future__ import annotations

import asyncio
import json
import queue
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from huatuo_server.engine.base import (
    IMAGE_SENTINEL,
    EngineFacts,
    FinishReason,
    Phase,
    Prompt,
    Sampling,
    Take,
    TokenDelta,
)
from huatuo_server.errors import EngineDeadError, EngineRequestError, EngineStartError, SettingsError

OWN_REQUESTS = ("warm-up", "canary")
"""How the ids of the server's own requests begin: they get the script's `warm_up` and leave its completions alone."""

ENDED = {"dead": "The engine has died.", "stopped": "The engine has been stopped."}
"""The states in which there will be no more answers, and what a request hears."""

NUM_RECORDS = 256
"""How many prompts and samplings are remembered; bounded, so that a soak test does not measure its own records."""


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer: text or token ids, and what befalls it.

    delay_s: before each delta. tokens_per_delta: how many tokens come at once.
    fail_after, hang_after: after that many tokens the generation fails, or says nothing more until it is closed;
    `failure` and `hang` say whether only this request does or the whole engine.
    """

    text: str = ""
    token_ids: tuple[int, ...] = ()
    delay_s: float = 0.0
    tokens_per_delta: int = 1
    fail_after: int | None = None
    failure: Literal["request", "engine"] = "request"
    hang_after: int | None = None
    hang: Literal["request", "engine"] = "request"


@dataclass(frozen=True, slots=True)
class Script:
    """What the twin does. start_failure: the message with which the start fails. The last three are told in the
    engine's facts; the twin does not enforce them, so that a test sees who lets too many in.
    """

    completions: tuple[Completion, ...] = (Completion(text="This is the scripted engine speaking."),)
    warm_up: Completion = Completion(text="warm")
    start_delay_s: float = 0.0
    start_failure: str | None = None
    max_num_seqs: int = 256
    kv_tokens: int = 1_000_000
    kv_block_tokens: int = 16

    def __post_init__(self) -> None:
        """Raises ValueError when there is nothing to say."""
        if not self.completions:
            raise ValueError("a script needs at least one completion")

    @classmethod
    def read(cls, path: Path) -> Script:
        """Raises SettingsError, with the reason, when the file is not a script."""
        try:
            raw = json.loads(path.read_bytes())
            script: Script = _build(cls, raw)
        except (OSError, ValueError, TypeError) as error:
            raise SettingsError(f"--scripted: {path} is not a script of the scripted engine: {error}") from None
        return script


def _build(kind: type[Any], raw: Any) -> Any:
    if not isinstance(raw, dict):
        raise ValueError(f"a {kind.__name__.lower()} is a JSON object")
    known = {one.name for one in fields(kind)}
    unknown = sorted(set(raw) - known)
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r}; known are {', '.join(sorted(known))}")
    values = dict(raw)
    if "completions" in values:
        values["completions"] = tuple(_build(Completion, one) for one in values["completions"])
    if "warm_up" in values:
        values["warm_up"] = _build(Completion, values["warm_up"])
    if "token_ids" in values:
        values["token_ids"] = tuple(values["token_ids"])
    return kind(**values)


@dataclass(frozen=True, slots=True)
class Generation:
    """What a test reads of a generation that began."""

    request_id: str
    prompt: Prompt
    sampling: Sampling
    priority: int = 0


class ScriptedEngine:
    """Implements `engine.base.Engine`.

    generations: the last ones that began. most_running: how many of the clients' ran at a time, at most. aborts: the id
    of each generation that was closed before its end; a thread-safe queue, so that a test can wait for one with a
    timeout.
    """

    def __init__(
        self,
        script: Script,
        *,
        max_model_len: int,
        vocab_size: int,
        tokens_per_image: int,
        eos_token_ids: Sequence[int],
        encode: Callable[[str], Sequence[int]],
    ) -> None:
        """encode: text -> token ids. Raises ValueError when the script holds an id outside the vocabulary."""
        self._script = script
        self._facts = EngineFacts(
            max_model_len=max_model_len,
            vocab_size=vocab_size,
            tokens_per_image=tokens_per_image,
            max_num_seqs=script.max_num_seqs,
            kv_tokens=script.kv_tokens,
            kv_block_tokens=script.kv_block_tokens,
        )
        self._eos_token_ids = tuple(eos_token_ids)
        self._completions = [(one, self._ids(one, encode)) for one in script.completions]
        self._warm_up = (script.warm_up, self._ids(script.warm_up, encode))
        self._num_begun = 0
        self._phase: Phase = "starting"
        self._state: Literal["new", "started", "hung", "dead", "stopped"] = "new"
        self._last_progress = time.monotonic()
        self._turns: dict[asyncio.Future[None], asyncio.TimerHandle | None] = {}
        self._running: set[str] = set()
        self.most_running = 0
        self.generations: deque[Generation] = deque(maxlen=NUM_RECORDS)
        self.aborts: queue.SimpleQueue[str] = queue.SimpleQueue()

    def _ids(self, completion: Completion, encode: Callable[[str], Sequence[int]]) -> tuple[int, ...]:
        token_ids = completion.token_ids or tuple(encode(completion.text))
        if any(not 0 <= one < self._facts.vocab_size for one in token_ids):
            raise ValueError(f"a script's token ids lie in [0, {self._facts.vocab_size})")
        return token_ids

    @property
    def phase(self) -> Phase:
        """As `Engine.phase`."""
        return self._phase

    @property
    def facts(self) -> EngineFacts:
        """As `Engine.facts`."""
        if self._state == "new":
            raise RuntimeError("the engine has not started")
        return self._facts

    @property
    def last_progress(self) -> float:
        """As `Engine.last_progress`: when the last delta came."""
        return self._last_progress

    async def start(self) -> None:
        """Wait as the script says, then be ready or raise EngineStartError."""
        self._phase = "loading weights"
        await asyncio.sleep(self._script.start_delay_s)
        if self._script.start_failure is not None:
            self._phase = "failed"
            raise EngineStartError(self._script.start_failure)
        self._state = "started"
        self._last_progress = time.monotonic()

    async def generate(
        self, prompt: Prompt, sampling: Sampling, request_id: str, take: Take, *, priority: int = 0
    ) -> None:
        """As `Engine.generate`."""
        if self._state == "new":
            raise RuntimeError("the engine has not started")
        await self.check()
        self._check_prompt(prompt, sampling)
        generation = Generation(request_id, prompt, sampling, priority)
        self.generations.append(generation)
        completion, token_ids = self._next(request_id)
        ended = False
        try:
            self._begin(request_id)
            async with aclosing(self._play(completion, token_ids, generation)) as deltas:
                async for delta in deltas:
                    ended = delta.finish_reason is not None
                    self._last_progress = time.monotonic()
                    if not take(delta):
                        break
        except (EngineRequestError, EngineDeadError):
            ended = True
            raise
        finally:
            self._running.discard(request_id)
            if not ended:
                self.aborts.put(request_id)

    def _next(self, request_id: str) -> tuple[Completion, tuple[int, ...]]:
        if request_id.startswith(OWN_REQUESTS):
            return self._warm_up
        self._num_begun += 1
        return self._completions[(self._num_begun - 1) % len(self._completions)]

    def _begin(self, request_id: str) -> None:
        if not request_id.startswith(OWN_REQUESTS):
            self._running.add(request_id)
            self.most_running = max(self.most_running, len(self._running))

    def _check_prompt(self, prompt: Prompt, sampling: Sampling) -> None:
        num_sentinels = prompt.token_ids.count(IMAGE_SENTINEL)
        if num_sentinels != len(prompt.images):
            raise EngineRequestError(f"the prompt has {num_sentinels} image sentinels and {len(prompt.images)} images")
        length = len(prompt.token_ids) + num_sentinels * (self._facts.tokens_per_image - 1)
        if length + sampling.max_tokens > self._facts.max_model_len:
            raise EngineRequestError("prompt and completion do not fit the context")

    async def _play(
        self, completion: Completion, token_ids: tuple[int, ...], generation: Generation
    ) -> AsyncGenerator[TokenDelta, None]:
        batch: list[int] = []
        for count, (token_id, finish) in enumerate(self._tokens(token_ids, generation.sampling)):
            await self._befall(completion, count)
            batch.append(token_id)
            if finish is not None or len(batch) >= completion.tokens_per_delta:
                await self._turn(completion.delay_s)
                begun = len(generation.prompt.token_ids) + count + 1 - len(batch)
                yield TokenDelta(tuple(batch), finish, self._logprobs(batch, begun, generation.sampling))
                batch = []

    def _tokens(self, token_ids: tuple[int, ...], sampling: Sampling) -> Iterator[tuple[int, FinishReason | None]]:
        """Token ids with the finish_reason of the last one: the completion and an eos, again and again."""
        stops = set(sampling.stop_token_ids) | (set() if sampling.ignore_eos else set(self._eos_token_ids))
        count = 0
        while True:
            for token_id in (*token_ids, self._eos_token_ids[0]):
                stops_here = token_id in stops
                if stops_here and count < sampling.min_tokens:
                    continue
                count += 1
                finish: FinishReason | None = "stop" if stops_here else None
                if finish is None and count == sampling.max_tokens:
                    finish = "length"
                yield token_id, finish
                if finish is not None:
                    return

    async def _befall(self, completion: Completion, count: int) -> None:
        """Whatever the script has happen after `count` tokens."""
        if completion.hang_after == count:
            if completion.hang == "engine":
                self._hang()
            await self._turn(None)
        if completion.fail_after != count:
            return
        if completion.failure == "request":
            raise EngineRequestError("The engine failed this request.")
        self._end("dead")
        await self.check()

    async def _turn(self, delay_s: float | None) -> None:
        """Wait for the engine to come to this generation; None: it never does.

        Raises EngineDeadError as soon as the engine has died or was stopped.
        """
        if delay_s == 0.0:
            await asyncio.sleep(0)
        await self.check()
        if delay_s == 0.0 and self._state != "hung":
            return
        turn = asyncio.get_running_loop().create_future()
        waits = delay_s is not None and self._state != "hung"
        self._turns[turn] = turn.get_loop().call_later(delay_s or 0.0, _come, turn) if waits else None
        try:
            await turn
        finally:
            timer = self._turns.pop(turn)
            if timer is not None:
                timer.cancel()

    def _hang(self) -> None:
        """No generation's turn comes any more."""
        self._state = "hung"
        for turn, timer in self._turns.items():
            if timer is not None:
                timer.cancel()
                self._turns[turn] = None

    def _end(self, state: Literal["dead", "stopped"]) -> None:
        """All generations end at once."""
        self._state = state
        for turn in self._turns:
            if not turn.done():
                turn.set_exception(EngineDeadError(ENDED[state]))

    def _logprobs(self, token_ids: Sequence[int], begun: int, sampling: Sampling) -> tuple[Mapping[int, float], ...]:
        """The chosen id's, and what was asked for beside it; made up, but of the right shape.

        begun: how many tokens stand before the first of `token_ids`.
        """
        if sampling.logprob_token_ids:
            asked = sampling.logprob_token_ids
            return tuple(
                {each: made_up_logprob(position, each) for each in (chosen, *asked)}
                for position, chosen in enumerate(token_ids, start=begun)
            )
        if sampling.logprobs is None:
            return ()
        ranks = range(max(sampling.logprobs, 1))
        size = self._facts.vocab_size
        return tuple({(one + rank) % size: -0.1 - rank for rank in ranks} for one in token_ids)

    async def check(self) -> None:
        """As `Engine.check`."""
        if self._state in ENDED:
            raise EngineDeadError(ENDED[self._state])

    async def stop(self, *, grace_s: float = 3.0) -> None:
        """As `Engine.stop`; the twin has nothing that could take time."""
        if self._state != "dead":
            self._end("stopped")


def made_up_logprob(position: int, token_id: int) -> float:
    """What the twin says of an id that was asked for by `logprob_token_ids`, after `position` tokens of prompt and
    answer, where an image counts as one: between -10 and -0.1, always the same, another one for each id nearby.
    """
    return -0.1 - (token_id * 7 + position * 31) % 100 / 10.1


def _come(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)
