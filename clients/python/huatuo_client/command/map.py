"""`huatuo map`: one question about many images, or many questions, into a file."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from huatuo_client import item
from huatuo_client.command import flags, output
from huatuo_client.command.exit_code import ExitCode, of_error
from huatuo_client.journal import Journal

if TYPE_CHECKING:
    from huatuo_client.command.batch import Batch

NAME = "map"
SUMMARY = "ask about a folder, a CSV or a JSONL, into a file of answers"
DESCRIPTION = """\
Asks about each image of a folder, or each row of a CSV or JSONL, and appends
each answer to --out as a line of JSON. What failed goes into a file of its own
beside it (results.failures.jsonl).

The same command again goes on where it ended, however it ended: it asks what is
not answered yet, what failed too. Ctrl-C or SIGTERM finishes what is in flight
and writes it down; a second one gives it up.

CSV columns and JSONL fields: image (and image_2 ...) or images, a list; id,
question, view, a JSON object. Paths are relative to the file's folder.
"""
EXAMPLES = """\
examples:
  huatuo map films --question "Is there a fracture?" --choices yes no --out results.jsonl
  huatuo map studies.csv --question "Describe the chest." --preset lung --out results.jsonl
  huatuo map questions.jsonl --json-schema finding.json --concurrency 16 --out results.jsonl
"""

CONCURRENCY = 4
RETRIES = 5
PATIENCE_S = 3600.0
"""Longer than `ask`: nobody sits and waits."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    parser.add_argument("source", type=Path, metavar="FOLDER|CSV|JSONL", help="what to ask about")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the answers, one JSON object a line")
    parser.add_argument("--question", default="", metavar="TEXT", help="where the row has none")
    parser.add_argument(
        "--concurrency",
        type=_concurrency,
        default=CONCURRENCY,
        metavar="N",
        help="questions at a time (%(default)s)",
    )
    flags.add_json(parser, "how many were answered and failed, as a line of JSON on stdout at the end")
    flags.add_view(parser)
    flags.add_answer(parser)
    flags.add_server(parser, retries=RETRIES, patience_s=PATIENCE_S)
    flags.add_model(parser)


def run(given: argparse.Namespace) -> int:
    """Ask what is not answered yet."""
    from huatuo_client.command.batch import Batch
    from huatuo_client.command.failures import Failures

    if not given.source.exists():
        raise flags.Misuse(f"{given.source}: there is no such folder or file.")
    found = item.read(given.source, flags.question(given, given.question))
    for note in found.notes:
        output.note(note)
    failures = Failures(given.out.with_suffix(f".failures{given.out.suffix}"))
    if any(one.exists() and one.samefile(given.source) for one in (given.out, failures.path)):
        raise flags.Misuse(f"{given.source}: this is what is asked about; name another file with --out.")
    with flags.client(given) as client:
        model = client.model
        with Journal(given.out) as results:
            batch = Batch(found.items, model, results, failures)
            failures.check()
            if batch.num_twice:
                output.note(f"{batch.num_twice} rows ask what another one asks too, and are asked once.")
            asyncio.run(batch.run(client, given.concurrency))
    return _ended(given, batch)


def _ended(given: argparse.Namespace, batch: Batch) -> int:
    told = batch.told()
    if given.json:
        output.as_json({**told, "out": str(given.out), "failures": str(batch.failures.path)})
    failed = f"; {told['failed']} failed, see {batch.failures.path}" if told["failed"] else ""
    left = f"; {told['left']} not asked yet" if told["left"] else ""
    cut = f"; {told['cut']} of them cut, at the ceiling of their tokens (--max-tokens)" if told["cut"] else ""
    before = f", {told['answered_before']} of them before" if told["answered_before"] else ""
    output.note(f"{told['answered']} of {told['items']} answered{before}{cut}{failed}{left}.")
    if batch.stopped_by is not None:
        return 128 + batch.stopped_by
    if batch.ended_by is not None:
        output.note(f"The same command goes on from here once this is mended: {batch.ended_by.message}")
        return of_error(batch.ended_by)
    return ExitCode.SOME_FAILED if told["failed"] else ExitCode.DONE


def _concurrency(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 256:
        raise argparse.ArgumentTypeError("must be 1 to 256")
    return value
