"""`huatuo-server verify`: the proof, on the user's own weights, that the engine answers as the reference does."""

from __future__ import annotations

import argparse
import sys

from huatuo_server.command.flags import add_flags, read_settings, required_model
from huatuo_server.command.output import claim_stdout

NAME = "verify"
SUMMARY = "compare the engine with the reference on your weights and device"
DESCRIPTION = """\
Runs the reference implementation and the engine over the same built-in picture
questions, on your weights, dtype and device, and prints how far their
log-probabilities differ, where their answers first part, and how often their
first choices agree. It loads the weights twice, one after the other.

exit status: 0 they agree; 1 they do not; 2 a flag is wrong.
"""
EXAMPLES = """\
example:
  huatuo-server verify --model /models/HuatuoGPT-Vision-7B --dtype bfloat16
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The settings that shape the engine, and where the reference runs."""
    add_flags(parser, ("model", "revision", "dtype", "tensor_parallel_size", "enforce_eager", "engine"))
    parser.add_argument(
        "--reference-device",
        choices=("auto", "cuda", "cpu"),
        default="auto",
        help="where the reference runs, which uses one device; cpu for a model that needs several GPUs; "
        "default: auto, a GPU where there is one",
    )


def run(given: argparse.Namespace) -> int:
    """Print the report on stdout; what happens meanwhile goes to stderr."""
    settings = read_settings(given)
    model = required_model(settings)

    from huatuo_server.checkpoint import resolve
    from huatuo_server.verify import verify

    stdout = claim_stdout()
    report = verify(
        resolve(model, settings.revision),
        dtype=settings.dtype,
        tensor_parallel_size=settings.tensor_parallel_size,
        enforce_eager=settings.enforce_eager,
        engine_args=settings.engine,
        reference_device=given.reference_device,
        say=_say,
    )
    print("\n".join(report.lines()), file=stdout, flush=True)
    return 0 if report.ok else 1


def _say(line: str) -> None:
    print(f"huatuo-server: {line}", file=sys.stderr, flush=True)
