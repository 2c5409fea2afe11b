"""On a desk, a tablet and a phone, dark and light, in both languages: nothing sticks out, and axe finds nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from huatuo_server.engine.scripted import Completion
from tests.web.accessibility import barriers
from tests.web.films import MANY_FRAMES, SCAN, dicom
from tests.web.visiting import Twin, Visit

SAID = """**CT** of the head.

1. No bleeding.
2. No fracture.

| side | width |
|---|---|
| left | 8 mm |
"""
ANSWER = Completion(text=SAID)
CUT = Completion(text="one two three four", fail_after=4)

DESK = {"viewport": {"width": 1280, "height": 720}}
TABLET = {"viewport": {"width": 1024, "height": 768}, "has_touch": True}
UPRIGHT = {"viewport": {"width": 768, "height": 1024}, "has_touch": True}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
SMALL_PHONE = {**PHONE, "viewport": {"width": 360, "height": 640}}

SCREENS: dict[str, dict[str, Any]] = {
    "desk": DESK,
    "desk-light": {**DESK, "theme": "light"},
    "desk-chinese": {**DESK, "language": "zh-CN"},
    "tablet": TABLET,
    "tablet-upright": {**UPRIGHT, "theme": "light"},
    "phone": PHONE,
    "phone-chinese": {**SMALL_PHONE, "language": "zh-CN"},
}

STICKS_OUT = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.parametrize("screen", SCREENS)
def test_everything_fits_and_everybody_can_use_it(screen: str, tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """First visit, a film, an answer and an error, each looked at by axe."""
    context = dict(SCREENS[screen])
    theme = context.pop("theme", "dark")
    page = visit(twin(ANSWER, CUT, demo="a toy model").base_url, **context)
    if theme == "light":
        page.theme_switch.click()
    found = {}

    def look(state: str) -> None:
        found[state] = barriers(page.page)
        assert page.evaluate(STICKS_OUT) == 0, state
        page.see(f"{screen}-{state}")

    page.ready()
    expect(page.notice).to_be_in_viewport()
    look("first-visit")
    page.choose(SCAN, dicom(tmp_path, MANY_FRAMES))
    page.picture_ready()
    look("film")
    page.ask("What is this?" if context.get("language") != "zh-CN" else "这是什么检查？")
    page.finished()
    look("answer")
    page.ask("And?")
    expect(page.problem).to_be_visible()
    expect(page.question_box).to_be_in_viewport()
    expect(page.notice).to_be_in_viewport()
    look("error")

    assert {state: faults for state, faults in found.items() if faults} == {}


def test_who_wants_no_motion_sees_none(twin: Twin, visit: Visit) -> None:
    """While an answer is waited for, too."""
    page = visit(twin(Completion(text="one two", hang_after=1)).base_url, reduced_motion="reduce")
    page.ask("What is this?")
    expect(page.stop).to_be_visible()

    moving = page.evaluate(
        "() => document.getAnimations().filter((one) => one.playState === 'running').map((one) => one.animationName)"
    )

    assert moving == []
