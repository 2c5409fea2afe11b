"""The page on the real engine with the demo checkpoint, as `make serve` has it where there is no GPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from huatuo_server.demo.seeing_checkpoint import SEEING, write_seeing_checkpoint
from tests.service.real import serving
from tests.web.films import SCAN, dicom, pictures
from tests.web.visiting import Visit

pytestmark = pytest.mark.slow

MAX_ACTIONS = 3
"""From a film on the desktop to the first token."""

FIRST_PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address."""
    pytest.importorskip("vllm", reason="vLLM is not installed")
    folder = tmp_path_factory.mktemp("demo")
    write_seeing_checkpoint(folder / "checkpoint", SEEING)
    with serving(folder / "checkpoint", "--files-dir", str(folder / "files")) as server:
        yield server.url


def test_from_the_first_visit_to_an_answer(demo: str, visit: Visit) -> None:
    """What the page is and what it is not stands there all along; an example question is a click away."""
    page = visit(demo)
    page.ready()
    expect(page.notice).to_be_visible()
    expect(page.toy_notice).to_be_visible()
    page.see("first-visit")
    print(f"first paint after {page.evaluate(FIRST_PAINT):.0f} ms")

    page.choose(SCAN)
    page.picture_ready()
    page.picture_shown()
    page.ask("What kind of scan is this?")
    page.finished()

    expect(page.last_answer).to_contain_text("CT")
    expect(page.last_answer).to_contain_text(page.words.pattern("chat.ttft"))
    expect(page.notice).to_be_visible()
    expect(page.toy_notice).to_be_visible()
    page.see("first-answer")


def test_from_a_dropped_film_to_the_first_token_in_three_actions(demo: str, tmp_path: Path, visit: Visit) -> None:
    """Drop it, choose an example question, and ask."""
    page = visit(demo)
    page.ready()
    actions = []

    page.drop(dicom(tmp_path))
    actions.append("drop")
    page.picture_ready()
    page.example.click()
    actions.append("click an example")
    if not page.bodies:
        page.press("Enter")
        actions.append("Enter")
    page.finished()

    print(f"{len(actions)} actions: {', '.join(actions)}")
    assert len(actions) <= MAX_ACTIONS
    assert page.bodies[0]["messages"][0]["content"][0]["type"] == "file"


def test_a_film_through_another_window_and_a_part_of_it(demo: str, tmp_path: Path, visit: Visit) -> None:
    """The model gets what is on the screen: first the lung window, then a region as an image of its own."""
    page = visit(demo)
    page.choose(dicom(tmp_path))
    page.picture_ready()
    page.press_on_film("2")
    page.picture_ready()
    page.ask("What kind of scan is this?")
    page.finished()
    page.press_on_film("r")
    page.drag((0.3, 0.3), (0.7, 0.7))
    page.picture_ready()
    page.ask("And here?")
    page.finished()
    page.see("window-and-region")

    first, _, second = [message["content"] for message in page.bodies[-1]["messages"]]
    assert first[0]["file"]["view"] == {"preset": "lung"}
    assert second[0]["file"]["view"]["preset"] == "lung"
    left, top, right, bottom = second[0]["file"]["view"]["region"]
    assert 0 < left < right < 128
    assert 0 < top < bottom < 128
    assert page.num_uploads == 1


def test_six_images_and_a_context_that_is_full(demo: str, tmp_path: Path, visit: Visit) -> None:
    """Six in one question are answered; two more do not fit beside them, and dropping the oldest makes room."""
    page = visit(demo)
    page.choose(*pictures(tmp_path, 6))
    page.picture_ready()
    page.ask("Compare these pictures.")
    page.finished()
    expect(page.meter).to_contain_text("6")
    page.see("six-images")
    page.remove_all_pictures()
    more = tmp_path / "more"
    more.mkdir()
    page.choose(SCAN, *pictures(more, 1))
    page.picture_ready()

    page.drop_oldest.click()
    page.see("oldest-dropped")
    page.ask("What kind of scan is this?")
    page.finished()

    assert sum(part["type"] == "file" for part in page.bodies[-1]["messages"][0]["content"]) == 2
    assert page.watch.refusals == set()
