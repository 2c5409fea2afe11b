"""English and Chinese: by the browser's language, or by hand."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from huatuo_server.engine.scripted import Completion
from tests.web.visiting import Twin, Visit

ANSWER = Completion(text="右肺未见异常。")
CHINESE = re.compile(r"[一-鿿]")


def test_it_speaks_the_browsers_language(twin: Twin, visit: Visit) -> None:
    """One that it does not know is English; screen readers are told which."""
    server = twin(ANSWER)

    for browsers, pages in (("en-GB", "en"), ("zh-CN", "zh-CN"), ("zh-TW", "zh-CN"), ("fr-FR", "en")):
        page = visit(server.base_url, pages, locale=browsers)
        page.ready()
        expect(page.notice).to_be_visible()
        assert page.evaluate("() => document.documentElement.lang") == pages


def test_it_is_switched_by_hand_and_stays_so(twin: Twin, visit: Visit) -> None:
    """Everything that is shown changes, the conversation's frame too; the next visit remembers."""
    page = visit(twin(ANSWER).base_url)
    page.ready()
    page.ask("右肺有异常吗？")
    page.finished()
    expect(page.last_answer).to_contain_text(ANSWER.text)

    page.switch_language("zh-CN")
    expect(page.notice).to_be_visible()
    expect(page.regenerate).to_be_visible()
    expect(page.last_answer).to_contain_text(page.words("chat.answer"))
    page.see("chinese")
    page.page.reload()
    page.ready()

    expect(page.notice).to_be_visible()


def test_what_goes_wrong_is_said_in_chinese(twin: Twin, visit: Visit) -> None:
    """Title and advice."""
    page = visit(twin(Completion(text="one two", fail_after=1)).base_url, "zh-CN")

    page.ask("右肺有异常吗？")

    expect(page.problem).to_contain_text(page.words("error.internal_error.title"))
    assert CHINESE.search(page.problem.inner_text())
    page.see("chinese-error")
