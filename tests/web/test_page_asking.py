"""Asking, where something comes between: pictures that are late or changed, Escape, an answer that does not come."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Page, Route, expect

from huatuo_server.engine.scripted import Completion
from tests.web.films import dicom
from tests.web.visiting import Twin, Visit

FIRST = Completion(text="It is a CT scan.")
SECOND = Completion(text="No bleeding is seen.")
HANGING = Completion(text="one two three four", hang_after=4)

REFUSALS = {"server_busy": 429, "insufficient_scope": 403}


class Late:
    """Renders as the model sees them, held back until they are let go."""

    def __init__(self, page: Page) -> None:
        self._held: list[Route] = []
        self._holds = True
        page.route("**/v1/images/render", self._rendered)

    def _rendered(self, route: Route) -> None:
        is_models = json.loads(route.request.post_data or "{}").get("size") == "model"
        if self._holds and is_models:
            self._held.append(route)
        else:
            route.continue_()

    def arrive(self) -> None:
        """Whatever was held, and from now on everything at once."""
        self._holds = False
        for route in self._held:
            route.continue_()


def refuse(page: Page, path: str, times: int, code: str = "server_busy") -> None:
    """The server does not do this, so often."""
    error = {"message": "No.", "type": "server_error", "code": code, "param": None}
    headers = {"Retry-After": "1"} if code == "server_busy" else {}
    page.route(
        f"**/{path}",
        lambda route: route.fulfill(status=REFUSALS[code], json={"error": error}, headers=headers),
        times=times,
    )


def test_the_wait_for_a_picture_can_be_stopped(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """The question stays in its box, nothing goes out, and it can be asked again."""
    page = visit(twin(FIRST).base_url)
    page.ready()
    late = Late(page.page)
    page.choose(dicom(tmp_path))
    page.question_box.fill("What is this?")
    page.button("chat.ask").click()

    page.stop.click()

    expect(page.button("chat.ask")).to_be_enabled()
    expect(page.question_box).to_have_value("What is this?")
    expect(page.question_box).to_be_focused()
    late.arrive()
    page.picture_ready()
    assert page.bodies == []
    page.press("Enter")
    page.finished()
    expect(page.last_answer).to_contain_text(FIRST.text)


def test_a_view_that_is_changed_while_the_question_waits_does_not_go_out(
    tmp_path: Path, twin: Twin, visit: Visit
) -> None:
    """Neither it nor the question: what goes is what stood there at Enter, and the page says why nothing went."""
    page = visit(twin(FIRST).base_url)
    page.ready()
    late = Late(page.page)
    page.choose(dicom(tmp_path))
    page.question_box.fill("What is this?")
    page.press_on_film("1")
    page.question_box.press("Enter")
    expect(page.stop).to_be_visible()

    page.press_on_film("2")
    late.arrive()

    expect(page.root).to_contain_text(page.words("chat.changed"))
    expect(page.question_box).to_have_value("What is this?")
    page.see("changed-while-waiting")
    assert page.bodies == []
    page.question_box.press("Enter")
    page.finished()
    assert page.bodies[0]["messages"][0]["content"][0]["file"]["view"]["preset"] == "lung"


def test_the_focus_is_never_lost_to_the_films(twin: Twin, visit: Visit) -> None:
    """Where the button that was pressed goes, the next keys are the question's."""
    page = visit(twin(FIRST, SECOND, FIRST).base_url)
    page.ready()
    page.question_box.fill("What is this?")

    page.button("chat.ask").click()
    expect(page.question_box).to_be_focused()
    page.finished()
    page.regenerate.click()
    expect(page.question_box).to_be_focused()
    page.finished()
    page.edit("What is this?", "Any bleeding?")
    expect(page.question_box).to_be_focused()


def test_escape_stops_an_answer_before_it_clears_a_region(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """Wherever the focus is; the film stays as it is."""
    server = twin(HANGING)
    page = visit(server.base_url)
    page.choose(dicom(tmp_path))
    page.picture_ready()
    page.press_on_film("r")
    page.drag((0.3, 0.3), (0.6, 0.6))
    page.picture_ready()
    page.ask("What is this?")
    expect(page.last_answer).to_contain_text("one")

    page.stage.focus()
    page.press("Escape")

    expect(page.last_answer).to_contain_text(page.words("chat.stopped"))
    expect(page.button("viewer.clear_region")).to_be_visible()


def test_an_answer_that_does_not_come_leaves_the_earlier_ones(twin: Twin, visit: Visit) -> None:
    """A question is edited while the server is busy: nothing is lost, and trying again asks as it was edited."""
    page = visit(twin(FIRST, SECOND, FIRST).base_url)
    page.ask("What is this?")
    page.finished()
    page.ask("Any bleeding?")
    page.finished()
    refuse(page.page, "v1/chat/completions", times=1)

    page.edit("What is this?", "Which organ is this?")

    expect(page.answers).to_have_count(2)
    expect(page.answers.first).to_contain_text(page.words("chat.trouble"))
    expect(page.answers.first).to_contain_text(FIRST.text)
    expect(page.last_answer).to_contain_text(SECOND.text)
    page.see("no-new-answer")
    page.retry.click()
    expect(page.answers).to_have_count(1)
    expect(page.questions.first).to_contain_text("Which organ is this?")
    page.finished()


def test_a_model_that_is_not_told_at_once_is_asked_for_again(twin: Twin, visit: Visit) -> None:
    """The server is well, yet too busy to say what it serves: the page does not wait for ever."""
    server = twin(FIRST)
    page = visit(server.base_url)
    # The first visit asks too.
    page.page.goto("about:blank")
    refuse(page.page, "v1/models", times=2)
    page.page.goto(server.base_url)

    page.ready()
    page.ask("What is this?")
    page.finished()

    expect(page.last_answer).to_contain_text(FIRST.text)


def test_a_key_that_may_not_ask_is_asked_to_be_another(twin: Twin, visit: Visit) -> None:
    """The server knows it, yet not for this."""
    server = twin(FIRST)
    page = visit(server.base_url)
    # The first visit asks too.
    page.page.goto("about:blank")
    refuse(page.page, "v1/models", times=1, code="insufficient_scope")
    page.page.goto(server.base_url)

    page.enter_key("another")
    page.ask("What is this?")
    page.finished()

    expect(page.last_answer).to_contain_text(FIRST.text)


def test_a_stopped_answer_is_copied_as_one(twin: Twin, visit: Visit) -> None:
    """Whoever pastes it elsewhere has it said that the rest is missing."""
    page = visit(twin(HANGING).base_url, permissions=["clipboard-read", "clipboard-write"])
    page.ask("What is this?")
    expect(page.last_answer).to_contain_text("one")
    page.stop.click()
    page.finished()

    page.copy.click()

    expect(page.root).to_contain_text(page.words("chat.copied"))
    said = page.evaluate("() => navigator.clipboard.readText()")
    assert said.startswith("one")
    assert said.endswith(page.words("export.stopped"))
