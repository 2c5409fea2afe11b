"""The planted bugs of the server's own process, each by itself."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from benchmarks.accuracy.smoke import server_bugs
from benchmarks.accuracy.smoke.bug import BUGS, Bug, Switch, plant
from huatuo_server.engine.base import IMAGE_SENTINEL, PromptImage, Sampling
from huatuo_server.engine.vllm_engine import VllmEngine
from huatuo_server.images import worker
from huatuo_server.images.identity import identity
from huatuo_server.prompt import Message, render
from huatuo_server.tokenizer import Tokenizer
from tests import golden

TOKENIZER = Tokenizer.load(golden.CHECKPOINT)
FIRST, SECOND = (PromptImage(np.zeros((1, 1, 3), np.uint8), name) for name in ("first", "second"))
ASKED = [Message("user", "What is this?", (FIRST, SECOND))]
KEYS = ("5" * 64, "whole", "family", b"secret", "tenant")
ENGINE = cast(VllmEngine, None)


@pytest.fixture
def switch(tmp_path: Path) -> Switch:
    """No bug is on."""
    switch = Switch(tmp_path / "bug")
    switch.turn_to(None)
    return switch


def sampling_params(_engine: VllmEngine, sampling: Sampling) -> Any:
    """In the place of the engine's: its own penalty in `ours`, and none for vLLM."""
    return SimpleNamespace(ours=sampling.repetition_penalty, repetition_penalty=1.0)


def test_without_a_bug_nothing_changes(switch: Switch) -> None:
    """The wrapped functions are themselves."""
    sampling = Sampling(max_tokens=5, repetition_penalty=1.2)

    assert server_bugs.rendering(render, switch)(ASKED, TOKENIZER) == render(ASKED, TOKENIZER)
    params = server_bugs.penalising(sampling_params, switch)(ENGINE, sampling)
    assert params == sampling_params(ENGINE, sampling)


def test_the_wrong_template_is_chatml(switch: Switch) -> None:
    """The question and the pictures are in it as ever."""
    switch.turn_to("wrong template")

    prompt = server_bugs.rendering(render, switch)(ASKED, TOKENIZER)

    head, tail = "<|im_start|>user\n", "\nWhat is this?<|im_end|>\n<|im_start|>assistant\n"
    assert prompt.images == (FIRST, SECOND)
    assert prompt.token_ids == (
        *TOKENIZER.encode(head),
        *(IMAGE_SENTINEL, *TOKENIZER.encode("\n"), IMAGE_SENTINEL),
        *TOKENIZER.encode(tail),
    )


def test_swapped_pictures_stand_under_the_same_prompt(switch: Switch) -> None:
    """Only their order is another."""
    switch.turn_to("pictures swapped")

    prompt = server_bugs.rendering(render, switch)(ASKED, TOKENIZER)

    assert prompt.images == (SECOND, FIRST)
    assert prompt.token_ids == render(ASKED, TOKENIZER).token_ids


def test_the_penalty_becomes_vllms_own(switch: Switch) -> None:
    """Which counts the prompt; ours is off then, so that nothing is penalised twice."""
    switch.turn_to("penalty on the prompt")

    params = server_bugs.penalising(sampling_params, switch)(ENGINE, Sampling(max_tokens=5, repetition_penalty=1.2))

    assert (params.ours, params.repetition_penalty) == (1.0, 1.2)


def test_no_bug_shares_a_cached_picture_with_another(switch: Switch) -> None:
    """What was made without it would hide it, in our cache and in the engine's."""
    planted, found = server_bugs.telling_bugs_apart(identity, switch), []
    for bug in (None, *BUGS):
        switch.turn_to(bug)
        found.append(planted(*KEYS))

    assert len(set(found)) == len(found)


def test_image_workers_are_started_with_the_bugs_in_them(switch: Switch) -> None:
    """With the same arguments and options as the server's own."""
    started = server_bugs.starting(lambda command, **options: (command, options), switch)

    command, options = started([sys.executable, "-I", "-m", worker.__name__, "7", "1000", "2.0"], pass_fds=[7])

    assert command == [sys.executable, "-m", server_bugs.PLANTED_WORKER, str(switch.file), "7", "1000", "2.0"]
    assert options == {"pass_fds": [7]}


def test_a_worker_of_another_name_is_noticed(switch: Switch) -> None:
    """Else its bugs would be nowhere, and the gate would say that nothing told them."""
    with pytest.raises(ValueError, match="is not in list"):
        server_bugs.starting(dict, switch)([sys.executable, "-m", "another.worker"])


def test_what_is_not_there_cannot_be_replaced() -> None:
    """A function that was renamed would leave the server without its bug."""
    with pytest.raises(AttributeError):
        plant(SimpleNamespace(), "renamed", None)


@pytest.mark.parametrize("bug", BUGS)
def test_a_switch_is_seen_by_whoever_looks_at_its_file(switch: Switch, bug: Bug) -> None:
    """The image workers are processes of their own."""
    switch.turn_to(bug)

    assert Switch(switch.file).bug == bug
