"""The benchmark's checkpoint: a demo checkpoint in the 34B's layout whose greedy answers are text, token by token.

An untrained model often picks pieces of single bytes, which are no text before the next one comes: half a character
makes no chunk. Their rows of the head are zero here, and so are the control pieces', so that every token has text.
"""

from __future__ import annotations

from pathlib import Path

from huatuo_server.demo.checkpoint import write_demo_checkpoint
from huatuo_server.json_file import read_object

SEED = 0
HEAD = "lm_head.weight"


def write_bench_checkpoint(folder: Path) -> None:
    """A few megabytes; the same every time. Raises CheckpointError when `folder` holds anything."""
    from safetensors.torch import load, save

    write_demo_checkpoint(folder, "34b", SEED)
    shard = folder / read_object(folder / "model.safetensors.index.json")["weight_map"][HEAD]
    tensors = load(shard.read_bytes())
    tensors[HEAD][_silent_rows(folder / "tokenizer.model")] = 0
    shard.write_bytes(save(tensors, metadata={"format": "pt"}))


def _silent_rows(model: Path) -> list[int]:
    """Ids of single bytes, and of what is no text at all."""
    import sentencepiece

    pieces = sentencepiece.SentencePieceProcessor(model_file=str(model))
    return [
        row
        for row in range(pieces.get_piece_size())
        if pieces.is_byte(row) or pieces.is_control(row) or pieces.is_unknown(row)
    ]
