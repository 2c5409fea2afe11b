"""`huatuo render`: an image as the model sees it."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from huatuo_client.command import flags, output
from huatuo_client.command.exit_code import ExitCode

if TYPE_CHECKING:
    from huatuo_client.provenance import ImageProvenance

NAME = "render"
SUMMARY = "show an image as the model sees it"
DESCRIPTION = """\
Writes a PNG of what the model sees of an image: 336 x 336 pixels, or --size for
a larger one that is only windowed. It goes to --out, else to stdout where that
is no terminal. What was done to the image is said on stderr.
"""
EXAMPLES = """\
examples:
  huatuo render ct.dcm --preset lung --out lung.png
  huatuo render ct.dcm --size 1024 > whole.png
  huatuo render ct.dcm --out seen.png --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    parser.add_argument("file", metavar="FILE", help="the image, or - for stdin")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the PNG goes")
    parser.add_argument(
        "--size", type=_size, default="model", metavar="N", help="pixels of the longer side, or model (the default)"
    )
    parser.add_argument(
        "--format", choices=("png", "gray16"), default="png", help="gray16: the values before any window, with --size"
    )
    flags.add_json(parser, "with --out: what was done to the image, as a line of JSON on stdout")
    flags.add_view(parser)
    flags.add_server(parser)


def run(given: argparse.Namespace) -> int:
    """Write the picture."""
    if given.json and given.out is None:
        raise flags.Misuse("--json is for stdout, and so is the picture: name a file for it with --out.")
    if given.out is None and sys.stdout.isatty():
        raise flags.Misuse("stdout is a terminal: name a file with --out, or send stdout somewhere.")
    if Path(given.file).is_dir():
        raise flags.Misuse(f"{given.file}: this is a folder; name one image.")
    if given.out is not None and _is_input(given.file, given.out):
        raise flags.Misuse(f"{given.out}: this is the image itself; name another file with --out.")
    ((label, source),) = flags.images([given.file])
    with flags.client(given) as client:
        rendering = client.render(source, flags.view(given), size=given.size, format=given.format)
    if given.out is None:
        sys.stdout.buffer.write(rendering.png)
        sys.stdout.buffer.flush()
    else:
        given.out.write_bytes(rendering.png)
    if given.json:
        output.as_json(asdict(rendering.provenance))
        return ExitCode.DONE
    output.note(f"{label}: {_said(rendering.provenance)}")
    output.about_images([label], [rendering.provenance])
    return ExitCode.DONE


def _is_input(name: str, out: Path) -> bool:
    """Whether the picture would be written over the image, by whatever names the two go."""
    try:
        given = os.fstat(sys.stdin.fileno()) if name == "-" else Path(name).stat()
        return os.path.samestat(given, out.stat())
    except OSError:
        return False


def _said(seen: ImageProvenance) -> str:
    """In a line."""
    window = "as stored" if seen.window is None else f"window {seen.window.center:g}/{seen.window.width:g}"
    source = "" if seen.window is None else f" ({seen.window.source})"
    frame = f", frame {seen.frame} of {seen.frames}" if seen.frames > 1 else ""
    return f"{seen.format}, {seen.width} x {seen.height}{frame}, {window}{source}"


def _size(text: str) -> int | Literal["model"]:
    if text == "model":
        return "model"
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1, or model")
    return value
