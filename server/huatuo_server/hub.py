"""Checkpoints from the Hugging Face hub."""

from __future__ import annotations

import errno
import glob
import re
from pathlib import Path

from huatuo_server.errors import CheckpointError
from huatuo_server.json_file import read_object
from huatuo_vllm.computed import TOWER_WEIGHTS, ConfigError, tower_folder

WANTED = ["*.json", "*.safetensors", "tokenizer.model", "merges.txt"]
"""What serving reads, but for CLIP's `.bin`, whose folder config.json names. `*` also matches a `/`."""

UNWANTED = ["*training_args.bin", "*optimizer*", "*scheduler*", "*.gguf", "*.msgpack", "*.h5"]


def download(model: str, revision: str | None = None) -> Path:
    """Bring a hub id's files into the local cache (or find them there) and return the folder.

    Raises CheckpointError with the cause in one sentence.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", model) or model.startswith("."):
        raise CheckpointError(f"{model} is neither a folder nor a hub id (owner/name).")
    folder = _snapshot(model, revision, ["config.json"])
    if not (folder / "config.json").is_file():
        raise CheckpointError(f"{model} is not a checkpoint: it has no config.json.")
    wanted = WANTED + _tower_weights(folder)
    folder = _snapshot(model, revision, wanted)
    if not any(folder.glob("*.safetensors")):
        folder = _snapshot(model, revision, [*wanted, "*.bin"])
    return folder


def _tower_weights(folder: Path) -> list[str]:
    """The patterns of CLIP's weights beside the shards; none for an -hf conversion."""
    tower = read_object(folder / "config.json").get("mm_vision_tower")
    if tower is None:
        return []
    try:
        inside = tower_folder(tower)
    except ConfigError as error:
        raise CheckpointError(f"{folder}/{error}.") from error
    return [f"{glob.escape(inside)}/{name}" for name in TOWER_WEIGHTS]


def _snapshot(model: str, revision: str | None, patterns: list[str]) -> Path:
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(model, revision=revision, allow_patterns=patterns, ignore_patterns=UNWANTED)
    except Exception as error:
        # The hub client lets its HTTP library's exceptions through, whose kinds differ between its versions.
        raise CheckpointError(f"{model} cannot be had from the hub: {_cause(error, revision)}") from error
    return Path(folder)


def _cause(error: Exception, revision: str | None) -> str:
    from huggingface_hub import errors

    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "the disk is full. HF_HOME says where the cache lies."
    if isinstance(error, errors.GatedRepoError):
        return "access to it is restricted. Ask for it on its page, then log in with `hf auth login` or set HF_TOKEN."
    if isinstance(error, errors.RepositoryNotFoundError):
        return "there is no such repository, or it is private. Check the name, or set HF_TOKEN."
    if isinstance(error, errors.RevisionNotFoundError):
        return f"it has no revision {revision}."
    if isinstance(error, (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled)):
        return "the hub is out of reach (or HF_HUB_OFFLINE is set), and the cache does not hold it. Pass a folder."
    if isinstance(error, errors.HfHubHTTPError) and error.response is not None:
        return f"the hub answered with status {error.response.status_code}. Try again later."
    return f"the download failed ({type(error).__name__}). Try again, or pass a folder."
