"""The flags that commands share, and what they become."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from huatuo_client.command import output
from huatuo_client.image_files import ImageFiles
from huatuo_client.view import Preset, View

if TYPE_CHECKING:
    from huatuo_client.client import HuatuoClient
    from huatuo_client.content_part import ImageSource
    from huatuo_client.question import Question


class Misuse(Exception):
    """Exit 2; a sentence for a person."""


RETRIES = 2
PATIENCE_S = 120.0


def add_server(parser: argparse.ArgumentParser, *, retries: int = RETRIES, patience_s: float = PATIENCE_S) -> None:
    """Which server, and how long to try."""
    group = parser.add_argument_group("the server")
    group.add_argument("--base-url", metavar="URL", help="else HUATUO_BASE_URL, else http://127.0.0.1:8000")
    group.add_argument(
        "--api-key", metavar="KEY", help="else HUATUO_API_KEY, which other users of the machine do not see"
    )
    group.add_argument(
        "--timeout", type=_positive, metavar="S", help="seconds that a request may take; else the server's own limit"
    )
    group.add_argument(
        "--patience",
        type=_positive,
        default=patience_s,
        metavar="S",
        help="seconds that a question may wait while the server says that it is busy (%(default)g)",
    )
    group.add_argument(
        "--retries", type=_count, default=retries, metavar="N", help="more attempts after other trouble (%(default)s)"
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """Which model."""
    parser.add_argument("--model", metavar="NAME", help="else the one that is served")


def add_json(parser: argparse.ArgumentParser, what: str) -> None:
    """Answers for programs."""
    parser.add_argument("--json", action="store_true", help=what)


def add_view(parser: argparse.ArgumentParser) -> None:
    """How images are to be looked at."""
    group = parser.add_argument_group("the view of each image")
    group.add_argument("--frame", type=_one_or_more, metavar="N", help="of a multi-frame image, counted from 1")
    either = group.add_mutually_exclusive_group()
    either.add_argument("--preset", choices=get_args(Preset), help="a window for CT, by name")
    either.add_argument(
        "--window",
        nargs=2,
        type=float,
        metavar=("CENTER", "WIDTH"),
        help="in the image's own values: Hounsfield units for CT",
    )
    group.add_argument(
        "--region",
        nargs=4,
        type=int,
        metavar=("LEFT", "TOP", "RIGHT", "BOTTOM"),
        help="a part of it, in pixels of the upright original",
    )


def add_answer(parser: argparse.ArgumentParser) -> None:
    """What the answer is to be."""
    group = parser.add_argument_group("the answer")
    either = group.add_mutually_exclusive_group()
    either.add_argument(
        "--choices", nargs="+", metavar="TEXT", help="2 to 26 answers: how probable each is to the model"
    )
    either.add_argument(
        "--json-schema", metavar="FILE|JSON", help="what the answer must be; the model does not see it, so ask for it"
    )
    add_sampling(group)


def add_sampling(group: Any) -> None:
    """How tokens are chosen."""
    group.add_argument("--temperature", type=float, metavar="T", help="0 is greedy; else the model's default, 0.2")
    group.add_argument("--max-tokens", type=_one_or_more, metavar="N", help="a ceiling; else the model's default, 512")
    group.add_argument("--seed", type=int, metavar="N", help="the same seed gives the same answer")


def client(given: argparse.Namespace) -> HuatuoClient:
    """Raises Misuse for what is no URL."""
    from huatuo_client.client import HuatuoClient
    from huatuo_client.retrying import Retrying

    try:
        return HuatuoClient(
            given.base_url,
            api_key=given.api_key,
            model=getattr(given, "model", None),
            timeout_s=given.timeout,
            retrying=Retrying(max_retries=given.retries, patience_s=given.patience, tell=output.waiting),
        )
    except ValueError as error:
        raise Misuse(f"{error}.") from None


def view(given: argparse.Namespace) -> View | None:
    """None where nothing was said."""
    found = View(
        frame=given.frame,
        window=None if given.window is None else tuple(given.window),
        preset=given.preset,
        region=None if given.region is None else tuple(given.region),
    )
    return found if found.as_json() else None


def question(given: argparse.Namespace, text: str) -> Question:
    """Without its images. Raises Misuse."""
    from huatuo_client.question import Question

    return Question(
        text,
        view=view(given),
        choices=tuple(getattr(given, "choices", None) or ()),
        json_schema=_schema(getattr(given, "json_schema", None)),
        temperature=given.temperature,
        max_tokens=given.max_tokens,
        seed=given.seed,
    )


def images(names: Sequence[str]) -> list[tuple[str, ImageSource]]:
    """Files, all images in folders in their order, and `-` for stdin; each with its name. Raises Misuse."""
    found: list[tuple[str, ImageSource]] = []
    for name in names:
        if name == "-":
            found.append(("stdin", sys.stdin.buffer.read()))
        elif Path(name).is_dir():
            found += [(str(path), path) for path in _in_folder(name)]
        elif Path(name).exists():
            found.append((name, Path(name)))
        else:
            raise Misuse(f"{name}: there is no such file.")
    return found


def _in_folder(name: str) -> tuple[Path, ...]:
    files = ImageFiles.under(Path(name)).found
    if not files:
        raise Misuse(f"{name}: there is no image in this folder.")
    return files


def _schema(given: str | None) -> dict[str, Any] | None:
    """Of a file, or of the JSON itself."""
    if given is None:
        return None
    try:
        text = given if given.lstrip().startswith("{") else Path(given).read_text(encoding="utf-8")
        schema = json.loads(text)
    except OSError as error:
        raise Misuse(f"--json-schema: {given}: {error.strerror}.") from None
    except ValueError as error:
        raise Misuse(f"--json-schema: this is no JSON: {error}.") from None
    if not isinstance(schema, dict):
        raise Misuse("--json-schema: a schema is a JSON object.")
    return schema


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must not be below 0")
    return value


def _one_or_more(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value
