"""The file that `huatuo map` wrote, as a CSV on stdout: a row an answer, in the order of their names.

python results_to_table.py results.jsonl > table.csv
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

COLUMNS = ("id", "files", "question", "answer", "probability", "finish_reason", "modality", "warnings")


def main() -> None:
    """Whatever is in the file now; it may still grow."""
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").split("\n")
    records = [json.loads(line) for line in lines if line]
    table = csv.DictWriter(sys.stdout, COLUMNS)
    table.writeheader()
    for record in sorted(records, key=lambda record: record["id"] or ""):
        table.writerow({name: cell(value) for name, value in row(record).items()})


def row(record: dict[str, Any]) -> dict[str, object]:
    """What the table says of one answer."""
    chosen = [one["probability"] for one in record.get("choices", []) if one["text"] == record["answer"]]
    return {
        "id": record["id"],
        "files": " ".join(record["files"]),
        "question": record["question"],
        "answer": record["answer"],
        "probability": round(chosen[0], 4) if chosen else "",
        "finish_reason": record.get("finish_reason", ""),
        "modality": " ".join(image["modality"] or "" for image in record["images"]),
        "warnings": " ".join(warning for image in record["images"] for warning in image["warnings"]),
    }


def cell(value: object) -> object:
    """What a spreadsheet would take for a formula is words to it behind an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value


if __name__ == "__main__":
    main()
