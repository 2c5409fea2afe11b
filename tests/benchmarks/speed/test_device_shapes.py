"""Folders with a released model's sizes and no weights are what the server and vLLM take for a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from benchmarks.speed.device.shapes import RELEASED, Layout, write_shapes
from huatuo_server.checkpoint import Checkpoint
from huatuo_server.placeholder import image_token_id
from huatuo_server.tokenizer import Tokenizer

NUM_PIECES = {"7b": 151646, "34b": 64000}
"""Ids of the released tokenizers."""


@pytest.fixture(params=["7b", "34b"])
def layout(request: pytest.FixtureRequest) -> Layout:
    found: Layout = request.param
    return found


@pytest.fixture
def folder(tmp_path: Path, layout: Layout) -> Path:
    write_shapes(tmp_path / "shapes", layout)
    return tmp_path / "shapes"


def test_the_server_opens_it(folder: Path, layout: Layout) -> None:
    """As the family that it is, no demo, with the released vocabulary and end."""
    checkpoint = Checkpoint.open(folder)
    assert checkpoint.demo is None
    assert checkpoint.vocab_size == RELEASED[layout]["vocab_size"]
    assert checkpoint.eos_token_ids == ({"7b": 151643, "34b": 2}[layout],)
    assert image_token_id(checkpoint, Tokenizer.load(folder)) == {"7b": 151646, "34b": 1}[layout]


def test_nearly_every_id_has_text(folder: Path, layout: Layout) -> None:
    """So that whatever dummy weights answer is sent as text, one chunk a token."""
    tokenizer = Tokenizer.load(folder)
    said = [tokenizer.token_bytes(id_) for id_ in range(tokenizer.size)]
    whole = sum(bool(text) and text.isascii() for text in said if text is not None)
    assert tokenizer.size == NUM_PIECES[layout]
    assert whole > 0.98 * NUM_PIECES[layout]


def test_transformers_reads_the_same_tokenizer(folder: Path, layout: Layout) -> None:
    """vLLM takes it from there: as many ids, and a text that is spelt alike."""
    theirs, ours = AutoTokenizer.from_pretrained(folder), Tokenizer.load(folder)
    text = "What does this picture show?"
    assert len(theirs) == NUM_PIECES[layout]
    assert theirs(text, add_special_tokens=False)["input_ids"] == ours.encode(text)


def test_no_weights_are_left(folder: Path) -> None:
    """Neither shards nor CLIP's, nor an index that names them."""
    assert not [path for path in folder.rglob("*") if path.suffix in (".safetensors", ".bin")]
    assert not list(folder.rglob("*.index.json"))
