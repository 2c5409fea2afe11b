"""`huatuo-server demo-checkpoint`: a tiny checkpoint to try everything with."""

from __future__ import annotations

import argparse
from pathlib import Path

NAME = "demo-checkpoint"
SUMMARY = "write a tiny untrained checkpoint to try the server with"
DESCRIPTION = """\
Writes a checkpoint of a few megabytes in the layout of the released 7B or 34B.
It loads and answers as the real one does, but its weights are random: the
answers are meaningless. The same seed gives the same files.
"""
EXAMPLES = """\
example:
  huatuo-server demo-checkpoint /tmp/demo --layout 7b
  huatuo-server serve --model /tmp/demo
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where, which, and from what seed."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder to write; it is made where it does not exist")
    parser.add_argument("--layout", choices=("7b", "34b"), required=True, help="whose layout to follow")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the random weights; default: 0")


def run(given: argparse.Namespace) -> int:
    """Write, and say where."""
    from huatuo_server.demo.checkpoint import write_demo_checkpoint

    write_demo_checkpoint(given.folder, given.layout, given.seed)
    print(f"{given.folder}: a demo checkpoint in the {given.layout} layout; its weights are untrained")
    return 0
