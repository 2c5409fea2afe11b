"""VLMEvalKit, from PyPI's `ms-vlmeval`: a table of ours; `run.py` adds the paper's prompt and leaves pictures alone."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import ascii_uppercase

from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.harnesses.harness import Call, Scored, written_pictures
from benchmarks.accuracy.item import Item
from benchmarks.accuracy.prompt import prompt
from benchmarks.accuracy.settings import Settings

DISTRIBUTION = "ms-vlmeval"
PAPER, PLAIN = "paper", "plain"
DATA = "data"

MISSING = {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>"} | {
    *("N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null")
}
"""What pandas' `read_csv` takes for a missing value, and VLMEvalKit with it: an option of this name is not asked."""


def write(items: Sequence[Item], folder: Path) -> None:
    """Two tables, with a column an option and pictures by path: one for `run.py`, and one as anybody would write it."""
    (folder / DATA).mkdir(exist_ok=True)
    letters = ascii_uppercase[: max((len(item.options) for item in items), default=0)]
    for name in (PAPER, PLAIN):
        with (folder / DATA / f"{name}.tsv").open("w", encoding="utf-8", newline="") as file:
            columns = ["index", "question", "prompt", *letters, "answer", "image_path"]
            table = csv.DictWriter(file, columns, delimiter="\t")
            table.writeheader()
            table.writerows(_row(number, item, folder, name == PAPER) for number, item in enumerate(items))


def _row(number: int, item: Item, folder: Path, paper: bool) -> dict[str, object]:
    """A blank behind an option keeps pandas from losing it; a list's literal holds any number of pictures."""
    texts = (f"{option} " if paper and option in MISSING else option for option in item.options)
    options = dict(zip(ascii_uppercase, texts, strict=False))
    paths = [str(path) for path in written_pictures(item, folder / "pictures")]
    about = {"index": number, "question": item.question, "prompt": prompt(item), "answer": item.label}
    return {**about, **options, "image_path": repr(paths)}


def command(call: Call) -> list[str]:
    """Its own `run`, or ours around it."""
    start = ["-m", "vlmeval.run"] if call.defaults else [str(Path(__file__).parent / "run.py")]
    asked = [*start, "--data", PLAIN if call.defaults else PAPER, "--model", call.model, "--base-url", f"{call.url}/v1"]
    asked += ["--work-dir", str(call.folder / "results")]
    return [str(call.python), *asked, *([] if call.defaults else _as_the_paper())]


def _as_the_paper() -> list[str]:
    settings = Settings()
    return [
        *("--custom-prompt", "huatuo-paper", "--local-media", "--judge", "exact_matching", "--retry", "1"),
        *("--temperature", str(settings.temperature), "--max-tokens", str(settings.max_tokens)),
        *("--repetition-penalty", str(settings.repetition_penalty)),
        *("--extra-body", json.dumps({"seed": settings.seed})),
    ]


def environment(folder: Path) -> Mapping[str, str]:
    """Where its tables are, and tables in place of spreadsheets for what it writes."""
    return {"LMUData": str(folder / DATA), "PRED_FORMAT": "tsv"}


def scored(folder: Path) -> Scored:
    """From the table of judged answers."""
    files = sorted((folder / "results").glob("*/*_result.tsv"))
    if not files:
        raise RunError(f"{folder}: VLMEvalKit has judged nothing")
    with files[-1].open(encoding="utf-8", newline="") as file:
        hits = [float(row["hit"]) for row in csv.DictReader(file, delimiter="\t")]
    return Scored(len(hits), sum(hits) / max(1, len(hits)))
