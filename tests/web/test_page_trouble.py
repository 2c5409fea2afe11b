"""When something goes wrong: said in words for a clinician, with a way on, and without the question being lost."""

from __future__ import annotations

import http.client
import json
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from playwright.sync_api import expect

from huatuo_server.engine.scripted import Completion
from huatuo_server.tenants.key import new_secret
from huatuo_server.tenants.key_file import KeyFile
from tests.server.tenants.keys import key
from tests.service.served import Served, ask
from tests.service.supervised import scripted, until
from tests.web.films import letter, wide
from tests.web.visiting import Twin, Visit

ANSWER = Completion(text="No fracture is seen.")
SLOW = {"text": "one two three four five six seven eight", "delay_s": 0.1}
HANGING = Completion(text="one two three", hang_after=1)
QUESTION = "Is there a fracture of the distal radius?"


@contextmanager
def full(server: Served) -> Iterator[None]:
    """A server for one at a time answers one, and another waits: nobody else is let in."""
    with closing(_asking(server)), closing(_asking(server)):
        until(lambda: server.metric("hgv_requests_waiting", **{"class": "routine"}) == 1)
        yield


def _asking(server: Served) -> http.client.HTTPConnection:
    """Somebody who waits for an answer until the connection is closed."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    body = json.dumps(ask(stream=True))
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    return connection


def test_a_key_is_asked_for_and_kept_for_the_session_only(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """A wrong one is told so. The right one lives in the tab, and no longer."""
    file, secret = tmp_path / "keys.jsonl", new_secret()
    KeyFile(file).add(key(1, secret=secret))
    page = visit(twin(ANSWER, keys_file=file).base_url)

    page.enter_key("hgv-wrong")
    expect(page.key_dialog).to_contain_text(page.words("app.key_rejected"))
    expect(page.key_dialog).to_be_visible()
    page.see("key-rejected")
    page.enter_key(secret)
    page.ask(QUESTION)
    page.finished()

    expect(page.last_answer).to_contain_text(ANSWER.text)
    assert page.watch.refusals <= {401}
    assert secret in json.dumps(page.evaluate("() => ({...sessionStorage})"))
    assert secret not in json.dumps(page.evaluate("() => ({...localStorage})"))
    assert page.evaluate("() => document.cookie") == ""


def test_a_full_server_is_waited_for(twin: Twin, visit: Visit) -> None:
    """429: it counts down to the moment at which it is worth trying, and then the same question is answered."""
    server = twin(HANGING, *[ANSWER] * 9, max_waiting=1, script={"max_num_seqs": 1})
    page = visit(server.base_url)
    with full(server):
        page.ask(QUESTION)
        expect(page.problem).to_contain_text(page.words("error.server_busy.title"))
        expect(page.problem).to_contain_text(page.words.pattern("chat.retry_in"))
        page.see("busy-countdown")
    until(lambda: server.metric("hgv_requests_waiting", **{"class": "routine"}) == 0)

    page.retry.click()
    page.finished()

    expect(page.last_answer).to_contain_text(ANSWER.text)
    assert [body["messages"] for body in page.bodies] == [page.bodies[0]["messages"]] * 2
    assert page.watch.refusals == {429}


def test_an_answer_cut_by_an_error_is_marked_and_can_be_had_again(twin: Twin, visit: Visit) -> None:
    """What came of it stays to be read, as incomplete; the next try takes its place and builds on nothing of it."""
    server = twin(Completion(text="one two three four", fail_after=4), ANSWER)
    page = visit(server.base_url)

    page.ask(QUESTION)
    expect(page.problem).to_contain_text(page.words("error.internal_error.title"))
    expect(page.last_answer).to_contain_text("one")
    page.see("answer-cut-by-error")
    page.retry.click()
    page.finished()

    expect(page.last_answer).to_contain_text(ANSWER.text)
    expect(page.answers).to_have_count(1)
    assert "one two" not in json.dumps(page.bodies[-1])


def test_a_server_that_dies_in_mid_answer(tmp_path: Path, visit: Visit) -> None:
    """No end of the answer came: it is not taken for whole, and the page says that the connection is gone."""
    with scripted({"completions": [{**SLOW, "hang_after": 3}]}, tmp_path) as server:
        page = visit(server.listening())
        server.until_ready()
        page.ask(QUESTION)
        expect(page.last_answer).to_contain_text("one")
        server.signal(signal.SIGKILL)

        expect(page.problem).to_contain_text(page.words("error.cut.title"))
        expect(page.banner).to_be_visible()
        page.see("connection-lost")


def test_a_server_drained_in_mid_answer(tmp_path: Path, visit: Visit) -> None:
    """It says that it is being restarted; an answer that does not end in time is marked so."""
    script = {"completions": [{**SLOW, "hang_after": 3}]}
    with scripted(script, tmp_path, "--drain-s", "2") as server:
        page = visit(server.listening())
        server.until_ready()
        page.ask(QUESTION)
        expect(page.last_answer).to_contain_text("one")
        server.signal()

        expect(page.problem).to_contain_text(page.words("error.draining.title"))
        expect(page.banner).to_be_visible()
        expect(page.last_answer).to_contain_text("one")
        page.see("drained-in-mid-answer")


def test_a_server_that_is_still_starting(twin: Twin, visit: Visit) -> None:
    """The page is there before the model is: it says so, and is ready by itself when the model is."""
    page = visit(twin(ANSWER, script={"start_delay_s": 3.0}, ready=False).base_url)

    expect(page.status).to_contain_text(page.words("app.status_starting"))
    page.see("starting")
    page.ready()
    page.ask(QUESTION)
    page.finished()

    expect(page.last_answer).to_contain_text(ANSWER.text)


def test_offline_the_question_stays_and_goes_out_later(twin: Twin, visit: Visit) -> None:
    """No connection is said, and a try after it is back is answered."""
    page = visit(twin(ANSWER).base_url)
    page.ready()
    page.context.set_offline(True)

    page.ask(QUESTION)
    expect(page.problem).to_contain_text(page.words("error.unreachable.title"))
    expect(page.root).to_contain_text(QUESTION)
    page.see("offline")
    page.context.set_offline(False)
    page.retry.click()
    page.finished()

    expect(page.last_answer).to_contain_text(ANSWER.text)


def test_files_that_cannot_be_used_say_why(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """415 of a letter, 422 of too many pixels, 413 of too many bytes; each at its picture, and the rest goes on."""
    page = visit(twin(ANSWER, max_image_bytes=100_000).base_url)
    large = tmp_path / "large.png"
    large.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200_000))

    for file, name in (
        (letter(tmp_path), "unsupported_image_format"),
        (wide(tmp_path), "image_refused"),
        (large, "request_too_large"),
    ):
        page.choose(file)
        expect(page.root).to_contain_text(page.words(f"error.{name}.title"))
        page.see(f"refused-{name}")
        page.remove_picture(0)
    assert page.watch.refusals == {413, 415, 422}
    page.ask(QUESTION)
    page.finished()

    expect(page.last_answer).to_contain_text(ANSWER.text)
