"""`huatuo models`: what is served."""

from __future__ import annotations

import argparse

from huatuo_client.command import flags, output
from huatuo_client.command.exit_code import ExitCode

NAME = "models"
SUMMARY = "what is served"
DESCRIPTION = """\
Writes a line for the model that is served: its name, the family, the tokens of
its context, and how many images a question may have.
"""
EXAMPLES = """\
examples:
  huatuo models
  huatuo models --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    flags.add_json(parser, "all that the server says of it, as a line of JSON")
    flags.add_server(parser)


def run(given: argparse.Namespace) -> int:
    """A line a model."""
    with flags.client(given) as client:
        for model in client.models():
            if given.json:
                output.as_json(model.told)
                continue
            images = min(model.max_images_per_request, model.max_images_in_context)
            output.answer(f"{model.id}\t{model.family}\t{model.max_model_len} tokens\t{images} images")
            if model.demo is not None:
                output.note(model.demo)
    return ExitCode.DONE
