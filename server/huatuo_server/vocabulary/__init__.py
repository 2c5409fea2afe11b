"""A vocabulary as the tokenizer needs it, and what the files beside one declare of its tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huatuo_server.detokenizer import TextDecoder
from huatuo_server.errors import CheckpointError
from huatuo_server.json_file import field, of_kind, read_object

SPACE_PIECE = "\N{LOWER ONE EIGHTH BLOCK}"
"""Sentencepiece writes a space so."""

NAMED_TOKENS = ("bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "mask_token")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """One checkpoint's vocabulary, ready for use.

    encode: text (no lone surrogates) -> ids, without BOS and without special tokens.
    text_decoder: begins a new text.
    pieces: id -> what it says: bytes, text, or one byte as an int.
    special: id -> name of those that decode to nothing.
    size: one more than the highest id known; the model's head may have more rows.
    unreachable_ids: special, added and control tokens, which `encode` never gives, whatever the text says.
    """

    encode: Callable[[str], list[int]]
    text_decoder: Callable[[], TextDecoder]
    pieces: Mapping[int, bytes | str | int]
    special: Mapping[int, str]
    size: int
    unreachable_ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class DeclaredTokens:
    """What the JSON files beside a vocabulary say of it.

    added: id -> text of every added token. special: the texts of those that are special.
    add_prefix_space: None where tokenizer_config.json is silent.
    """

    added: Mapping[int, str]
    special: frozenset[str]
    add_prefix_space: bool | None

    @classmethod
    def read(cls, folder: Path) -> DeclaredTokens:
        """Read tokenizer_config.json, special_tokens_map.json and added_tokens.json, where they exist.

        Raises CheckpointError when one of them is not what it should be.
        """
        file = folder / "tokenizer_config.json"
        config = read_object(file, missing_ok=True)
        special = {*_named_tokens(config, file), *_named_tokens(*_beside(folder, "special_tokens_map.json"))}
        ids, place = _beside(folder, "added_tokens.json")
        added = {field(ids, text, int, place): text for text in ids}
        for token_id, token in field(config, "added_tokens_decoder", dict, file, {}).items():
            place = f"{file}: added_tokens_decoder.{token_id}"
            if not token_id.isdecimal():
                raise CheckpointError(f"{place} is not named by a token id.")
            text = field(of_kind(token, dict, place), "content", str, place)
            added[int(token_id)] = text
            if token.get("special"):
                special.add(text)
        return cls(added, frozenset(special), config.get("add_prefix_space"))


def _beside(folder: Path, name: str) -> tuple[dict[str, Any], object]:
    return read_object(folder / name, missing_ok=True), folder / name


def is_marker(text: str) -> bool:
    """Whether an added token means something. One character or mere white space (runs of blanks in code) is text."""
    plain = text.replace(SPACE_PIECE, " ")
    return len(plain) > 1 and not plain.isspace()


def byte_of(piece: str) -> int | None:
    """The byte that a piece such as `<0x0A>` stands for; None for any other piece."""
    if len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):
        try:
            return int(piece[3:5], 16)
        except ValueError:
            return None
    return None


def _named_tokens(config: Mapping[str, Any], place: object) -> Iterable[str]:
    """The texts of bos_token and its like; each is a text or an object with `content`."""
    more = field(config, "additional_special_tokens", list, place, [])
    for token in [*(config.get(name) for name in NAMED_TOKENS), *more]:
        if isinstance(token, dict):
            yield field(token, "content", str, f"{place}: a special token")
        elif isinstance(token, str):
            yield token
