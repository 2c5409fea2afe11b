"""tokenizer.json, or vocab.json with merges.txt: the vocabulary of the 7B (Qwen2) and of -hf conversions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Encoder

from huatuo_server.detokenizer import ByteLevelDecoder, BytePieceDecoder, TextDecoder
from huatuo_server.errors import CheckpointError
from huatuo_server.json_file import field, of_kind, read_object
from huatuo_server.vocabulary import SPACE_PIECE, DeclaredTokens, Vocabulary, byte_of, is_marker

QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Qwen2's pre-tokenizer, which vocab.json and merges.txt do not carry (transformers, `Qwen2Converter`)."""

LOOKS_SPECIAL = re.compile(r"<\|\w+\|>")
"""A converted sentencepiece vocabulary holds such pieces without saying that they are USER_DEFINED."""


def read_tokenizer_json(path: Path, declared: DeclaredTokens) -> Vocabulary:
    """Read tokenizer.json. Raises CheckpointError when it is not a BPE that we can decode."""
    return _vocabulary(read_object(path), declared, path)


def read_qwen2_files(folder: Path, declared: DeclaredTokens) -> Vocabulary:
    """Read vocab.json and merges.txt as Qwen2's. Raises CheckpointError when they do not fit together."""
    try:
        merges = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{folder / 'merges.txt'} cannot be read: {error}.") from error
    split = {"type": "Split", "pattern": {"Regex": QWEN2_SPLIT}, "behavior": "Isolated", "invert": False}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    spec = {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "vocab": read_object(folder / "vocab.json"),
            "merges": [line.split(" ") for line in merges if line and not line.startswith("#version")],
        },
    }
    return _vocabulary(spec, declared, folder / "vocab.json")


def _vocabulary(spec: dict[str, Any], declared: DeclaredTokens, path: Path) -> Vocabulary:
    model = field(spec, "model", dict, path, {})
    if model.get("type") != "BPE":
        raise CheckpointError(f"{path} is not a BPE tokenizer; only those are served.")
    vocab = _ids_of(model, path)
    tokens = _added_tokens(spec, path)
    added = {token["id"]: token["content"] for token in tokens} | dict(declared.added)
    special = declared.special | {token["content"] for token in tokens if token.get("special")}
    texts = {id_: text for text, id_ in vocab.items()} | added
    names = {id_: text for id_, text in texts.items() if text in special}
    unreachable = names.keys() | {id_ for id_, text in added.items() if is_marker(text)}
    unreachable |= {id_ for id_, text in texts.items() if LOOKS_SPECIAL.fullmatch(text)}
    # First, since the library refuses every other malformed part of the file.
    encoder = _encoder(spec, {texts[id_] for id_ in unreachable}, path)
    text_decoder, pieces = _decoding(spec, {id_: text for id_, text in texts.items() if id_ not in names}, path)
    return Vocabulary(
        encode=lambda text: encoder.encode(text, add_special_tokens=False).ids,
        text_decoder=text_decoder,
        pieces=pieces,
        special=names,
        size=1 + max(texts),
        # The unknown token stands for text: no text spells it, but what no piece covers becomes it.
        unreachable_ids=frozenset(unreachable) - {vocab.get(model.get("unk_token") or "")},
    )


def _ids_of(model: dict[str, Any], path: Path) -> dict[str, int]:
    vocab = field(model, "vocab", dict, f"{path}: model")
    if not vocab or not all(type(id_) is int for id_ in vocab.values()):
        raise CheckpointError(f"{path}: model: vocab is not a table of pieces and their ids.")
    return vocab


def _added_tokens(spec: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    tokens: list[dict[str, Any]] = []
    for rank, token in enumerate(field(spec, "added_tokens", list, path, [])):
        place = f"{path}: added_tokens[{rank}]"
        tokens.append(of_kind(token, dict, place))
        field(tokens[-1], "id", int, place)
        field(tokens[-1], "content", str, place)
    return tokens


def _encoder(spec: dict[str, Any], markers: set[str], path: Path) -> Encoder:
    """The encoder without its markers: no added tokens, and no merge that ends in a marker or in a byte piece."""
    model = spec["model"]
    barred = markers | {piece for piece in model["vocab"] if byte_of(piece) is not None}
    plain = [token for token in spec.get("added_tokens") or [] if token["content"] not in markers]
    stripped = spec | {
        "added_tokens": plain,
        "post_processor": None,
        "truncation": None,
        "padding": None,
        "model": model | {"merges": [pair for pair in _merges(model, path) if "".join(pair) not in barred]},
    }
    try:
        # Exceptions of this library are plain Exception objects.
        return Encoder.from_str(json.dumps(stripped))
    except Exception as error:
        raise CheckpointError(f"{path} is not a tokenizer that can be loaded: {error}.") from error


def _merges(model: dict[str, Any], path: Path) -> list[list[str]]:
    """Pairs of pieces; a file may write `a b` for one."""
    merges = field(model, "merges", list, f"{path}: model")
    pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in merges]
    if not all(isinstance(pair, list) and all(isinstance(piece, str) for piece in pair) for pair in pairs):
        raise CheckpointError(f"{path}: model: merges is not a list of pairs of pieces.")
    return pairs


def _decoding(
    spec: dict[str, Any], texts: Mapping[int, str], path: Path
) -> tuple[Callable[[], TextDecoder], Mapping[int, bytes | str | int]]:
    """How texts are decoded, from the `decoder` of tokenizer.json, and what each id says."""
    decoder = spec.get("decoder") or {}
    steps = {step["type"]: step for step in decoder.get("decoders", [decoder]) if "type" in step}
    if "ByteLevel" in steps:
        runs = {id_: _bytes_of(text) for id_, text in texts.items()}
        return partial(ByteLevelDecoder, runs), runs
    if "ByteFallback" in steps:
        pieces = dict(_byte_pieces(texts))
        strip = steps.get("Strip", {}).get("start", 0) > 0
        return partial(BytePieceDecoder, pieces, strip_leading_space=strip), pieces
    raise CheckpointError(f"{path} names a decoder that is neither ByteLevel nor ByteFallback.")


def _byte_pieces(texts: Mapping[int, str]) -> Iterable[tuple[int, str | int]]:
    for id_, text in texts.items():
        byte = byte_of(text)
        yield id_, text.replace(SPACE_PIECE, " ") if byte is None else byte


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's printable stand-ins for the 256 bytes: Latin-1's printable ones stand for themselves."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + rank): byte for rank, byte in enumerate(others)}


BYTE_ALPHABET = _byte_alphabet()


def _bytes_of(piece: str) -> bytes:
    """A piece's bytes; an added token that is not written in the byte alphabet is its own UTF-8."""
    try:
        return bytes(map(BYTE_ALPHABET.__getitem__, piece))
    except KeyError:
        return piece.encode("utf-8")
