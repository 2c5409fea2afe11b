"""Everything without a mouse, and it shows where one is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from huatuo_server.engine.scripted import Completion
from tests.web.films import dicom
from tests.web.visiting import Twin, Visit

FIRST = Completion(text="It is a CT scan.")
SECOND = Completion(text="No bleeding is seen.")

FOCUSED = """() => {
  let focused = document.activeElement;
  while (focused?.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement;
  if (!focused || focused === document.body) return null;
  const { outlineStyle, outlineWidth } = getComputedStyle(focused);
  const labelled = focused.getAttribute("aria-labelledby");
  const label = labelled && focused.getRootNode().getElementById(labelled)?.textContent;
  const name = focused.getAttribute("aria-label") || label || focused.labels?.[0]?.textContent || focused.textContent;
  return { name: name.trim(), is: focused.localName, outline: outlineStyle === "none" ? 0 : parseFloat(outlineWidth) };
}"""

MOST_STOPS = 60


def test_a_whole_visit_without_a_mouse(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """Choose a film, look at it through another window, ask, ask again, start over."""
    page = visit(twin(FIRST, SECOND).base_url)
    page.ready()

    page.tab_to(page.add_button)
    with page.page.expect_file_chooser() as chooser:
        page.press("Enter")
    chooser.value.set_files(dicom(tmp_path))
    page.picture_shown()
    page.tab_to(page.stage)
    page.press("2")
    page.tab_to(page.question_box)
    page.page.keyboard.type("What is this?")
    page.press("Enter")
    page.finished()
    page.page.keyboard.type("Any bleeding?")
    page.press("Enter")
    page.finished()

    expect(page.last_answer).to_contain_text(SECOND.text)
    (part, _) = page.bodies[0]["messages"][0]["content"]
    assert part["file"]["view"]["preset"] == "lung"
    page.tab_to(page.regenerate)
    page.press("Enter")
    page.finished()
    expect(page.last_answer).to_contain_text(FIRST.text)


def test_every_stop_has_a_name_and_shows_that_one_is_there(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """Once around the page with a film and an answer on it."""
    page = visit(twin(FIRST).base_url)
    page.choose(dicom(tmp_path))
    page.picture_ready()
    page.ask("What is this?")
    page.finished()

    stops: list[dict[str, Any]] = []
    while len(stops) < MOST_STOPS:
        page.press("Tab")
        stop = page.evaluate(FOCUSED)
        # Behind the last one is the browser, and then the first.
        if stop is None and stops:
            break
        stops += [] if stop is None else [stop]

    print([stop["name"] for stop in stops])
    assert len(stops) > 8
    assert [stop for stop in stops if not stop["name"]] == []
    assert [stop for stop in stops if not stop["outline"]] == []


def test_shift_enter_begins_a_line_and_enter_while_composing_asks_nothing(twin: Twin, visit: Visit) -> None:
    """Chinese is typed through an input method, whose Enter takes a word."""
    page = visit(twin(FIRST).base_url)
    page.ready()
    page.question_box.focus()

    page.page.keyboard.type("one")
    page.press("Shift+Enter")
    page.page.keyboard.type("two")
    page.question_box.dispatch_event("keydown", {"key": "Enter", "isComposing": True, "bubbles": True})

    expect(page.question_box).to_have_value("one\ntwo")
    assert page.bodies == []
    page.press("Enter")
    page.finished()
    assert page.bodies[0]["messages"][0]["content"][-1]["text"] == "one\ntwo"
