"""What `huatuo-server check` says of a checkpoint: one finding a subject, none of which reads a weight."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from huatuo_server.checkpoint import Checkpoint
from huatuo_server.engine.base import PromptImage
from huatuo_server.errors import CheckpointError
from huatuo_server.json_file import read_object
from huatuo_server.prompt import Message, prompt_length, render
from huatuo_server.tokenizer import Tokenizer
from huatuo_server.weight_headers import read_shapes, read_tower_shapes
from huatuo_vllm.computed import ConfigError
from huatuo_vllm.normalisation import CLIP_MEAN, CLIP_STD
from huatuo_vllm.tensors import account

SAMPLE = "What does the picture show? 请描述这张医学影像,并给出诊断意见。 T2 ≥ 3 mm\n"


@dataclass(frozen=True, slots=True)
class Finding:
    """One subject's result. lines: what to say, the first one beside the subject."""

    subject: str
    ok: bool
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All findings, in the order of a start."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether the checkpoint can be served."""
        return all(finding.ok for finding in self.findings)

    def lines(self) -> list[str]:
        """The report for people: `ok` or `FAIL`, the subject, what there is to say."""
        lines = []
        for finding in self.findings:
            first, *rest = finding.lines
            lines.append(f"{'ok' if finding.ok else 'FAIL':<5}{finding.subject:<11}{first}")
            lines += [f"{'':<16}{line}" for line in rest]
        return lines


def check(path: Path, *, max_model_len: int | None = None) -> CheckReport:
    """Everything that can be said of a checkpoint without loading its weights.

    path: a folder, as `checkpoint.resolve` gives it. max_model_len: tokens, None for the family's default.
    Never raises: a subject that cannot be read is a finding.
    """
    try:
        checkpoint = Checkpoint.open(path)
    except Exception as error:  # noqa: BLE001 - as in `_found`
        return CheckReport((_failure("config", error),))
    return _inspect(checkpoint, max_model_len)


def _inspect(checkpoint: Checkpoint, max_model_len: int | None) -> CheckReport:
    # Real vocabularies take seconds to load, so it is loaded once.
    tokenizer = functools.cache(lambda: Tokenizer.load(checkpoint.path))
    subjects: tuple[tuple[str, Callable[[], Finding]], ...] = (
        ("config", lambda: _config(checkpoint)),
        ("tokenizer", lambda: _tokenizer(checkpoint, tokenizer())),
        ("tensors", lambda: _tensors(checkpoint)),
        ("processor", lambda: _processor(checkpoint)),
        ("prompt", lambda: _prompt(checkpoint, tokenizer())),
        ("context", lambda: _context(checkpoint, tokenizer(), max_model_len)),
        ("dtype", lambda: _dtype(checkpoint)),
    )
    return CheckReport(tuple(_found(subject, look) for subject, look in subjects))


def _found(subject: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except Exception as error:  # noqa: BLE001 - whatever a checkpoint holds, the other subjects are still worth a look
        return _failure(subject, error)


def _failure(subject: str, error: Exception) -> Finding:
    if isinstance(error, CheckpointError):
        return Finding(subject, False, (error.message,))
    if isinstance(error, ConfigError):
        return Finding(subject, False, (f"{error}.",))
    if isinstance(error, OSError) and error.filename is not None:
        return Finding(subject, False, (f"{error.filename}: {error.strerror}.",))
    return Finding(subject, False, (f"the check of it failed: {type(error).__name__}: {' '.join(str(error).split())}",))


def _config(checkpoint: Checkpoint) -> Finding:
    architecture = ", ".join(checkpoint.config["architectures"])
    lines = [f"{checkpoint.family.name}, {checkpoint.layout} layout ({architecture})"]
    if checkpoint.demo is not None:
        lines.append(checkpoint.demo)
    return Finding("config", True, tuple(lines))


def _tokenizer(checkpoint: Checkpoint, tokenizer: Tokenizer) -> Finding:
    eos = ", ".join(map(str, checkpoint.eos_token_ids))
    lines = [f"{tokenizer.size} ids for {checkpoint.vocab_size} rows, eos {eos}"]
    complaints = []
    if tokenizer.size > checkpoint.vocab_size:
        complaints.append("it has more ids than the model has rows")
    if tokenizer.decode(tokenizer.encode(SAMPLE)) != SAMPLE:
        complaints.append("a sample text does not come back as it went in")
    else:
        lines.append("a sample text comes back as it went in")
    return Finding("tokenizer", not complaints, (*lines, *complaints))


def _tensors(checkpoint: Checkpoint) -> Finding:
    from huatuo_vllm.config import load_config

    main = read_shapes(checkpoint.path)
    vit = read_tower_shapes(checkpoint.vision_folder) if checkpoint.vision_folder else {}
    accounting = account(load_config(checkpoint.path), main, vit)
    return Finding("tensors", accounting.ok, tuple(accounting.lines()))


def _processor(checkpoint: Checkpoint) -> Finding:
    size, pad = checkpoint.image_size, checkpoint.family.picture.pad_rgb
    lines = [f"pictures padded to a square with RGB {pad}, then {size} x {size}, {checkpoint.tokens_per_image} tokens"]
    file = (checkpoint.vision_folder or checkpoint.path) / "preprocessor_config.json"
    given = read_object(file, missing_ok=True)
    complaints = [
        f"{file.name}: {key} is not CLIP's, which the model normalises with"
        for key, ours in (("image_mean", CLIP_MEAN), ("image_std", CLIP_STD))
        if given.get(key) is not None and not _is_close(given[key], ours)
    ]
    return Finding("processor", not complaints, (*lines, *complaints))


def _is_close(given: Any, ours: tuple[float, ...]) -> bool:
    numbers = isinstance(given, list) and all(isinstance(number, int | float) for number in given)
    return numbers and len(given) == len(ours) and np.allclose(given, ours, atol=1e-6)


def _prompt(checkpoint: Checkpoint, tokenizer: Tokenizer) -> Finding:
    # Brings torch, which would take seconds where there is nothing to check.
    from huatuo_server.placeholder import image_token_id

    lines = (
        checkpoint.family.prompt_format,
        f"an image is id {image_token_id(checkpoint, tokenizer)} inside the engine",
    )
    return Finding("prompt", True, lines)


def _context(checkpoint: Checkpoint, tokenizer: Tokenizer, max_model_len: int | None) -> Finding:
    most = checkpoint.max_position_embeddings
    length = max_model_len or min(checkpoint.family.default_max_model_len, most)
    if length > most:
        return Finding("context", False, (f"{length} tokens asked for, the model has positions for {most}",))
    answer = checkpoint.family.sampling.max_tokens
    images = _images_that_fit(checkpoint, tokenizer, length - answer)
    source = "asked for" if max_model_len else "by default"
    lines = (
        f"{length} tokens {source} (the model's limit is {most})",
        f"{images} images fit, with {answer} tokens to answer",
    )
    return Finding("context", True, lines)


def _images_that_fit(checkpoint: Checkpoint, tokenizer: Tokenizer, room: int) -> int:
    """How many images a first turn with an empty question may hold in `room` tokens."""
    image = PromptImage(np.zeros((1, 1, 3), np.uint8), "")
    one, two = (
        prompt_length(render([Message("user", "", (image,) * count)], tokenizer), checkpoint.tokens_per_image)
        for count in (1, 2)
    )
    return max(0, 1 + (room - one) // (two - one))


def _dtype(checkpoint: Checkpoint) -> Finding:
    config = checkpoint.config
    named = config.get("dtype") or config.get("torch_dtype") or (config.get("text_config") or {}).get("torch_dtype")
    return Finding("dtype", True, (f"{named or 'not named'} in config.json; --dtype auto takes that",))
