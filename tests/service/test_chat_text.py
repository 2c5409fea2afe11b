"""The text of hard answers over a real socket: streamed or not, it is the same, byte for byte."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from huatuo_server.engine.scripted import Completion, Script, ScriptedEngine
from tests.server.random_answers import random_answer
from tests.server.stop_string_cases import CASES, expected
from tests.server.vocabularies import num_whole_chars_before
from tests.service.served import MAX_MODEL_LEN, TOKENS_PER_IMAGE, Served, golden_card, served

WAYS = ((1, True), (3, True), (512, True), (2, False))
"""In which each answer is asked for: how many tokens come at once, and whether it is streamed."""

NUM_ANSWERS = 25

SPARE_ROWS = 64
"""Of the model's head, past the tokenizer's last id."""


@dataclass(frozen=True)
class Said:
    """What came of one request."""

    text: str
    token_ids: list[int]
    finish_reason: str
    logprobs: list[dict[str, Any]]

    @property
    def spelled(self) -> bytes:
        """The bytes of all its tokens."""
        return b"".join(bytes(one["bytes"] or ()) for one in self.logprobs)


def asked(server: Served, *, stream: bool, **fields: Any) -> Said:
    """One answer through the SDK, with all that can be asked about its tokens."""
    fields = {"max_tokens": 2048, "logprobs": True, "top_logprobs": 2, "stream": stream, **fields}
    extra_body = {"return_token_ids": True, "min_tokens": fields.pop("min_tokens", 0)}
    answer = server.create(extra_body=extra_body, **fields)
    answers = list(answer) if stream else [answer]
    choices = [one.choices[0] for one in answers if one.choices]
    return Said(
        "".join((choice.delta if stream else choice.message).content or "" for choice in choices),
        [one for choice in choices for one in (choice.model_extra or {}).get("token_ids") or ()],
        choices[-1].finish_reason,
        [one.model_dump() for choice in choices if choice.logprobs for one in choice.logprobs.content],
    )


def test_a_hundred_stop_strings_end_streamed_and_whole_answers_alike() -> None:
    """However many tokens come at once: text, ids, reason and log-probabilities are the same, and what they must be."""
    tokenizer = golden_card().tokenizer
    completions = [Completion(text=case.text, tokens_per_delta=cut) for case in CASES for cut, _ in WAYS]
    with served(engine_of(completions)) as server:
        for case in CASES:
            token_ids = tokenizer.encode(case.text)
            min_tokens = min(case.min_tokens, len(token_ids))
            fields = {"stop": list(case.stop), "min_tokens": min_tokens, "max_tokens": len(token_ids)}
            answers = [asked(server, stream=stream, **fields) for _, stream in WAYS]
            before = [*num_whole_chars_before(tokenizer, token_ids), len(case.text)]
            assert answers == [answers[0]] * len(answers), case
            assert answers[0].text == expected(case, before[min_tokens]), case
            assert answers[0].spelled.startswith(answers[0].text.encode()), case


def test_random_unicode_is_streamed_as_it_is_whole() -> None:
    """With malformed bytes, special tokens and ids that the tokenizer lacks; and it is what the tokenizer decodes."""
    random, tokenizer = Random(6), golden_card().tokenizer
    answers = [fitting(random_answer("sentencepiece", random)) for _ in range(NUM_ANSWERS)]
    completions = [Completion(token_ids=token_ids, tokens_per_delta=cut) for token_ids in answers for cut, _ in WAYS]
    with served(engine_of(completions)) as server:
        for token_ids in answers:
            said = [asked(server, stream=stream) for _, stream in WAYS]
            assert said == [said[0]] * len(said), token_ids
            assert said[0].text == tokenizer.decode(token_ids)
            assert said[0].token_ids[:-1] == list(token_ids)
            assert len(said[0].logprobs) == len(token_ids)


def fitting(token_ids: list[int]) -> tuple[int, ...]:
    """Ids that the model's head has; the end of sequence is not among them, since it would end the answer."""
    card = golden_card()
    size = card.vocab_size + SPARE_ROWS
    kept = [one for one in token_ids if one not in card.eos_token_ids]
    return tuple(one if one < size else card.vocab_size + one % SPARE_ROWS for one in kept)


def engine_of(completions: list[Completion]) -> ScriptedEngine:
    """A twin over the golden tokenizer whose head has spare rows."""
    card = golden_card()
    return ScriptedEngine(
        Script(tuple(completions)),
        max_model_len=MAX_MODEL_LEN,
        vocab_size=card.vocab_size + SPARE_ROWS,
        tokens_per_image=TOKENS_PER_IMAGE,
        eos_token_ids=card.eos_token_ids,
        encode=card.tokenizer.encode,
    )


@pytest.mark.parametrize("stream", [True, False])
def test_several_answers_are_told_apart(stream: bool) -> None:
    """n=4: each with its text, reason, ids and log-probabilities; usage counts the prompt once."""
    texts = ["one", "two 🙂", "three is longer than that", "four\nlines"]
    with served(engine_of([Completion(text=text) for text in texts])) as server:
        answer = server.create(
            n=4,
            logprobs=True,
            stream=stream,
            extra_body={"return_token_ids": True},
            **({"stream_options": {"include_usage": True}} if stream else {}),
        )
        answers = list(answer) if stream else [answer]
        one = server.create()

    choices = [choice for part in answers for choice in part.choices]
    assert {choice.index for choice in choices} == {0, 1, 2, 3}
    by_index = [[choice for choice in choices if choice.index == index] for index in range(4)]
    said = ["".join((one.delta if stream else one.message).content or "" for one in each) for each in by_index]
    assert sorted(said) == sorted(texts)
    assert [each[-1].finish_reason for each in by_index] == ["stop"] * 4
    spelled = [[entry.bytes for one in each if one.logprobs for entry in one.logprobs.content] for each in by_index]
    assert [bytes(one for entry in entries for one in entry).decode() for entries in spelled] == said
    ids = [[id_ for one in each for id_ in (one.model_extra or {}).get("token_ids") or ()] for each in by_index]
    assert [golden_card().tokenizer.decode(one) for one in ids] == said
    assert answers[-1].usage.completion_tokens == sum(map(len, ids))
    assert answers[-1].usage.prompt_tokens == one.usage.prompt_tokens
    with_images = [part for part in answers if "images" in (part.model_extra or {})]
    assert len(with_images) == 1
    assert with_images[0].choices[-1].finish_reason == "stop"


@pytest.mark.parametrize("stream", [True, False])
def test_a_stop_token_ends_the_answer_and_is_counted(stream: bool) -> None:
    """Its id is among the answer's, its text is not part of the answer, and it has no log-probability."""
    tokenizer = golden_card().tokenizer
    token_ids = tokenizer.encode("one two; three")
    stop = tokenizer.encode(";")[-1]
    with served(engine_of([Completion(token_ids=tuple(token_ids), tokens_per_delta=4)])) as server:
        answer = server.create(
            stream=stream, logprobs=True, extra_body={"return_token_ids": True, "stop_token_ids": [stop]}
        )
        choices = [one.choices[0] for one in (answer if stream else [answer])]

    given = token_ids[: token_ids.index(stop) + 1]
    assert "".join((one.delta if stream else one.message).content or "" for one in choices) == "one two"
    assert [id_ for one in choices for id_ in (one.model_extra or {}).get("token_ids") or ()] == given
    assert sum(len(one.logprobs.content) for one in choices if one.logprobs) == len(given) - 1
    assert choices[-1].finish_reason == "stop"
