"""Answers by a schema or by a list, on the real engine; and grammars that fail, each its own request alone."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from typing import Any

import jsonschema
import pytest

from huatuo_server.engine.base import Prompt, Sampling, StructuredOutput, TokenDelta
from huatuo_server.errors import EngineRequestError
from tests import golden
from tests.service.real import RealServer
from tests.service.running_engine import deltas_of, ids_of
from tests.service.served import golden_card

pytestmark = pytest.mark.slow

CASES = [case for case in golden.cases() if not case.images and not case.history and case.penalty == 1.0]

REPORT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "finding": {"type": "string", "minLength": 1, "maxLength": 12},
        "side": {"enum": ["left", "right", "两侧", "both 🙂"]},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "slices": {
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": 99},
            "minItems": 2,
            "maxItems": 3,
        },
        "patient": {
            "type": "object",
            "properties": {"adult": {"type": "boolean"}, "id": {"type": "string", "pattern": "^[A-Z]{2}[0-9]{3}$"}},
            "required": ["adult", "id"],
            "additionalProperties": False,
        },
        "seen": {"anyOf": [{"type": "null"}, {"type": "string", "format": "date"}]},
    },
    "required": ["finding", "side", "score", "slices", "patient", "seen"],
    "additionalProperties": False,
}

TREE: dict[str, Any] = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"enum": ["a", "b"]},
                "parts": {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 2},
            },
            "required": ["name"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/node",
}

NEVER_COMPLETE: dict[str, Any] = {
    "$defs": {"node": {"type": "object", "properties": {"part": {"$ref": "#/$defs/node"}}, "required": ["part"]}},
    "$ref": "#/$defs/node",
}

FAILING: dict[str, dict[str, Any]] = {
    "not JSON Schema": {"type": "string", "minLength": "many"},
    "a keyword that the backend lacks": {"not": {"type": "string"}},
    "no value fits": {"type": "integer", "minimum": 5, "maximum": 4},
    "refers to itself": {"$ref": "#"},
    "an object that holds itself for ever": NEVER_COMPLETE,
    "more alternatives than a step may have": {
        "anyOf": [
            {"type": "object", "properties": {"a": {"const": number}}, "required": ["a"]} for number in range(2100)
        ]
    },
    "a pattern that runs out of fuel at once": {"type": "string", "pattern": "^a{1000000}$"},
    "a pattern that runs out of fuel later": {"type": "string", "pattern": "^(.{0,1000}){0,1000}$"},
}

ids = itertools.count()


def generate(server: RealServer, sampling: Sampling, case: golden.Case = CASES[0]) -> list[TokenDelta]:
    return server.run(deltas_of(server.engine, Prompt(case.input_ids), sampling, f"structured-{next(ids)}"))


def text_of(deltas: list[TokenDelta]) -> str:
    return golden_card().tokenizer.decode(ids_of(deltas))


def by_schema(schema: dict[str, Any], **more: Any) -> Sampling:
    return Sampling(**{"max_tokens": 600} | more, structured_output=StructuredOutput(json.dumps(schema)))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("schema", [REPORT, TREE], ids=["report", "tree"])
def test_an_answer_obeys_its_schema(real_server: RealServer, schema: dict[str, Any], seed: int) -> None:
    """A random model, a penalty against every bracket written before, and a temperature that tries it all."""
    sampling = by_schema(schema, temperature=1.0, seed=seed, repetition_penalty=1.2)

    deltas = generate(real_server, sampling)

    assert deltas[-1].finish_reason == "stop"
    jsonschema.validate(json.loads(text_of(deltas)), schema)


def test_a_property_has_the_name_that_the_schema_gives(real_server: RealServer) -> None:
    """Though sentencepiece would read a blank in it."""
    schema = {"type": "object", "properties": {"T2▁FLAIR": {"type": "null"}}, "required": ["T2▁FLAIR"]}

    deltas = generate(real_server, by_schema({**schema, "additionalProperties": False}))

    assert text_of(deltas) == '{"T2▁FLAIR":null}'


def test_a_schema_holds_with_every_other_way_of_choosing(real_server: RealServer) -> None:
    """What is forbidden stays so, however much a bias wants it; log-probabilities are numbers that JSON can write."""
    sampling = by_schema(
        REPORT, temperature=0.7, top_p=0.9, top_k=40, min_p=0.01, frequency_penalty=1.0, presence_penalty=-1.0,
        logit_bias=((300, 100.0),), logprobs=5, seed=1,
    )  # fmt: skip

    deltas = generate(real_server, sampling)

    jsonschema.validate(json.loads(text_of(deltas)), REPORT)
    values = [value for delta in deltas for step in delta.logprobs for value in step.values()]
    assert min(values) == -9999.0
    assert max(values) <= 0


def test_any_json_object(real_server: RealServer) -> None:
    """`json_object` is the schema of every object; a first member is enough to see that one begins."""
    deltas = generate(real_server, by_schema({"type": "object"}, max_tokens=40))

    answer = text_of(deltas)
    assert answer.startswith("{")
    if deltas[-1].finish_reason == "stop":
        assert isinstance(json.loads(answer), dict)


@pytest.mark.parametrize(
    "choices",
    [
        ("Yes", "No"),
        ("左侧气胸", "正常 🙂"),
        ("Yes", "Yes, probably", "Yes, probably not"),
        ("A",),
        ("a▁b",),
        ("<unk>", "▁"),
        ("<|endoftext|>",),
        ("<|im_start|>", "<|System|>"),
    ],
)
def test_an_answer_is_one_of_the_choices(real_server: RealServer, choices: tuple[str, ...]) -> None:
    """Also where one begins as another does, is of several tokens a character, or has the name of a special token."""
    structured = StructuredOutput(choices=choices)
    answers = []
    for seed in range(4):
        sampling = Sampling(max_tokens=60, temperature=1.5, seed=seed, structured_output=structured)
        deltas = generate(real_server, sampling, CASES[seed % len(CASES)])
        assert deltas[-1].finish_reason == "stop"
        answers.append(text_of(deltas))

    assert set(answers) <= set(choices)


def test_an_answer_that_is_cut_short_says_so(real_server: RealServer) -> None:
    """A part of a document never looks like a whole one."""
    deltas = generate(real_server, by_schema(REPORT, max_tokens=3))

    assert deltas[-1].finish_reason == "length"


@pytest.mark.parametrize("schema", FAILING.values(), ids=FAILING)
def test_a_grammar_that_fails_fails_its_own_request(real_server: RealServer, schema: dict[str, Any]) -> None:
    """By itself vLLM ends such an answer as if it were complete. The others of the batch see nothing of it."""
    free, failing = Sampling(max_tokens=40), by_schema(schema, temperature=1.0, seed=1)

    async def together() -> list[list[TokenDelta] | BaseException]:
        engine = real_server.engine
        asked = [(CASES[0], free), (CASES[1], failing), (CASES[2], free), (CASES[3], by_schema(REPORT))]
        return await asyncio.gather(
            *(deltas_of(engine, Prompt(case.input_ids), one, f"structured-{next(ids)}") for case, one in asked),
            return_exceptions=True,
        )

    began = time.monotonic()
    first, failed, second, structured = real_server.run(together(), limit_s=60)

    print(f"{time.monotonic() - began:.2f} s")
    assert isinstance(failed, EngineRequestError)
    assert isinstance(first, list)
    assert isinstance(second, list)
    assert isinstance(structured, list)
    assert ids_of(first) == list(CASES[0].output_ids)
    assert ids_of(second) == list(CASES[2].output_ids)
    jsonschema.validate(json.loads(text_of(structured)), REPORT)
    real_server.run(real_server.engine.check())


def test_lists_of_ids_and_most_likely_ones_in_one_batch(real_server: RealServer) -> None:
    """Each request gets what it asked for, as if it were alone: by itself vLLM loses the second kind's."""
    named = Sampling(max_tokens=6, ignore_eos=True, logprob_token_ids=tuple(range(100, 126)))
    few = Sampling(max_tokens=6, ignore_eos=True, logprob_token_ids=(7,))
    likely, chosen = (Sampling(max_tokens=6, ignore_eos=True, logprobs=number) for number in (20, 0))
    asked = [(CASES[0], named), (CASES[1], likely), (CASES[2], chosen), (CASES[3], few)]

    async def all_at_once() -> list[list[TokenDelta]]:
        engine = real_server.engine
        return await asyncio.gather(
            *(deltas_of(engine, Prompt(case.input_ids), one, f"structured-{next(ids)}") for case, one in asked)
        )

    together = real_server.run(all_at_once())
    alone = [generate(real_server, sampling, case) for case, sampling in asked]

    for mixed, single in zip(together, alone, strict=True):
        assert ids_of(mixed) == ids_of(single)
        steps = [step for delta in mixed for step in delta.logprobs]
        expected = [step for delta in single for step in delta.logprobs]
        assert len(steps) == 6
        for step, wanted in zip(steps, expected, strict=True):
            assert dict(step) == pytest.approx(dict(wanted), abs=1e-4)
    assert [len(together[kind][0].logprobs[0]) >= least for kind, least in ((0, 26), (1, 20), (2, 1), (3, 1))] == [
        True
    ] * 4


def test_an_option_is_scored_over_the_cached_prompt(real_server: RealServer) -> None:
    """The prompt is prefilled once; each later token of an option reads all its whole blocks from the cache."""
    prompt = Prompt((*range(1000, 1300), *CASES[0].input_ids), cache_salt="scored")

    def step(forced: tuple[int, ...]) -> TokenDelta:
        sampling = Sampling(max_tokens=1, logprob_token_ids=(300, 301))
        longer = Prompt(prompt.token_ids + forced, cache_salt=prompt.cache_salt)
        (delta,) = real_server.run(deltas_of(real_server.engine, longer, sampling, f"structured-{next(ids)}"))
        return delta

    first, second = step(()), step((300,))

    block = real_server.engine.facts.kv_block_tokens
    assert first.num_cached_tokens == 0
    assert second.num_cached_tokens >= len(prompt.token_ids) // block * block > 0
    assert {300, 301} <= set(second.logprobs[0])
