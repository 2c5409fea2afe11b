"""The library against a running server: questions with pictures, streams, closed questions, many questions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from huatuo_client import Answer, Choices, HuatuoClient, Question, View, errors, image_part
from huatuo_server.engine.scripted import Completion
from huatuo_server.tokenizer import Tokenizer
from tests.clients.answers import JSON_TEXT, TEXT, saying
from tests.huatuo_client.pictures import asked, grey_png, greys
from tests.service.served import MODEL, Served, golden_card, scripted_engine, served
from tests.service.supervised import until


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """Whatever it is asked, it says TEXT."""
    with saying(TEXT) as running:
        yield running


@pytest.fixture
def client(server: Served) -> Iterator[HuatuoClient]:
    """Of that server."""
    with HuatuoClient(server.base_url) as made:
        yield made


def last_prompt(server: Served) -> str:
    """The text that the engine got last."""
    tokenizer: Tokenizer = golden_card().tokenizer
    return tokenizer.decode([one for one in server.engine.generations[-1].prompt.token_ids if one >= 0])


def test_an_answer_tells_what_it_was_made_of(client: HuatuoClient, tmp_path: Path) -> None:
    """Text, end, usage, model, what was done to the image, and the id in the server's log."""
    (tmp_path / "film.png").write_bytes(grey_png(7))

    answer = client.ask("What is this?", tmp_path / "film.png", view=View(region=(0, 0, 4, 8)))

    assert (answer.text, answer.finish_reason, answer.is_cut, answer.model) == (TEXT, "stop", False, MODEL)
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 576
    assert answer.request_id
    (image,) = answer.images
    assert (image.format, image.width, image.height, image.region) == ("PNG", 8, 8, (0, 0, 4, 8))
    assert image.padding is not None
    assert image.padding.left == 2


def test_earlier_turns_go_along(server: Served, client: HuatuoClient) -> None:
    """`history` is what was said before, images and all."""
    first = Question("What is this?", images=[grey_png(1)])
    history = [first.message(), {"role": "assistant", "content": "A square."}]

    answer = client.ask("Which colour?", history=history)

    assert len(answer.images) == 1
    prompt = last_prompt(server)
    assert prompt.index("What is this?") < prompt.index("A square.") < prompt.index("Which colour?")


def test_a_stream_is_the_same_text_in_pieces(client: HuatuoClient) -> None:
    """And its answer is whole at the end, usage and images included."""
    with client.stream("What is this?", grey_png(2)) as stream:
        pieces = list(stream)

    assert len(pieces) > 3
    assert "".join(pieces) == stream.text == stream.answer.text == TEXT
    assert stream.answer.finish_reason == "stop"
    assert stream.answer.usage is not None
    assert len(stream.answer.images) == 1
    assert stream.answer.request_id


def test_a_stream_has_no_answer_before_its_end(client: HuatuoClient) -> None:
    """To ask for it is an error, not half an answer."""
    with client.stream("What is this?") as stream:
        next(iter(stream))
        with pytest.raises(errors.AnswerBroken):
            _ = stream.answer


def test_to_leave_a_stream_ends_the_servers_work() -> None:
    """The generation is aborted."""
    with served(scripted_engine(Completion(text=TEXT * 20, delay_s=0.05))) as server:
        with HuatuoClient(server.base_url).stream("What is this?") as stream:
            next(iter(stream))
        aborted = server.engine.aborts.get(timeout=30)

    assert aborted


def test_a_cut_answer_says_so() -> None:
    """`max_tokens` is a ceiling, and half a JSON is no value."""
    with saying(JSON_TEXT) as server:
        client = HuatuoClient(server.base_url)
        whole = client.ask("Describe it.", json_schema={"type": "object"})
        cut = client.ask("Describe it.", json_schema={"type": "object"}, max_tokens=3)

    assert whole.value()["modality"] == "x-ray"
    assert cut.is_cut
    with pytest.raises(errors.AnswerCut):
        cut.value()


def test_further_fields_reach_the_server(server: Served, client: HuatuoClient) -> None:
    """Named ones and `extra` alike."""
    client.ask("What is this?", temperature=0.0, top_p=0.5, seed=7, max_tokens=9, extra={"top_k": 3})

    sampling = server.engine.generations[-1].sampling
    assert (sampling.temperature, sampling.top_p, sampling.seed, sampling.max_tokens) == (0.0, 0.5, 7, 9)
    assert sampling.top_k == 3


def test_asynchronous_questions_work_in_one_loop_after_another(client: HuatuoClient) -> None:
    """Connections belong to a loop; a client does not."""
    assert asyncio.run(client.aask("What is this?")).text == TEXT
    assert asyncio.run(client.aask("What is this?")).text == TEXT


def test_a_closed_question_is_answered_in_probabilities(client: HuatuoClient) -> None:
    """In the order of the question, with the best one named."""
    weighed = client.choices("Is there a fracture?", ["yes", "no", "cannot tell"], grey_png(3))

    assert [one.text for one in weighed.choices] == ["yes", "no", "cannot tell"]
    assert sum(one.probability for one in weighed.choices) == pytest.approx(1)
    assert weighed.best.probability == max(one.probability for one in weighed.choices)
    assert "not calibrated" in weighed.note
    assert len(weighed.images) == 1


def test_many_questions_are_each_asked_once(tmp_path: Path) -> None:
    """Never more at a time than allowed; each outcome says whose it is."""
    names = greys(tmp_path / "films", 40)
    with served(scripted_engine(Completion(text=TEXT, delay_s=0.01))) as server:
        questions = [Question("What is this?", images=[tmp_path / "films" / name]) for name in names]
        outcomes = list(HuatuoClient(server.base_url).map(questions, concurrency=5))
        most, counts = server.engine.most_running, asked(server.engine)

    assert sorted(one.index for one in outcomes) == list(range(40))
    assert all(isinstance(one.answer, Answer) and one.answer.text == TEXT for one in outcomes)
    assert counts == dict.fromkeys(names, 1)
    assert 2 <= most <= 5


def test_of_many_questions_some_may_fail(client: HuatuoClient, tmp_path: Path) -> None:
    """An error is an outcome, the others' answers come all the same; closed questions may stand among them."""
    questions = [
        Question("What is this?", images=[tmp_path / "missing.png"]),
        Question("What is this?", images=[b"no image"]),
        Question("Is it?", choices=("yes", "no")),
        Question("What is this?"),
        Question("What is this?", images=["a\0.png"]),
        Question("What is \ud800?"),
    ]

    found = {one.index: one for one in client.map(questions)}

    assert isinstance(found[0].error, errors.UnreadableImage)
    assert isinstance(found[4].error, errors.UnreadableImage)
    assert type(found[5].error) is errors.HuatuoError
    assert isinstance(found[1].error, errors.InvalidImage)
    assert isinstance(found[2].answer, Choices)
    assert isinstance(found[3].answer, Answer)


def test_many_questions_work_where_a_loop_runs_already(client: HuatuoClient) -> None:
    """As in a notebook."""

    async def cell() -> int:
        return len(list(client.map([Question("What is this?")] * 3)))

    assert asyncio.run(cell()) == 3


def test_who_stops_reading_stops_the_asking() -> None:
    """What was not begun is never asked, and all that runs is aborted."""
    hanging = [Completion(text=TEXT, hang_after=1)] * 99
    with served(scripted_engine(Completion(text=TEXT), *hanging)) as server:
        outcomes = HuatuoClient(server.base_url).map([Question("What is this?")] * 100, concurrency=2)
        first = next(iter(outcomes))
        outcomes.close()
        until(lambda: server.metric("hgv_requests_in_flight") == 0)
        answered, *hung = asked_texts(server)
        aborted = [server.engine.aborts.get(timeout=30) for _ in hung]

    assert isinstance(first.answer, Answer)
    assert 1 <= len(hung) <= 2
    assert sorted(aborted) == sorted(hung)
    assert answered not in aborted


def asked_texts(server: Served) -> list[str]:
    """The clients' requests."""
    return [one.request_id for one in server.engine.generations if not one.request_id.startswith("warm-up")]


def test_a_rendering_is_the_picture_and_its_provenance(client: HuatuoClient) -> None:
    """As the model sees it: 336 x 336."""
    rendering = client.render(grey_png(5))

    assert rendering.png.startswith(b"\x89PNG")
    assert int.from_bytes(rendering.png[16:20]) == 336
    assert rendering.provenance.format == "PNG"


def test_the_values_before_any_window_can_be_read(client: HuatuoClient) -> None:
    """`gray16` tells how its numbers are read."""
    values = client.render(grey_png(5), size=8, format="gray16").provenance.values

    assert values is not None
    assert (values.units, values.inverted) == (None, False)


def test_models_and_health_are_told(client: HuatuoClient) -> None:
    """What is served, and that it would take a question."""
    (model,) = client.models()

    assert (model.id, model.tokens_per_image, model.demo) == (MODEL, 576, None)
    assert client.health().ready


def test_a_server_that_starts_is_not_ready() -> None:
    """With its phase."""
    with served(scripted_engine(start_delay_s=60.0), ready=False) as server:
        health = HuatuoClient(server.base_url).health()

    assert (health.ready, health.status) == (False, "starting")
    assert health.phase


def test_a_base_url_may_end_with_v1(server: Served) -> None:
    """As OpenAI's clients want it."""
    assert HuatuoClient(f"{server.base_url}/v1/").models()[0].id == MODEL


def test_what_is_no_base_url_is_refused_at_once() -> None:
    """Before anything is asked."""
    with pytest.raises(ValueError, match="base URL"):
        HuatuoClient("127.0.0.1:8000")


@pytest.mark.parametrize("given", ["hgv-key\n", "  hgv-key\r\n", "\thgv-key"])
def test_white_space_around_a_key_is_no_part_of_it(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a file and `$(cat key)` leave it."""
    assert HuatuoClient("http://127.0.0.1:1", api_key=given).sdk.api_key == "hgv-key"
    monkeypatch.setenv("HUATUO_API_KEY", given)
    assert HuatuoClient("http://127.0.0.1:1").sdk.api_key == "hgv-key"


@pytest.mark.parametrize("given", ["hgv-se\ncret", "hgv-se\u200bcret", "hgv-secrét", "hgv-se\x7fcret"])
def test_a_key_that_no_header_can_hold_is_refused_at_once(given: str) -> None:
    """Without a word of it."""
    with pytest.raises(ValueError, match="no header") as caught:
        HuatuoClient("http://127.0.0.1:1", api_key=given)

    assert "hgv" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_openais_own_key_is_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has a key of OpenAI's in the environment does not give it away."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.delenv("HUATUO_API_KEY", raising=False)

    assert HuatuoClient("http://127.0.0.1:1").sdk.api_key == "none"


def test_what_the_environment_has_for_openai_is_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither organisation nor project, nor a gateway's headers, whose names anybody may choose."""
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-secret")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Gateway: gw-secret\nX-Request-Timeout: 1")

    client = HuatuoClient("http://127.0.0.1:1", timeout_s=7)

    headers = {name: str(value) for name, value in client.sdk.default_headers.items()}
    assert "secret" not in str(headers)
    assert headers["X-Request-Timeout"] == "7"


def test_a_part_goes_as_it_is(client: HuatuoClient) -> None:
    """For images with views of their own in one question."""
    parts = [image_part(grey_png(6), View(region=(0, 0, 2, 2))), image_part(grey_png(6))]

    first, second = client.ask("What has changed?", *parts).images

    assert (first.region, second.region) == ((0, 0, 2, 2), None)


def test_a_question_has_its_own_options(client: HuatuoClient) -> None:
    """To give them beside it is a mistake that is not passed over."""
    with pytest.raises(TypeError):
        client.ask(Question("What is this?"), temperature=0.0)
