"""lmms-eval: a task of ours in `huatuo_paper.yaml`, over lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.harnesses.harness import Call, Scored, written_pictures
from benchmarks.accuracy.item import Item
from benchmarks.accuracy.prompt import prompt

DISTRIBUTION = "lmms-eval"
TASK = "huatuo_paper"
TASK_DEFAULTS = "huatuo_defaults"


def write(items: Sequence[Item], folder: Path) -> None:
    """`questions.jsonl`, as the task reads it."""
    with (folder / "questions.jsonl").open("w", encoding="utf-8") as file:
        for item in items:
            pictures = [str(path) for path in written_pictures(item, folder / "pictures")]
            line = {"id": item.id, "text": prompt(item), "pictures": pictures, "label": item.label}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def command(call: Call) -> list[str]:
    """One attempt a question, so that a failure is seen as one."""
    model = f"model_version={call.model},base_url={call.url}/v1,api_key=none"
    if not call.defaults:
        model += ",num_concurrent=8,max_retries=1"
    return [
        *(str(call.python), "-m", "lmms_eval", "--model", "openai", "--model_args", model),
        *("--include_path", str(Path(__file__).parent), "--tasks", TASK_DEFAULTS if call.defaults else TASK),
        *("--output_path", str(call.folder / "results"), "--log_samples"),
    ]


def environment(folder: Path) -> Mapping[str, str]:
    """A cache of its own: a JSON file of the same name elsewhere must not be taken for ours."""
    return {"HF_HOME": str(folder / "cache")}


def scored(folder: Path) -> Scored:
    """From the lines of samples."""
    files = sorted((folder / "results").glob("*/*_samples_*.jsonl"))
    if not files:
        raise RunError(f"{folder}: lmms-eval has written no samples")
    lines = [json.loads(line) for line in files[-1].read_text(encoding="utf-8").splitlines()]
    return Scored(len(lines), sum(line["accuracy"] for line in lines) / max(1, len(lines)))
