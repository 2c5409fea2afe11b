"""Pieces of one answer or of several become the chunks of a stream, or one completion, in OpenAI's shapes."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion as TheirCompletion
from openai.types.chat import ChatCompletionChunk as TheirChunk

from huatuo_server.answer_text import Piece, TakePiece, TokenLogprob, merged
from huatuo_server.errors import EngineRequestError
from huatuo_server.protocol import sse
from huatuo_server.responses import chat
from huatuo_server.responses.chat import ChatStream, completion
from huatuo_server.responses.heading import Heading
from tests.server.vocabularies import byte_ids, tokenizer_of

ChoicePiece: TypeAlias = tuple[int, Piece]

YI = tokenizer_of("sentencepiece")

HEADING = Heading(
    request_id="1",
    created=1,
    model="m",
    system_fingerprint="fp",
    prompt_tokens=10,
    include_usage=True,
    ignored_fields=("user",),
    demo="a demo",
    max_tokens_clamped_to=7,
)

TWO: list[ChoicePiece] = [
    (1, Piece("b", (21,), num_cached_tokens=4)),
    (0, Piece("", (11,))),
    (0, Piece("aa", (12, 13))),
    (1, Piece("", (22,), "stop", num_cached_tokens=8)),
    (0, Piece("a", (14,), "length")),
]
"""Two answers, the second of which begins and ends first."""


def written(pieces: Sequence[ChoicePiece], heading: Heading) -> list[bytes]:
    """What each piece adds to a stream, and its end."""
    stream = ChatStream(heading)
    return [*(stream.events(index, piece) for index, piece in pieces), stream.last()]


def streamed(pieces: Sequence[ChoicePiece], heading: Heading) -> list[dict[str, Any]]:
    *events, done, rest = b"".join(written(pieces, heading)).split(b"\n\n")
    assert (done, rest) == (b"data: [DONE]", b"")
    return [json.loads(event.removeprefix(b"data: ")) for event in events]


def whole(pieces: Sequence[ChoicePiece], heading: Heading) -> dict[str, Any]:
    async def run(take: TakePiece) -> None:
        for index, piece in pieces:
            take(index, piece)

    answer: dict[str, Any] = json.loads(sse.json_bytes(asyncio.run(completion(run, heading))))
    return answer


def test_each_choice_has_its_role_its_text_and_its_reason() -> None:
    """In a stream they are told apart by their index alone; each is complete, in the order in which it came."""
    *sent, usage = streamed(TWO, replace(HEADING, n=2))

    by_choice = [[chunk["choices"][0] for chunk in sent if chunk["choices"][0]["index"] == one] for one in range(2)]
    assert [[one["delta"] for one in choice] for choice in by_choice] == [
        [{"role": "assistant", "content": ""}, {"content": "aa"}, {"content": "a"}],
        [{"role": "assistant", "content": ""}, {"content": "b"}, {}],
    ]
    assert [[one["finish_reason"] for one in choice] for choice in by_choice] == [
        [None, None, "length"],
        [None, None, "stop"],
    ]
    assert usage["choices"] == []


def test_all_choices_stand_in_a_completion_in_their_order() -> None:
    """Whichever ended first."""
    answer = whole(TWO, replace(HEADING, n=2))

    assert [choice["index"] for choice in answer["choices"]] == [0, 1]
    assert [choice["message"]["content"] for choice in answer["choices"]] == ["aaa", "b"]
    assert [choice["finish_reason"] for choice in answer["choices"]] == ["length", "stop"]
    assert TheirCompletion.model_validate(answer).choices[1].logprobs is None


def test_usage_counts_the_prompt_once_and_every_choice_s_tokens() -> None:
    """The same in a stream; the cached tokens are those of the choice that found most."""
    heading = replace(HEADING, n=2)

    usage = whole(TWO, heading)["usage"]

    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (10, 6, 16)
    assert usage["prompt_tokens_details"] == {"cached_tokens": 8}
    assert streamed(TWO, heading)[-1]["usage"] == usage


def test_extensions_stand_on_the_last_chunk_with_a_reason() -> None:
    """Of several choices, on that of the one that ended last; the prompt's ids are on the first chunk of all."""
    sent = streamed(TWO, replace(HEADING, n=2, prompt_token_ids=(5, 6)))

    last = [chunk for chunk in sent if chunk["choices"]][-1]
    assert last["choices"][0]["index"] == 0
    assert (last["images"], last["ignored_fields"]) == ([], ["user"])
    assert (last["max_tokens_clamped_to"], last["demo"]) == (7, "a demo")
    assert [chunk.get("ignored_fields") for chunk in sent].count(None) == len(sent) - 1
    assert [chunk.get("prompt_token_ids") for chunk in sent] == [[5, 6], *[None] * (len(sent) - 1)]


def test_token_ids_belong_to_their_choice() -> None:
    """As they came, also where their text was held back."""
    heading = replace(HEADING, n=2, prompt_token_ids=(5, 6))

    sent = [chunk["choices"][0] for chunk in streamed(TWO, heading) if chunk["choices"]]

    told = [
        [one for choice in sent if choice["index"] == index for one in choice.get("token_ids", [])] for index in (0, 1)
    ]
    assert told == [[11, 12, 13, 14], [21, 22]]
    assert [choice["token_ids"] for choice in whole(TWO, heading)["choices"]] == told


def test_a_choice_that_never_ends_fails_the_answer() -> None:
    """Nothing that was broken off looks like an answer."""
    for pieces in ([TWO[0]], TWO[:-1]):
        with pytest.raises(EngineRequestError):
            whole(pieces, replace(HEADING, n=2))


def test_a_stream_of_a_choice_that_never_ends_ends_with_an_error() -> None:
    """No [DONE], for which a client would take the half for the whole; and no usage."""
    for pieces in ([TWO[0]], TWO[:-1]):
        end = written(pieces, replace(HEADING, n=2))[-1]

        assert json.loads(end.removeprefix(b"data: "))["error"]["code"] == "engine_error"
        assert b"[DONE]" not in end


LOGPROBS = (
    TokenLogprob.of(3947, -0.25, ((3947, -0.25), (4096, -1.5))),
    TokenLogprob.of(2, -math.inf, ((1, -2.0), (5, math.nan))),
    *(TokenLogprob.of(byte_ids("sentencepiece")[byte], -1e300) for byte in "🙂".encode()),
)
"""A letter beside an id that the tokenizer lacks, a special token, and an emoji in four."""

SPELLED: list[ChoicePiece] = [
    (0, Piece("a", (3947,), logprobs=LOGPROBS[:1])),
    (0, Piece("", (2,))),
    (0, Piece("🙂", tuple(one.token_id for one in LOGPROBS[2:]), logprobs=LOGPROBS[1:])),
    (0, Piece("", (2,), "stop")),
]


def test_log_probabilities_are_written_as_openai_writes_them() -> None:
    """Bytes where a token is no text by itself, null where it has none at all, and -9999.0 for what JSON cannot say."""
    answer = whole(SPELLED, replace(HEADING, tokenizer=YI))

    logprobs = answer["choices"][0]["logprobs"]
    assert logprobs is not None
    assert logprobs["refusal"] is None
    assert logprobs["content"][:2] == [
        {
            "token": "a",
            "logprob": -0.25,
            "bytes": [97],
            "top_logprobs": [
                {"token": "a", "logprob": -0.25, "bytes": [97]},
                {"token": "token_id:4096", "logprob": -1.5, "bytes": None},
            ],
        },
        {
            "token": "<|endoftext|>",
            "logprob": -9999.0,
            "bytes": None,
            "top_logprobs": [
                {"token": "<|startoftext|>", "logprob": -2.0, "bytes": None},
                {"token": YI.token_name(5), "logprob": -9999.0, "bytes": list(YI.token_bytes(5) or b"")},
            ],
        },
    ]
    emoji = logprobs["content"][2:]
    assert [one["token"] for one in emoji] == ["\N{REPLACEMENT CHARACTER}"] * 4
    assert b"".join(bytes(one["bytes"] or ()) for one in emoji).decode() == "🙂"
    assert TheirCompletion.model_validate(answer).choices[0].logprobs is not None


def test_a_chunk_has_the_log_probabilities_of_its_text() -> None:
    """Joined they are the completion's; a chunk without any says null."""
    heading = replace(HEADING, tokenizer=YI)

    sent = streamed(SPELLED, heading)

    told = [chunk["choices"][0]["logprobs"] for chunk in sent if chunk["choices"]]
    assert [one and len(one["content"]) for one in told] == [None, 1, 5, None]
    logprobs = whole(SPELLED, heading)["choices"][0]["logprobs"]
    assert logprobs is not None
    assert [entry for one in told if one for entry in one["content"]] == logprobs["content"]
    assert all(TheirChunk.model_validate(chunk) for chunk in sent)


def test_an_empty_answer_has_no_log_probabilities_and_says_so() -> None:
    """Asked for, they are an empty list; not asked for, null."""
    empty: list[ChoicePiece] = [(0, Piece("", (2,), "stop"))]

    asked, not_asked = whole(empty, replace(HEADING, tokenizer=YI)), whole(empty, HEADING)

    assert asked["choices"][0]["logprobs"] == {"content": [], "refusal": None}
    assert not_asked["choices"][0]["logprobs"] is None


def test_a_leading_space_that_the_text_loses_is_lost_in_the_bytes() -> None:
    """Of the token that stands there, and of those that might have."""
    tokenizer = tokenizer_of("sentencepiece with a prefix space")
    (word,) = [one for one in tokenizer.encode("the") if (tokenizer.token_bytes(one) or b"").startswith(b" ")]
    pieces: list[ChoicePiece] = [
        (0, Piece("the", (word,), "length", logprobs=(TokenLogprob.of(word, -1.0, ((word, -1.0),), at_head=True),)))
    ]

    logprobs = whole(pieces, replace(HEADING, tokenizer=tokenizer))["choices"][0]["logprobs"]

    assert logprobs is not None
    (entry,) = logprobs["content"]
    assert entry["token"] == entry["top_logprobs"][0]["token"] == tokenizer.token_name(word).lstrip()
    assert entry["bytes"] == entry["top_logprobs"][0]["bytes"] == list((tokenizer.token_bytes(word) or b"").lstrip())


# ---------------------------------------------------------------- the bytes of a chunk that has nothing but text

HARD_TEXTS = ("\\", '"', "\x00\x1f\x7f\x80", "\u2028\u2029\ufeff", "data: x\n\n", "\r\n", "诊断 🙂", "\ufffe\U0010ffff")
TEXTS = st.one_of(st.text(), st.sampled_from(HARD_TEXTS))
NUM_CHOICES = 3
PIECES = st.lists(st.tuples(st.integers(0, NUM_CHOICES - 1), TEXTS), min_size=1, max_size=20)


def chunk_of(heading: Heading, index: int, delta: dict[str, str]) -> dict[str, Any]:
    """In OpenAI's shape, by hand."""
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}
    return {
        "id": f"chatcmpl-{heading.request_id}",
        "object": "chat.completion.chunk",
        "created": heading.created,
        "model": heading.model,
        "system_fingerprint": heading.system_fingerprint,
        "choices": [choice],
    }


@given(pieces=PIECES, model=TEXTS)
def test_a_chunk_of_text_is_the_very_bytes_of_its_json(pieces: list[tuple[int, str]], model: str) -> None:
    """Whatever the text and the model's name: what is written around it once is what JSON has there each time."""
    heading = replace(HEADING, n=NUM_CHOICES, model=model, request_id=model)
    begun: set[int] = set()

    events = written([(index, Piece(text, (7,))) for index, text in pieces], heading)[:-1]

    for event, (index, text) in zip(events, pieces, strict=True):
        deltas = [] if index in begun else [{"role": "assistant", "content": ""}]
        deltas += [{"content": text}] if text else []
        begun.add(index)
        assert event == b"".join(sse.event(chunk_of(heading, index, delta)) for delta in deltas)


@given(pieces=PIECES, model=TEXTS)
def test_a_chunk_of_text_is_the_same_beside_what_else_a_chunk_may_have(
    pieces: list[tuple[int, str]], model: str
) -> None:
    """With token ids and without them: but for those, and for the prompt's, the bytes are the same."""
    heading = replace(HEADING, n=NUM_CHOICES, model=model)
    given_pieces = [(index, Piece(text, (7, 8))) for index, text in pieces if text]

    plain = written(given_pieces, heading)
    with_ids = written(given_pieces, replace(heading, prompt_token_ids=()))

    without_ids = [
        one.replace(b',"token_ids":[7,8]}],', b"}],").replace(b',"token_ids":[7,8]}]}', b"}]}") for one in with_ids
    ]
    assert [one.replace(b',"prompt_token_ids":[]}', b"}") for one in without_ids] == plain


def test_what_stands_for_a_text_is_never_sent() -> None:
    """Not in a chunk of text, and not beside log-probabilities."""
    sent = b"".join([*written(TWO, replace(HEADING, n=2)), *written(SPELLED, replace(HEADING, tokenizer=YI))])

    for place in (chat._TEXT, sse._PLACE):
        assert place.encode() not in sent
    assert chat._TEXT != sse._PLACE


def test_pieces_that_were_made_one_say_the_same() -> None:
    """As for a client that did not read for a while: the text, the ids and the usage are what they would have been."""
    heading = replace(HEADING, n=2, prompt_token_ids=(5,), tokenizer=YI)
    of_each = {index: merged([piece for one, piece in TWO if one == index]) for index in (1, 0)}

    apart, together = streamed(TWO, heading), streamed(list(of_each.items()), heading)

    for index in (0, 1):
        told = [
            [one["choices"][0] for one in sent[:-1] if one["choices"][0]["index"] == index]
            for sent in (apart, together)
        ]
        texts, ids, reasons = zip(
            *(
                (
                    "".join(one["delta"].get("content", "") for one in choices),
                    [id_ for one in choices for id_ in one.get("token_ids", [])],
                    choices[-1]["finish_reason"],
                )
                for choices in told
            ),
            strict=True,
        )
        assert texts[0] == texts[1]
        assert ids[0] == ids[1]
        assert reasons[0] == reasons[1]
    assert apart[-1] == together[-1]
    assert together[-2]["ignored_fields"] == ["user"]
