"""The film is what is asked about: pixel by pixel, and while frames, files and windows are on their way."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Route, expect

from huatuo_server.engine.scripted import Completion
from tests.web.chat_page import ChatPage
from tests.web.films import SCAN, dicom, pictures, series
from tests.web.visiting import Twin, Visit

ANSWER = Completion(text="It is a CT scan.")

PIXELS = """async (image) => {
  await image.decode();
  const copy = new OffscreenCanvas(image.naturalWidth, image.naturalHeight).getContext("2d");
  copy.drawImage(image, 0, 0);
  return Array.from(copy.getImageData(0, 0, image.naturalWidth, image.naturalHeight).data);
}"""

HOLD_FILES = """() => {
  const {text} = Blob.prototype;
  const held = new Promise((resolve) => (globalThis.letGo = resolve));
  Blob.prototype.text = async function () {
    await held;
    return text.call(this);
  };
}"""


def large(folder: Path) -> Path:
    """A film of 12 bits without a window, and of more pixels than the model sees: the server warns of both."""
    values = np.random.default_rng(0).integers(0, 4096, (1300, 900), dtype=np.uint16)
    file = folder / "large.png"
    Image.fromarray(values).save(file)
    return file


def asked(page: ChatPage) -> list[dict[str, Any]]:
    """Ask, and return the parts of the pictures that went along."""
    page.picture_ready()
    page.ask("What is this?")
    page.finished()
    return [part for part in page.bodies[-1]["messages"][-1]["content"] if part["type"] == "file"]


@contextmanager
def renders_held(page: ChatPage) -> Iterator[None]:
    """No rendering is answered before the end of the block."""
    held: list[Route] = []
    is_over = False

    def hold(route: Route) -> None:
        if is_over:
            route.continue_()
        else:
            held.append(route)

    page.page.route("**/v1/images/render", hold)
    yield
    is_over = True
    for route in held:
        route.continue_()


def test_what_the_model_sees_is_the_render_of_the_part_that_was_sent(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """The switch shows that very picture, what was done to it, and the server's warning."""
    server = twin(ANSWER)
    page = visit(server.base_url)
    page.choose(large(tmp_path))
    page.picture_ready()
    page.press_on_film("r")
    page.drag((0.1, 0.1), (0.9, 0.9))
    page.press_on_film("m")
    shown = page.page.locator("huatuo-viewer .model img:not(.stale)")
    expect(shown).to_be_visible()
    pixels = np.array(shown.evaluate(PIXELS), dtype=np.uint8)
    told = page.page.locator("huatuo-viewer .model dl").inner_text()
    warnings = page.page.get_by_role("list", name=page.words("viewer.warnings")).locator("li").all_inner_texts()
    (part,) = asked(page)

    answer = httpx.post(f"{server.base_url}/v1/images/render", json={"image": part}, headers={"Accept": "image/png"})
    provenance = json.loads(answer.headers["X-Image-Provenance"])
    rendered = np.array(Image.open(io.BytesIO(answer.content)).convert("RGBA"))

    assert rendered.shape == (336, 336, 4)
    assert np.array_equal(pixels, rendered.reshape(-1))
    assert ", ".join(str(edge) for edge in part["file"]["view"]["region"]) in told
    assert str(provenance["tokens"]) in told
    assert len(provenance["warnings"]) >= 1
    assert warnings == provenance["warnings"]


def test_a_warning_is_seen_before_and_after_asking(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """At the thumbnail and among what goes along; under the answer it stands open."""
    page = visit(twin(ANSWER).base_url)
    page.choose(large(tmp_path))
    page.picture_ready()
    told = page.words("viewer.num_warnings", count=2)

    expect(page.page.get_by_role("button", name=f"large.png, {told}")).to_be_visible()
    expect(page.page.locator("huatuo-composer").get_by_role("img", name=told)).to_be_visible()
    asked(page)
    expect(page.last_answer.locator("details.seen summary")).to_contain_text(told)
    expect(page.last_answer.locator("details.seen .warning").last).to_be_visible()


def test_another_frame_than_the_sliders_is_dim_and_takes_no_region(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """A region that was drawn on slice 3 must not be one of slice 5, which nobody has seen yet."""
    page = visit(twin(ANSWER).base_url)
    page.drop(series(tmp_path, 5))
    page.picture_ready()
    page.picture_shown()
    page.press_on_film("r")
    behind, region = page.page.locator("huatuo-stage canvas.behind"), page.page.locator("huatuo-stage .edge")

    with renders_held(page):
        page.slide_to(5)
        expect(behind).to_be_visible()
        expect(page.page.get_by_text(page.words("viewer.behind", frame=5, shown=3))).to_be_visible()
        page.see("frame-behind")
        page.drag((0.25, 0.25), (0.75, 0.75))
        page.drag((0.5, 0.5), (0.7, 0.4), button="right")
        page.stage.focus()
        page.press("ArrowRight")
        expect(region).to_have_count(0)
    expect(behind).to_have_count(0)
    page.drag((0.25, 0.25), (0.75, 0.75))
    expect(region).to_have_count(1)
    (part,) = asked(page)

    assert set(part["file"]["view"]) == {"region"}


def test_a_drag_ends_with_its_picture(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """A window that was dragged over one picture is not the next one's."""
    page = visit(twin(ANSWER).base_url)
    page.choose(dicom(tmp_path))
    page.picture_ready()
    page.picture_shown()

    page.drag((0.5, 0.5), (0.7, 0.4), button="right", release=False)
    page.paste(SCAN)
    expect(page.thumbnails).to_have_count(2)
    page.picture_ready()
    page.picture_shown()
    page.page.mouse.move(500, 300, steps=4)
    page.page.mouse.up(button="right")
    parts = asked(page)

    assert ["view" in part["file"] for part in parts] == [False, False]


def test_a_presets_key_waits_for_the_film(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """Pressed before the film is there it takes effect once it is; where there are no presets the page says so."""
    page = visit(twin(ANSWER).base_url)
    page.ready()
    with renders_held(page):
        page.choose(dicom(tmp_path))
        page.stage.focus()
        page.press("2")
    lung = page.page.get_by_role("button", name=page.words("viewer.preset_lung"))
    expect(lung).to_have_attribute("aria-pressed", "true")
    (part,) = asked(page)
    page.choose(*pictures(tmp_path, 1))
    page.picture_ready()
    page.press_on_film("2")

    assert part["file"]["view"] == {"preset": "lung"}
    expect(page.page.get_by_text(page.words("viewer.no_presets"))).to_be_visible()


def test_a_question_waits_for_files_that_are_still_read(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """A folder takes a while; until its pictures are there, the page says so and nothing is asked without them."""
    page = visit(twin(ANSWER).base_url)
    page.ready()
    page.evaluate(HOLD_FILES)

    page.drop(series(tmp_path, 5))
    expect(page.page.get_by_text(page.words("viewer.reading"))).to_be_visible()
    page.question_box.fill("What is this?")
    page.question_box.press("Enter")
    expect(page.page.get_by_text(page.words("chat.blocked_reading"))).to_be_visible()
    expect(page.question_box).to_have_value("What is this?")
    page.evaluate("() => letGo()")
    expect(page.thumbnails).to_have_count(1)
    (part,) = asked(page)

    assert len(page.bodies) == 1
    assert part["file"].keys() == {"file_id"}
