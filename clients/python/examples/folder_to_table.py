"""One closed question about each image of a folder, as a CSV on stdout.

    python folder_to_table.py films "Is there a fracture?" yes no > table.csv

A probability is the model's, and it is not calibrated: it does not say how often the model is right.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from huatuo_client import Choices, HuatuoClient, Outcome, Question
from huatuo_client.image_files import ImageFiles

COLUMNS = ("file", "answer", "probability", "modality", "window", "downscaling", "warnings", "error")


def main() -> None:
    """A row a file, in the order of the files."""
    folder, text, *choices = sys.argv[1:]
    files = ImageFiles.under(Path(folder)).found
    questions = [Question(text, images=[file], choices=choices) for file in files]
    outcomes = sorted(HuatuoClient().map(questions, concurrency=8), key=lambda outcome: outcome.index)
    table = csv.DictWriter(sys.stdout, COLUMNS)
    table.writeheader()
    for file, outcome in zip(files, outcomes, strict=True):
        told = {"file": file.relative_to(folder).as_posix(), **row(outcome)}
        table.writerow({name: cell(value) for name, value in told.items()})


def row(outcome: Outcome) -> dict[str, object]:
    """What the table says of one file."""
    if not isinstance(outcome.answer, Choices):
        return {"error": str(outcome.error)}
    answer, (image,) = outcome.answer, outcome.answer.images
    return {
        "answer": answer.best.text,
        "probability": round(answer.best.probability, 4),
        "modality": image.modality,
        "window": f"{image.window.center:g}/{image.window.width:g}" if image.window else "",
        "downscaling": round(image.downscaling, 2),
        "warnings": " ".join(image.warnings),
    }


def cell(value: object) -> object:
    """What a spreadsheet would take for a formula is words to it behind an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value


if __name__ == "__main__":
    main()
