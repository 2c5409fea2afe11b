"""One tokenizer of each kind of vocabulary."""

from __future__ import annotations

import functools
import itertools
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from huatuo_server.demo.checkpoint import write_demo_checkpoint
from huatuo_server.tokenizer import Tokenizer
from huatuo_server.vocabulary import SPACE_PIECE
from tests import golden

FIRST_BYTE = 8
"""The golden tokenizer's byte pieces follow one another from this id."""


@functools.cache
def tokenizer_of(kind: str) -> Tokenizer:
    """kind: one of KINDS."""
    with tempfile.TemporaryDirectory() as folder:
        KINDS[kind](Path(folder))
        return Tokenizer.load(Path(folder))


def _sentencepiece(folder: Path, *, add_prefix_space: bool) -> None:
    """The golden checkpoint's, as the released 34B's."""
    shutil.copyfile(golden.CHECKPOINT / "tokenizer.model", folder / "tokenizer.model")
    config = json.loads((golden.CHECKPOINT / "tokenizer_config.json").read_text(encoding="utf-8"))
    config["add_prefix_space"] = add_prefix_space
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")


def _byte_level(folder: Path) -> None:
    """The 7B demo's, as the released 7B's."""
    write_demo_checkpoint(folder / "7b", "7b")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(folder / "7b" / name, folder / name)


def _byte_fallback(folder: Path) -> None:
    """A tokenizer.json as a conversion of the 34B has it: letters, a few words and bytes."""
    letters = [SPACE_PIECE, *"abcdefghijklmnopqrstuvwxyzENDQ.,!:\u4e2d\u6587"]
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *letters, f"{SPACE_PIECE}a", "th"]
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    strip = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
    replace = {"type": "Replace", "pattern": {"String": SPACE_PIECE}, "content": " "}
    prepend = {"type": "Prepend", "prepend": SPACE_PIECE}
    spaces = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE_PIECE}
    spec = {
        "version": "1.0",
        "added_tokens": [{"id": id_, "content": pieces[id_], "special": True, **flags} for id_ in range(3)],
        "normalizer": {"type": "Sequence", "normalizers": [prepend, spaces]},
        "decoder": {"type": "Sequence", "decoders": [replace, {"type": "ByteFallback"}, {"type": "Fuse"}, strip]},
        "model": {
            "type": "BPE",
            "vocab": {piece: id_ for id_, piece in enumerate(pieces)},
            "merges": [[SPACE_PIECE, "a"], ["t", "h"]],
            "unk_token": "<unk>",
            "byte_fallback": True,
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(spec), encoding="utf-8")


KINDS: dict[str, Callable[[Path], None]] = {
    "sentencepiece": functools.partial(_sentencepiece, add_prefix_space=False),
    "sentencepiece with a prefix space": functools.partial(_sentencepiece, add_prefix_space=True),
    "byte-level": _byte_level,
    "byte fallback": _byte_fallback,
}


@functools.cache
def byte_ids(kind: str) -> tuple[int, ...]:
    """The id of each of the 256 bytes."""
    tokenizer = tokenizer_of(kind)
    if kind.startswith("sentencepiece"):
        return tuple(range(FIRST_BYTE, FIRST_BYTE + 256))
    ids = {said: id_ for id_ in reversed(range(tokenizer.size)) if len(said := tokenizer.token_bytes(id_) or b"") == 1}
    return tuple(ids[bytes((byte,))] for byte in range(256))


def num_whole_chars_before(tokenizer: Tokenizer, token_ids: Sequence[int]) -> list[int]:
    """For each of the ids, whose bytes are UTF-8: how many characters are complete before it."""
    said = [tokenizer.token_bytes(token_id) or b"" for token_id in token_ids]
    text = tokenizer.decode(token_ids).encode()
    dropped = sum(map(len, said)) - len(text)
    ends = itertools.accumulate(map(len, said), initial=-dropped)
    return [len(text[: max(0, end)].decode(errors="ignore")) for end in ends][:-1]
