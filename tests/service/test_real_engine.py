"""What only the real engine can show: batching, caches, aborts, and who counts as the prompt for the penalty."""

from __future__ import annotations

import base64
import io
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from huatuo_server.engine.base import IMAGE_SENTINEL, Prompt, PromptImage, Sampling
from tests import golden
from tests.service.asking import image_part, messages
from tests.service.real import MODEL, RealServer
from tests.service.running_engine import deltas_of, ids_of
from tests.service.supervised import until

pytestmark = pytest.mark.slow

ids = itertools.count()


def running(server: RealServer) -> float:
    """`vllm:num_requests_running`, as `/metrics` has it."""
    page = httpx.get(f"{server.url}/metrics", timeout=30).text
    lines = [line for line in page.splitlines() if line.startswith("vllm:num_requests_running{")]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def ask(server: RealServer, content: Any, **more: Any) -> Any:
    return server.client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": content}], temperature=0, **more
    )


def noise_part(seed: int) -> dict[str, Any]:
    """A picture of noise as a content part."""
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    encoded = base64.b64encode(file.getvalue()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}}


def long_answer(server: RealServer, number: int, tokens: int = 200) -> float:
    """Seconds that an answer of `tokens` tokens takes."""
    began = time.monotonic()
    completion = ask(server, f"Question {number}", max_tokens=tokens, extra_body={"ignore_eos": True})
    assert completion.usage.completion_tokens == tokens
    return time.monotonic() - began


def eight_answers(server: RealServer) -> float:
    """Seconds that eight long answers take when they are asked for at once."""
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: long_answer(server, number), range(10, 18)))
    return time.monotonic() - began


def test_eight_requests_run_in_one_batch(real_server: RealServer) -> None:
    """Eight at once bring vLLM's running count to 8, and take at most three times as long as one.

    On a quiet machine it is 2.4 times. Both are measured side by side until they agree, five times at most: another
    process may take a core for a moment. One after the other they would take eight times as long.
    """
    long_answer(real_server, 0, tokens=20)
    most, over = [0.0], threading.Event()

    def watch() -> None:
        while not over.is_set():
            most[0] = max(most[0], running(real_server))

    watcher = threading.Thread(target=watch)
    watcher.start()
    ratios: list[float] = []
    while len(ratios) < 5 and min(ratios, default=8.0) > 3:
        alone = long_answer(real_server, 1 + len(ratios))
        ratios.append(eight_answers(real_server) / alone)
    over.set()
    watcher.join()

    print(f"eight together take {ratios} times as long as one, at most {most[0]:.0f} running")
    assert most[0] == 8
    assert min(ratios) <= 3


def test_the_second_turn_on_an_image_reads_it_from_the_prefix_cache(real_server: RealServer) -> None:
    """The image's 576 positions are not computed again, but for the block that the first prompt left open."""
    question = [image_part("chelsea_port_300x451.png"), {"type": "text", "text": "A first question about the cat"}]
    first = ask(real_server, question, max_tokens=4)

    turns: Any = [
        {"role": "user", "content": question},
        {"role": "assistant", "content": first.choices[0].message.content},
        {"role": "user", "content": "And a second one"},
    ]
    second = real_server.client.chat.completions.create(model=MODEL, messages=turns, temperature=0, max_tokens=4)

    assert second.usage is not None
    assert second.usage.prompt_tokens_details is not None
    assert (second.usage.prompt_tokens_details.cached_tokens or 0) >= 512


def test_another_image_with_the_same_text_is_not_the_cached_one(real_server: RealServer) -> None:
    """Placeholders are the same ids for every image; the cache must tell the images apart."""
    text = {"type": "text", "text": "The very same words about one picture or another"}
    # Pictures that no other test sends to the shared server.
    one, another = noise_part(seed=1), noise_part(seed=2)
    first = ask(real_server, [one, text], max_tokens=4)

    other = ask(real_server, [another, text], max_tokens=4)
    again = ask(real_server, [one, text], max_tokens=4)

    assert (first.usage.prompt_tokens_details.cached_tokens or 0) < 128
    assert (other.usage.prompt_tokens_details.cached_tokens or 0) < 128
    assert (again.usage.prompt_tokens_details.cached_tokens or 0) >= 512


def test_a_client_that_hangs_up_frees_the_engine(real_server: RealServer) -> None:
    """Closing the connection in mid-stream aborts the generation in vLLM itself."""
    until(lambda: running(real_server) == 0)
    stream = ask(real_server, "Count", max_tokens=3000, stream=True, extra_body={"ignore_eos": True})
    pieces = iter(stream)
    for _ in range(3):
        next(pieces)
    assert running(real_server) == 1

    stream.close()

    # 3,000 tokens take this engine tens of seconds; an abort frees it at once.
    until(lambda: running(real_server) == 0, limit_s=5)


def test_the_engine_ends_at_eos_and_goes_past_it_on_request(real_server: RealServer) -> None:
    """`ignore_eos` and `min_tokens` reach vLLM, whose own idea of an eos is not asked."""
    case = golden.cases()[3]
    assert len(case.output_ids) < 6

    def tokens(**extra: Any) -> int:
        completion = real_server.client.chat.completions.create(
            model=MODEL,
            messages=messages(case),  # type: ignore[arg-type]
            temperature=0,
            max_tokens=12,
            extra_body={"repetition_penalty": 1.0, **extra},
        )
        assert completion.usage is not None
        return completion.usage.completion_tokens

    assert tokens() == len(case.output_ids)
    assert tokens(ignore_eos=True) == 12
    assert tokens(min_tokens=8) >= 8


def test_a_seed_makes_a_sampled_answer_repeatable(real_server: RealServer) -> None:
    """The same seed gives the same answer, another seed another one."""

    def answer(seed: int) -> str:
        completion = real_server.client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "Tell me something"}],
            temperature=1.5,
            max_tokens=24,
            seed=seed,
            extra_body={"ignore_eos": True},
        )
        return completion.choices[0].message.content or ""

    assert answer(1) == answer(1)
    assert answer(1) != answer(2)


def test_long_prompts_with_seeds_at_once_leave_the_engine_alive(real_server: RealServer) -> None:
    """More tokens than one step takes: vLLM's CPU engine ends where it prefills a seeded request in parts."""

    def finished(number: int) -> str:
        completion = real_server.client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": f"{number} " + "What is seen? " * 400}],
            max_tokens=2,
            seed=number,
        )
        return completion.choices[0].finish_reason

    with ThreadPoolExecutor(8) as pool:
        reasons = list(pool.map(finished, range(8)))

    assert set(reasons) <= {"stop", "length"}


def test_a_prefix_is_shared_within_a_tenant_and_not_across(real_server: RealServer) -> None:
    """The same picture and question: a second time most is read from the cache, with another tenant's keys nothing."""
    sampling = Sampling(max_tokens=1)

    def num_cached(tenant: str, request_id: str) -> int:
        pixels = np.random.default_rng(7).integers(0, 256, (336, 336, 3), dtype=np.uint8)
        image = PromptImage(pixels, identity=f"picture of {tenant}")
        prompt = Prompt((*range(20, 40), IMAGE_SENTINEL, *range(40, 60)), (image,), cache_salt=f"salt of {tenant}")
        deltas = real_server.run(deltas_of(real_server.engine, prompt, sampling, request_id))
        return max(delta.num_cached_tokens for delta in deltas)

    first, again, other = num_cached("a", "paired-1"), num_cached("a", "paired-2"), num_cached("b", "paired-3")

    print(f"cached tokens: first {first}, the same tenant again {again}, another tenant {other}")
    assert first == 0
    assert again >= 512
    assert other == 0


def test_the_prompt_does_not_count_for_the_penalty(real_server: RealServer) -> None:
    """A first token that the prompt holds is chosen all the same, at a penalty that would halve its logit."""

    def first(penalty: float) -> tuple[int, list[int]]:
        extra = {"repetition_penalty": penalty, "return_token_ids": True}
        completion = ask(real_server, "$ $ $", max_tokens=1, extra_body=extra)
        (token_id,) = completion.choices[0].model_extra["token_ids"]
        return token_id, completion.model_extra["prompt_token_ids"]

    token_id, prompt = first(1.0)

    assert token_id in prompt
    assert first(2.0)[0] == token_id


def answer_ids(server: RealServer, sampling: Sampling) -> list[int]:
    """What the engine says to a golden question."""
    deltas = server.run(deltas_of(server.engine, Prompt(golden.cases()[3].input_ids), sampling, f"chosen-{next(ids)}"))
    return ids_of(deltas)


def test_a_bias_makes_a_token_certain_or_impossible(real_server: RealServer) -> None:
    """It is added to the logits before anything is chosen."""
    plain = answer_ids(real_server, Sampling(max_tokens=6, ignore_eos=True))

    forced = answer_ids(real_server, Sampling(max_tokens=6, ignore_eos=True, logit_bias=((300, 100.0),)))
    banned = answer_ids(real_server, Sampling(max_tokens=1, ignore_eos=True, logit_bias=((plain[0], -100.0),)))

    assert forced == [300] * 6
    assert banned != plain[:1]


def test_frequency_and_presence_penalties_count_what_was_generated(real_server: RealServer) -> None:
    """A token that a bias makes the likeliest by far is chosen until its penalties have eaten the bias."""
    biased = ((300, 40.0),)

    def count(frequency: float = 0.0, presence: float = 0.0) -> int:
        sampling = Sampling(
            max_tokens=40, ignore_eos=True, logit_bias=biased, frequency_penalty=frequency, presence_penalty=presence
        )
        chosen = answer_ids(real_server, sampling)
        assert chosen[0] == 300
        return chosen.count(300)

    assert count() == 40
    assert count(frequency=2.0) < 40
    assert count(presence=2.0) == 40


def test_min_p_of_one_leaves_the_most_likely_token(real_server: RealServer) -> None:
    """However high the temperature."""
    greedy = answer_ids(real_server, Sampling(max_tokens=8, ignore_eos=True))

    assert (
        answer_ids(real_server, Sampling(max_tokens=8, ignore_eos=True, temperature=2.0, seed=1, min_p=1.0)) == greedy
    )


def test_vllm_s_metrics_and_ours_stand_on_one_page(real_server: RealServer) -> None:
    """One scrape has both, and ours have counted what was asked."""
    ask(real_server, "Count me", max_tokens=2)

    page = httpx.get(f"{real_server.url}/metrics", timeout=30).text

    assert "vllm:num_requests_running{" in page
    assert 'model_name="huatuo"' in page
    assert 'hgv_requests_total{outcome="length",route="/v1/chat/completions"}' in page
    assert "hgv_time_to_first_token_seconds_bucket" in page
