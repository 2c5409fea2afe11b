"""An image stands as an id that no text can produce, whatever the checkpoint says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from huatuo_server.checkpoint import Checkpoint
from huatuo_server.errors import CheckpointError
from huatuo_server.placeholder import image_token_id
from huatuo_server.tokenizer import Tokenizer
from tests import golden
from tests.conversions import to_hf


def of(folder: Path) -> int:
    return image_token_id(Checkpoint.open(folder), Tokenizer.load(folder))


def change_text_config(folder: Path, **fields: Any) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["text_config"] |= fields
    path.write_text(json.dumps(config), encoding="utf-8")


def test_a_full_vocabulary_gives_its_bos() -> None:
    """The released 34B: every row is a piece of text but the control ones."""
    assert of(golden.CHECKPOINT) == 1


@pytest.mark.parametrize("named", [300, 4095, 4096, 99999])
def test_a_conversion_that_names_text_or_no_row_gets_the_bos(tmp_path: Path, named: int) -> None:
    """An image token that is a piece of text would let a user forge an image, and one past the rows is none."""
    assert of(to_hf(golden.CHECKPOINT, tmp_path / "hf", image_token=named, since_4_52=False)) == 1


def test_a_conversion_s_own_control_piece_stays(tmp_path: Path) -> None:
    """What the converter chose is kept where no text produces it."""
    assert of(to_hf(golden.CHECKPOINT, tmp_path / "hf", image_token=2, since_4_52=False)) == 2


def test_a_spare_row_is_taken_before_the_bos(tmp_path: Path) -> None:
    """A vocabulary that is padded, as the 7B's, has rows that no piece has."""
    folder = to_hf(golden.CHECKPOINT, tmp_path / "hf", image_token=300, since_4_52=False)
    change_text_config(folder, vocab_size=4160)

    assert of(folder) == 4096


@pytest.mark.parametrize("bos", [None, 300])
def test_a_checkpoint_without_such_an_id_is_refused(tmp_path: Path, bos: int | None) -> None:
    """Better no start than an image that text can forge."""
    folder = to_hf(golden.CHECKPOINT, tmp_path / "hf", image_token=300, since_4_52=False)
    change_text_config(folder, bos_token_id=bos)

    with pytest.raises(CheckpointError, match="no token id for an image"):
        of(folder)
