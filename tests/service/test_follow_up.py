"""What a second question about the same pictures costs the real engine: nothing that the first has done already."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from huatuo_server.engine.base import IMAGE_SENTINEL
from tests.service.real import MODEL, RealServer

pytestmark = pytest.mark.slow

QUESTION = {"type": "text", "text": "What do these pictures show?"}


def picture(seed: int) -> bytes:
    """A PNG of noise; no other test sends it."""
    pixels = np.random.default_rng(9000 + seed).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def in_the_body(server: RealServer, file: bytes) -> dict[str, Any]:
    """Sent with each turn."""
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(file).decode()}"}}


def uploaded(server: RealServer, file: bytes) -> dict[str, Any]:
    """Sent once, and named in each turn."""
    return {"type": "image_url", "image_url": {"file_id": server.client.files.create(file=file, purpose="vision").id}}


def ask(server: RealServer, turns: list[Any], max_tokens: int = 8) -> Any:
    """Past any end of sequence, so that each answer has max_tokens."""
    extra = {"return_token_ids": True, "ignore_eos": True}
    return server.client.chat.completions.create(
        model=MODEL, messages=turns, temperature=0, max_tokens=max_tokens, extra_body=extra
    )


def follow_up(turns: list[Any], answer: Any) -> list[Any]:
    """The conversation with its next question."""
    said = {"role": "assistant", "content": answer.choices[0].message.content}
    return [*turns, said, {"role": "user", "content": "And what else?"}]


def num_encoded(server: RealServer) -> int:
    """Pictures that CLIP has seen."""
    engine: Any = server.engine
    (count,) = server.run(engine._engine.collective_rpc("num_pictures_encoded"))
    return int(count)


def cached(answer: Any) -> int:
    """Of the prompt's tokens."""
    return int(answer.usage.prompt_tokens_details.cached_tokens or 0)


def end_of_pictures(server: RealServer, answer: Any) -> int:
    """Tokens of the prompt up to the last picture's last."""
    ids = answer.model_extra["prompt_token_ids"]
    last = max(index for index, token_id in enumerate(ids) if token_id == IMAGE_SENTINEL)
    return int(last + 1 + ids.count(IMAGE_SENTINEL) * (server.engine.facts.tokens_per_image - 1))


@pytest.mark.parametrize("sent", [in_the_body, uploaded])
@pytest.mark.parametrize("num_pictures", [1, 3])
def test_a_second_turn_sees_no_picture_again(real_server: RealServer, num_pictures: int, sent: Any) -> None:
    """CLIP runs for the first turn alone, and of the pictures' positions at most one block is computed again."""
    seed = 10 * num_pictures + (100 if sent is uploaded else 0)
    parts = [sent(real_server, picture(seed + number)) for number in range(num_pictures)]
    before = num_encoded(real_server)

    turns = [{"role": "user", "content": [*parts, QUESTION]}]
    first = ask(real_server, turns)
    after_first = num_encoded(real_server)
    second = ask(real_server, follow_up(turns, first))

    print(
        f"{num_pictures} pictures: {end_of_pictures(real_server, second)} tokens to their end, {cached(second)} cached"
    )
    assert after_first - before == num_pictures
    assert num_encoded(real_server) == after_first
    assert cached(second) > end_of_pictures(real_server, second) - real_server.engine.facts.kv_block_tokens


def test_the_way_a_picture_is_sent_does_not_matter(real_server: RealServer) -> None:
    """A follow-up may name an upload where the first turn carried the bytes: they are the same picture."""
    file = picture(200)
    turns = [{"role": "user", "content": [in_the_body(real_server, file), QUESTION]}]
    first = ask(real_server, turns)
    before = num_encoded(real_server)

    turns = [{"role": "user", "content": [uploaded(real_server, file), QUESTION]}]
    second = ask(real_server, follow_up(turns, first))

    assert num_encoded(real_server) == before
    assert cached(second) > end_of_pictures(real_server, second) - real_server.engine.facts.kv_block_tokens


def test_a_second_turn_sees_no_picture_again_after_many_others(real_server: RealServer) -> None:
    """vLLM keeps the features of a few pictures alone, but their positions in the prefix cache outlive them.

    The question is long enough to fill the block in which the picture ends, since a part of a block is not kept: blocks
    have 128 tokens on a CPU and 16 on a GPU. After a shorter one the last picture, and no other, is seen again.
    """
    block = real_server.engine.facts.kv_block_tokens
    question = {"type": "text", "text": "What is seen? " * block}
    turns = [{"role": "user", "content": [in_the_body(real_server, picture(300)), question]}]
    first = ask(real_server, turns)
    for number in range(20):
        another = in_the_body(real_server, picture(301 + number))
        ask(real_server, [{"role": "user", "content": [another, QUESTION]}], max_tokens=1)
    before = num_encoded(real_server)

    second = ask(real_server, follow_up(turns, first))

    assert num_encoded(real_server) == before
    assert cached(second) >= end_of_pictures(real_server, second)


def test_a_picture_is_seen_once_however_many_ask_about_it(real_server: RealServer) -> None:
    """Another conversation about the same picture finds it done, whatever it asks."""
    part = in_the_body(real_server, picture(400))
    ask(real_server, [{"role": "user", "content": [part, QUESTION]}])
    before = num_encoded(real_server)

    other = ask(real_server, [{"role": "user", "content": [part, {"type": "text", "text": "Is the heart enlarged?"}]}])

    assert num_encoded(real_server) == before
    assert cached(other) > end_of_pictures(real_server, other) - real_server.engine.facts.kv_block_tokens
