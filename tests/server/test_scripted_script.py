"""The scripted engine's script file: what it may say, and how its faults are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from huatuo_server.engine.scripted import Completion, Script, ScriptedEngine
from huatuo_server.errors import SettingsError


def test_a_script_is_read_as_written(tmp_path: Path) -> None:
    """Every field has its place in the file."""
    file = tmp_path / "script.json"
    file.write_text(
        '{"start_delay_s": 0.5, "start_failure": "no", "warm_up": {"text": "w"},'
        ' "max_num_seqs": 2, "kv_tokens": 64, "kv_block_tokens": 8,'
        ' "completions": [{"token_ids": [3, 4], "delay_s": 0.1, "fail_after": 1, "failure": "engine"},'
        ' {"text": "a", "hang_after": 0, "hang": "engine"}]}'
    )

    assert Script.read(file) == Script(
        completions=(
            Completion(token_ids=(3, 4), delay_s=0.1, fail_after=1, failure="engine"),
            Completion(text="a", hang_after=0, hang="engine"),
        ),
        warm_up=Completion(text="w"),
        start_delay_s=0.5,
        start_failure="no",
        max_num_seqs=2,
        kv_tokens=64,
        kv_block_tokens=8,
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "line 1"),
        ("[]", "a JSON object"),
        ('{"completion": []}', "unknown field 'completion'"),
        ('{"completions": [{"txt": "a"}]}', "unknown field 'txt'"),
        ('{"completions": []}', "at least one completion"),
        ('{"completions": ["a"]}', "a JSON object"),
    ],
)
def test_a_faulty_script_stops_the_start_with_the_reason(tmp_path: Path, text: str, said: str) -> None:
    """A typing error in a script is not a mysterious test failure later."""
    file = tmp_path / "script.json"
    file.write_text(text)

    with pytest.raises(SettingsError, match=said):
        Script.read(file)


def test_a_script_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    """The file is named."""
    with pytest.raises(SettingsError, match=r"missing\.json"):
        Script.read(tmp_path / "missing.json")


def test_ids_outside_the_vocabulary_are_refused() -> None:
    """The twin keeps the promise that every id lies below vocab_size."""
    with pytest.raises(ValueError, match=r"\[0, 10\)"):
        ScriptedEngine(
            Script((Completion(token_ids=(10,)),)),
            max_model_len=100,
            vocab_size=10,
            tokens_per_image=4,
            eos_token_ids=(2,),
            encode=lambda _: [1],
        )
