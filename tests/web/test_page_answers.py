"""A conversation: answers that stream, are stopped, asked again and edited, over several turns about one image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import expect

from huatuo_server.engine.scripted import Completion
from tests.service.supervised import until
from tests.web.films import SCAN, pictures
from tests.web.visiting import Twin, Visit

FIRST = Completion(text="It is a CT scan of the head.")
SECOND = Completion(text="No bleeding is seen.")
THIRD = Completion(text="The ventricles are normal.")


KEPT = """async () => [
  {...localStorage}, {...sessionStorage}, await indexedDB.databases(), await caches.keys(),
]"""


def texts(body: dict[str, Any]) -> list[str]:
    """What each message says."""
    said = [message["content"] for message in body["messages"]]
    return [one if isinstance(one, str) else one[-1]["text"] for one in said]


def num_images(body: dict[str, Any]) -> list[int]:
    """Of each of the user's messages."""
    asked = [message["content"] for message in body["messages"] if message["role"] == "user"]
    return [sum(part["type"] == "file" for part in content) for content in asked]


def test_an_answer_streams(twin: Twin, visit: Visit) -> None:
    """It is read while it comes, then marked as done with the time to its first token."""
    page = visit(twin(Completion(text="one two three four", hang_after=6)).base_url)

    page.ask("What is this?")

    expect(page.last_answer).to_contain_text("one")
    expect(page.stop).to_be_visible()
    page.see("streaming")


def test_an_image_is_uploaded_once_and_asked_about_again_and_again(twin: Twin, visit: Visit) -> None:
    """A follow-up sends the conversation, in which the image still stands where it was, and no new one."""
    page = visit(twin(FIRST, SECOND).base_url)
    page.choose(SCAN)

    page.ask("What is this?")
    page.finished()
    page.ask("Is there any bleeding?")
    page.finished()
    page.see("two-turns")

    assert num_images(page.bodies[-1]) == [1, 0]
    assert texts(page.bodies[-1]) == ["What is this?", FIRST.text, "Is there any bleeding?"]
    assert page.num_uploads == 1


def test_stop_ends_the_generation_and_marks_what_came(twin: Twin, visit: Visit) -> None:
    """The engine is free at once, and nobody takes the half for the whole."""
    server = twin(Completion(text="one two three four", hang_after=4), SECOND)
    page = visit(server.base_url)
    page.ask("What is this?")
    expect(page.last_answer).to_contain_text("one")

    page.stop.click()

    assert server.engine.aborts.get(timeout=30)
    expect(page.last_answer).to_contain_text(page.words("chat.stopped"))
    page.see("stopped")
    page.ask("And now?")
    page.finished()
    expect(page.last_answer).to_contain_text(SECOND.text)


def test_escape_stops_too(twin: Twin, visit: Visit) -> None:
    """Without a hand on the mouse."""
    server = twin(Completion(text="one two three four", hang_after=4))
    page = visit(server.base_url)
    page.ask("What is this?")
    expect(page.last_answer).to_contain_text("one")

    page.press("Escape")

    assert server.engine.aborts.get(timeout=30)
    expect(page.last_answer).to_contain_text(page.words("chat.stopped"))


def test_regenerate_asks_the_same_again(twin: Twin, visit: Visit) -> None:
    """The new answer stands in the old one's place."""
    page = visit(twin(FIRST, SECOND).base_url)
    page.ask("What is this?")
    page.finished()

    page.regenerate.click()
    page.finished()

    expect(page.last_answer).to_contain_text(SECOND.text)
    expect(page.answers).to_have_count(1)
    assert page.bodies[0]["messages"] == page.bodies[1]["messages"]


def test_edit_asks_another_question_in_its_place(twin: Twin, visit: Visit) -> None:
    """With the same image; what was answered to the old question is gone from the conversation."""
    page = visit(twin(FIRST, SECOND, THIRD).base_url)
    page.choose(SCAN)
    page.ask("What is this?")
    page.finished()
    page.ask("Is there any bleeding?")
    page.finished()

    page.edit("What is this?", "Are the ventricles normal?")
    page.finished()

    expect(page.last_answer).to_contain_text(THIRD.text)
    expect(page.answers).to_have_count(1)
    assert texts(page.bodies[-1]) == ["Are the ventricles normal?"]
    assert num_images(page.bodies[-1]) == [1]


def test_an_answer_is_copied_as_it_was_said(twin: Twin, visit: Visit) -> None:
    """The model's own text, Markdown and all."""
    said = "**CT** of the head:\n\n- no bleeding"
    page = visit(twin(Completion(text=said)).base_url, permissions=["clipboard-read", "clipboard-write"])
    page.ask("What is this?")
    page.finished()

    page.copy.click()

    expect(page.root).to_contain_text(page.words("chat.copied"))
    assert page.evaluate("() => navigator.clipboard.readText()") == said


def test_an_answer_cut_by_length_is_marked(twin: Twin, visit: Visit) -> None:
    """It looks like no finished answer."""
    page = visit(twin(Completion(text="word " * 600)).base_url)

    page.ask("Tell me everything.")
    page.finished()

    expect(page.last_answer).to_contain_text(page.words("chat.cut_length"))
    page.see("cut-by-length")


def test_several_images_go_with_one_question(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """In the order in which they stand in the strip."""
    page = visit(twin(FIRST).base_url)
    page.choose(*pictures(tmp_path, 3))

    page.ask("Compare these.")
    page.finished()

    sent = [part["file"]["file_id"] for part in page.bodies[0]["messages"][0]["content"] if part["type"] == "file"]
    assert len(set(sent)) == 3


def test_more_images_than_the_model_takes_are_said_to_be_too_many(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """The first six stay, and the page says that the seventh does not."""
    page = visit(twin(FIRST).base_url)

    page.choose(*pictures(tmp_path, 7))

    expect(page.thumbnails).to_have_count(6)
    page.see("seven-images")


def test_a_full_context_offers_to_drop_the_oldest(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """The meter counts; with no room for another image the page says so before asking, and dropping makes room."""
    page = visit(twin(FIRST, SECOND, THIRD, max_images_per_request=7).base_url)
    page.choose(*pictures(tmp_path, 6))
    page.ask("Compare these.")
    page.finished()
    page.choose(SCAN)

    expect(page.drop_oldest).to_be_visible()
    page.see("context-full")
    page.drop_oldest.click()
    expect(page.question_box).to_be_focused()
    page.ask("And this?")
    page.finished()

    assert num_images(page.bodies[-1])[-1] >= 1
    expect(page.last_answer).to_contain_text(SECOND.text)


def test_nothing_of_it_outlives_the_tab(twin: Twin, visit: Visit) -> None:
    """A reload is a new page; no store of the browser holds a word of the old one, and the server no image."""
    server = twin(FIRST)
    page = visit(server.base_url)
    page.choose(SCAN)
    page.ask("Is this my patient Smith?")
    page.finished()

    kept = page.evaluate(
        "async () => [{...localStorage}, {...sessionStorage}, await indexedDB.databases(), await caches.keys()]"
    )
    page.page.reload()
    page.ready()

    assert "Smith" not in json.dumps(kept)
    assert kept[2:] == [[], []]
    expect(page.answers).to_have_count(0)
    until(lambda: httpx.get(f"{server.base_url}/v1/files").json()["data"] == [])


def test_the_export_holds_all_that_was_asked_shown_and_said(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """Markdown in one file with its pictures, and JSON with settings and provenance."""
    page = visit(twin(FIRST).base_url)
    page.choose(SCAN)
    page.ask("What is this?")
    page.finished()

    markdown = page.exported("markdown", tmp_path).read_text(encoding="utf-8")
    record = page.exported("json", tmp_path).read_text(encoding="utf-8")

    assert all(text in markdown for text in ("What is this?", FIRST.text, "data:image/", page.words("export.notice")))
    assert all(text in record for text in ("What is this?", FIRST.text, "data:image/", "sha256"))
    assert "data:image/" in json.dumps(json.loads(record))
