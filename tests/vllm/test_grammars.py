"""A grammar that fails: an error for its request and silence about the rest, where vLLM ends the answer and talks."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("vllm", reason="vLLM is not installed")

import torch
from llguidance import LLTokenizer
from vllm import SamplingParams
from vllm.config import StructuredOutputsConfig
from vllm.sampling_params import StructuredOutputsParams
from vllm.tokenizers import get_tokenizer
from vllm.v1.structured_output import backend_guidance
from vllm.v1.structured_output.backend_guidance import GuidanceBackend, GuidanceGrammar
from vllm.v1.structured_output.backend_types import StructuredOutputOptions

import huatuo_vllm
from huatuo_vllm import embedded, grammars
from tests import golden

BYTES = LLTokenizer("byte")
SECRET = "Wilhelmine"

FAILS_LATER = {"type": "string", "pattern": f"^{SECRET}(.{{0,1000}}){{0,1000}}$"}
NEVER_BEGINS = {"anyOf": [{"$ref": "#"}, {"$ref": "#"}], "title": SECRET}
NOT_A_SCHEMA = {"type": SECRET}


@pytest.fixture
def mended(monkeypatch: pytest.MonkeyPatch) -> None:
    """vLLM's classes as in a server's processes, and afterwards as before."""
    for kind, name in (
        (GuidanceGrammar, "check_error"),
        (GuidanceGrammar, "accept_tokens"),
        (GuidanceBackend, "compile_grammar"),
        (GuidanceBackend, "__post_init__"),
        (backend_guidance, "validate_guidance_grammar"),
    ):
        monkeypatch.setattr(kind, name, getattr(kind, name))
    log = logging.getLogger(grammars.SCHEDULER_LOGGER)
    monkeypatch.setattr(log, "filters", list(log.filters))
    monkeypatch.setenv("LLGUIDANCE_LOG_LEVEL", "0")
    grammars.mend()


def backend() -> GuidanceBackend:
    """One over single bytes, without vLLM's configuration."""
    made = object.__new__(GuidanceBackend)
    made.ll_tokenizer, made.vocab_size = BYTES, BYTES.vocab_size
    made.disable_any_whitespace, made.disable_additional_properties = True, False
    return made


def compiled(schema: dict[str, Any]) -> Any:
    return backend().compile_grammar(StructuredOutputOptions.JSON, json.dumps(schema))


def step(grammar: Any, token_id: int) -> bool:
    """As the engine's: the mask, and then the token that was chosen by it."""
    mask = torch.full((1, (BYTES.vocab_size + 31) // 32), -1, dtype=torch.int32)
    grammar.fill_bitmask(mask, 0)
    accepted: bool = grammar.accept_tokens("request", [token_id])
    return accepted


@pytest.mark.usefixtures("mended")
def test_a_grammar_that_works_is_left_alone() -> None:
    """Each byte is taken, and the end after the last."""
    grammar = compiled({"enum": ["ja"]})

    assert all(step(grammar, byte) for byte in b'"ja"')
    assert step(grammar, BYTES.eos_token)
    assert grammar.is_terminated()


@pytest.mark.usefixtures("mended")
def test_a_token_that_the_grammar_forbids_is_refused() -> None:
    """As by vLLM itself."""
    assert not step(compiled({"enum": ["ja"]}), ord("x"))


@pytest.mark.usefixtures("mended")
def test_a_grammar_that_fails_in_mid_answer_refuses_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """The mask then allows the end alone; taken, it would make a part of a document a finished answer."""
    grammar = compiled(FAILS_LATER)
    answer = iter(f'"{SECRET} {"a b c d " * 2000}'.encode())

    taken = [step(grammar, next(answer)) for _ in range(len(SECRET) + 2)]
    while not grammar.ll_matcher.is_error():
        step(grammar, next(answer))

    assert all(taken)
    assert not step(grammar, BYTES.eos_token)
    assert SECRET not in caplog.text


@pytest.mark.usefixtures("mended")
@pytest.mark.parametrize("schema", [NEVER_BEGINS, NOT_A_SCHEMA], ids=["allows nothing", "not a schema"])
def test_a_grammar_that_cannot_begin_is_an_error_without_its_text(
    schema: dict[str, Any], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """At the latest when its first token is refused."""

    def first_step() -> None:
        if not step(compiled(schema), BYTES.eos_token):
            raise ValueError("refused")

    with pytest.raises(ValueError, match=r"^(the grammar cannot be compiled|refused)$"):
        first_step()

    assert SECRET not in caplog.text + "".join(capfd.readouterr())


class Panic(BaseException):
    """As a Rust extension's, which is no Exception."""


@pytest.mark.parametrize("error", [Panic(SECRET), ValueError(SECRET)], ids=["panic", "error"])
def test_what_llguidance_raises_is_its_requests_error_without_its_text(error: BaseException) -> None:
    """vLLM logs it, and ends the engine by what is no Exception."""

    def failing(_backend: Any) -> None:
        raise error

    with pytest.raises(ValueError, match=f"^{grammars.FAILED}$") as raised:
        grammars._whole(failing)(None)

    assert raised.value.__suppress_context__


@pytest.mark.usefixtures("mended")
def test_no_grammar_is_tried_on_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """vLLM's look at a request leaves the server's own trial of its schema the only one."""
    monkeypatch.setattr(backend_guidance, "serialize_guidance_grammar", lambda *_: pytest.fail("was tried"))
    wanted = SamplingParams(structured_outputs=StructuredOutputsParams(json='{"type":"object"}'))
    config = StructuredOutputsConfig(backend="guidance")

    wanted._validate_structured_outputs(
        SimpleNamespace(is_diffusion=False), config, get_tokenizer(str(golden.CHECKPOINT))
    )

    assert wanted.structured_outputs is not None
    assert wanted.structured_outputs._backend == "guidance"


@pytest.mark.usefixtures("mended")
def test_the_scheduler_names_no_tokens(caplog: pytest.LogCaptureFixture) -> None:
    """They are the patient's answer; everything else it says stays."""
    log = logging.getLogger(grammars.SCHEDULER_LOGGER)
    log.propagate, kept = True, log.propagate
    caplog.set_level(logging.INFO, logger=grammars.SCHEDULER_LOGGER)
    with caplog.at_level(logging.INFO):
        log.addHandler(caplog.handler)
        log.error("Unexpected: grammar rejected tokens %s for request %s. Terminating request.", [4018], "a")
        log.error("something else")
        log.removeHandler(caplog.handler)
    log.propagate = kept

    assert "something else" in caplog.text
    assert "4018" not in caplog.text


@pytest.mark.usefixtures("mended")
def test_twice_is_once() -> None:
    """vLLM calls a plugin as often as it likes."""
    before = GuidanceGrammar.accept_tokens

    grammars.mend()

    assert GuidanceGrammar.accept_tokens is before


def test_plain_vllm_keeps_its_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a server's own vLLM is mended."""
    monkeypatch.delenv(embedded.VARIABLE, raising=False)
    monkeypatch.setattr(grammars, "mend", lambda: pytest.fail("was mended"))

    huatuo_vllm.register()
