"""What a batch asks: one question about one or several files, which a later run knows again."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from huatuo_client.image_files import ImageFiles
from huatuo_client.question import Question
from huatuo_client.view import View

READ: Final = ("id", "image", "images", "question", "view")
"""Fields of a JSONL's lines, and columns of a CSV, in small letters or large; `image_2` and so on are images too."""

_MEANT_AS_IMAGE: Final = re.compile(r"(file|path)s?|image ?\d+")
"""Names that would leave an image out without a word, if they were passed over as others are."""


class ItemError(Exception):
    """The source cannot be asked about; a sentence for a person."""


@dataclass(frozen=True, slots=True)
class Item:
    """id: as the source calls it; None where it has no names. files: as the source writes them.

    question: what is asked, with the files' paths.
    """

    id: str | None
    files: tuple[str, ...]
    question: Question

    def key(self, model: str) -> str:
        """The same for the same question about the same files, by name and content, to the same model."""
        view = None if self.question.view is None else self.question.view.as_json()
        files = list(zip(self.files, map(_digest, self.question.images), strict=True))
        told = json.dumps([model, self.question.text, files, view, self.question.settings()], sort_keys=True)
        return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _digest(image: object) -> str | None:
    """SHA-256 of a file; None of one that cannot be read, which fails when it is asked about."""
    try:
        with Path(str(image)).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Items:
    """notes: sentences for a person, about what of the source is not used."""

    items: tuple[Item, ...]
    notes: tuple[str, ...]


def read(source: Path, question: Question) -> Items:
    """The items of a folder, a CSV or a JSONL. question: what a line does not say itself; its text may be empty.

    Raises ItemError, and OSError.
    """
    if source.is_dir():
        return _of_folder(source, question)
    readers = {".csv": _csv_rows, ".jsonl": _jsonl_rows}
    if source.suffix.lower() not in readers:
        raise ItemError(f"{source}: give a folder, a file .csv or a file .jsonl.")
    try:
        rows = list(readers[source.suffix.lower()](source))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ItemError(f"{source}: {error}") from None
    items = tuple(_of_row(source, number, row, question) for number, row in rows)
    return Items(_with_unique_ids(source, items), _unused(source, rows))


def _of_folder(folder: Path, question: Question) -> Items:
    if not question.text:
        raise ItemError("A folder needs a --question.")
    files = ImageFiles.under(folder)
    if not files.found:
        raise ItemError(f"{folder}: there is no image in it.")
    names = [one.relative_to(folder).as_posix() for one in files.found]
    items = tuple(
        Item(name, (name,), replace(question, images=(file,))) for name, file in zip(names, files.found, strict=True)
    )
    others = (f"{files.num_others} files are no images and are left out.",) if files.num_others else ()
    return Items(items, others)


def _csv_rows(source: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with source.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        rows.fieldnames = _names(f"{source}, line 1", rows.fieldnames or ())
        for row in rows:
            if None in row:
                raise ItemError(f"{source}, line {rows.line_num}: there are more values than columns.")
            yield rows.line_num, row


def _jsonl_rows(source: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    # Not splitlines, which takes other letters for line ends too.
    for number, line in enumerate(source.read_text(encoding="utf-8-sig").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise ItemError(f"{source}, line {number}: this is no JSON object.")
        yield number, dict(zip(_names(f"{source}, line {number}", row), row.values(), strict=True))


def _names(where: str, names: Iterable[str]) -> list[str]:
    """Without regard to case, as spreadsheets write them. Raises ItemError where two are then the same."""
    found = [name.strip().lower() for name in names]
    twice = next((name for name in found if name and found.count(name) > 1), None)
    if twice is not None:
        raise ItemError(f"{where}: {twice} stands there twice.")
    return found


def _of_row(source: Path, number: int, row: Mapping[str, Any], question: Question) -> Item:
    """Paths are relative to the source's folder."""
    try:
        files = _files(row)
        text = row.get("question") or question.text
        view = _view(row.get("view")) or question.view
        identity = row.get("id")
    except ValueError as error:
        raise ItemError(f"{source}, line {number}: {error}.") from None
    if not isinstance(text, str) or not text:
        raise ItemError(f"{source}, line {number}: there is no question; write one there, or give --question.")
    images = tuple(source.parent / one for one in files)
    name = None if identity is None or identity == "" else str(identity)
    return Item(name, files, replace(question, text=text, images=images, view=view))


def _files(row: Mapping[str, Any]) -> tuple[str, ...]:
    """`images`, a list; or `image` and all that begin with `image_`. Raises ValueError."""
    single = [value for name, value in row.items() if _names_an_image(name) and value]
    found = row.get("images") or single
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise ValueError("images are a list of paths, an image is a path")
    stray = [name for name, value in row.items() if value and _MEANT_AS_IMAGE.fullmatch(name)]
    if stray:
        raise ValueError(f"an image stands in image, image_2 ... or images, not in {stray[0]}")
    if single and found is not single:
        raise ValueError("it has both image and images; give one of them")
    if not found:
        raise ValueError(f"there is no image in it; it has {', '.join(row)}, and one stands in image or images")
    return tuple(found)


def _view(value: Any) -> View | None:
    """A JSON object; in a CSV, its text. Raises ValueError."""
    if value in (None, ""):
        return None
    return View.of_json(json.loads(value) if isinstance(value, str) else value)


def _names_an_image(name: str) -> bool:
    return name == "image" or name.startswith("image_")


def _with_unique_ids(source: Path, items: tuple[Item, ...]) -> tuple[Item, ...]:
    seen: dict[str, Item] = {}
    for one in items:
        if one.id is not None and seen.setdefault(one.id, one) is not one:
            raise ItemError(f"{source}: the id {one.id} stands there twice.")
    return items


def _unused(source: Path, rows: list[tuple[int, Mapping[str, Any]]]) -> tuple[str, ...]:
    names = dict.fromkeys(name for _, row in rows for name in row)
    unused = [name for name in names if name not in READ and not _names_an_image(name)]
    return (f"{source}: not used: {', '.join(unused)}.",) if unused else ()
