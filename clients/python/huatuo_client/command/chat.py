"""`huatuo chat`: a conversation about images."""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from huatuo_client.command import flags, output
from huatuo_client.command.exit_code import ExitCode

if TYPE_CHECKING:
    from huatuo_client.answer import Answer
    from huatuo_client.client import HuatuoClient
    from huatuo_client.content_part import ImageSource
    from huatuo_client.question import Question

NAME = "chat"
SUMMARY = "hold a conversation about images"
DESCRIPTION = """\
Reads questions, one a line, and writes the answers as they come; the images go
with the first one, and stay. Ctrl-C stops an answer, Ctrl-D ends.

Within it: /add FILE... gives images to the next question, /new begins again
without any, /quit ends. Questions may come through a pipe.
"""
EXAMPLES = """\
examples:
  huatuo chat film.dcm
  printf 'What is this?\\nIs there a fracture?\\n' | huatuo chat film.dcm --json
"""

PROMPT = "> "
HELP = "/add FILE... gives images to the next question, /new begins again, /quit ends."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    parser.add_argument("words", nargs="*", metavar="FILE", help="images of the first question, or folders of them")
    flags.add_json(parser, "each answer, and all that is known of it, as one line of JSON")
    flags.add_view(parser)
    flags.add_sampling(parser.add_argument_group("the answer"))
    flags.add_server(parser)
    flags.add_model(parser)


def run(given: argparse.Namespace) -> int:
    """Until the questions end. Where they come through a pipe, one that fails makes it exit 1 at the end."""
    if "-" in given.words:
        raise flags.Misuse("stdin is where the questions come from; name the images as files.")
    with flags.client(given) as client:
        chat = Chat(client, flags.question(given, ""), as_json=given.json)
        chat.add(given.words)
        while (line := _line()) is not None:
            if not chat.obeys(line):
                break
    return ExitCode.FAILED if chat.failed and not sys.stdin.isatty() else ExitCode.DONE


def _line() -> str | None:
    """None at the end. On a terminal with a prompt, and lines that can be edited."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        import readline  # noqa: F401  input() uses it

        try:
            return input(PROMPT)
        except EOFError:
            output.answer("")
            return None
    if sys.stdin.isatty():
        print(PROMPT, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    return line.rstrip("\n") if line else None


class Chat:
    """What was said so far, and the images that wait for the next question. failed: whether any answer did."""

    def __init__(self, client: HuatuoClient, question: Question, *, as_json: bool) -> None:
        self._client = client
        self._question = question
        self._as_json = as_json
        self._history: list[dict[str, Any]] = []
        self._images: list[tuple[str, ImageSource]] = []
        self.failed = False

    def add(self, names: list[str]) -> None:
        """Images for the next question. Raises Misuse."""
        self._images += flags.images(names)

    def obeys(self, line: str) -> bool:
        """Do what a line says; false where it says to end."""
        word, _, rest = line.strip().partition(" ")
        if word == "/quit":
            return False
        if word == "/add":
            self._add(rest)
        elif word == "/new":
            self._history, self._images = [], []
        elif word.startswith("/"):
            output.note(HELP)
        elif word:
            self._ask(line)
        return True

    def _add(self, rest: str) -> None:
        try:
            self.add(shlex.split(rest))
        except (flags.Misuse, ValueError) as error:
            output.note(str(error))

    def _ask(self, text: str) -> None:
        """What fails or is stopped is not part of the conversation: its images wait for the next question."""
        from huatuo_client.content_part import image_part
        from huatuo_client.errors import HuatuoError

        try:
            # Read once: a follow-up sends what this one sent, whatever became of the files.
            parts = [image_part(source, self._question.view) for _, source in self._images]
            question = replace(self._question, text=text, images=parts, history=self._history)
            answer = self._answered(question)
        except HuatuoError as error:
            self.failed = True
            output.error(error)
        except KeyboardInterrupt:
            output.note("stopped; the question is not part of the conversation.")
        else:
            self._history = [*self._history, question.message(), {"role": "assistant", "content": answer.text}]
            self._tell(answer)
            self._images = []

    def _answered(self, question: Question) -> Answer:
        if self._as_json:
            return self._client.ask(question)
        return output.stream(self._client.stream(question))

    def _tell(self, answer: Answer) -> None:
        from huatuo_client import record

        if self._as_json:
            output.as_json(record.of_answer(answer))
            return
        # The answer speaks of the images of all turns; the last ones are new.
        new = answer.images[len(answer.images) - len(self._images) :]
        output.about_images([label for label, _ in self._images], new)
        if answer.is_cut:
            output.note("The answer was cut: it reached the ceiling of its tokens (--max-tokens).")
        if answer.demo is not None and len(self._history) == 2:
            output.note(answer.demo)
