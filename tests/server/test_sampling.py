"""What the engine is asked for: wishes, defaults and the room there is."""

from __future__ import annotations

import numpy as np
import pytest

from huatuo_server.engine.base import IMAGE_SENTINEL, Prompt, PromptImage, Sampling
from huatuo_server.errors import ContextLengthExceeded
from huatuo_server.families import SamplingDefaults
from huatuo_server.protocol.chat_request import ChatRequest
from huatuo_server.protocol.conversation import ChatMessage
from huatuo_server.sampling import MAX_CHARS_PER_TOKEN, SMALLEST_TOP_P, Room, refuse_endless_text, sampling_for
from huatuo_server.tokenizer import Tokenizer
from tests.service.served import golden_card

DEFAULTS = SamplingDefaults()
PIXELS = np.zeros((2, 2, 3), np.uint8)


def request(text: str = "hi", **fields: int | float | bool | None) -> ChatRequest:
    return ChatRequest("m", (ChatMessage("user", text),), **fields)  # type: ignore[arg-type]


def prompt(num_text_tokens: int, num_images: int = 0) -> Prompt:
    images = tuple(PromptImage(PIXELS, str(number)) for number in range(num_images))
    return Prompt((5,) * num_text_tokens + (IMAGE_SENTINEL,) * num_images, images)


def test_a_silent_request_gets_the_references_defaults() -> None:
    """What `cli.py` of the reference passes to generate."""
    sampling, clamped_to = sampling_for(request(), DEFAULTS, Room(10, 0, 1000))

    assert sampling == Sampling(
        max_tokens=512, temperature=0.2, top_p=1.0, top_k=50, repetition_penalty=1.2, min_tokens=1
    )
    assert clamped_to is None


def test_zero_is_a_wish_and_not_silence() -> None:
    """Greedy, no top_k, no minimum: none of them falls back to a default."""
    sampling, _ = sampling_for(request(temperature=0.0, top_k=0, min_tokens=0, seed=0), DEFAULTS, Room(10, 0, 1000))

    assert (sampling.temperature, sampling.top_k, sampling.min_tokens, sampling.seed) == (0.0, 0, 0, 0)


def test_a_top_p_of_zero_is_one_that_vllm_takes() -> None:
    """It wants more than 0; so is what no 32-bit number can tell from 0."""
    for top_p in (0.0, 1e-300):
        sampling, _ = sampling_for(request(top_p=top_p), DEFAULTS, Room(10, 0, 1000))
        assert sampling.top_p == SMALLEST_TOP_P > 0


@pytest.mark.parametrize(
    ("wished", "left", "max_tokens", "clamped_to"),
    [(10, 10, 10, None), (11, 10, 10, 10), (10**30, 1, 1, 1), (None, 511, 511, 511), (None, 512, 512, None)],
)
def test_max_tokens_is_a_ceiling(wished: int | None, left: int, max_tokens: int, clamped_to: int | None) -> None:
    """More than fits is clamped and reported, also where the wish was the default's."""
    sampling, reported = sampling_for(request(max_tokens=wished), DEFAULTS, Room(100, 0, 100 + left))

    assert (sampling.max_tokens, reported) == (max_tokens, clamped_to)


def test_a_minimum_raises_the_default_ceiling_and_bows_to_the_room() -> None:
    """min_tokens never exceeds max_tokens, which no engine accepts."""
    roomy, _ = sampling_for(request(min_tokens=600), DEFAULTS, Room(10, 0, 1000))
    tight, _ = sampling_for(request(min_tokens=600), DEFAULTS, Room(10, 0, 110))

    assert (roomy.min_tokens, roomy.max_tokens) == (600, 600)
    assert (tight.min_tokens, tight.max_tokens) == (100, 100)


def test_images_count_with_all_their_positions() -> None:
    """Two images of 576 and 8 tokens of text leave one token of 1161."""
    room = Room.of(prompt(8, 2), tokens_per_image=576, context=1161)

    assert (room.prompt, room.images, room.left) == (1160, 1152, 1)


def test_a_prompt_that_leaves_no_room_is_refused_with_the_figures() -> None:
    """The person learns how much of it images take, and what the limit is."""
    with pytest.raises(ContextLengthExceeded) as caught:
        Room.of(prompt(8, 2), tokens_per_image=576, context=1160)

    assert caught.value.code == "context_length_exceeded"
    assert caught.value.message.startswith("The prompt has 1160 tokens, 1152 of them images,")
    assert "1160 tokens of prompt and answer" in caught.value.message


def test_endless_text_is_refused_before_it_is_tokenised() -> None:
    """No vocabulary of ours could make it fit; one character less may be tried."""
    tokenizer = golden_card().tokenizer
    refuse_endless_text(["x" * 8], context=10, tokenizer=tokenizer, param="messages")

    with pytest.raises(ContextLengthExceeded, match="2561 characters"):
        refuse_endless_text(["x" * (10 * MAX_CHARS_PER_TOKEN + 1)], context=10, tokenizer=tokenizer, param="messages")


def test_only_as_much_of_a_long_text_is_made_into_tokens_as_shows_that_it_is_too_long() -> None:
    """A megabyte costs what some pages cost; text that fits is not refused, however it is cut."""
    tokenizer = golden_card().tokenizer
    seen: list[int] = []

    class Counting(Tokenizer):
        def encode(self, text: str) -> list[int]:
            seen.append(len(text))
            return tokenizer.encode(text)

    counting = Counting.__new__(Counting)
    with pytest.raises(ContextLengthExceeded):
        refuse_endless_text(["one two " * 125_000], context=4096, tokenizer=counting, param="messages")
    num_seen = sum(seen)
    fitting = "word " * 4000
    refuse_endless_text([fitting], context=len(tokenizer.encode(fitting)), tokenizer=tokenizer, param="messages")

    assert num_seen <= 64 * 1024
