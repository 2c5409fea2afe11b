"""The demo checkpoints' tokenizers: small ones of the same make as the released checkpoints'."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huatuo_server.demo.text import LINES
from huatuo_server.vocabulary.bpe import QWEN2_SPLIT

QWEN2_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
YI_MARKERS = ("<|Human|>", "<|Assistant|>", "<|System|>", "<|im_start|>", "<|im_end|>")

QWEN2_PIECES = 1021
"""Byte pieces and merges; with the special tokens 1024 ids."""

YI_PIECES = 1280
"""Every row of the 34B's vocabulary is a piece, so this is the model's vocab_size too."""

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' "
    "+ '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""The released 7B carries Qwen2's chat template too, and it is as wrong for that model as here."""


def write_qwen2_tokenizer(folder: Path, lines: Sequence[str] = LINES, num_pieces: int = QWEN2_PIECES) -> int:
    """Write tokenizer.json, vocab.json, merges.txt and tokenizer_config.json in Qwen2's shape.

    lines: to learn the pieces from. Returns the number of ids, of which the last three are QWEN2_SPECIAL.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=num_pieces,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in QWEN2_SPECIAL])
    tokenizer.save(str(folder / "tokenizer.json"))
    model = json.loads(tokenizer.to_str())["model"]
    _write_json(folder / "vocab.json", model["vocab"])
    merges = "".join(" ".join(pair) + "\n" for pair in model["merges"])
    (folder / "merges.txt").write_text("#version: 0.2\n" + merges, encoding="utf-8")
    _write_json(folder / "tokenizer_config.json", _qwen2_config(len(model["vocab"])))
    return tokenizer.get_vocab_size()


def write_yi_tokenizer(folder: Path) -> int:
    """Write tokenizer.model and tokenizer_config.json in Yi's shape. Returns the number of pieces."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES),
        model_writer=model,
        model_type="bpe",
        vocab_size=YI_PIECES,
        character_coverage=1.0,
        split_digits=True,
        byte_fallback=True,
        user_defined_symbols=list(YI_MARKERS),
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        bos_piece="<|startoftext|>",
        eos_piece="<|endoftext|>",
        num_threads=1,
        minloglevel=2,
    )
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    _write_json(folder / "tokenizer_config.json", _yi_config())
    return YI_PIECES


def _qwen2_config(first_special: int) -> dict[str, Any]:
    added = {str(first_special + rank): _added_token(token) for rank, token in enumerate(QWEN2_SPECIAL)}
    return {
        "add_prefix_space": False,
        "added_tokens_decoder": added,
        "additional_special_tokens": list(QWEN2_SPECIAL[1:]),
        "bos_token": None,
        "chat_template": CHATML,
        "clean_up_tokenization_spaces": False,
        "eos_token": QWEN2_SPECIAL[0],
        "errors": "replace",
        "model_max_length": 32768,
        "pad_token": QWEN2_SPECIAL[0],
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }


def _yi_config() -> dict[str, Any]:
    special = ("<unk>", "<|startoftext|>", "<|endoftext|>")
    return {
        "add_bos_token": False,
        "add_eos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": {str(id_): _added_token(token) for id_, token in enumerate(special)},
        "bos_token": special[1],
        "clean_up_tokenization_spaces": False,
        "eos_token": special[2],
        "legacy": True,
        "model_max_length": 4096,
        "pad_token": special[0],
        "padding_side": "right",
        "sp_model_kwargs": {},
        "spaces_between_special_tokens": False,
        "tokenizer_class": "LlamaTokenizer",
        "unk_token": special[0],
        "use_default_system_prompt": False,
    }


def _added_token(content: str) -> dict[str, Any]:
    flags = dict.fromkeys(("lstrip", "normalized", "rstrip", "single_word"), False)
    return {"content": content, **flags, "special": True}


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
