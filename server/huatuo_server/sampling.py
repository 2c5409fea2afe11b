"""What a request asks of the engine: its own wishes, the model's defaults where it is silent, and the room there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from huatuo_server.engine.base import Prompt, Sampling
from huatuo_server.errors import ContextLengthExceeded
from huatuo_server.families import SamplingDefaults
from huatuo_server.prompt import prompt_length
from huatuo_server.protocol.chat_request import ChatRequest
from huatuo_server.protocol.chat_schema import INT64_MAX
from huatuo_server.tokenizer import Tokenizer

MAX_CHARS_PER_TOKEN = 256
"""No piece of the vocabularies that we serve spells more; the longest of Qwen2's are runs of 128 blanks."""

SMALLEST_TOP_P = 1e-9
"""What a top_p of 0 becomes, which vLLM refuses: the likeliest token alone, since any is likelier than this."""

PIECE_CHARS = 16 * 1024
"""Text of at most so many characters is not worth a look before it is made into tokens."""

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Room:
    """A model's context, in tokens, and how much of it a prompt takes.

    prompt: of the whole prompt. images: of its images, a part of `prompt`. context: prompt and answer together.
    """

    prompt: int
    images: int
    context: int

    @classmethod
    def of(cls, prompt: Prompt, *, tokens_per_image: int, context: int) -> Room:
        """Raises ContextLengthExceeded when the prompt leaves no room for one token of an answer."""
        images = len(prompt.images) * tokens_per_image
        room = cls(prompt_length(prompt, tokens_per_image), images, context)
        if room.left < 1:
            raise ContextLengthExceeded(
                f"The prompt has {room.prompt} tokens, {room.images} of them images, and the model's context holds "
                f"{room.context} tokens of prompt and answer together: shorten the text or send fewer images.",
                param="messages",
            )
        return room

    @property
    def left(self) -> int:
        """For the answer."""
        return self.context - self.prompt


def length(texts: Sequence[str]) -> int:
    """Characters of all texts."""
    return sum(map(len, texts))


def refuse_endless_text(texts: Sequence[str], context: int, tokenizer: Tokenizer, param: str) -> None:
    """Raises ContextLengthExceeded for text that cannot fit, before all of it is made into tokens.

    Long text is looked at in pieces, up to the one that is too much. A cut may fall into a token, and make as many of
    it as it has characters. param: where in the request the texts are.
    """
    num_chars, num_tokens = length(texts), 0
    if num_chars > context * MAX_CHARS_PER_TOKEN:
        raise _too_long(num_chars, context, param)
    for text in texts:
        for begin in range(0, len(text), PIECE_CHARS):
            num_tokens += len(tokenizer.encode(text[begin : begin + PIECE_CHARS])) - MAX_CHARS_PER_TOKEN
            if num_tokens > context:
                raise _too_long(num_chars, context, param)


def _too_long(num_chars: int, context: int, param: str) -> ContextLengthExceeded:
    return ContextLengthExceeded(
        f"The text holds {num_chars} characters, which cannot fit the model's context of {context} tokens: shorten it.",
        param=param,
    )


def sampling_for(request: ChatRequest, defaults: SamplingDefaults, room: Room) -> tuple[Sampling, int | None]:
    """The engine's parameters, and what `max_tokens` was clamped to if it was."""
    min_tokens = _or(request.min_tokens, defaults.min_tokens)
    wished = _or(request.max_tokens, max(defaults.max_tokens, min_tokens))
    max_tokens = min(wished, room.left)
    sampling = Sampling(
        max_tokens=max_tokens,
        temperature=_or(request.temperature, defaults.temperature),
        top_p=max(_or(request.top_p, defaults.top_p), SMALLEST_TOP_P),
        top_k=_or(request.top_k, defaults.top_k),
        min_p=_or(request.min_p, 0.0),
        repetition_penalty=_or(request.repetition_penalty, defaults.repetition_penalty),
        frequency_penalty=_or(request.frequency_penalty, 0.0),
        presence_penalty=_or(request.presence_penalty, 0.0),
        logit_bias=request.logit_bias,
        seed=request.seed,
        min_tokens=min(min_tokens, max_tokens),
        ignore_eos=request.ignore_eos,
        stop_token_ids=request.stop_token_ids,
        logprobs=request.num_logprobs,
        structured_output=request.structured_output,
    )
    return sampling, max_tokens if max_tokens < wished else None


def sampling_of_choice(sampling: Sampling, index: int) -> Sampling:
    """Of one of several answers: each has a seed of its own, the first one the request's."""
    if sampling.seed is None or index == 0:
        return sampling
    seed = sampling.seed + index
    return replace(sampling, seed=seed if seed <= INT64_MAX else seed - 2**64)


def parameters_on_record(sampling: Sampling, n: int) -> dict[str, Any]:
    """The parameters of n answers as the audit log holds them: a schema or a choice may tell of a patient, and a
    thousand biases tell nobody anything.
    """
    parameters = asdict(sampling) | {"n": n, "logit_bias": len(sampling.logit_bias)}
    structured = sampling.structured_output
    parameters["structured_output"] = structured and ("choices" if structured.choices else "json_schema")
    return parameters


def _or(value: Number | None, default: Number) -> Number:
    return default if value is None else value
