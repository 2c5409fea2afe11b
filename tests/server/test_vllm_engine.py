"""The engine's dealings with vLLM that need no running vLLM: arguments, environment, endings, errors."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from huatuo_server.checkpoint import Checkpoint
from huatuo_server.child_processes import Process
from huatuo_server.engine import engine_args, vllm_engine
from huatuo_server.engine.base import Prompt, Sampling, StructuredOutput, TokenDelta
from huatuo_server.engine.continuations import Continuations
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
    engine = VllmEngine(checkpoint, image_token_id=1, max_model_len=2048, engine_args=engine_args)
    engine._continuations = Continuations(SimpleNamespace(process_outputs=None, request_states={}), lambda: None)
    return engine


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
        "stream_interval",
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


# ---------------------------------------------------------------- a generation, with vLLM's own collector


class AsyncLLM:
    """As much of vLLM's as a generation needs. early, then: what it says of a generation before `add_request` returns,
    and after that. aborted: ids.
    """

    def __init__(self, *then: Any, early: Sequence[Any] = ()) -> None:
        self.renderer = self
        self.failure: Exception | None = None
        self.aborted: list[str] = []
        self._early, self._then = early, then
        self._collector: Any = None

    async def render_cmpl_async(self, prompts: list[Any]) -> list[Any]:
        return prompts

    async def add_request(self, request_id: str, prompt: Any, params: Any, *, priority: int = 0) -> Any:
        from vllm.v1.engine.output_processor import RequestOutputCollector

        if self.failure is not None:
            raise self.failure
        self._collector = RequestOutputCollector(params.output_kind, request_id)
        self._say(*self._early)
        asyncio.get_running_loop().call_soon(self._say, *self._then)
        return self._collector

    def _say(self, *outputs: Any) -> None:
        for one in outputs:
            self._collector.put(one)

    async def abort(self, request_id: str) -> None:
        self.aborted.append(request_id)
        if self._collector is not None:
            self._say(output(reason="abort"))


def output(*token_ids: int, reason: str | None = None) -> Any:
    """vLLM's RequestOutput of one completion."""
    from vllm.outputs import CompletionOutput, RequestOutput

    completion = CompletionOutput(0, "", list(token_ids), None, None, finish_reason=reason)
    return RequestOutput("a", None, [5], None, [completion], finished=reason is not None)


def generated(
    engine: VllmEngine, llm: AsyncLLM, take: Callable[[TokenDelta], bool] = lambda _: True
) -> list[TokenDelta]:
    """The deltas of a generation."""
    taken: list[TokenDelta] = []

    def taking(delta: TokenDelta) -> bool:
        taken.append(delta)
        return take(delta)

    engine._engine = llm
    generating = engine.generate(Prompt((5, 6)), Sampling(max_tokens=9), "a", taking)
    asyncio.run(asyncio.wait_for(generating, 10))
    return taken


def test_vllm_s_collector_is_heard_from_its_first_word(engine: VllmEngine) -> None:
    """What it had merged before it was attached comes first, then each output as it is put; nothing is aborted."""
    llm = AsyncLLM(output(3), output(4, reason="length"), early=[output(1), output(2)])

    taken = generated(engine, llm)

    assert [delta.token_ids for delta in taken] == [(1, 2), (3,), (4,)]
    assert taken[-1].finish_reason == "length"
    assert llm.aborted == []


def test_a_generation_that_nobody_wants_any_more_is_aborted(engine: VllmEngine) -> None:
    """Once, and the "abort" that vLLM then puts is no error of anybody's."""
    llm = AsyncLLM(output(1), output(2), output(3))

    taken = generated(engine, llm, take=lambda delta: delta.token_ids != (2,))

    assert [delta.token_ids for delta in taken] == [(1,), (2,)]
    assert llm.aborted == ["a"]


@pytest.mark.parametrize("early", [True, False], ids=["before it was attached", "on the way"])
def test_an_error_of_whoever_takes_aborts_and_reaches_the_caller(
    engine: VllmEngine, caplog: pytest.LogCaptureFixture, early: bool
) -> None:
    """As it was raised: it is not the engine's, and not told as if it were."""
    llm = AsyncLLM(early=[output(1)]) if early else AsyncLLM(output(1), output(2))

    def fail(_: TokenDelta) -> bool:
        raise ZeroDivisionError("the taker's own")

    with pytest.raises(ZeroDivisionError, match="the taker's own"):
        generated(engine, llm, take=fail)

    assert llm.aborted == ["a"]
    assert "failed a request" not in caplog.text


@pytest.mark.parametrize("early", [True, False], ids=["before it was attached", "on the way"])
def test_what_vllm_raises_becomes_an_error_of_ours(engine: VllmEngine, early: bool) -> None:
    """vLLM has ended the request itself, and its words are not passed on."""
    error = ValueError("a secret")
    llm = AsyncLLM(early=[error]) if early else AsyncLLM(output(1), error)

    with pytest.raises(EngineRequestError) as caught:
        generated(engine, llm)

    assert "secret" not in caught.value.message
    assert llm.aborted == []


def test_a_request_that_vllm_does_not_take_is_an_error_of_ours(engine: VllmEngine) -> None:
    """A prompt that is too long, say."""
    llm = AsyncLLM()
    llm.failure = ValueError("a secret")

    with pytest.raises(EngineRequestError) as caught:
        generated(engine, llm)

    assert "secret" not in caught.value.message


def test_a_reader_that_leaves_aborts_before_it_is_gone(engine: VllmEngine) -> None:
    """A hang-up cancels whoever waits for the engine."""
    engine._engine = llm = AsyncLLM(output(1))

    async def leave() -> None:
        def take(_: TokenDelta) -> bool:
            generating.cancel()
            return True

        generating = asyncio.create_task(engine.generate(Prompt((5, 6)), Sampling(max_tokens=9), "a", take))
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(generating, 10)

    asyncio.run(leave())

    assert llm.aborted == ["a"]
