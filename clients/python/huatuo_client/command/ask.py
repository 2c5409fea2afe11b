"""`huatuo ask`: one question about one or several images."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from huatuo_client.command import flags, output
from huatuo_client.command.exit_code import ExitCode

if TYPE_CHECKING:
    from huatuo_client.answer import Answer, Choices
    from huatuo_client.client import HuatuoClient
    from huatuo_client.question import Question

NAME = "ask"
SUMMARY = "ask one question about one or several images"
DESCRIPTION = """\
Asks one question, and writes the answer as it comes. The question is the last
word; before it stand DICOM files, pictures, folders of them, or - for stdin.

With --choices each line is a probability and an answer, the most probable
first. A probability is the model's: it does not say how often it is right.
"""
EXAMPLES = """\
examples:
  huatuo ask film.dcm "Is there a fracture?"
  huatuo ask ct.dcm "What is seen?" --preset lung --frame 12
  huatuo ask before.png after.png "What has changed?" --json
  huatuo ask film.dcm "Is there a fracture?" --choices yes no
  cat film.png | huatuo ask - "What is this?"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    parser.usage = "%(prog)s [FILE ...] QUESTION [flag ...]"
    parser.add_argument("words", nargs="+", metavar="QUESTION", help="the last word, in quotes; before it the images")
    flags.add_json(parser, "the answer, and all that is known of it, as one line of JSON")
    flags.add_view(parser)
    flags.add_answer(parser)
    flags.add_server(parser)
    flags.add_model(parser)


def run(given: argparse.Namespace) -> int:
    """Ask, and write the answer."""
    *names, text = given.words
    if _is_there(text):
        raise flags.Misuse("The question is missing: it is the last word, in quotes.")
    images = flags.images(names)
    question = replace(flags.question(given, text), images=[source for _, source in images])
    labels = [label for label, _ in images]
    with flags.client(given) as client:
        if question.choices:
            return _choices(given, client, question, labels)
        if given.json or question.json_schema is not None:
            return _whole(given, client, question, labels)
        return _told(output.stream(client.stream(question)), labels)


def _choices(given: argparse.Namespace, client: HuatuoClient, question: Question, labels: Sequence[str]) -> int:
    from huatuo_client import record

    weighed = client.choices(question, question.choices)
    if given.json:
        output.as_json(record.of_answer(weighed))
        return ExitCode.DONE
    for one in sorted(weighed.choices, key=lambda choice: -choice.probability):
        output.answer(f"{one.probability:.4f}\t{one.text}")
    output.note(weighed.note)
    return _told(weighed, labels)


def _whole(given: argparse.Namespace, client: HuatuoClient, question: Question, labels: Sequence[str]) -> int:
    from huatuo_client import record

    answer = client.ask(question)
    told = record.of_answer(answer, by_schema=question.json_schema is not None)
    if given.json:
        output.as_json(told)
        return ExitCode.DONE
    output.answer(answer.text)
    return _told(answer, labels)


def _told(answer: Answer | Choices, labels: Sequence[str]) -> int:
    """What a person should know beside the answer."""
    output.about_images(labels, answer.images)
    if getattr(answer, "is_cut", False):
        output.note("The answer was cut: it reached the ceiling of its tokens (--max-tokens).")
    if answer.demo is not None:
        output.note(answer.demo)
    return ExitCode.DONE


def _is_there(text: str) -> bool:
    """Whether it names a file. A long question is no path at all."""
    try:
        return Path(text).exists()
    except OSError:
        return False
