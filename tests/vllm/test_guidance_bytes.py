"""The guidance backend takes each token for what we decode it to; else an answer by a schema would read otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("vllm", reason="vLLM is not installed")

from llguidance.hf import from_tokenizer
from vllm.tokenizers import get_tokenizer

from huatuo_server.checkpoint import Checkpoint
from huatuo_server.demo import seeing_checkpoint
from huatuo_server.demo.checkpoint import write_demo_checkpoint
from huatuo_server.tokenizer import Tokenizer
from huatuo_vllm.config import load_config
from tests import golden
from tests.conversions import to_hf

NOT_UTF_8 = b"\xff"
"""llguidance keeps this byte for itself; no text holds it."""

SEEING = Path(seeing_checkpoint.__file__).parent / "seeing"


@pytest.fixture(params=["golden 34b", "demo 34b", "demo 7b", "7b-hf", "34b-hf", "seeing"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A checkpoint in each layout that there is."""
    kind: str = request.param
    if kind == "golden 34b":
        return golden.CHECKPOINT
    if kind == "seeing":
        return SEEING
    if kind == "34b-hf":
        return to_hf(golden.CHECKPOINT, tmp_path / "hf", image_token=4096, since_4_52=True)
    released = tmp_path / "released"
    write_demo_checkpoint(released, "34b" if "34b" in kind else "7b")
    if kind == "7b-hf":
        token = load_config(released).image_token_index
        return to_hf(released, tmp_path / "hf", image_token=token, since_4_52=False)
    return released


def test_every_token_says_the_same_bytes(folder: Path) -> None:
    """Except for markers such as <|im_start|>, which a grammar never allows though they have a text."""
    tokenizer, theirs = Tokenizer.load(folder), get_tokenizer(str(folder))
    guidance = from_tokenizer(theirs, max(Checkpoint.open(folder).vocab_size, len(theirs)))

    differing = {
        token_id: (guidance.decode_bytes([token_id]), tokenizer.token_bytes(token_id))
        for token_id in range(guidance.vocab_size)
        if not guidance.is_special_token(token_id)
        and guidance.decode_bytes([token_id]) != (tokenizer.token_bytes(token_id) or b"")
    }
    forbidden = [one for one in range(guidance.vocab_size) if guidance.is_special_token(one)]

    assert differing == {}
    assert {tokenizer.token_bytes(one) for one in forbidden} - {None, NOT_UTF_8} <= {
        b"<|Human|>", b"<|Assistant|>", b"<|System|>", b"<|im_start|>", b"<|im_end|>"
    }  # fmt: skip
    assert tokenizer.size > 256 + len(forbidden)


def test_its_end_of_text_is_the_checkpoint_s(folder: Path) -> None:
    """In every released layout; where it were another, an answer would end there as well."""
    theirs = get_tokenizer(str(folder))

    assert theirs.eos_token_id in Checkpoint.open(folder).eos_token_ids
    assert Tokenizer.load(folder).token_bytes(theirs.eos_token_id) is None
