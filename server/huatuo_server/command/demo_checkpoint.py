"""`huatuo-server demo-checkpoint`: a tiny checkpoint to try everything with."""

from __future__ import annotations

import argparse
from pathlib import Path

from huatuo_server.demo.label import label
from huatuo_server.errors import SettingsError
from huatuo_server.json_file import read_object

NAME = "demo-checkpoint"
SUMMARY = "write a tiny checkpoint to try the server with"
DESCRIPTION = """\
Writes a checkpoint of a few megabytes that loads and answers as a released one
does: a tiny demonstration model, trained on drawn shapes and a few sample
pictures, in the layout of the 7B. It is not HuatuoGPT-Vision, and its answers
about any other picture mean nothing.

With --layout the weights are random and every answer is meaningless; the same
layout and seed give the same files.
"""
EXAMPLES = """\
examples:
  huatuo-server demo-checkpoint /tmp/demo
  huatuo-server serve --model /tmp/demo --enforce-eager
  huatuo-server demo-checkpoint /tmp/untrained --layout 34b --seed 3
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to; and of the untrained ones which, and from what seed."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder to write; it is made where it does not exist")
    parser.add_argument("--layout", choices=("7b", "34b"), help="write an untrained one in this layout instead")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the random weights; default: 0")


def run(given: argparse.Namespace) -> int:
    """Write, and say where and what. Raises SettingsError for a seed of what is not random, and CheckpointError."""
    if given.layout is not None:
        _write_untrained(given)
    elif given.seed is None:
        _write_trained(given.folder)
    else:
        raise SettingsError("--seed needs --layout: only the untrained checkpoints are made from a seed")
    print(f"{given.folder}: {label(read_object(given.folder / 'config.json'))}")
    return 0


def _write_trained(folder: Path) -> None:
    from huatuo_server.demo.seeing_checkpoint import SEEING, write_seeing_checkpoint

    write_seeing_checkpoint(folder, SEEING)


def _write_untrained(given: argparse.Namespace) -> None:
    from huatuo_server.demo.checkpoint import write_demo_checkpoint

    write_demo_checkpoint(given.folder, given.layout, given.seed or 0)
