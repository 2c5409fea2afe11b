"""`huatuo-server check`: is this a checkpoint that we can serve?"""

from __future__ import annotations

import argparse

from huatuo_server.command.flags import add_flags, read_settings, required_model

NAME = "check"
SUMMARY = "say whether a checkpoint can be served, without loading it"
DESCRIPTION = """\
Reads a checkpoint's config, tokenizer and tensor names and shapes, and says
what it is: prompt format, context, how many images fit, and what is missing or
left over. Needs no GPU and loads no weights.

exit status: 0 it can be served; 1 it cannot; 2 a flag is wrong.
"""
EXAMPLES = """\
example:
  huatuo-server check --model /models/HuatuoGPT-Vision-7B
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The settings that a checkpoint is judged by."""
    add_flags(parser, ("model", "revision", "max_model_len"))


def run(given: argparse.Namespace) -> int:
    """Print the report on stdout."""
    settings = read_settings(given)
    model = required_model(settings)

    from huatuo_server.check_report import check
    from huatuo_server.checkpoint import resolve

    report = check(resolve(model, settings.revision), max_model_len=settings.max_model_len)
    print("\n".join(report.lines()))
    return 0 if report.ok else 1
