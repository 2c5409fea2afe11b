"""`POST /v1/chat/choices` over the wire: what is answered, what the engine is asked, and what is counted of it."""

from __future__ import annotations

import json
import math
import socket
import string
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from huatuo_server.engine.scripted import Completion, ScriptedEngine
from huatuo_server.responses.choices import NOTE
from huatuo_server.scoring import AT_ONCE, MAX_TOKENS
from huatuo_server.tenants.key_file import KeyFile
from tests.server.tenants.keys import SECRET, key
from tests.service.served import (
    MODEL,
    SMALLEST_CONTEXT,
    Served,
    ask,
    golden_card,
    image_part,
    scripted_engine,
    served,
)
from tests.service.supervised import until

PATH = "/v1/chat/choices"
LETTERS = list(string.ascii_uppercase)
CANARY = "canary-7c1f"
PICTURE = image_part("ct_128_gray.png")
LONG = ["a fracture of the radius", "a fracture of the ulna", "a fracture", "no fracture"]
SILENT = Completion(text="word", hang_after=0)


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served() as running:
        yield running


def weigh(server: Served, choices: Any = ("yes", "no"), content: Any = "Is it broken?", **more: Any) -> httpx.Response:
    headers = more.pop("headers", {})
    body = {**ask(content), "choices": list(choices) if isinstance(choices, tuple) else choices, **more}
    return httpx.post(f"{server.base_url}{PATH}", json=body, headers=headers, timeout=30)


def weighed(server: Served, *given: Any, **more: Any) -> dict[str, Any]:
    response = weigh(server, *given, **more)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def ids(text: str) -> list[int]:
    return golden_card().tokenizer.encode(text)


def generations(engine: ScriptedEngine, since: int = 0) -> list[Any]:
    return [one for one in engine.generations if not one.request_id.startswith(("warm-up", "canary"))][since:]


# ---------------------------------------------------------------- what is answered


def test_the_answer_has_its_shape(server: Served) -> None:
    """Each option with its sums, means, probabilities and tokens, in the request's order, and nothing unknown."""
    answer = weighed(server, LONG, [PICTURE, {"type": "text", "text": "?"}], made_up=1)

    assert answer.keys() == {
        *("id", "object", "created", "model", "system_fingerprint", "choices", "best", "note", "usage", "images"),
        "ignored_fields",
    }
    assert (answer["object"], answer["model"], answer["note"]) == ("chat.choices", MODEL, NOTE)
    assert (answer["ignored_fields"], len(answer["images"])) == (["made_up"], 1)
    for index, (choice, text) in enumerate(zip(answer["choices"], LONG, strict=True)):
        logprobs = [token["logprob"] for token in choice["tokens"]]
        assert (choice["index"], choice["text"]) == (index, text)
        assert [token["id"] for token in choice["tokens"]] == ids(text)
        assert choice["logprob_sum"] == pytest.approx(sum(logprobs))
        assert choice["logprob_mean"] == pytest.approx(sum(logprobs) / len(logprobs))


def test_probabilities_are_shares_of_the_options(server: Served) -> None:
    """The softmax of the sums, and that of the means; the best has the highest of the sums."""
    answer = weighed(server, LONG)

    for name, log in (("probability", "logprob_sum"), ("probability_mean", "logprob_mean")):
        total = sum(math.exp(choice[log]) for choice in answer["choices"])
        shares = [math.exp(choice[log]) / total for choice in answer["choices"]]
        assert [choice[name] for choice in answer["choices"]] == pytest.approx(shares)
    sums = [choice["logprob_sum"] for choice in answer["choices"]]
    assert answer["best"] == sums.index(max(sums))


def test_usage_counts_the_prompt_once_and_every_options_tokens(server: Served) -> None:
    """Tokens that options share count for each of them, as they are listed."""
    answer = weighed(server, LONG, [PICTURE, {"type": "text", "text": "?"}])

    alone = server.create([PICTURE, {"type": "text", "text": "?"}]).usage
    num_tokens = sum(len(ids(text)) for text in LONG)
    assert alone is not None
    assert answer["usage"] == {
        "prompt_tokens": alone.prompt_tokens,
        "completion_tokens": num_tokens,
        "total_tokens": alone.prompt_tokens + num_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


def test_a_demo_says_what_it_is() -> None:
    """As in its other answers."""
    with served(demo="A demo.") as server:
        assert weighed(server)["demo"] == "A demo."


# ---------------------------------------------------------------- what the engine is asked


def test_letters_are_one_question_to_the_engine() -> None:
    """Twenty-six, for one token, greedy, unpenalised, with nothing that would move a log-probability."""
    with served() as server:
        weighed(server, LETTERS, [PICTURE, {"type": "text", "text": "?"}], temperature=1.5, repetition_penalty=2)
        (asked,) = generations(server.engine)

    assert asked.sampling.logprob_token_ids == tuple(ids(letter)[0] for letter in LETTERS)
    assert (asked.sampling.max_tokens, asked.sampling.temperature, asked.sampling.repetition_penalty) == (1, 0, 1)
    assert (asked.sampling.ignore_eos, asked.sampling.min_tokens, asked.sampling.logit_bias) == (True, 0, ())
    assert len(asked.prompt.images) == 1


def test_long_options_are_asked_for_where_they_go_on() -> None:
    """Over the same prompt, images and cache, one question for each place; no two have the same id."""
    with served() as server:
        weighed(server, LONG, [PICTURE, {"type": "text", "text": "?"}])
        first, *others = generations(server.engine)

    assert first.sampling.logprob_token_ids == tuple(dict.fromkeys(ids(text)[0] for text in LONG))
    behind = [one.prompt.token_ids[len(first.prompt.token_ids) :] for one in others]
    places = {tuple(ids(text)[:length]) for text in LONG for length in range(1, len(ids(text)))}
    assert sorted(behind) == sorted(places)
    assert {one.prompt.cache_salt for one in others} == {first.prompt.cache_salt}
    assert all(one.prompt.images[0].identity == first.prompt.images[0].identity for one in others)
    assert len({one.request_id for one in (first, *others)}) == 1 + len(others)


@pytest.mark.parametrize("max_num_seqs", [2, 64])
def test_no_more_questions_at_once_than_the_queue_was_told(max_num_seqs: int) -> None:
    """Up to eight, or as many as the engine runs; then nobody is preempted for them."""
    engine = scripted_engine(Completion(text="word", delay_s=0.02), max_num_seqs=max_num_seqs)
    with served(engine) as server:
        weighed(server, [f"{letter} and some more words" for letter in LETTERS])

    assert engine.most_running == min(AT_ONCE, max_num_seqs)


# ---------------------------------------------------------------- what is refused


def error_of(response: httpx.Response) -> tuple[int, str, str | None]:
    error = response.json()["error"]
    assert CANARY not in response.text
    return response.status_code, error["code"], error["param"]


@pytest.mark.parametrize(
    ("more", "status", "code", "param"),
    [
        ({"choices": ["yes"]}, 400, "invalid_request_error", "choices"),
        ({"choices": [CANARY, "no", CANARY]}, 400, "invalid_request_error", "choices.2"),
        ({"choices": [CANARY, ""]}, 400, "invalid_request_error", "choices.1"),
        ({"choices": ["骨" * 1023 + sign for sign in "12"]}, 400, "invalid_request_error", "choices"),
        ({"stream": True}, 400, "invalid_request_error", "stream"),
        ({"model": "another"}, 404, "model_not_found", "model"),
        ({"messages": [{"role": "assistant", "content": CANARY}]}, 400, "invalid_request_error", "messages.0.role"),
    ],
    ids=["one choice", "twice", "empty", "too many tokens", "stream", "model", "messages"],
)
def test_what_cannot_be_answered_is_refused(
    server: Served, more: Mapping[str, Any], status: int, code: str, param: str
) -> None:
    """By the field's path and never with its text; the engine hears nothing of it."""
    before = len(generations(server.engine))

    response = weigh(server, **more)

    assert error_of(response) == (status, code, param)
    assert len(generations(server.engine)) == before
    assert 2 * len(ids("骨" * 1024)) > MAX_TOKENS


def test_an_image_that_cannot_be_used_is_named(server: Served) -> None:
    """As in a chat."""
    content = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}, {"type": "text", "text": "?"}]

    assert error_of(weigh(server, content=content)) == (400, "invalid_image", "messages.0.content.0.image_url")


def test_the_longest_option_must_fit_behind_the_prompt() -> None:
    """To the last token of the context; what does not fit is named."""
    with served(scripted_engine(max_model_len=SMALLEST_CONTEXT)) as server:
        room = SMALLEST_CONTEXT - weighed(server)["usage"]["prompt_tokens"]
        # One of these characters is three or four bytes, and as many tokens.
        fitting = max(number for number in range(room // 4, room // 2) if len(ids("骨" * number)) <= room)
        taken, refused = (weigh(server, ["yes", "骨" * number]) for number in (fitting, fitting + 1))

    assert taken.status_code == 200, taken.text
    assert error_of(refused) == (400, "context_length_exceeded", "choices")


def test_a_strict_server_refuses_what_changes_nothing() -> None:
    """A temperature is nothing to a raw log-probability."""
    with served(strict=True) as server:
        assert error_of(weigh(server, temperature=0.2)) == (400, "invalid_request_error", "temperature")
        assert weigh(server).status_code == 200


# ---------------------------------------------------------------- what is counted and kept


def outcomes(server: Served) -> dict[str, float]:
    return {
        sample.labels["outcome"]: sample.value
        for metric in server.registry.collect()
        for sample in metric.samples
        if sample.name == "hgv_requests_total" and sample.labels["route"] == PATH
    }


def test_it_is_measured_as_an_answer_is() -> None:
    """One first token, no gaps between tokens, its tokens, its end."""
    with served() as server:
        usage = weighed(server, LONG)["usage"]

        assert server.metric("hgv_time_to_first_token_seconds_count") == 1
        assert server.metric("hgv_inter_token_latency_seconds_count") == 0
        assert server.metric("hgv_e2e_latency_seconds_count") == 1
        assert server.metric("hgv_queue_time_seconds_count") == 1
        assert server.metric("hgv_prompt_tokens_total") == usage["prompt_tokens"]
        assert server.metric("hgv_generation_tokens_total") == usage["completion_tokens"]
        assert outcomes(server) == {"ok": 1}
        assert server.metric("hgv_requests_waiting", **{"class": "routine"}) == 0


def test_the_record_holds_counts_and_no_words(tmp_path: Path) -> None:
    """Who, what picture, how many options and tokens, and how it ended; of the options themselves nothing."""
    log = tmp_path / "audit.jsonl"

    with served(audit_log=log) as server:
        answer = weighed(server, [CANARY, "no"], [PICTURE, {"type": "text", "text": CANARY}])
        until(lambda: log.read_text().count('"ended"') == 1)

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (accepted,), (ended,) = ([line for line in lines if line["event"] == event] for event in ("accepted", "ended"))
    num_tokens = len(ids(CANARY)) + len(ids("no"))
    assert accepted["route"] == PATH
    assert len(accepted["images"]) == 1
    assert accepted["parameters"] == {"num_choices": 2, "num_choice_tokens": num_tokens}
    assert (ended["outcome"], ended["completion_tokens"]) == ("ok", num_tokens)
    assert ended["prompt_tokens"] == answer["usage"]["prompt_tokens"]
    assert CANARY not in log.read_text()


def test_a_keys_tokens_are_those_of_prompt_and_options(tmp_path: Path) -> None:
    """A request that never fits is told so before the engine; one that fits takes what its usage says."""
    keys = tmp_path / "keys.jsonl"
    keys.touch(0o600)
    KeyFile(keys).add(key(tokens_per_min=100))
    headers = {"Authorization": f"Bearer {SECRET}"}

    with served(keys_file=keys) as server:
        never = weigh(server, ["骨" * 40, "no"], headers=headers)
        taken = weigh(server, LONG, headers=headers)

    assert error_of(never) == (429, "rate_limit_exceeded", None)
    assert never.headers["x-should-retry"] == "false"
    assert taken.json()["usage"]["total_tokens"] == 100 - int(taken.headers["x-ratelimit-remaining-tokens"])


# ---------------------------------------------------------------- how it ends before its end


def test_a_deadline_ends_all_its_questions() -> None:
    """504, and every generation that was running is aborted."""
    engine = scripted_engine(Completion(text="word"), *[SILENT] * AT_ONCE)
    with served(engine) as server:
        response = weigh(server, ["yes it is", "no it is not"], headers={"X-Request-Timeout": "0.5"})
        running = [engine.aborts.get(timeout=10) for _ in range(engine.most_running)]

        assert error_of(response) == (504, "deadline_exceeded", None)
        assert running
        assert outcomes(server) == {"deadline_exceeded": 1}


def test_who_hangs_up_ends_all_its_questions() -> None:
    """Also those that have not begun."""
    engine = scripted_engine(SILENT)
    with served(engine) as server:
        content = json.dumps({**ask(), "choices": LONG}).encode()
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n\r\n"
        connection.sendall(head.encode() + content)
        until(lambda: len(generations(engine)) == 1)
        connection.close()

        assert engine.aborts.get(timeout=10)
        until(lambda: outcomes(server) == {"client_closed": 1})
        assert len(generations(engine)) == 1


def test_one_failed_question_is_the_requests_failure() -> None:
    """500, the others are given up, and the next request goes well."""
    failing = Completion(text="word", fail_after=0)
    engine = scripted_engine(Completion(text="word"), failing, *[Completion(text="word")] * 50)
    with served(engine) as server:
        assert error_of(weigh(server, LONG)) == (500, "engine_error", None)
        assert weigh(server, LONG).status_code == 200
        assert outcomes(server) == {"engine_error": 1, "ok": 1}


def test_a_full_queue_is_told_at_the_door() -> None:
    """429 with Retry-After, as for a chat."""
    engine = scripted_engine(SILENT, max_num_seqs=1)
    with served(engine, max_waiting=1) as server:
        threads = [threading.Thread(target=_give_up_soon, args=(server,)) for _ in range(2)]
        # One after the other: a tenant may not take all the places at once.
        threads[0].start()
        until(lambda: engine.most_running == 1)
        threads[1].start()
        until(lambda: server.metric("hgv_requests_waiting", **{"class": "routine"}) == 1)

        refused = weigh(server)

        assert error_of(refused) == (429, "server_busy", None)
        assert refused.headers["retry-after"]
        for thread in threads:
            thread.join()


def _give_up_soon(server: Served) -> None:
    weigh(server, headers={"X-Request-Timeout": "5"})
