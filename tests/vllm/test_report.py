"""What the model says of its start reaches whoever asked for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from huatuo_vllm import report


def test_the_latest_word_on_each_matter_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several processes append; a reader sees every field's last value."""
    path = tmp_path / "report.jsonl"
    monkeypatch.setenv(report.VARIABLE, str(path))

    report.say(phase="loading weights", weights={"loaded": 1})
    report.say(phase="compiling")

    assert report.read(path) == {"phase": "compiling", "weights": {"loaded": 1}}


def test_without_the_variable_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stock vLLM with our plugin writes no files of ours."""
    monkeypatch.delenv(report.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)

    report.say(phase="loading weights")

    assert list(tmp_path.iterdir()) == []
    assert report.read(tmp_path / "absent") == {}
