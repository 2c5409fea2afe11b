"""`python -m benchmarks.speed.rival.token_ids [CHECKPOINT]`: both sides give the engine the same prompt, id by id.

For one conversation of each workload, its last turn: the ids of our `/v1/chat/render`, each image as the positions it
takes, against the `prompt_token_ids` of stock vLLM's answer. And both engines answer with the same text. Exit 1 where
any of it differs.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed.ask import ask_object
from benchmarks.speed.checkpoint import write_bench_checkpoint
from benchmarks.speed.conversation import conversations
from benchmarks.speed.measurement import SideName
from benchmarks.speed.pairs import both
from benchmarks.speed.rival.tokenizer import Placeholder, write_copy
from benchmarks.speed.server import Server
from benchmarks.speed.workload import Workload, workloads
from huatuo_server.engine.base import IMAGE_SENTINEL

RENDER = "/v1/chat/render"


class PromptsDifferError(Exception):
    """The two sides are not asked the same."""


def check(servers: Mapping[SideName, Server], measured: Sequence[Workload], placeholder: Placeholder) -> int:
    """How many prompts were compared. placeholder: of `rival.tokenizer`. Raises PromptsDifferError."""
    for workload in measured:
        (bodies,) = conversations(workload, 1, "the same prompt")
        body = {**bodies[-1], "stream": False, "stream_options": None}
        rendered = ask_object(servers["ours"].url, body, RENDER)
        answered = ask_object(servers["stock"].url, body | {"return_token_ids": True})
        if _positions(rendered, placeholder.token_id) != answered["prompt_token_ids"]:
            raise PromptsDifferError(f"{workload.name}: other token ids")
        if _text(ask_object(servers["ours"].url, body)) != _text(answered):
            raise PromptsDifferError(f"{workload.name}: the same prompt has another answer")
    return len(measured)


def _positions(rendered: dict[str, Any], placeholder: int) -> list[int]:
    image = [placeholder] * int(rendered["tokens_per_image"])
    ids: list[int] = rendered["prompt_token_ids"]
    return [each for token_id in ids for each in (image if token_id == IMAGE_SENTINEL else [token_id])]


def _text(answer: dict[str, Any]) -> str:
    text: str = answer["choices"][0]["message"]["content"]
    return text


def main() -> int:
    """Exit code."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = Path(sys.argv[1]) if len(sys.argv) > 1 else folder / "checkpoint"
        if len(sys.argv) == 1:
            write_bench_checkpoint(checkpoint)
        placeholder = write_copy(checkpoint, folder / "named")
        with both(checkpoint, folder) as servers:
            try:
                print(
                    f"{check(servers, workloads(), placeholder)} prompts are the same on both sides, and their answers."
                )
            except PromptsDifferError as error:
                print(error, file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
