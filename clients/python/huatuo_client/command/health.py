"""`huatuo health`: whether a question would be taken now."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from huatuo_client.command import flags, output
from huatuo_client.command.exit_code import ExitCode

NAME = "health"
SUMMARY = "whether a question would be taken now"
DESCRIPTION = """\
Writes `ok`, or what the server is: starting, draining or failed, and why. Asks
once, and needs no key. Exit 0 for ok, else 3.
"""
EXAMPLES = """\
examples:
  huatuo health
  until huatuo health; do sleep 1; done
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    flags.add_json(parser, "as a line of JSON")
    flags.add_server(parser)


def run(given: argparse.Namespace) -> int:
    """One line."""
    with flags.client(given) as client:
        health = client.health()
    if given.json:
        output.as_json(asdict(health))
    else:
        why = "" if health.ready else f": {health.reason or health.phase}"
        output.answer(f"{health.status}{why}")
    return ExitCode.DONE if health.ready else ExitCode.UNAVAILABLE
