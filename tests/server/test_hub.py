"""A hub id becomes a folder with what serving needs, or one sentence that says why not."""

from __future__ import annotations

import errno
import json
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


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    """A hub whose snapshot is `tmp_path`; what it was asked for."""
    calls: list[dict[str, Any]] = []

    def snapshot(model: str, **options: Any) -> str:
        calls.append({"model": model, **options})
        return str(tmp_path)

    answer_with(monkeypatch, snapshot)
    (tmp_path / "config.json").write_text(json.dumps({"mm_vision_tower": "./vit/clip_vit_large_patch14_336"}))
    return calls


def wanted(file: str, call: dict[str, Any]) -> bool:
    kept = any(fnmatch(file, pattern) for pattern in call["allow_patterns"])
    return kept and not any(fnmatch(file, pattern) for pattern in call["ignore_patterns"])


def test_the_revision_is_pinned_and_the_files_are_limited(asked: list[dict[str, Any]], tmp_path: Path) -> None:
    """Weights in two formats are not fetched twice, and nothing that training left behind is."""
    (tmp_path / "model.safetensors").touch()
    assert resolve(MODEL, "v1") == tmp_path
    first, call = asked
    assert first["allow_patterns"] == ["config.json"]
    assert {(each["model"], each["revision"]) for each in asked} == {(MODEL, "v1")}
    for file in ("config.json", "model-00001-of-00004.safetensors", "tokenizer.model", "merges.txt", "vocab.json"):
        assert wanted(file, call)
    assert wanted("vit/clip_vit_large_patch14_336/pytorch_model.bin", call)
    for file in ("pytorch_model-00001-of-00004.bin", "training_args.bin", "optimizer.pt", "README.md"):
        assert not wanted(file, call)


def test_clip_is_fetched_from_the_folder_that_the_config_names(asked: list[dict[str, Any]], tmp_path: Path) -> None:
    """Wherever that is, also where its name holds what a pattern would mean something by."""
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "config.json").write_text(json.dumps({"mm_vision_tower": "towers/clip[1]"}))
    resolve(MODEL)
    for file in ("config.json", "model.safetensors", "pytorch_model.bin"):
        assert wanted(f"towers/clip[1]/{file}", asked[-1])
    assert not wanted("towers/other/pytorch_model.bin", asked[-1])


@pytest.mark.parametrize("tower", ["../../etc", "/etc", 5])
def test_a_tower_outside_the_checkpoint_is_refused(tower: object, asked: list[dict[str, Any]], tmp_path: Path) -> None:
    """Before the weights are fetched."""
    (tmp_path / "config.json").write_text(json.dumps({"mm_vision_tower": tower}))
    with pytest.raises(CheckpointError, match="mm_vision_tower is"):
        resolve(MODEL)
    assert len(asked) == 1


def test_a_repository_without_a_config_is_no_checkpoint(asked: list[dict[str, Any]], tmp_path: Path) -> None:
    """Nothing else of it is fetched."""
    (tmp_path / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        resolve(MODEL)
    assert len(asked) == 1


def test_bin_weights_are_fetched_where_there_are_no_others(asked: list[dict[str, Any]]) -> None:
    """A repository without safetensors is asked for once more."""
    resolve(MODEL)
    assert ["*.bin" in call["allow_patterns"] for call in asked] == [False, False, True]


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
