"""Films on the page: how they come in, how they are looked at, and that what is looked at is what is asked about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import expect

from huatuo_server.engine.scripted import Completion
from tests.service.served import Served
from tests.web.chat_page import ChatPage
from tests.web.films import CT, MANY_FRAMES, NUM_FRAMES, SCAN, dicom, pictures, series
from tests.web.visiting import Twin, Visit

ANSWER = Completion(text="It is a CT scan.")


def asked(page: ChatPage) -> list[dict[str, Any]]:
    """Ask, and return the pictures that went along: the `file` of each part."""
    page.picture_ready()
    with page.page.expect_request("**/v1/chat/completions"):
        page.ask("What is this?")
    page.finished()
    return [part["file"] for part in page.bodies[-1]["messages"][-1]["content"] if part["type"] == "file"]


def content(server: Served, file_id: str) -> bytes:
    """What was uploaded."""
    return httpx.get(f"{server.base_url}/v1/files/{file_id}/content").content


def test_a_dropped_film_is_asked_about(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """From the desktop, anywhere on the page; its bytes go to the server and its name does not."""
    server = twin(ANSWER)
    page = visit(server.base_url)
    page.ready()
    file = dicom(tmp_path)

    page.drop(file)
    (part,) = asked(page)

    assert content(server, part["file_id"]) == file.read_bytes()
    assert CT not in httpx.get(f"{server.base_url}/v1/files").text
    assert page.num_uploads == 1


def test_a_pasted_picture_is_asked_about(twin: Twin, visit: Visit) -> None:
    """From the clipboard, wherever the cursor is."""
    server = twin(ANSWER)
    page = visit(server.base_url)
    page.ready()

    page.paste(SCAN)
    (part,) = asked(page)

    assert content(server, part["file_id"]) == SCAN.read_bytes()


def test_a_folder_of_slices_is_one_series_in_its_order(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """Whatever the files are called; the slider goes through it, and the slice on the screen is the one asked about."""
    server = twin(ANSWER)
    page = visit(server.base_url)
    page.ready()
    folder = series(tmp_path, 5)

    page.drop(folder)
    expect(page.thumbnails).to_have_count(1)
    page.slide_to(4)
    (part,) = asked(page)
    page.see("series")

    by_number = sorted(folder.iterdir(), key=lambda file: int(file.name[-1]))
    assert content(server, part["file_id"]) == by_number[3].read_bytes()


def test_a_file_of_many_frames_has_a_slider_too(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """The frame on the screen is the one asked about."""
    page = visit(twin(ANSWER).base_url)
    page.choose(dicom(tmp_path, MANY_FRAMES))
    page.picture_ready()
    expect(page.slider).to_have_attribute("max", str(NUM_FRAMES))

    page.slide_to(7)
    (part,) = asked(page)

    assert part["view"]["frame"] == 7


def test_the_screen_agrees_with_the_server_within_a_grey_level(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """While the window is dragged the page computes it; once at rest it has the server's render. Both are compared."""
    page = visit(twin(ANSWER).base_url)
    page.choose(dicom(tmp_path))
    page.picture_ready()
    page.picture_shown()

    page.drag((0.5, 0.5), (0.7, 0.4), button="right", release=False)
    dragged = page.greys()
    page.page.mouse.up(button="right")
    page.picture_ready()
    page.picture_shown()
    at_rest = page.greys()
    (part,) = asked(page)

    assert set(part["view"]) == {"window"}
    assert len(dragged) == len(at_rest) == 128 * 128
    assert max(abs(one - other) for one, other in zip(dragged, at_rest, strict=True)) <= 1
    assert len(set(at_rest)) > 16


def test_presets_are_on_keys(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """1 to 5, in the order of the API's table."""
    page = visit(twin(ANSWER).base_url)
    page.choose(dicom(tmp_path))
    page.picture_ready()

    presets = []
    for number in "12345":
        page.press_on_film(number)
        (part,) = asked(page)
        presets.append(part["view"]["preset"])

    assert presets == ["soft-tissue", "lung", "liver", "bone", "brain"]


def test_a_region_is_an_image_of_its_own(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """Drawn on the film; the switch shows the very picture that the model sees."""
    server = twin(ANSWER)
    page = visit(server.base_url)
    page.choose(dicom(tmp_path))
    page.picture_ready()
    page.press_on_film("r")
    page.drag((0.25, 0.25), (0.75, 0.75))
    page.picture_ready()
    page.see("region")
    page.press_on_film("m")
    page.see("what-the-model-sees")
    (part,) = asked(page)

    left, top, right, bottom = part["view"]["region"]
    assert abs((right - left) - 64) <= 3
    assert abs((bottom - top) - 64) <= 3
    assert abs(left - 32) <= 2
    assert abs(top - 32) <= 2


def test_inverting_is_for_the_eye_only(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """The model gets the film as it is."""
    page = visit(twin(ANSWER).base_url)
    page.choose(dicom(tmp_path))
    page.picture_ready()
    page.picture_shown()
    before = page.screen()

    page.press_on_film("i")
    inverted = page.screen()
    (part,) = asked(page)

    assert inverted != before
    assert "view" not in part


def test_a_picture_that_was_taken_away_is_not_asked_about(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """And the server forgets it, since no question needs it."""
    server = twin(ANSWER)
    page = visit(server.base_url)
    page.choose(*pictures(tmp_path, 2))
    page.picture_ready()

    with page.page.expect_response(lambda response: response.request.method == "DELETE"):
        page.remove_picture(0)
    expect(page.thumbnails).to_have_count(1)
    sent = asked(page)

    assert len(sent) == 1
    assert [file["id"] for file in httpx.get(f"{server.base_url}/v1/files").json()["data"]] == [sent[0]["file_id"]]


def test_without_uploads_the_film_goes_along(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """A server that keeps nothing is asked all the same."""
    page = visit(twin(ANSWER, files_dir=None).base_url)
    page.choose(dicom(tmp_path))

    (part,) = asked(page)

    assert len(part["file_data"]) > 10_000
    assert page.watch.refusals == {404}
