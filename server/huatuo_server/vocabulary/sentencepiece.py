"""tokenizer.model: the vocabulary of the 34B (Yi, LlamaTokenizer)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, cast

from huatuo_server.detokenizer import BytePieceDecoder
from huatuo_server.errors import CheckpointError
from huatuo_server.vocabulary import SPACE_PIECE, DeclaredTokens, Vocabulary, byte_of, is_marker

CONTROL, UNKNOWN, USER_DEFINED, BYTE = 3, 2, 4, 6
"""`ModelProto.SentencePiece.Type`."""


def read_sentencepiece(path: Path, declared: DeclaredTokens) -> Vocabulary:
    """Read a sentencepiece model so that its markers are out of a text's reach.

    Markers (USER_DEFINED pieces, and whatever the JSON files declare) are made CONTROL pieces before the encoder is
    built. Those have no text form, so the encoder spells `<|im_start|>` as it spells any other text.

    Raises CheckpointError when the file is not a sentencepiece model.
    """
    model = _parse(path)
    # The reference's converted tokenizer takes the leading space from tokenizer_config.json (True when it is silent)
    # and no other normalisation, whatever the model says (transformers 4.41, `LlamaConverter`).
    leading_space = declared.add_prefix_space is not False
    pieces, special = _decoding(model, declared)
    unreachable = frozenset(_markers(model, declared)) | {id_ for id_ in declared.added if id_ >= len(model.pieces)}
    encoder = _encoder(model, unreachable, leading_space)
    return Vocabulary(
        encode=lambda text: cast("list[int]", encoder.encode(text)),
        text_decoder=lambda: BytePieceDecoder(pieces, strip_leading_space=leading_space),
        pieces=pieces,
        special=special,
        size=max(len(model.pieces), 1 + max(declared.added, default=0)),
        unreachable_ids=unreachable,
    )


def _parse(path: Path) -> Any:
    # Generated modules without types, so imported by name.
    schema: Any = import_module("sentencepiece.sentencepiece_model_pb2")
    damaged: type[Exception] = import_module("google.protobuf.message").DecodeError
    model = schema.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except (OSError, damaged) as error:
        raise CheckpointError(f"{path} is not a sentencepiece model: {error}.") from error
    if not model.pieces:
        raise CheckpointError(f"{path} is not a sentencepiece model: it holds no pieces.")
    return model


def _decoding(model: Any, declared: DeclaredTokens) -> tuple[dict[int, str | int], dict[int, str]]:
    """What each id says, and the names of those that say nothing."""
    pieces: dict[int, str | int] = {}
    texts = dict(enumerate(piece.piece for piece in model.pieces)) | dict(declared.added)
    silent = {id_ for id_, piece in enumerate(model.pieces) if piece.type in (CONTROL, UNKNOWN)}
    silent |= {id_ for id_, text in texts.items() if text in declared.special}
    for id_, text in texts.items():
        if id_ not in silent:
            byte = byte_of(text)
            pieces[id_] = text.replace(SPACE_PIECE, " ") if byte is None else byte
    return pieces, {id_: texts[id_] for id_ in silent}


def _markers(model: Any, declared: DeclaredTokens) -> list[int]:
    """Ids of pieces that no text may become. The unknown piece is not one: it stands for text."""
    markers = []
    for id_, piece in enumerate(model.pieces):
        named = piece.type == USER_DEFINED or id_ in declared.added or piece.piece in declared.special
        text = piece.type in (UNKNOWN, BYTE) or not is_marker(piece.piece)
        if piece.type == CONTROL or (named and not text):
            markers.append(id_)
    return markers


def _encoder(model: Any, unreachable: frozenset[int], leading_space: bool) -> Any:
    from sentencepiece import SentencePieceProcessor

    for id_ in unreachable:
        if id_ < len(model.pieces):
            model.pieces[id_].type = CONTROL
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.precompiled_charsmap = b""
    model.normalizer_spec.remove_extra_whitespaces = False
    model.normalizer_spec.add_dummy_prefix = leading_space
    try:
        return SentencePieceProcessor(model_proto=model.SerializeToString())
    except RuntimeError as error:
        raise CheckpointError(f"tokenizer.model is not one that sentencepiece loads: {error}.") from error
