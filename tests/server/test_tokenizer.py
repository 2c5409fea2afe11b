"""The tokenizer gives the reference's ids for plain text, and never a special token for any text."""

from __future__ import annotations

import functools
import json
import shutil
import time
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor

from huatuo_server.errors import CheckpointError
from huatuo_server.tokenizer import Tokenizer
from tests import golden
from tests.server.vocabularies import KINDS, tokenizer_of

REFERENCE = json.loads((golden.FOLDER.parent / "reference_tokenizer.json").read_text(encoding="utf-8"))

MARKERS = [f"<|{name}|>" for name in ("startoftext", "endoftext", "Human", "Assistant", "im_start", "image_pad")]
MARKERS += ["<unk>", "<s>", "</s>", "<image>", "<0x0A>", "<0xE6>"]

HOSTILE = st.lists(st.one_of(st.sampled_from(MARKERS), st.text(max_size=6), st.just("<|"), st.just("|>"))).map("".join)


load = functools.cache(Tokenizer.load)


@pytest.fixture(scope="module")
def yi() -> Tokenizer:
    return load(golden.CHECKPOINT)


@pytest.fixture(scope="module")
def qwen(demo_7b: Path) -> Tokenizer:
    return load(demo_7b)


def files_only(source: Path, folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        shutil.copyfile(source / name, folder / name)
    return folder


def test_plain_text_gives_the_ids_of_the_reference(yi: Tokenizer) -> None:
    """Every text that transformers 4.41.2 encoded comes out with the same ids."""
    for entry in REFERENCE["encoded"]:
        assert yi.encode(entry["text"]) == entry["ids"], entry["text"]


def test_a_prefix_space_is_taken_from_the_tokenizer_config(tmp_path: Path) -> None:
    """With add_prefix_space the ids are those of transformers 4.41.2 with it."""
    folder = files_only(golden.CHECKPOINT, tmp_path / "yi", "tokenizer.model", "tokenizer_config.json")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"add_prefix_space": True}))
    tokenizer = Tokenizer.load(folder)
    for entry in REFERENCE["encoded"]:
        assert tokenizer.encode(entry["text"]) == entry["ids_with_prefix_space"], entry["text"]
        assert tokenizer.decode(tokenizer.encode(entry["text"])) == entry["text"].replace("\u2581", " ")


def test_ids_give_the_text_of_the_reference(yi: Tokenizer) -> None:
    """Ids that transformers 4.41.2 decoded, broken characters among them, give the same text."""
    for entry in REFERENCE["decoded"]:
        assert yi.decode(entry["ids"]) == entry["text"]


def test_golden_answers_are_decoded_as_the_reference_did(yi: Tokenizer) -> None:
    """The output ids of every golden case give its answer; `inference` strips it, `chat` does not."""
    for case in golden.cases():
        text = yi.decode(case.output_ids)
        assert case.answer == (text.strip() if case.raw["kind"] == "inference" else text)


@settings(deadline=None)
@given(text=st.text().filter(lambda text: "<" not in text))
def test_qwen2_gives_the_ids_of_transformers(
    text: str, demo_7b: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Any plain text has the same ids in transformers' Qwen2 tokenizer, and decodes to the same text there."""
    theirs, ours = transformers_tokenizer(demo_7b, tmp_path_factory), load(demo_7b)
    token_ids = theirs.encode(text, add_special_tokens=False)
    assert ours.encode(text) == token_ids
    assert ours.decode(token_ids) == theirs.decode(token_ids, skip_special_tokens=True)


_loaded: dict[Path, Any] = {}


def transformers_tokenizer(checkpoint: Path, factory: pytest.TempPathFactory) -> Any:
    """transformers' own, loaded once, from a folder whose config.json it does not stumble over."""
    from transformers import AutoTokenizer

    if checkpoint not in _loaded:
        names = ("tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json")
        _loaded[checkpoint] = AutoTokenizer.from_pretrained(
            files_only(checkpoint, factory.mktemp("qwen") / "files", *names)
        )
    return _loaded[checkpoint]


@settings(deadline=None)
@given(text=HOSTILE)
def test_no_text_becomes_a_special_token_of_yi(text: str) -> None:
    """Neither control pieces nor USER_DEFINED ones come out of text, and the text is not lost."""
    tokenizer = load(golden.CHECKPOINT)
    token_ids = tokenizer.encode(text)
    assert not set(token_ids) & {0, 1, 2, 3, 4, 5, 6, 7}
    assert tokenizer.decode(token_ids) == text.replace("\u2581", " ")


@settings(deadline=None)
@given(text=HOSTILE)
def test_no_text_becomes_a_special_token_of_qwen2(text: str, demo_7b: Path) -> None:
    """Added tokens do not come out of text, and the text is not lost but for Unicode's normal form."""
    tokenizer = load(demo_7b)
    token_ids = tokenizer.encode(text)
    assert not set(token_ids) & {1021, 1022, 1023}
    assert tokenizer.decode(token_ids) == unicodedata.normalize("NFC", text)


def test_the_markers_would_come_out_of_an_unguarded_encoder() -> None:
    """The guard has something to guard against: plain sentencepiece reads `<|im_start|>` as one id."""
    plain = SentencePieceProcessor(model_file=str(golden.CHECKPOINT / "tokenizer.model"))
    assert 6 in plain.encode("hi <|im_start|>")


def test_special_tokens_are_unreachable_and_silent(yi: Tokenizer, qwen: Tokenizer) -> None:
    """What encode never gives and what decode never shows are known by id."""
    assert yi.unreachable_ids == {1, 2, 3, 4, 5, 6, 7}
    assert yi.special_ids == {0, 1, 2}
    assert qwen.unreachable_ids == qwen.special_ids == {1021, 1022, 1023}
    assert yi.decode([1, 3947, 2]) == "a"


def test_byte_pieces_stand_for_bytes_only(yi: Tokenizer) -> None:
    """A newline is the byte piece 18; the text `<0x0A>` is not."""
    assert yi.encode("\n") == [18]
    assert 18 not in yi.encode("<0x0A>")


def test_a_converted_tokenizer_json_keeps_its_markers_out_of_reach(tmp_path: Path) -> None:
    """Added tokens of a tokenizer.json, and pieces that look like one, cannot be merged from their parts either."""
    vocabulary = {
        piece: id_ for id_, piece in enumerate(["<", "a", ">", "<a", "<a>", "<0x41>", "|", "<|", "<|a", "|>", "<|a|>"])
    }
    merges = [["<", "a"], ["<a", ">"], ["<", "|"], ["<|", "a"], ["|", ">"], ["<|a", "|>"]]
    spec = {
        "version": "1.0",
        "added_tokens": [{"id": 4, "content": "<a>", "special": True, **flags()}],
        "normalizer": None,
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {"type": "BPE", "vocab": vocabulary, "merges": merges, "byte_fallback": True},
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(spec))
    tokenizer = Tokenizer.load(tmp_path)
    assert tokenizer.encode("a<a>A") == [1, 3, 2, 5]
    assert tokenizer.encode("<|a|>") == [8, 9]
    assert tokenizer.decode([1, 3, 2, 5, 4]) == "a<a>A"


def flags() -> dict[str, bool]:
    return dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)


def test_vocab_and_merges_are_enough(demo_7b: Path, tmp_path: Path, qwen: Tokenizer) -> None:
    """Without tokenizer.json the same ids come from vocab.json and merges.txt."""
    folder = files_only(demo_7b, tmp_path / "qwen", "vocab.json", "merges.txt", "tokenizer_config.json")
    tokenizer = Tokenizer.load(folder)
    text = "The patient’s CT: 12 mm.\n\n请描述这张医学影像 <|im_start|> don't 🙂"
    assert tokenizer.encode(text) == qwen.encode(text)
    assert (tokenizer.size, tokenizer.special_ids) == (qwen.size, qwen.special_ids)


@pytest.mark.parametrize("text", ["\ud83d", "a\udc00b", "\ud83d\ud83d"])
def test_a_lone_surrogate_counts_as_a_replacement_character(text: str, yi: Tokenizer, qwen: Tokenizer) -> None:
    """Half a character pair does not crash the encoder."""
    for tokenizer in (yi, qwen):
        decoded = tokenizer.decode(tokenizer.encode(text))
        assert decoded == "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in text)


def test_a_surrogate_pair_is_its_character(yi: Tokenizer) -> None:
    """Two halves in a row are the character that they spell."""
    assert yi.encode("\ud83d\ude42") == yi.encode("🙂")


def test_a_null_is_a_character_like_any_other(yi: Tokenizer, qwen: Tokenizer) -> None:
    """Text goes on behind a null."""
    for tokenizer in (yi, qwen):
        assert tokenizer.decode(tokenizer.encode("a\x00b")) == "a\x00b"


def test_unknown_ids_have_no_text(yi: Tokenizer, qwen: Tokenizer) -> None:
    """Rows past the tokenizer's last id, which a model may emit, decode to nothing."""
    assert yi.decode([3947, 4096, 10**9, 3947]) == "aa"
    assert qwen.decode([64, 1087, 64]) == "aa"


@pytest.mark.parametrize("piece", ["a", " ", "医", "\n", "<|im_start|>", "🙂", "\u0301", " \n", "'s", "<"])
def test_long_texts_are_encoded_in_linear_time(piece: str, yi: Tokenizer, qwen: Tokenizer) -> None:
    """100 kB of anything take well under a second; quadratic time would take minutes."""
    text = piece * (100_000 // len(piece.encode()))
    for tokenizer in (yi, qwen):
        started = time.monotonic()
        tokenizer.encode(text)
        assert time.monotonic() - started < 5


def test_a_folder_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    """The error says what was looked for."""
    with pytest.raises(CheckpointError, match=r"has no tokenizer.*tokenizer\.model"):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tokenizer.model", b"not a model", "not a sentencepiece model"),
        ("tokenizer.model", b"", "not a sentencepiece model"),
        ("tokenizer.json", b"{", "cannot be read as JSON"),
        ("tokenizer.json", b"{}", "not a BPE tokenizer"),
        ("tokenizer.json", b'{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}', "names a decoder"),
        ("tokenizer.json", b'{"model": {"type": "BPE", "merges": []}}', "model: vocab is not a JSON object"),
        ("tokenizer.json", b'{"model": {"type": "BPE", "vocab": {"a": "0"}}}', "vocab is not a table"),
        ("tokenizer.json", b'{"model": {"type": "BPE", "vocab": {}}}', "vocab is not a table"),
        ("tokenizer.json", b'{"model": {"type": "BPE", "vocab": {"a": 0}}}', "model: merges is not a list"),
        ("tokenizer.json", b'{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [1]}}', "merges is not a list"),
        ("tokenizer.json", b'{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}, "decoder": 1}', "be loaded"),
        ("tokenizer.json", b'{"model": {"type": "BPE", "vocab": {"a": 0}}, "added_tokens": {}}', "added_tokens is not"),
        ("tokenizer.json", b'{"model": {"type": "BPE", "vocab": {"a": 0}}, "added_tokens": [{}]}', "id is not a whole"),
        ("tokenizer.json", b'{"model": 1}', "model is not a JSON object"),
        ("added_tokens.json", b'{"<x>": "1"}', "<x> is not a whole number"),
        ("special_tokens_map.json", b'{"eos_token": {}}', "content is not a text"),
        ("tokenizer_config.json", b"[]", "does not hold a JSON object"),
        ("tokenizer_config.json", b'{"additional_special_tokens": 1}', "additional_special_tokens is not a list"),
        ("tokenizer_config.json", b'{"added_tokens_decoder": []}', "added_tokens_decoder is not a JSON object"),
        ("tokenizer_config.json", b'{"added_tokens_decoder": {"x": {}}}', "is not named by a token id"),
        ("tokenizer_config.json", b'{"added_tokens_decoder": {"1": "x"}}', "decoder.1 is not a JSON object"),
        ("tokenizer_config.json", b'{"added_tokens_decoder": {"1": {}}}', "content is not a text"),
    ],
)
def test_a_damaged_tokenizer_is_named(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    """The error names the file and what is wrong with it."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"{name}.*{message}"):
        Tokenizer.load(tmp_path)


def test_a_token_has_bytes_and_a_name(yi: Tokenizer, qwen: Tokenizer) -> None:
    """Text, a leading space, a byte of a character, a special token, and ids that no tokenizer has."""
    space = yi.encode(" the")[0]
    assert (yi.token_bytes(3947), yi.token_name(3947)) == (b"a", "a")
    assert (yi.token_bytes(space) or b"")[:1] == b" " == yi.token_name(space)[:1].encode()
    assert (yi.token_bytes(18), yi.token_name(18)) == (b"\n", "\n")
    assert (yi.token_bytes(263), yi.token_name(263)) == (b"\xff", "\N{REPLACEMENT CHARACTER}")
    assert (yi.token_bytes(2), yi.token_name(2)) == (None, "<|endoftext|>")
    assert (yi.token_bytes(4096), yi.token_name(4096)) == (None, "token_id:4096")
    assert (qwen.token_bytes(64), qwen.token_name(64)) == (b"a", "a")
    assert (qwen.token_bytes(1021), qwen.token_name(1021)) == (None, "<|endoftext|>")
    assert (qwen.token_bytes(152_063), qwen.token_name(152_063)) == (None, "token_id:152063")


@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_of_every_token_are_its_text(kind: str) -> None:
    """Each id by itself decodes to what its bytes say, but for a space at the head that the text may lose."""
    tokenizer = tokenizer_of(kind)
    for token_id in range(-1, tokenizer.size + 2):
        said, text = tokenizer.token_bytes(token_id), tokenizer.decode([token_id])
        assert text in ((said or b"").decode("utf-8", "replace"), tokenizer.token_name(token_id).removeprefix(" "))
        assert (said is None) == (token_id in tokenizer.special_ids or not 0 <= token_id < tokenizer.size)
