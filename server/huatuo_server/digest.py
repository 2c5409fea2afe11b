"""What identifies a checkpoint: SHA-256 over the files that serving reads, names and contents."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from huatuo_server.checkpoint import Checkpoint
from huatuo_server.errors import CheckpointError
from huatuo_vllm.computed import TOWER_WEIGHTS

READ = ("*.json", "tokenizer.model", "merges.txt")
TOKENIZER = (
    "added_tokens.json",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
)
WEIGHTS = ("*.safetensors", "*.bin")
"""The first kind of which there is a file, as vLLM chooses."""

MAX_THREADS = 8
"""At a time, a file each; a disk is no faster with more."""


def digest(checkpoint: Checkpoint, report: Callable[[str], None]) -> str:
    """`sha256:` and 64 hexadecimal digits; takes as long as reading all of the weights once, which the load then finds
    in memory. report: told what the start waits for.

    It is what `sha256sum FILES | sha256sum` prints in the checkpoint's folder, FILES being those of `files`.
    Raises CheckpointError for a file that cannot be read.
    """
    names = files(checkpoint)
    try:
        size_gb = sum((checkpoint.path / name).stat().st_size for name in names) / 1e9
        report(f"reading the checkpoint's {len(names)} files, {size_gb:.1f} GB, for its digest")
        with ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1), "digest") as pool:
            found = list(pool.map(lambda name: _sha256(checkpoint.path / name), names))
    except OSError as error:
        raise CheckpointError(f"{error.filename} cannot be read: {error.strerror}.") from error
    return _together(found, names)


def tokenizer_digest(checkpoint: Checkpoint) -> str:
    """The same over those of `files` that make text into tokens, which are read in no time.

    Raises CheckpointError for a file that cannot be read.
    """
    names = [name for name in TOKENIZER if (checkpoint.path / name).is_file()]
    try:
        return _together([_sha256(checkpoint.path / name) for name in names], names)
    except OSError as error:
        raise CheckpointError(f"{error.filename} cannot be read: {error.strerror}.") from error


def _together(found: Sequence[str], names: Sequence[str]) -> str:
    lines = "".join(f"{sha256}  {name}\n" for sha256, name in zip(found, names, strict=True))
    return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"


def files(checkpoint: Checkpoint) -> list[str]:
    """The names of the files that serving reads, relative to the checkpoint's folder, sorted: its own and CLIP's."""
    folder, tower = checkpoint.path, checkpoint.vision_folder
    weights = next(filter(None, (list(folder.glob(pattern)) for pattern in WEIGHTS)), [])
    chosen = [*(file for pattern in READ for file in folder.glob(pattern)), *weights]
    if tower is not None:
        held = [tower / name for name in TOWER_WEIGHTS if (tower / name).is_file()]
        chosen += [*tower.glob("*.json"), *held[:1]]
    return sorted({file.relative_to(folder).as_posix() for file in chosen if not file.is_dir()})


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
