"""evalscope: its `general_vmcq` over a file of ours, with another prompt and another way to find the letter."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.harnesses.harness import Call, Scored, written_pictures
from benchmarks.accuracy.item import Item
from benchmarks.accuracy.prompt import prompt
from benchmarks.accuracy.settings import Settings

DISTRIBUTION = "evalscope"
DATASET = "general_vmcq"

LETTER = r"(?:^|\W|[是为])(?![aA] \s*\S)([a-nA-N])(?:\W|$)"
"""What the published scorer takes for an answer's letter (`official.py`); here the answer's ends are not stripped."""


def write(items: Sequence[Item], folder: Path) -> None:
    """`paper_val.jsonl` has the paper's prompt in place of the question, `plain_val.jsonl` the question."""
    for subset in ("paper", "plain"):
        with (folder / f"{subset}_val.jsonl").open("w", encoding="utf-8") as file:
            for item in items:
                file.write(json.dumps(_record(item, folder / "pictures", subset == "paper"), ensure_ascii=False) + "\n")


def _record(item: Item, pictures: Path, paper: bool) -> dict[str, object]:
    files = {f"image_{number}": str(path) for number, path in enumerate(written_pictures(item, pictures), 1)}
    marks = "".join(f"<{name.replace('_', ' ')}>" for name in files)
    question = prompt(item) if paper else item.question
    return {"question": marks + question, "options": list(item.options), "answer": item.label, **files}


def command(call: Call) -> list[str]:
    """`evalscope eval`, by way of its module."""
    given: dict[str, object] = {"local_path": str(call.folder), "subset_list": ["plain" if call.defaults else "paper"]}
    if not call.defaults:
        given |= {"prompt_template": "{question}", "filters": {"regex": {"regex_pattern": LETTER}}}
    return [
        *(str(call.python), "-m", "evalscope.cli.cli", "eval", "--eval-type", "openai_api"),
        *("--model", call.model, "--api-url", f"{call.url}/v1", "--api-key", "none", "--datasets", DATASET),
        *("--dataset-args", json.dumps({DATASET: given}), "--work-dir", str(call.folder / "results"), "--no-timestamp"),
        *([] if call.defaults else ["--generation-config", json.dumps(asdict(Settings()) | {"retries": 1})]),
    ]


def environment(folder: Path) -> Mapping[str, str]:
    """Where it would keep what it downloads."""
    return {"MODELSCOPE_CACHE": str(folder / "cache")}


def scored(folder: Path) -> Scored:
    """From the report."""
    reports = sorted((folder / "results").glob(f"reports/*/{DATASET}.json"))
    if not reports:
        raise RunError(f"{folder}: evalscope has written no report")
    metric = json.loads(reports[-1].read_text(encoding="utf-8"))["metrics"][0]
    return Scored(metric["num"], metric["score"])
