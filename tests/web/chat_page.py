"""The chat page as a person has it before them: what can be done on it, and what stands there."""

from __future__ import annotations

import base64
import json
import mimetypes
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, Request, expect

from tests.web.browser import LIMIT_MS, ROOT
from tests.web.watch import Watch
from tests.web.words import Words

expect.set_options(timeout=LIMIT_MS)

SCREENS = ROOT / ".cache" / "page-screens"
"""Where `see` leaves what it saw."""

VIEWPORT = {"width": 1280, "height": 720}

MOST_STOPS = 60

LANGUAGES = {"en": "English", "zh-CN": "中文"}
"""As the button that leads to one names it."""

PASTE = """({encoded, name, type}) => {
  const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
  const clipboardData = new DataTransfer();
  clipboardData.items.add(new File([bytes], name, {type}));
  const target = document.activeElement ?? document.body;
  target.dispatchEvent(new ClipboardEvent("paste", {clipboardData, bubbles: true, composed: true, cancelable: true}));
}"""

AT_REST = """async (stage, limit) => {
  for (const end = performance.now() + limit; stage.film.painter !== "server"; ) {
    if (performance.now() > end) throw new Error("the server's render did not come");
    await new Promise(requestAnimationFrame);
  }
}"""

GREYS = """async (canvas) => {
  // What was moved is painted with the screen's next frame.
  for (let frame = 0; frame < 2; frame += 1) await new Promise(requestAnimationFrame);
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
  copy.drawImage(canvas, 0, 0);
  const {data} = copy.getImageData(0, 0, canvas.width, canvas.height);
  return Array.from({length: data.length / 4}, (_, place) => data[4 * place]);
}"""


class ChatPage:
    """What it finds it finds by the page's own texts, in its language. bodies: the chat requests that went out."""

    def __init__(self, page: Page, words: Words, watch: Watch) -> None:
        self.page = page
        self.words = words
        self.watch = watch
        self.bodies: list[dict[str, Any]] = []
        self.num_uploads = 0
        page.on("request", self._requested)
        # Dialogs are caught from now on; `expect_file_chooser` alone begins too late for a key press.
        page.on("filechooser", lambda _: None)

    @classmethod
    def open(cls, browser: Browser, base_url: str, language: str, **context: Any) -> ChatPage:
        """In a fresh context: nothing was ever here. context: as Playwright's `new_context` takes it."""
        asked: dict[str, Any] = {"locale": language, "viewport": VIEWPORT, **context}
        fresh = browser.new_context(**asked)
        fresh.set_default_timeout(LIMIT_MS)
        watch = Watch(fresh, base_url)
        page = cls(fresh.new_page(), Words(language), watch)
        page.page.goto(base_url)
        return page

    def close(self) -> None:
        """The tab and all that its context kept."""
        self.context.close()

    def _requested(self, request: Request) -> None:
        if request.method == "POST" and request.url.endswith("/v1/chat/completions"):
            self.bodies.append(json.loads(request.post_data or "null"))
        if request.method == "POST" and request.url.endswith("/v1/files"):
            self.num_uploads += 1

    # ------------------------------------------------------------ what stands there

    @property
    def context(self) -> Any:
        return self.page.context

    @property
    def root(self) -> Locator:
        return self.page.locator("huatuo-app")

    @property
    def notice(self) -> Locator:
        """The permanent line."""
        return self.page.get_by_text(self.words("app.notice"))

    @property
    def toy_notice(self) -> Locator:
        """With the demo checkpoint: that it is a toy."""
        return self.page.get_by_text(self.words("app.demo"))

    @property
    def status(self) -> Locator:
        """How the server is, at the top."""
        return self.page.locator("huatuo-top-bar .status")

    @property
    def banner(self) -> Locator:
        """That something is wrong with the server."""
        return self.page.locator("huatuo-server-banner p")

    @property
    def question_box(self) -> Locator:
        return self.page.get_by_role("textbox", name=self.words("chat.question_label"), exact=True)

    @property
    def questions(self) -> Locator:
        return self.page.locator("huatuo-message .question")

    @property
    def answers(self) -> Locator:
        return self.page.locator("huatuo-message .answer")

    @property
    def last_answer(self) -> Locator:
        return self.answers.last

    @property
    def problem(self) -> Locator:
        """What went wrong with the last question, and what to do."""
        return self.last_answer.get_by_role("group", name=self.words("chat.failed"))

    @property
    def example(self) -> Locator:
        """The first example question."""
        return self.page.get_by_role("button", name=self.words("chat.example_kind"))

    @property
    def meter(self) -> Locator:
        return self.page.get_by_role("group", name=self.words("chat.context"))

    @property
    def thumbnails(self) -> Locator:
        return self.page.locator("huatuo-strip li")

    @property
    def canvas(self) -> Locator:
        """What the film is painted on."""
        return self.page.locator("huatuo-stage canvas")

    @property
    def stage(self) -> Locator:
        """Where the film lies; it takes the keys."""
        return self.page.get_by_role("application", name=self.words.pattern("viewer.stage"))

    @property
    def slider(self) -> Locator:
        return self.page.locator("huatuo-viewer input[type=range]")

    @property
    def key_dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    def button(self, name: str, **values: object) -> Locator:
        """By the name of its text."""
        return self.page.get_by_role("button", name=self.words(name, **values), exact=True)

    @property
    def add_button(self) -> Locator:
        return self.button("viewer.add_files").first

    @property
    def stop(self) -> Locator:
        return self.button("chat.stop")

    @property
    def retry(self) -> Locator:
        return self.button("chat.retry")

    @property
    def regenerate(self) -> Locator:
        return self.button("chat.regenerate")

    @property
    def copy(self) -> Locator:
        return self.button("chat.copy")

    @property
    def drop_oldest(self) -> Locator:
        return self.page.get_by_role("button", name=self.words.pattern("chat.drop"))

    @property
    def theme_switch(self) -> Locator:
        return self.button("app.theme_light")

    # ------------------------------------------------------------ what a person does

    def ready(self) -> None:
        """Wait until a question would be taken."""
        expect(self.question_box).to_be_visible()
        expect(self.page.locator("huatuo-top-bar .status.ok")).to_be_visible()

    def choose(self, *files: Path) -> None:
        """By the button, from the dialog of the system; on a phone the films are behind a tab."""
        tab = self.button("app.tab_picture")
        if tab.is_visible():
            tab.click()
        before = self.thumbnails.count()
        with self.page.expect_file_chooser() as chooser:
            self.add_button.click()
        chooser.value.set_files(files)
        expect(self.thumbnails.nth(before)).to_be_visible()

    def drop(self, *files: Path) -> None:
        """From the desktop onto the middle of the page; folders too."""
        session = self.context.new_cdp_session(self.page)
        dragged = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            session.send("Input.dispatchDragEvent", {"type": kind, "x": 400, "y": 300, "data": dragged})

    def paste(self, file: Path) -> None:
        """A file from the clipboard."""
        encoded = base64.b64encode(file.read_bytes()).decode()
        kind = mimetypes.guess_type(file.name)[0] or ""
        self.page.evaluate(PASTE, {"encoded": encoded, "name": file.name, "type": kind})

    def ask(self, question: str) -> None:
        """Write it and press Enter. It leaves the box once all that goes along is ready."""
        self.question_box.fill(question)
        expect(self.button("chat.ask")).to_be_enabled()
        self.question_box.press("Enter")
        expect(self.question_box).to_have_value("")

    def finished(self) -> None:
        """Wait until the last answer has ended, however it did."""
        expect(self.last_answer).to_have_attribute("aria-busy", "false")

    def edit(self, question: str, other: str) -> None:
        """Ask something else in a question's place."""
        turn = self.page.locator("huatuo-message").filter(has_text=question).first
        turn.get_by_role("button", name=self.words("chat.edit"), exact=True).click()
        self.page.get_by_role("textbox", name=self.words("chat.edit_label")).fill(other)
        self.button("chat.save").click()

    def press_on_film(self, key: str) -> None:
        """A key of the viewer's, once the film is there."""
        self.picture_shown()
        self.stage.focus()
        self.press(key)

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def tab_to(self, wanted: Locator) -> None:
        """Press Tab until it has the focus."""
        for _ in range(MOST_STOPS):
            if wanted.evaluate("(one) => one.matches(':focus')"):
                return
            self.press("Tab")
        raise AssertionError(f"Tab does not lead to {wanted}")

    def enter_key(self, secret: str) -> None:
        """Into the dialog, which the page opens where a key is needed."""
        expect(self.key_dialog).to_be_visible()
        field = self.key_dialog.get_by_label(self.words("app.key_label"))
        field.fill(secret)
        field.press("Enter")

    def switch_language(self, language: str) -> None:
        """By hand."""
        self.page.get_by_role("button", name=LANGUAGES[language], exact=True).click()
        self.words = Words(language)

    def exported(self, kind: str, folder: Path) -> Path:
        """kind: markdown or json. The file as it was saved."""
        self.page.locator("huatuo-top-bar summary").click()
        with self.page.expect_download() as download:
            self.button(f"app.export_{kind}").click()
        file = folder / download.value.suggested_filename
        download.value.save_as(file)
        return file

    def picture_ready(self) -> None:
        """Wait until no picture is on its way to the server, and all that goes along is settled."""
        expect(self.thumbnails.first).to_be_visible()
        expect(self.page.locator("huatuo-strip .uploading")).to_have_count(0)

    def picture_shown(self) -> None:
        """Wait until the film is the server's own render."""
        self.page.locator("huatuo-stage").evaluate(AT_REST, LIMIT_MS)

    def slide_to(self, frame: int) -> None:
        """With the slider, to a frame counted from 1."""
        self.slider.fill(str(frame))

    def drag(
        self, start: tuple[float, float], end: tuple[float, float], button: Any = "left", *, release: bool = True
    ) -> None:
        """Over the film; places are parts of its sides."""
        box = self.canvas.bounding_box()
        assert box is not None
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
        self.page.mouse.move(*places[0])
        self.page.mouse.down(button=button)
        self.page.mouse.move(*places[1], steps=8)
        if release:
            self.page.mouse.up(button=button)

    def remove_picture(self, number: int) -> None:
        """Counted from 0."""
        self.thumbnails.nth(number).get_by_role("button", name=self.words.pattern("viewer.remove")).click()

    def remove_all_pictures(self) -> None:
        for _ in range(self.thumbnails.count()):
            self.remove_picture(0)

    # ------------------------------------------------------------ what is read off it

    def greys(self) -> list[int]:
        """Of the film as it is painted, row by row."""
        found: list[int] = self.canvas.evaluate(GREYS)
        return found

    def screen(self) -> bytes:
        """The film as a picture."""
        return self.canvas.screenshot()

    def see(self, name: str) -> None:
        """Leave a screenshot for people in SCREENS."""
        SCREENS.mkdir(parents=True, exist_ok=True)
        file = SCREENS / f"{name}.png"
        self.page.screenshot(path=file)
        print(f"seen: {file}")

    def evaluate(self, script: str) -> Any:
        return self.page.evaluate(script)
