"""A hub id becomes a folder with what serving needs, or one sentence that says why not."""

from __future__ import annotations

import errno
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import httpx
import huggingface_hub
import pytest
from huggingface_hub import errors

from huatuo_server.checkpoint import resolve
from huatuo_server.errors import CheckpointError

MODEL = "FreedomIntelligence/HuatuoGPT-Vision-7B"


def answer_with(monkeypatch: pytest.MonkeyPatch, snapshot: Callable[..., str]) -> None:
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)


def error_of(monkeypatch: pytest.MonkeyPatch, error: Exception) -> str:
    def snapshot(*_: Any, **__: Any) -> str:
        raise error

    answer_with(monkeypatch, snapshot)
    with pytest.raises(CheckpointError) as caught:
        resolve(MODEL, "v9")
    assert MODEL in caught.value.message
    return caught.value.message


def test_the_revision_is_pinned_and_the_files_are_limited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Weights in two formats are not fetched twice, and nothing that training left behind is."""
    asked: list[dict[str, Any]] = []

    def snapshot(model: str, **options: Any) -> str:
        asked.append({"model": model, **options})
        (tmp_path / "model.safetensors").touch()
        return str(tmp_path)

    answer_with(monkeypatch, snapshot)
    assert resolve(MODEL, "v1") == tmp_path
    (call,) = asked
    assert (call["model"], call["revision"]) == (MODEL, "v1")

    def wanted(file: str) -> bool:
        kept = any(fnmatch(file, pattern) for pattern in call["allow_patterns"])
        return kept and not any(fnmatch(file, pattern) for pattern in call["ignore_patterns"])

    for file in ("config.json", "model-00001-of-00004.safetensors", "tokenizer.model", "merges.txt", "vocab.json"):
        assert wanted(file)
    assert wanted("vit/clip_vit_large_patch14_336/pytorch_model.bin")
    for file in ("pytorch_model-00001-of-00004.bin", "training_args.bin", "optimizer.pt", "README.md"):
        assert not wanted(file)


def test_bin_weights_are_fetched_where_there_are_no_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A repository without safetensors is asked for once more."""
    asked: list[list[str]] = []

    def snapshot(_: str, **options: Any) -> str:
        asked.append(options["allow_patterns"])
        return str(tmp_path)

    answer_with(monkeypatch, snapshot)
    resolve(MODEL)
    assert ["*.bin" in patterns for patterns in asked] == [False, True]


def response(status: int) -> Any:
    # The hub client's own HTTP library differs between its versions; any response with a status will do.
    return httpx.Response(status, request=httpx.Request("GET", "https://hub.invalid/x"))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (errors.RepositoryNotFoundError("x", response=response(404)), "no such repository"),
        (errors.GatedRepoError("x", response=response(403)), "access to it is restricted"),
        (errors.RevisionNotFoundError("x", response=response(404)), "no revision v9"),
        (errors.LocalEntryNotFoundError("x"), "out of reach"),
        (errors.OfflineModeIsEnabled("x"), "out of reach"),
        (errors.HfHubHTTPError("x", response=response(503)), "status 503"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
        (ConnectionError("secret address"), r"download failed \(ConnectionError\)"),
    ],
)
def test_every_failure_is_one_sentence(error: Exception, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cause is named, the library's own words are not repeated."""
    found = error_of(monkeypatch, error)
    assert message.replace("\\", "") in found
    assert "secret" not in found
