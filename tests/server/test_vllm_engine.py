"""The engine's dealings with vLLM that need no running vLLM: arguments, environment, endings, errors."""

from __future__ import annotations

import asyncio
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from huatuo_server.checkpoint import Checkpoint
from huatuo_server.child_processes import Process
from huatuo_server.engine import engine_args, vllm_engine
from huatuo_server.engine.base import Sampling, StructuredOutput
from huatuo_server.engine.engine_args import check_engine_args
from huatuo_server.engine.vllm_engine import VllmEngine
from huatuo_server.errors import EngineDeadError, EngineRequestError, SettingsError
from huatuo_vllm import report
from tests import golden

pytest.importorskip("vllm", reason="vLLM is not installed")

SAMPLED = Sampling(max_tokens=9, temperature=0.2, top_k=50, repetition_penalty=1.2, min_tokens=20, seed=3)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> VllmEngine:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    checkpoint = Checkpoint.open(golden.CHECKPOINT)
    engine_args = {"max_num_seqs": 7, "hf_overrides": {"rope_theta": 2.0}}
    return VllmEngine(checkpoint, image_token_id=1, max_model_len=2048, engine_args=engine_args)


def output(finish_reason: str | None, **more: Any) -> Any:
    completion = SimpleNamespace(token_ids=[5], finish_reason=finish_reason, logprobs=None)
    return SimpleNamespace(outputs=[completion], num_cached_tokens=None, **more)


def test_an_unknown_engine_argument_is_refused_with_the_nearest_names() -> None:
    """A typo does not become a default in silence."""
    with pytest.raises(SettingsError, match="max_num_seqs"):
        check_engine_args({"max_num_seq": 4})


def test_what_the_operator_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our defaults fill the environment's gaps and change nothing in it."""
    monkeypatch.setattr(os, "environ", {"VLLM_CPU_KVCACHE_SPACE": "9"})

    vllm_engine._set_environment(num_workers=2)

    assert os.environ["VLLM_CPU_KVCACHE_SPACE"] == "9"
    assert os.environ["VLLM_NO_USAGE_STATS"] == "1"
    assert os.environ["VLLM_CPU_OMP_THREADS_BIND"].count("|") == 1
    assert "VLLM_ALLOW_LONG_MAX_MODEL_LEN" not in os.environ


@pytest.mark.parametrize("reason", ["abort", "error", "something new"])
def test_an_abort_never_looks_like_an_answer(reason: str) -> None:
    """vLLM hands these out as finish reasons; a client must get an error."""
    with pytest.raises(EngineRequestError):
        vllm_engine._delta(output(reason))


@pytest.mark.parametrize("reason", ["stop", "length", None])
def test_a_finished_answer_keeps_its_reason(reason: str | None) -> None:
    """The only two endings there are, and none while tokens still come."""
    delta = vllm_engine._delta(output(reason))

    assert delta.finish_reason == reason
    assert delta.token_ids == (5,)
    assert delta.num_cached_tokens == 0


def test_vllm_s_errors_are_known_by_their_class_names() -> None:
    """The classes themselves moved between versions; a subclass counts as its parent, and no text is passed on."""

    class EngineDeadErrorOfVllm(type("EngineDeadError", (Exception,), {})):  # type: ignore[misc]
        pass

    dead = vllm_engine._translated(EngineDeadErrorOfVllm("a secret"))
    failed = vllm_engine._translated(ValueError("a secret"))

    assert isinstance(dead, EngineDeadError)
    assert isinstance(failed, EngineRequestError)
    assert "secret" not in dead.message + failed.message


def test_a_validation_error_gives_its_reason_and_not_its_wrapping() -> None:
    """pydantic's first line says "1 validation error for ModelConfig", which helps nobody."""
    error: Any = ValueError("1 validation error for ModelConfig\n  Value error, no such dtype [type=...]")
    error.errors = lambda: [{"msg": "Value error, no such dtype"}]

    assert vllm_engine._cause(error) == "no such dtype"
    assert vllm_engine._cause(RuntimeError("first\nsecond")) == "first"
    assert vllm_engine._cause(RuntimeError()) == "RuntimeError"


def test_the_phase_is_what_the_model_reports_from_its_process(
    engine: VllmEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Readable at any time, before the start too."""
    assert str(engine.phase) == "starting"
    engine._folder = tmp_path
    monkeypatch.setenv(report.VARIABLE, str(tmp_path / vllm_engine.REPORT))

    report.say(phase="compiling")

    assert str(engine.phase) == "compiling"


def test_operators_engine_arguments_win(engine: VllmEngine) -> None:
    """`--engine` is the last word; what it leaves open is ours, in `hf_overrides` too."""
    assert engine._args["max_num_seqs"] == 7
    assert engine._args["hf_overrides"] == {
        "image_token_index": 1,
        "huatuo_text_placeholder": False,
        "rope_theta": 2.0,
    }
    assert engine._args["max_model_len"] == 2048
    assert engine._args["generation_config"] == "vllm"


def test_the_default_context_is_the_family_s_and_never_more_than_the_positions(engine: VllmEngine) -> None:
    """Positions past `max_position_embeddings` kill vLLM or poison other requests."""
    checkpoint = Checkpoint.open(golden.CHECKPOINT)
    short = replace(checkpoint, max_position_embeddings=1000)

    assert VllmEngine(checkpoint, image_token_id=1)._args["max_model_len"] == 4096
    assert VllmEngine(short, image_token_id=1)._args["max_model_len"] == 1000


def test_an_engine_argument_with_a_flag_of_its_own_is_refused_by_that_flag_s_name() -> None:
    """`--engine max_model_len=...` would go past what checks and reports the context."""
    with pytest.raises(SettingsError, match="--max-model-len"):
        check_engine_args({"max_model_len": 8192})


def test_a_worker_that_has_ended_is_a_dead_engine(engine: VllmEngine) -> None:
    """vLLM itself tells only when it has waited for the other workers, for seconds."""

    async def well() -> None:
        pass

    mine = Process.of(os.getpid())
    assert mine is not None
    engine._engine = SimpleNamespace(check_health=well)
    engine._vital = [mine]
    asyncio.run(engine.check())

    engine._vital = [mine, Process(mine.pid, mine.started - 1)]

    with pytest.raises(EngineDeadError):
        asyncio.run(engine.check())


@pytest.mark.parametrize(
    "key",
    [
        "enable_log_requests",
        "scheduling_policy",
        "shutdown_timeout",
        "otlp_traces_endpoint",
        "kv_events_config",
        "logprobs_mode",
        "structured_outputs_config",
        "skip_tokenizer_init",
    ],
)
def test_an_engine_argument_that_would_break_a_promise_is_refused_with_the_promise(key: str) -> None:
    """Prompts would be logged or sent away, or the classes of keys would mean nothing."""
    with pytest.raises(SettingsError, match=f"--engine {key} is not for changing: "):
        check_engine_args({key: 1})


@pytest.mark.parametrize("most", [20, 200, -1])
def test_more_log_probabilities_may_be_had(most: int) -> None:
    """-1 is vLLM's word for any number."""
    check_engine_args({"max_logprobs": most})


@pytest.mark.parametrize("most", [0, 5, 19])
def test_fewer_log_probabilities_than_clients_may_ask_for_are_refused(most: int) -> None:
    """vLLM would fail their requests."""
    with pytest.raises(SettingsError, match="--engine max_logprobs: clients may ask for 20"):
        check_engine_args({"max_logprobs": most})


def test_every_refused_engine_argument_is_one_of_vllm_s() -> None:
    """A name that vLLM has dropped would be dead here; the oldest version lacks none of them."""
    import dataclasses

    from vllm import AsyncEngineArgs

    known = {field.name for field in dataclasses.fields(AsyncEngineArgs)}

    assert set(engine_args.REFUSED) <= known


def test_priorities_count_and_a_signal_for_all_does_not_cut_answers(engine: VllmEngine) -> None:
    """vLLM's own handler of SIGTERM would abort everything at once."""
    slow = VllmEngine(Checkpoint.open(golden.CHECKPOINT), image_token_id=1, drain_s=12.5)

    assert engine._args["scheduling_policy"] == "priority"
    assert engine._args["shutdown_timeout"] == 30
    assert slow._args["shutdown_timeout"] == 13


def test_vllm_s_temporary_files_lie_in_a_folder_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever kills its processes, the folder goes, and the environment is as it was."""
    monkeypatch.setattr(os, "environ", {"TMPDIR": "/before"})

    with vllm_engine._temporary_files_in(tmp_path):
        inside = dict(os.environ)

    assert inside == {"TMPDIR": str(tmp_path), "VLLM_RPC_BASE_PATH": str(tmp_path)}
    assert os.environ["TMPDIR"] == "/before"


def test_the_folder_s_path_leaves_room_for_a_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A Unix socket's path has at most 107 bytes; a long $TMPDIR would fail the start."""
    long = tmp_path / ("long" * 20)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))

    folder = vllm_engine._folder()

    folder.rmdir()
    assert len(f"{folder}/00000000-0000-0000-0000-000000000000") <= 107
    assert list(long.iterdir()) == []


def test_sampling_reaches_vllm_with_our_penalty_and_our_eos(engine: VllmEngine) -> None:
    """vLLM's own penalty counts the prompt and its own eos may be the tokenizer's, so both are left off."""
    params = engine._sampling_params(SAMPLED)

    assert params.repetition_penalty == 1.0
    assert params.extra_args == {"huatuo_output_repetition_penalty": 1.2}
    assert params.ignore_eos
    assert params.stop_token_ids == [2]
    assert (params.top_k, params.seed, params.max_tokens, params.min_tokens) == (50, 3, 9, 9)
    assert not params.detokenize
    assert engine._sampling_params(Sampling(max_tokens=9, ignore_eos=True)).stop_token_ids == []
    assert engine._sampling_params(replace(SAMPLED, seed=-1)).seed is not None


def test_every_way_of_choosing_reaches_vllm(engine: VllmEngine) -> None:
    """By vLLM's own names; what is not asked for is left at what changes nothing."""
    sampling = replace(
        SAMPLED, min_p=0.1, frequency_penalty=0.5, presence_penalty=-0.5, logit_bias=((7, -100.0), (8, 1.5)), logprobs=3
    )

    params, plain = engine._sampling_params(sampling), engine._sampling_params(Sampling(max_tokens=1))

    assert (params.min_p, params.frequency_penalty, params.presence_penalty) == (0.1, 0.5, -0.5)
    assert params.logit_bias == {7: -100.0, 8: 1.5}
    assert (params.logprobs, params.logprob_token_ids) == (3, None)
    assert engine._sampling_params(Sampling(max_tokens=1, logprob_token_ids=(4, 5))).logprob_token_ids == [4, 5]
    assert (plain.logit_bias, plain.logprobs, plain.logprob_token_ids, plain.structured_outputs) == (None,) * 4


def test_a_grammar_ends_at_the_tokenizer_s_eos_too(engine: VllmEngine) -> None:
    """The guidance backend allows that one alone, and the checkpoint's config.json may name another."""
    engine._engine = SimpleNamespace(get_tokenizer=lambda: SimpleNamespace(eos_token_id=77))

    by_schema = engine._sampling_params(replace(SAMPLED, structured_output=StructuredOutput('{"type": "object"}')))
    by_list = engine._sampling_params(replace(SAMPLED, structured_output=StructuredOutput(choices=("Yes", "No"))))

    assert by_schema.stop_token_ids == [2, 77]
    assert by_schema.structured_outputs.json == '{"type": "object"}'
    assert by_list.structured_outputs.choice == ["Yes", "No"]
    assert engine._sampling_params(SAMPLED).stop_token_ids == [2]


def test_log_probabilities_are_numbers_that_json_can_write() -> None:
    """What a grammar forbids has the probability 0, and its logarithm is OpenAI's least."""
    step = {5: SimpleNamespace(logprob=-0.5), 6: SimpleNamespace(logprob=float("-inf"))}
    finished = output("stop")
    finished.outputs[0].logprobs = [step]

    assert vllm_engine._delta(finished).logprobs == ({5: -0.5, 6: -9999.0},)
