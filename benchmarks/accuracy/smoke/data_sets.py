"""Small data sets in the benchmarks' formats, about scenes whose facts are known; the same at every call.

The official bundle with files of every kind, SLAKE in both languages, and VQA-RAD's parquet.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from benchmarks.accuracy.demo_training.questions import LANGUAGES, Asked, Facts, Language, ask
from benchmarks.accuracy.demo_training.scenes import Scene
from benchmarks.accuracy.formats.bundle import INDEX
from benchmarks.accuracy.smoke import films
from benchmarks.accuracy.smoke.films import Pixels
from benchmarks.accuracy.smoke.scenes import Pick, Pool, square, tall, two_shades, wide

SEED = 2406_19280

BUNDLE = "smoke"
"""What the bundle's records name as their data set."""

SLAKE_ITEMS = 6
"""In each language."""

VQA_RAD_ITEMS = 8

TOPICS = ("shape", "tone", "side")
"""Of which a picture without its shape tells nothing."""

FULL_CONTRAST_TOPICS = ("tone", "side")
"""Of 16-bit films, which are shown black and white: the demo model was trained on less, and is less sure of shapes."""


@dataclass(frozen=True, slots=True)
class Film:
    """Items of one kind of file. topics: asked in turn. save: pixels to a file's bytes."""

    num_items: int
    ending: str
    pick: Pick
    topics: tuple[str, ...]
    save: Callable[[Pixels], bytes]


FILMS = {
    "square PNG": Film(6, "png", square, TOPICS, films.png),
    "wide PNG": Film(6, "png", wide, TOPICS, films.png),
    "tall PNG": Film(6, "png", tall, TOPICS, films.png),
    "MONOCHROME1 DICOM": Film(8, "dcm", square, ("tone",), films.monochrome1),
    "16-bit PNG": Film(6, "png", two_shades, FULL_CONTRAST_TOPICS, films.png16),
    "16-bit TIFF": Film(6, "tif", two_shades, FULL_CONTRAST_TOPICS, films.tiff16),
}
"""By the bundle's subset."""


def write(folder: Path) -> dict[str, Path]:
    """Where each data set lies, by its reader's name."""
    pool = Pool(SEED)
    return {
        "bundle": _bundle(folder / "bundle", pool),
        "slake": _slake(folder / "slake", pool),
        "vqa-rad": _vqa_rad(folder / "vqa-rad", pool),
    }


def _bundle(folder: Path, pool: Pool) -> Path:
    records = [record for subset, film in FILMS.items() for record in _bundle_records(folder, subset, film, pool)]
    return _json(folder / INDEX, records)


def _bundle_records(folder: Path, subset: str, film: Film, pool: Pool) -> Iterator[dict[str, Any]]:
    for number in range(film.num_items):
        shown = film.pick(pool, _bright_left(number, film.topics))
        asked = _asked(shown, film.topics[number % len(film.topics)], "en", "options", pool.random)
        image = f"images/{subset.replace(' ', '-')}-{number}.{film.ending}"
        _write(folder / image, film.save(shown.pixels))
        yield {
            "question": asked.question,
            "options": list(asked.options),
            "answer": asked.answer,
            "image": [image],
            "dataset": BUNDLE,
            "subset": subset,
            "question_type": "closed",
        }


def _slake(folder: Path, pool: Pool) -> Path:
    records = []
    languages: list[Language] = [language for language in LANGUAGES for _ in range(SLAKE_ITEMS)]
    for number, language in enumerate(languages):
        shown = square(pool, _bright_left(number, TOPICS))
        asked = _asked(shown, TOPICS[number % len(TOPICS)], language, "whether", pool.random)
        image = f"xmlab{number}/source.jpg"
        _write(folder / "imgs" / image, films.jpeg(shown.pixels))
        said = {"img_name": image, "question": asked.question, "answer": asked.answer, "q_lang": language}
        records.append({**said, "answer_type": "CLOSED", "modality": "X-Ray"})
    return _json(folder / "test.json", records).parent


def _vqa_rad(folder: Path, pool: Pool) -> Path:
    rows = []
    for number in range(VQA_RAD_ITEMS):
        shown = square(pool, _bright_left(number, TOPICS))
        asked = _asked(shown, TOPICS[number % len(TOPICS)], "en", "whether", pool.random)
        image = {"bytes": films.png(shown.pixels), "path": f"{number}.png"}
        rows.append({"image": image, "question": asked.question, "answer": asked.answer.lower()})
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "test-00000-of-00001.parquet")
    return folder


def _bright_left(number: int, topics: Sequence[str]) -> bool:
    """In turn, for each of the topics, which are asked in turn as well."""
    return number // len(topics) % 2 == 0


def _asked(
    shown: Scene, topic: str, language: Language, form: Literal["options", "whether"], random_: random.Random
) -> Asked:
    """A closed question in this language."""
    while True:
        asked = ask(Facts("drawing", shown), topic, random_, form=form)
        if asked.options and asked.language == language:
            return asked


def _json(file: Path, records: list[dict[str, Any]]) -> Path:
    _write(file, json.dumps(records, ensure_ascii=False).encode())
    return file


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
