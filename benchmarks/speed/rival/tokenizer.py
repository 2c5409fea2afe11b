"""A copy of a checkpoint's tokenizer in which the id that stands for an image has a name a template can write.

Stock vLLM reads a prompt as text. In the 34B's vocabulary every row is taken and the bos stands for an image, which no
prompt holds otherwise: that has a name, and the copy is as the original. The 7B has spare rows past the tokenizer's
end, of which the first stands for an image: in the copy it is called `<image>`.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from huatuo_server.checkpoint import Checkpoint
from huatuo_server.json_file import read_object
from huatuo_server.placeholder import image_token_id
from huatuo_server.tokenizer import Tokenizer

FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt", "tokenizer_config.json")
NAME = "<image>"


@dataclass(frozen=True, slots=True)
class Placeholder:
    """What stands for an image inside vLLM: its id, and how the copy spells it."""

    token_id: int
    name: str


def write_copy(checkpoint: Path, folder: Path) -> Placeholder:
    """Raises CheckpointError where the checkpoint has no tokenizer, or no id for an image."""
    tokenizer = Tokenizer.load(checkpoint)
    token_id = image_token_id(Checkpoint.open(checkpoint), tokenizer)
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        if (checkpoint / name).exists():
            shutil.copyfile(checkpoint / name, folder / name)
    if token_id in tokenizer.special_ids:
        return Placeholder(token_id, tokenizer.token_name(token_id))
    _name(folder, token_id)
    return Placeholder(token_id, NAME)


def _name(folder: Path, token_id: int) -> None:
    """Add a special token. transformers takes it from tokenizer_config.json, the `tokenizers` library from its own."""
    token = {"content": NAME, **dict.fromkeys(("lstrip", "normalized", "rstrip", "single_word"), False)}
    token["special"] = True
    config = read_object(folder / "tokenizer_config.json")
    config.setdefault("added_tokens_decoder", {})[str(token_id)] = token
    _write(folder / "tokenizer_config.json", config)
    if (folder / "tokenizer.json").exists():
        spec = read_object(folder / "tokenizer.json")
        spec["added_tokens"].append({"id": token_id, **token})
        _write(folder / "tokenizer.json", spec)


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
