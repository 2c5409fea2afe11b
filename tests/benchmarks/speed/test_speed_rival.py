"""Stock vLLM as the rival is asked and started as we are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest

from benchmarks.speed.checkpoint import HEAD, write_bench_checkpoint
from benchmarks.speed.rival import command as rival
from benchmarks.speed.rival.tokenizer import Placeholder, write_copy
from huatuo_server.checkpoint import Checkpoint
from huatuo_server.demo.checkpoint import write_demo_checkpoint
from huatuo_server.engine.vllm_engine import VllmEngine
from huatuo_server.json_file import read_object
from huatuo_server.placeholder import image_token_id
from huatuo_server.tokenizer import Tokenizer

CHAT: list[dict[str, Any]] = [
    {"role": "user", "content": [{"type": "image"}, {"type": "image"}, {"type": "text", "text": "What is this?"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "A film."}]},
    {"role": "user", "content": [{"type": "text", "text": "Of what?"}]},
]
PIECES = (
    "<|user|>\n",
    None,
    "\n",
    None,
    "\nWhat is this?\n",
    "<|assistant|>\nA film. \n",
    "<|user|>\nOf what?\n<|assistant|>\n",
)


@pytest.mark.parametrize("layout", ["7b", "34b"])
def test_the_template_writes_our_token_ids(layout: Literal["7b", "34b"], tmp_path: Path) -> None:
    """The placeholder where an image stands, and the pieces' ids around it."""
    write_demo_checkpoint(tmp_path / "checkpoint", layout)

    placeholder = write_copy(tmp_path / "checkpoint", tmp_path / "copy")

    assert _stocks_ids(tmp_path / "copy", placeholder) == _our_ids(tmp_path / "checkpoint", placeholder)


def test_a_row_past_the_tokenizers_end_gets_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the released 7B has one for its images."""
    write_demo_checkpoint(tmp_path / "checkpoint", "7b")
    spare = Tokenizer.load(tmp_path / "checkpoint").size
    monkeypatch.setattr("benchmarks.speed.rival.tokenizer.image_token_id", lambda *_: spare)

    placeholder = write_copy(tmp_path / "checkpoint", tmp_path / "copy")

    assert placeholder == Placeholder(spare, "<image>")
    assert _stocks_ids(tmp_path / "copy", placeholder) == _our_ids(tmp_path / "checkpoint", placeholder)


def _stocks_ids(copy: Path, placeholder: Placeholder) -> list[int]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(copy)
    template = rival.TEMPLATE.read_text(encoding="utf-8")
    text = tokenizer.apply_chat_template(CHAT, chat_template=template, tokenize=False, image_token=placeholder.name)
    ids: list[int] = tokenizer(text, add_special_tokens=False).input_ids
    return ids


def _our_ids(checkpoint: Path, placeholder: Placeholder) -> list[int]:
    tokenizer = Tokenizer.load(checkpoint)
    return [each for piece in PIECES for each in ([placeholder.token_id] if piece is None else tokenizer.encode(piece))]


def test_the_rival_has_our_engine_arguments(tmp_path: Path) -> None:
    """Every one of ours that is not at vLLM's default, but for our front end's own cache and the drain."""
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    write_demo_checkpoint(tmp_path / "checkpoint", "34b")
    checkpoint = Checkpoint.open(tmp_path / "checkpoint")
    placeholder = image_token_id(checkpoint, Tokenizer.load(tmp_path / "checkpoint"))
    ours = VllmEngine(checkpoint, image_token_id=placeholder, served_model_name="huatuo", enforce_eager=True)

    named = Placeholder(placeholder, "<|startoftext|>")
    words = rival.command(tmp_path / "checkpoint", tmp_path, named, model="huatuo", port=1)
    given = make_arg_parser(FlexibleArgumentParser()).parse_args(words[3:])
    theirs = AsyncEngineArgs.from_cli_args(given)

    own = {"mm_processor_cache_gb", "shutdown_timeout", "served_model_name"}
    for name, value in ours._args.items():
        if name not in own:
            assert _plain(getattr(theirs, name)) == _plain(value), name


def test_every_answer_of_the_benchmarks_checkpoint_is_text(tmp_path: Path) -> None:
    """The head's rows of single bytes and control pieces are zero, the others are not."""
    from safetensors.torch import load

    write_bench_checkpoint(tmp_path / "checkpoint")
    index = read_object(tmp_path / "checkpoint" / "model.safetensors.index.json")
    head = load((tmp_path / "checkpoint" / index["weight_map"][HEAD]).read_bytes())[HEAD]

    unsaid = ("<unk>", "<|startoftext|>", "<|endoftext|>", *(f"<0x{byte:02X}>" for byte in range(256)))
    silent = [name for row, name in enumerate(_pieces(tmp_path / "checkpoint")) if not head[row].any()]
    assert sorted(silent) == sorted(unsaid)


def _pieces(checkpoint: Path) -> list[str]:
    import sentencepiece

    model = sentencepiece.SentencePieceProcessor(model_file=str(checkpoint / "tokenizer.model"))
    return [model.id_to_piece(row) for row in range(model.get_piece_size())]


def _plain(value: object) -> object:
    """Of a configuration object, the fields that are set."""
    if isinstance(value, str | int | float | dict | list | type(None)):
        return json.loads(json.dumps(value))
    return {"backend": value.backend, "disable_any_whitespace": value.disable_any_whitespace}  # type: ignore[attr-defined]
