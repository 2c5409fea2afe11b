"""What a model says is text with a little Markdown, and nothing in it ever runs, loads or breaks the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from huatuo_server.engine.scripted import Completion
from tests.web.films import SCAN
from tests.web.visiting import Twin, Visit

RAN = "window.ranInTheTest = true"

COMPACT = RAN.replace(" ", "")
"""Without blanks, which would end a link."""

HOSTILE = {
    "scripts": (
        f"<script>{RAN}</script>",
        '<script src="https://evil.example/x.js"></script>',
        f'<iframe src="https://evil.example/" srcdoc="<script>parent.{RAN[7:]}</script>"></iframe>',
        f"```html\n<img src=x onerror={RAN}>\n```\n\nand `<script>{RAN}</script>`",
    ),
    "event handlers": (
        f'<img src="x" onerror="{RAN}">',
        f'<svg onload="{RAN}"><animate onbegin="{RAN}" attributeName="x"></svg>',
        f'<details open ontoggle="{RAN}"><summary>more</summary></details>',
        f'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror={RAN}&gt;">',
    ),
    "links": (
        f"[the report](javascript:{COMPACT})",
        f"[the report](  JaVaScRiPt&colon;{COMPACT})",
        "[the report](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
        f"<javascript:{COMPACT}>",
        f'[the report](https://a.example/ "x\\" onmouseover=\\"{RAN}")',
    ),
    "what other hosts have": (
        "![the heart](https://evil.example/heart.png)",
        '<img src="https://evil.example/heart.png">',
        "![the heart][1]\n\n[1]: https://evil.example/heart.png",
        '<style>@import "https://evil.example/x.css"; * { display: none }</style>',
        '<p style="background: url(https://evil.example/x.png)">see</p>',
    ),
    "what leads elsewhere": (
        '<form action="https://evil.example/"><input name="key" autofocus><button>Ask</button></form>',
        '<base href="https://evil.example/">',
        '<meta http-equiv="refresh" content="0; url=https://evil.example/">',
        '<form id="body"><input name="attributes"><img name="getElementById"></form>',
    ),
    "half-closed markup": (
        "<div><b>never closed <a href='https://evil.example/",
        "</div></article></huatuo-message></huatuo-app><!-- <![CDATA[ <template><select><noscript>",
        "**bold `code [link](https://a.example <huatuo-app>",
    ),
}

END = "That is all."

FOUND_IN_THE_PAGE = """() => {
  const found = [];
  const look = (root) => {
    for (const element of root.querySelectorAll("*")) {
      const name = element.localName;
      if (["iframe", "object", "embed", "base", "form"].includes(name) && element.closest(".markdown, .answer")) {
        found.push(name);
      }
      for (const { name: attribute, value } of element.attributes) {
        if (attribute.startsWith("on")) found.push(`${name} ${attribute}`);
        if (/^\\s*(javascript|data:text|vbscript)/i.test(value)) found.push(`${name} ${attribute}=${value}`);
        if (name !== "a" && /evil\\.example/.test(value)) found.push(`${name} ${attribute}=${value}`);
      }
      if (element.shadowRoot) look(element.shadowRoot);
    }
  };
  look(document);
  if (window.ranInTheTest) found.push("it ran");
  return found;
}"""


@pytest.mark.parametrize("answers", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_text_is_inert(answers: tuple[str, ...], twin: Twin, visit: Visit) -> None:
    """While it comes, token by token, and when it is whole; the page goes on as if nothing had been."""
    said = [Completion(text=f"Look:\n\n{hostile}\n\n{END}") for hostile in answers]
    page = visit(twin(*said, Completion(text="Nothing more.")).base_url)

    for hostile in answers:
        page.ask("What is this?")
        page.finished()
        links = page.last_answer.get_by_role("link")
        for number in range(links.count()):
            links.nth(number).hover()
        assert page.evaluate(FOUND_IN_THE_PAGE) == [], hostile
    page.ask("And what else?")
    page.finished()

    expect(page.last_answer).to_contain_text("Nothing more.")
    expect(page.notice).to_be_visible()


def test_what_would_be_a_fault_is_seen(twin: Twin, visit: Visit) -> None:
    """These tests would notice: the browser blocks such a picture and such a link, and the test hears of it."""
    page = visit(twin().base_url)
    page.ready()

    page.evaluate("() => document.body.append(Object.assign(new Image(), {src: 'https://evil.example/x.png'}))")
    page.evaluate(
        "() => document.body.append(Object.assign(document.createElement('a'), {href: 'javascript:1', id: 'x'}))"
    )
    page.evaluate("() => document.getElementById('x').click()")
    found = page.evaluate(FOUND_IN_THE_PAGE)
    faults, page.watch.faults = page.watch.faults, []

    assert found == ["img src=https://evil.example/x.png", "a href=javascript:1"]
    assert any(fault.startswith("policy: img-src") for fault in faults)
    assert any(fault.startswith("policy: script-src") for fault in faults)


def test_links_lead_away_without_telling_from_where(twin: Twin, visit: Visit) -> None:
    """A new tab, which can neither reach the page nor learn its address."""
    page = visit(twin(Completion(text="See [the guideline](https://guideline.example/ct).")).base_url)

    page.ask("What is this?")
    page.finished()

    link = page.last_answer.get_by_role("link")
    expect(link).to_have_attribute("href", "https://guideline.example/ct")
    expect(link).to_have_attribute("target", "_blank")
    assert {"noopener", "noreferrer"} <= set(str(link.get_attribute("rel")).split())


@pytest.mark.parametrize(
    "name", [f'"><img src=x onerror="{RAN}">.png', "<script>x<script>.png"], ids=["attribute", "tag"]
)
def test_a_files_name_is_text_too(name: str, tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """Whatever a disc from another hospital calls its files."""
    file = tmp_path / name
    file.write_bytes(SCAN.read_bytes())
    page = visit(twin(Completion(text=END)).base_url)

    page.choose(file)
    page.ask("What is this?")
    page.finished()

    assert page.evaluate(FOUND_IN_THE_PAGE) == []


def test_a_question_is_shown_as_it_was_typed(twin: Twin, visit: Visit) -> None:
    """No Markdown, no HTML: what stands there is what was sent."""
    page = visit(twin(Completion(text=END)).base_url)
    question = f'Is **this** <img src=x onerror="{RAN}"> normal?'

    page.ask(question)
    page.finished()

    expect(page.questions.last).to_contain_text(question)
    asked: Any = page.bodies[-1]["messages"][-1]["content"]
    assert asked[-1]["text"] == question
    assert page.evaluate(FOUND_IN_THE_PAGE) == []
