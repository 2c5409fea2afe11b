"""`POST /v1/responses` without a stream, over a real socket; tests/clients has what the official SDK makes of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from huatuo_server.demo.label import TRAINED
from huatuo_server.engine.base import Sampling
from huatuo_server.engine.scripted import Completion
from tests import golden
from tests.hostile import dicom
from tests.service.served import MODEL, SMALLEST_CONTEXT, Served, image_part, scripted_engine, served

ANSWER = "Four small words here."
PATH = "/v1/responses"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One that answers every question with ANSWER, and takes uploads."""
    with served(scripted_engine(Completion(text=ANSWER)), files_dir=tmp_path_factory.mktemp("uploads")) as running:
        yield running


def respond(server: Served, body: Any = None, **options: Any) -> httpx.Response:
    """POST without the SDK. body: fields beside the model's name."""
    if body is not None:
        options["json"] = {"model": MODEL, "input": "What is this?", **body}
    return httpx.post(f"{server.base_url}{PATH}", timeout=30, **options)


def outcomes(server: Served) -> dict[str, float]:
    """`hgv_requests_total` of the route by outcome."""
    return {
        sample.labels["outcome"]: sample.value
        for metric in server.registry.collect()
        for sample in metric.samples
        if sample.name == "hgv_requests_total" and sample.labels["route"] == PATH
    }


def data_url(content: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def user(*parts: Any) -> list[Any]:
    return [{"role": "user", "content": list(parts)}]


def test_a_question_gets_its_answer(server: Served) -> None:
    """The response is complete and says what held for it; nothing was kept."""
    answer = respond(server, {"instructions": "Be brief."}, headers={"X-Request-Id": "case_42"}).json()

    (message,) = answer["output"]
    assert (answer["id"], message["id"], answer["status"]) == ("resp_case_42", "msg_case_42", "completed")
    assert message["content"] == [{"type": "output_text", "text": ANSWER, "annotations": [], "logprobs": []}]
    assert answer["completed_at"] >= answer["created_at"]
    assert (answer["instructions"], answer["temperature"], answer["top_p"]) == ("Be brief.", 0.2, 1.0)
    assert (answer["store"], answer["previous_response_id"], answer["error"]) == (False, None, None)
    assert (answer["images"], answer["ignored_fields"]) == ([], [])


def test_it_asks_the_engine_what_a_chat_request_asks(server: Served) -> None:
    """Prompt and sampling are the same, instructions being a system message."""
    parts = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": image_part("tiny_5x7.png")["image_url"]["url"]},
    ]
    respond(server, {"input": user(*parts), "instructions": "Be brief.", "max_output_tokens": 30, "top_k": 3})
    asked = server.engine.generations[-1]
    content = [{"type": "text", "text": "What is this?"}, image_part("tiny_5x7.png")]
    messages: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": content}]
    server.client.chat.completions.create(model=MODEL, messages=messages, max_tokens=30, extra_body={"top_k": 3})
    chat = server.engine.generations[-1]

    assert asked.prompt.token_ids == chat.prompt.token_ids
    assert asked.prompt.images[0].identity == chat.prompt.images[0].identity
    assert asked.sampling == chat.sampling


def test_a_silent_request_is_sampled_as_the_reference_samples(server: Served) -> None:
    """Not as OpenAI does."""
    respond(server, {})

    assert server.engine.generations[-1].sampling == Sampling(
        max_tokens=512, temperature=0.2, top_p=1.0, top_k=50, repetition_penalty=1.2, min_tokens=1
    )


def test_usage_is_a_chats(server: Served) -> None:
    """Under OpenAI's newer names."""
    usage = respond(server, {}).json()["usage"]
    chat = server.create("What is this?").usage

    assert (usage["input_tokens"], usage["output_tokens"]) == (chat.prompt_tokens, chat.completion_tokens)
    assert usage["total_tokens"] == chat.total_tokens
    assert usage["input_tokens_details"] == {"cached_tokens": 0, "cache_write_tokens": 0}
    assert usage["output_tokens_details"] == {"reasoning_tokens": 0}


def test_images_films_and_uploads_are_looked_at(server: Served) -> None:
    """As data or by the id of an upload, each with its view, in the order of the parts."""
    film, png = dicom.picture(), (golden.IMAGES / "tiny_5x7.png").read_bytes()
    upload = server.client.files.create(file=("x.dcm", film), purpose="vision")
    parts = [
        {"type": "input_file", "file_data": data_url(film, "application/dicom"), "filename": "x.dcm"},
        {"type": "input_file", "file_id": upload.id, "view": {"window": {"center": 10, "width": 20}}},
        {"type": "input_image", "image_url": data_url(png)},
    ]

    images = respond(server, {"input": user(*parts)}).json()["images"]

    assert [image["format"] for image in images] == ["DICOM", "DICOM", "PNG"]
    assert images[1]["window"] == {"center": 10.0, "width": 20.0, "source": "request"}
    assert images[0]["sha256"] == images[1]["sha256"]


@pytest.mark.parametrize(
    ("part", "status", "param"),
    [
        ({"type": "input_image", "image_url": data_url(b"no image")}, 400, "input.0.content.1"),
        ({"type": "input_file", "file_id": "file-none"}, 404, "input.0.content.1"),
        ({"type": "input_image", "image_url": "https://example.org/a.png"}, 400, "input.0.content.1"),
        (
            {"type": "input_image", "image_url": data_url(b""), "view": {"frame": 1}},
            400,
            "input.0.content.1.image_url",
        ),
    ],
)
def test_an_image_that_cannot_be_read_is_named(server: Served, part: Any, status: int, param: str) -> None:
    """By the path of its part."""
    refused = respond(server, {"input": user({"type": "input_text", "text": "x"}, part)})

    assert (refused.status_code, refused.json()["error"]["param"]) == (status, param)


def test_a_view_that_the_image_lacks_is_named(server: Served) -> None:
    """The view stands in the part."""
    image = {"type": "input_image", "image_url": image_part("tiny_5x7.png")["image_url"]["url"], "view": {"frame": 2}}

    refused = respond(server, {"input": user(image)})

    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input.0.content.0.view.frame")


def test_an_answer_goes_back_as_it_came(server: Served) -> None:
    """A client's own loop: the output's items stand between the questions, and the prompt is a chat's."""
    client = server.client
    history: list[Any] = [{"role": "user", "content": "What is this?"}]
    history += client.responses.create(model=MODEL, input=history).output
    history += [{"role": "user", "content": "And why?"}]
    answer = client.responses.create(model=MODEL, input=history)
    asked = server.engine.generations[-1].prompt
    said: Any = [
        {"role": "user", "content": "What is this?"},
        {"role": "assistant", "content": ANSWER},
        {"role": "user", "content": "And why?"},
    ]
    client.chat.completions.create(model=MODEL, messages=said)

    assert asked.token_ids == server.engine.generations[-1].prompt.token_ids
    assert answer.model_extra is not None
    assert answer.model_extra["ignored_fields"] == []


def test_a_ceiling_that_is_reached_makes_it_incomplete(server: Served) -> None:
    """With the reason; what was said is there."""
    answer = respond(server, {"max_output_tokens": 2}).json()

    assert (answer["status"], answer["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert (answer["output"][0]["status"], answer["completed_at"]) == ("incomplete", None)
    assert ANSWER.startswith(answer["output"][0]["content"][0]["text"])
    assert answer["max_output_tokens"] == 2


def test_a_ceiling_too_high_is_clamped_and_reported() -> None:
    """As in chat."""
    with served(scripted_engine(Completion(text=ANSWER), max_model_len=SMALLEST_CONTEXT)) as server:
        answer = respond(server, {"max_output_tokens": 4096, "ignore_eos": True}).json()

    room = SMALLEST_CONTEXT - answer["usage"]["input_tokens"]
    assert answer["max_tokens_clamped_to"] == room
    assert answer["usage"]["output_tokens"] == room
    assert answer["max_output_tokens"] == 4096


def test_a_prompt_that_is_too_long_is_the_inputs_fault(server: Served) -> None:
    """Whether that is seen before it is made into tokens or after."""
    for words in (5_000, 2_000_000):
        refused = respond(server, {"input": "word " * words})
        error = refused.json()["error"]
        assert (refused.status_code, error["code"], error["param"]) == (400, "context_length_exceeded", "input")


def test_another_model_is_not_found(server: Served) -> None:
    """A 404 that names the field."""
    with pytest.raises(openai.NotFoundError) as caught:
        server.client.responses.create(model="other", input="hi")

    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_what_was_asked_for_is_repeated(server: Served) -> None:
    """Metadata too, though it is kept nowhere and therefore named as ignored."""
    schema = {"type": "object", "properties": {"side": {"enum": ["left", "right"]}}}
    told = {"type": "json_schema", "name": "finding", "schema": schema, "strict": True}

    answer = respond(
        server, {"metadata": {"case": "7"}, "text": {"format": told}, "tool_choice": "none", "temperature": 1}
    ).json()

    assert (answer["metadata"], answer["text"]["format"]) == ({"case": "7"}, told)
    assert (answer["tool_choice"], answer["temperature"]) == ("none", 1.0)
    assert answer["ignored_fields"] == ["metadata", "tool_choice"]
    structured = server.engine.generations[-1].sampling.structured_output
    assert structured is not None
    assert json.loads(structured.json_schema or "") == schema


def test_log_probabilities_come_where_they_are_included(server: Served) -> None:
    """One entry a token of the text, with as many alternatives as were asked for; their bytes are the text's."""
    asked = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}

    answer = respond(server, asked).json()

    (part,) = answer["output"][0]["content"]
    assert bytes(byte for one in part["logprobs"] for byte in one["bytes"]).decode() == ANSWER
    assert {len(one["top_logprobs"]) for one in part["logprobs"]} == {2}
    assert answer["top_logprobs"] == 2


def test_what_needs_a_store_is_refused(server: Served) -> None:
    """Each with its reason, and an answer cannot be asked for again."""
    for fields in ({"previous_response_id": "resp_1"}, {"store": True}, {"conversation": "c"}, {"background": True}):
        refused = respond(server, fields)
        assert (refused.status_code, [refused.json()["error"]["param"]]) == (400, list(fields))
    for call in (server.client.responses.retrieve, server.client.responses.delete, server.client.responses.cancel):
        with pytest.raises(openai.NotFoundError) as caught:
            call("resp_1")
        assert caught.value.code == "not_found"


def test_a_strict_server_refuses_what_changes_nothing() -> None:
    """`--strict`: whatever would be named in `ignored_fields`."""
    with served(strict=True) as server:
        refused = respond(server, {"user": "u"})
        fine = respond(server, {})

    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "user")
    assert fine.status_code == 200


def test_a_demo_checkpoint_says_so(server: Served) -> None:
    """As in chat."""
    with served(demo=TRAINED) as demo:
        answer = respond(demo, {}).json()

    assert answer["demo"] == TRAINED
    assert "demo" not in respond(server, {}).json()


def test_a_failure_is_a_status() -> None:
    """In OpenAI's shape."""
    with served(scripted_engine(Completion(text=ANSWER, fail_after=2))) as server:
        failed = respond(server, {})
        counted = outcomes(server)

    assert (failed.status_code, failed.json()["error"]["code"]) == (500, "engine_error")
    assert counted == {"engine_error": 1}


def test_outcomes_are_counted() -> None:
    """One request each: finished, cut at its ceiling, refused."""
    with served() as server:
        respond(server, {})
        respond(server, {"max_output_tokens": 1})
        respond(server, {"store": True})
        counted = outcomes(server)

    assert counted == {"ok": 1, "length": 1, "invalid_request_error": 1}


def test_an_answer_that_takes_too_long_is_a_504_and_is_aborted() -> None:
    """`X-Request-Timeout` holds here too."""
    with served(scripted_engine(Completion(text="word", hang_after=0))) as server:
        refused = respond(server, {}, headers={"X-Request-Timeout": "0.3"})
        aborted = server.engine.aborts.get(timeout=10)

    assert (refused.status_code, refused.json()["error"]["code"]) == (504, "deadline_exceeded")
    assert aborted


def test_every_request_is_put_on_record(tmp_path: Path) -> None:
    """With its route and parameters, and not a word of what was said or of a schema."""
    log = tmp_path / "audit.jsonl"
    canary = "canary-7c1f"
    schema = {"type": "object", "properties": {canary: {"type": "string"}}}
    told = {"type": "json_schema", "name": "n", "schema": schema}
    with served(audit_log=log) as server:
        respond(server, {"input": canary, "metadata": {canary: canary}, "text": {"format": told}})
        respond(server, {"input": canary, "stream": True})

    written = log.read_text()
    assert written.count(PATH) >= 2
    assert canary not in written
