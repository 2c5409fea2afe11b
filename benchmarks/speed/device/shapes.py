"""Checkpoint folders with the released models' sizes and no weights, for vLLM's `load_format=dummy`.

Config, tokenizer and CLIP's folder are the demo checkpoint's, made larger: every id of the vocabulary is a piece of
text, so that whatever the dummy weights answer is sent to the client as text, one chunk a token.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from itertools import product
from pathlib import Path
from string import ascii_lowercase
from typing import Any, Literal

from benchmarks.speed.roofline import Decoder, Model, Tower
from huatuo_server.demo.checkpoint import VISION_TOWER, write_demo_checkpoint
from huatuo_server.demo.label import MARK
from huatuo_server.demo.tokenizer import QWEN2_SPECIAL
from huatuo_vllm.computed import CLIP_LARGE_336, select_layer

Layout = Literal["7b", "34b"]

RELEASED: Mapping[Layout, Mapping[str, Any]] = {
    "7b": {
        "bos_token_id": 151643,
        "eos_token_id": 151643,
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "max_position_embeddings": 131072,
        "max_window_layers": 28,
        "mm_hidden_size": 1024,
        "num_attention_heads": 28,
        "num_hidden_layers": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152064,
    },
    "34b": {
        "hidden_size": 7168,
        "intermediate_size": 20480,
        "mm_hidden_size": 1024,
        "num_attention_heads": 56,
        "num_hidden_layers": 60,
        "num_key_value_heads": 8,
        "vocab_size": 64000,
    },
}
"""The published config.json of each HuatuoGPT-Vision, where it differs from the demo checkpoint's."""


def write_shapes(folder: Path, layout: Layout, *, tiny: bool = False) -> None:
    """The demo checkpoint with the released sizes in its config files and its weights taken away.

    tiny: keep the demo's sizes, for a machine without a GPU.
    """
    write_demo_checkpoint(folder, layout)
    for weights in [*folder.rglob("*.safetensors"), *folder.rglob("*.bin"), *folder.rglob("*.index.json")]:
        weights.unlink()
    _update(folder / "config.json", {} if tiny else RELEASED[layout])
    if tiny:
        return
    tower = folder / VISION_TOWER / "config.json"
    tower.write_text(json.dumps({"model_type": "clip_vision_model", **CLIP_LARGE_336}), encoding="utf-8")
    if layout == "7b":
        _fill_bpe(folder, RELEASED["7b"]["eos_token_id"])
    else:
        _fill_sentencepiece(folder, RELEASED["34b"]["vocab_size"])


def model_of(folder: Path) -> Model:
    """The sizes of a checkpoint in a released layout."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    vision = json.loads((folder / VISION_TOWER / "config.json").read_text(encoding="utf-8"))
    vision = vision.get("vision_config", vision)
    sizes = ("num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads")
    num_layers = vision["num_hidden_layers"]
    return Model(
        name=config["_name_or_path"],
        decoder=Decoder(
            **{name: config[name] for name in sizes},
            vocab_size=config["vocab_size"],
            biased=config["model_type"] == "llava_qwen2",
        ),
        tower=Tower(
            # `hidden_states` begins with the embeddings: its last but one is the output of all layers but one.
            num_layers=num_layers + select_layer(config, "released", num_layers) + 1,
            hidden_size=vision["hidden_size"],
            intermediate_size=vision["intermediate_size"],
            patch_size=vision["patch_size"],
            positions=(vision["image_size"] // vision["patch_size"]) ** 2 + 1,
        ),
    )


def _fill_bpe(folder: Path, num_pieces: int) -> None:
    """Pieces up to `num_pieces`, and the special tokens after them, in all files that name their ids."""
    spec = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    vocab = {piece: id_ for piece, id_ in spec["model"]["vocab"].items() if piece not in QWEN2_SPECIAL}
    # Ġ: how byte-level BPE writes a space.
    for piece in _words("\u0120"):
        if len(vocab) == num_pieces:
            break
        vocab.setdefault(piece, len(vocab))
    special = {token: num_pieces + rank for rank, token in enumerate(QWEN2_SPECIAL)}
    spec["model"]["vocab"] = vocab
    for token in spec["added_tokens"]:
        token["id"] = special[token["content"]]
    _write(folder / "tokenizer.json", spec)
    _write(folder / "vocab.json", vocab)
    declared = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    added = {str(special[token["content"]]): token for token in declared["added_tokens_decoder"].values()}
    _write(folder / "tokenizer_config.json", declared | {"added_tokens_decoder": added})


def _fill_sentencepiece(folder: Path, num_pieces: int) -> None:
    """Words, less likely than any piece that was learnt, up to `num_pieces`."""
    schema: Any = import_module("sentencepiece.sentencepiece_model_pb2")
    model = schema.ModelProto()
    model.ParseFromString((folder / "tokenizer.model").read_bytes())
    known = {piece.piece for piece in model.pieces}
    least = min(piece.score for piece in model.pieces)
    for word in _words("\N{LOWER ONE EIGHTH BLOCK}"):
        if len(model.pieces) == num_pieces:
            break
        if word not in known:
            model.pieces.add(piece=word, score=least - 1, type=schema.ModelProto.SentencePiece.NORMAL)
    model.trainer_spec.vocab_size = num_pieces
    (folder / "tokenizer.model").write_bytes(model.SerializeToString())


def _words(space: str) -> Iterator[str]:
    """456,976 of them, of four letters."""
    return (space + "".join(letters) for letters in product(ascii_lowercase, repeat=4))


def _update(path: Path, values: Mapping[str, Any]) -> None:
    config = json.loads(path.read_text(encoding="utf-8"))
    config.pop(MARK, None)
    _write(path, {**config, **values})


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
