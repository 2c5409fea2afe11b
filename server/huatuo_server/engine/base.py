"""The engine as the rest of the server sees it: a prompt goes in, token deltas come out.

Only plain values cross this boundary (token ids, uint8 pixels, numbers), so that an engine may live in another process
or on another machine. `vllm_engine.VllmEngine` is the real one, `scripted.ScriptedEngine` its twin for tests, and
`tests/service/test_engine_contract.py` runs the same promises against both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

IMAGE_SENTINEL = -200
"""Stands for one image among a prompt's token ids, as in the reference (LLaVA's `IMAGE_TOKEN_INDEX`)."""

LEAST_LOGPROB = -9999.0
"""What OpenAI's API writes for a token that is most unlikely; JSON has no way to write -inf."""

FinishReason = Literal["stop", "length"]

Phase = Literal["starting", "loading weights", "compiling", "warming up", "ready", "failed"]
"""Where a start stands, in order. An engine reports up to "warming up", the server that and the rest."""


@dataclass(frozen=True, slots=True)
class PromptImage:
    """One prepared image.

    pixels: uint8, shape (height, width, 3), RGB, the family's size (336 x 336 for CLIP-L/14-336).
    identity: the key under which engine caches may hold its features; equal identities must mean equal pixels.
    """

    pixels: NDArray[np.uint8]
    identity: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the engine reads.

    token_ids: text token ids with one IMAGE_SENTINEL where each image stands.
    images: in the order of their sentinels; as many as there are sentinels.
    cache_salt: prompts with different salts never share cached prefixes.
    """

    token_ids: tuple[int, ...]
    images: tuple[PromptImage, ...] = ()
    cache_salt: str | None = None


@dataclass(frozen=True, slots=True)
class StructuredOutput:
    """What an answer must be: JSON that a schema allows, or one of some strings. One of the two is given.

    json_schema: JSON text, checked and bounded by `protocol.json_schema`. choices: not empty.
    """

    json_schema: str | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the engine chooses tokens. temperature 0 is greedy; top_k 0 and min_p 0 are off.

    All three penalties count generated tokens only; the repetition penalty so as the reference's
    `generate(inputs_embeds=...)` does. logit_bias: (token id, what is added to its logit), each id once.
    logprobs: how many alternatives a step to report, None for none; log-softmax of the raw logits.
    logprob_token_ids: report these ids in each step instead; at most 128, and `logprobs` is then None.
    """

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    seed: int | None = None
    min_tokens: int = 0
    ignore_eos: bool = False
    stop_token_ids: tuple[int, ...] = ()
    logprobs: int | None = None
    logprob_token_ids: tuple[int, ...] = ()
    structured_output: StructuredOutput | None = None


class TokenDelta(NamedTuple):
    """What came out since the last delta. The last one, and only it, has a finish_reason.

    logprobs: one mapping a token, id -> natural-log probability, holding the chosen id and what was asked for beside
    it; empty unless asked for.
    num_cached_tokens: of the prompt, read from the prefix cache; known from the first delta on.
    """

    token_ids: tuple[int, ...]
    finish_reason: FinishReason | None = None
    logprobs: tuple[Mapping[int, float], ...] = ()
    num_cached_tokens: int = 0


Take: TypeAlias = Callable[[TokenDelta], bool]
"""Takes a delta, at once and on the event loop; False when it wants no more of them."""


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What an engine that has started says of itself.

    max_model_len: tokens of prompt (576 an image for CLIP-L/14-336) and completion together.
    vocab_size: rows of the output head; every id the engine emits is below it.
    tokens_per_image: positions one image takes.
    max_num_seqs: how many generations run at a time; more would wait inside.
    kv_tokens: how many tokens of prompts and completions its cache holds together; each generation takes whole blocks
    of kv_block_tokens.
    details: names and values for the start-up log (versions, model runner, weights accounting).
    """

    max_model_len: int
    vocab_size: int
    tokens_per_image: int
    max_num_seqs: int
    kv_tokens: int
    kv_block_tokens: int
    details: Mapping[str, Any] = field(default_factory=dict)


class Engine(Protocol):
    """Start once, generate many times, stop once."""

    @property
    def phase(self) -> Phase:
        """Where the start stands; readable at any time, from the event loop, without blocking."""
        ...

    @property
    def facts(self) -> EngineFacts:
        """Known once `start` has returned. Raises RuntimeError before."""
        ...

    @property
    def last_progress(self) -> float:
        """When the engine last got on with its work, of `time.monotonic()`: a step, also one that prefills, or a delta.

        Of an idle engine it grows old; of a busy one only while it hangs. Readable at any time, without blocking.
        """
        ...

    async def start(self) -> None:
        """Load the weights and get ready to generate, off the event loop.

        Raises errors.EngineStartError, whose message is one clear line.
        """
        ...

    async def generate(
        self, prompt: Prompt, sampling: Sampling, request_id: str, take: Take, *, priority: int = 0
    ) -> None:
        """Generate, and return after the last delta. The generation is aborted when cancelled, or not wanted any more.

        take: gets each delta as it comes. It is a plain call, since a task or a generator for each token would cost
        more than all else that the server does with one.
        priority: of what waits inside the engine, the lowest number goes first.
        Raises errors.EngineRequestError when this request failed, errors.EngineDeadError when the engine did, and
        whatever `take` raises.
        """
        ...

    async def check(self) -> None:
        """Raises errors.EngineDeadError when the engine is gone. It does not see a hung one: see `last_progress`."""
        ...

    async def stop(self, *, grace_s: float = 3.0) -> None:
        """End the engine, its processes and what they left behind. May be called at any time, more than once.

        grace_s: what has not ended by itself in that time is killed, with all its descendants; 0 kills at once.
        """
        ...


async def all_deltas(
    engine: Engine, prompt: Prompt, sampling: Sampling, request_id: str, *, priority: int = 0
) -> list[TokenDelta]:
    """A whole generation. Raises as `Engine.generate`."""
    received: list[TokenDelta] = []

    def take(delta: TokenDelta) -> bool:
        received.append(delta)
        return True

    await engine.generate(prompt, sampling, request_id, take, priority=priority)
    return received
