"""The real engine: vLLM's AsyncLLM, for vLLM 0.26 to 0.33.

Everything that differs between those versions on the server's side is in this file; `relay.py`, `continuations.py` and
`statistics.py` stand on what is the same in them, though vLLM promises none of it. vLLM is imported when the engine
starts, so that the rest of the server can be used without it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from huatuo_server.checkpoint import Checkpoint
from huatuo_server.child_processes import Descendants, Process
from huatuo_server.engine.base import (
    IMAGE_SENTINEL,
    EngineFacts,
    Phase,
    Prompt,
    Sampling,
    StructuredOutput,
    Take,
)
from huatuo_server.engine.continuations import Continuations
from huatuo_server.engine.engine_args import check_engine_args, version_of_vllm
from huatuo_server.engine.heartbeat import Heartbeat
from huatuo_server.engine.relay import Relay
from huatuo_server.engine.statistics import prometheus_logger
from huatuo_server.errors import EngineDeadError, EngineRequestError, EngineStartError
from huatuo_vllm import embedded, report

log = logging.getLogger(__name__)

REPORT = "report.jsonl"

PROCESS_NAME = "VLLM::"
"""How vLLM's processes are called; torch's helpers among them, which come and go, are not."""

STOPPED = "The engine has been stopped."

SOCKET_PATH_LIMIT = 107
"""Bytes of a Unix socket's path (unix(7)); vLLM appends a slash and a UUID of 36 to its folder's."""

LEAST_TEMPERATURE = 0.01
"""Of vLLM's sampler; what lies between this and 0 it takes for this."""

SEED_FOR_MINUS_ONE = -(2**63) + 0x9E3779B9
"""As repeatable a seed as any other, where a client's -1 would be none to vLLM; on a CPU only its low half counts."""

_QUIET = {
    # Nothing leaves the machine: no usage statistics, no look-ups for a checkpoint that is a folder by now.
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    # Else vLLM connects a datagram socket to 8.8.8.8 to learn its own address.
    "VLLM_HOST_IP": "127.0.0.1",
    # A forked child inherits threads' locks; a spawned one starts clean.
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    # What llguidance has to say of a grammar quotes the client's schema.
    "LLGUIDANCE_LOG_LEVEL": "0",
    # The second model runner reads another penalty class; explicit, so that what runs is what was tested.
    "VLLM_USE_V2_MODEL_RUNNER": "0",
}

_ON_CPU = {"VLLM_CPU_KVCACHE_SPACE": "2", "VLLM_CPU_NUM_OF_RESERVED_CPU": "0"}
"""2 GiB of KV cache, and no core set aside: without a GPU this is a demo on a small machine."""


class VllmEngine:
    """An `Engine` on vLLM. One a process: vLLM's metrics live in the process-wide Prometheus registry."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        image_token_id: int,
        dtype: str = "auto",
        tensor_parallel_size: int = 1,
        max_model_len: int | None = None,
        enforce_eager: bool = False,
        max_images_per_request: int = 6,
        served_model_name: str | None = None,
        drain_s: float = 30.0,
        engine_args: Mapping[str, Any] | None = None,
    ) -> None:
        """Nothing starts yet.

        image_token_id: stands for an image inside vLLM (`placeholder.image_token_id`). dtype: "auto" (the checkpoint's
        own), "bfloat16", "float16" or "float32". max_model_len: tokens, the family's default if None. drain_s: a signal
        that reaches vLLM's processes as well lets them finish what they have within this time. engine_args: any other
        field of AsyncEngineArgs; it wins over ours.
        Raises SettingsError for an unknown engine argument, for one that has a setting of its own, and for one that
        would break a promise.
        """
        # vLLM reads its environment when it is imported.
        _set_environment(tensor_parallel_size * (engine_args or {}).get("pipeline_parallel_size", 1))
        check_engine_args(engine_args or {})
        self._checkpoint = checkpoint
        self._args: dict[str, Any] = {
            "model": str(checkpoint.path),
            "served_model_name": served_model_name or checkpoint.family.name,
            "dtype": dtype,
            "tensor_parallel_size": tensor_parallel_size,
            "max_model_len": max_model_len
            or min(checkpoint.family.default_max_model_len, checkpoint.max_position_embeddings),
            "enforce_eager": enforce_eager,
            "limit_mm_per_prompt": {"image": max_images_per_request},
            # Pictures arrive prepared, so this cache would save 5 ms each; its misses have crashed engines
            # (vllm#31404, vllm#38418). The encoder cache and the prefix cache still know a picture by its identity.
            "mm_processor_cache_gb": 0,
            # The checkpoint's generation_config.json holds sampling defaults; ours are the reference's.
            "generation_config": "vllm",
            "scheduling_policy": "priority",
            # A small model given the choice can write whitespace for ever, which any JSON may hold.
            "structured_outputs_config": {"backend": "guidance", "disable_any_whitespace": True},
            "shutdown_timeout": math.ceil(drain_s),
            **(engine_args or {}),
            "hf_overrides": _overrides(checkpoint, image_token_id) | (engine_args or {}).get("hf_overrides", {}),
        }
        self._folder: Path | None = None
        self._engine: Any = None
        self._continuations: Continuations | None = None
        self._stopped = False
        self._heartbeat = Heartbeat()
        self._others: Descendants | None = None
        self._processes = Descendants()
        self._vital: list[Process] = []
        self._facts: EngineFacts | None = None
        self._placeholder = image_token_id

    @property
    def phase(self) -> Phase:
        """As the model reports it from vLLM's worker; see `huatuo_vllm.report`."""
        phase: Phase = self._said().get("phase", "starting")
        return phase

    def _said(self) -> Mapping[str, Any]:
        """What the model has said of its start so far."""
        return report.read(self._folder / REPORT) if self._folder is not None else {}

    @property
    def facts(self) -> EngineFacts:
        """Known once `start` has returned. Raises RuntimeError before."""
        if self._facts is None:
            raise RuntimeError("the engine has not started")
        return self._facts

    @property
    def last_progress(self) -> float:
        """As `Engine.last_progress`: vLLM reports every step of its scheduler, also one that yields no token."""
        return self._heartbeat.last

    async def start(self) -> None:
        """Load the weights and start vLLM's processes; minutes with real weights.

        Raises EngineStartError.
        """
        if self._engine is not None:
            raise RuntimeError("the engine has started already")
        try:
            await asyncio.to_thread(self._start)
        except EngineStartError:
            raise
        except Exception as error:
            cause = self._said().get("error") or _cause(error)
            raise EngineStartError(f"vLLM did not start: {cause}") from error

    def _start(self) -> None:
        from vllm import AsyncEngineArgs
        from vllm.platforms import current_platform
        from vllm.v1.engine.async_llm import AsyncLLM

        import huatuo_vllm

        self._folder = _folder()
        os.environ[report.VARIABLE] = str(self._folder / REPORT)
        os.environ[embedded.VARIABLE] = "1"
        # An editable or vendored install may lack the entry point by which vLLM finds the plugin; ours works alone too.
        huatuo_vllm.register()
        from huatuo_vllm.penalty import logits_processor

        use_v2 = os.environ["VLLM_USE_V2_MODEL_RUNNER"] == "1"
        processors = [logits_processor(use_v2), *self._args.pop("logits_processors", [])]
        if current_platform.is_cpu():
            # A request with a seed whose prompt is prefilled in parts ends vLLM's CPU engine: it turns the request's
            # generator back by an offset, and "CPU Generator does not use offset" (run on 0.32; the same code in 0.26).
            self._args.setdefault("enable_chunked_prefill", False)
        self._others = Descendants.now()
        loggers = [self._heartbeat.stat_logger, prometheus_logger()]
        with _temporary_files_in(self._folder):
            self._engine = AsyncLLM.from_engine_args(
                AsyncEngineArgs(**self._args, logits_processors=processors), stat_loggers=loggers
            )
        self._continuations = Continuations(self._engine.output_processor, self._heartbeat.beat)
        self._processes = Descendants.now()
        self._vital = [one for one in self._processes.processes if one.name.startswith(PROCESS_NAME)]
        self._heartbeat.beat()
        config, vllm_config = self._engine.model_config, self._engine.vllm_config
        cache = vllm_config.cache_config
        said = self._said()
        self._facts = EngineFacts(
            max_model_len=int(config.max_model_len),
            vocab_size=self._checkpoint.vocab_size,
            tokens_per_image=self._checkpoint.tokens_per_image,
            max_num_seqs=int(vllm_config.scheduler_config.max_num_seqs),
            # vLLM keeps the first block for itself.
            kv_tokens=(int(cache.num_gpu_blocks) - 1) * int(cache.block_size),
            kv_block_tokens=int(cache.block_size),
            details={
                "vllm": version_of_vllm(),
                "torch": version("torch"),
                "transformers": version("transformers"),
                "python": platform.python_version(),
                "device": str(vllm_config.device_config.device_type),
                "dtype": str(config.dtype).removeprefix("torch."),
                "tensor_parallel_size": self._args["tensor_parallel_size"],
                "max_num_seqs": int(vllm_config.scheduler_config.max_num_seqs),
                "kv_tokens": (int(cache.num_gpu_blocks) - 1) * int(cache.block_size),
                "model_runner": said.get("model_runner", "V2" if use_v2 else "V1"),
                "weights": said.get("weights", {}),
            },
        )

    async def generate(
        self, prompt: Prompt, sampling: Sampling, request_id: str, take: Take, *, priority: int = 0
    ) -> None:
        """As `Engine.generate`."""
        if self._stopped:
            raise EngineDeadError(STOPPED)
        if self._engine is None:
            raise RuntimeError("the engine has not started")
        if prompt.token_ids.count(IMAGE_SENTINEL) != len(prompt.images):
            # vLLM takes too few images in silence, and fails without a message on too many.
            raise EngineRequestError("the prompt holds another number of images than it has places for")
        relay = Relay(take)
        try:
            await self._generate(prompt, sampling, request_id, relay, priority)
        except EngineRequestError:
            raise
        except Exception as error:
            if self._stopped:
                raise EngineDeadError(STOPPED) from error
            translated = _translated(error)
            if not isinstance(translated, EngineDeadError):
                log.error("the engine failed a request", exc_info=error, extra={"request_id": request_id})
            raise translated from error
        if relay.fault is not None:
            raise relay.fault

    async def _generate(self, prompt: Prompt, sampling: Sampling, request_id: str, relay: Relay, priority: int) -> None:
        """Raises what vLLM raises."""
        engine, continuations = self._engine, self._continuations
        assert continuations is not None
        try:
            (rendered,) = await engine.renderer.render_cmpl_async([self._tokens_prompt(prompt)])
            params = self._sampling_params(sampling)
            collector = await engine.add_request(request_id, rendered, params, priority=priority)
            with continuations.relayed(collector, relay):
                await relay.end()
        finally:
            if not relay.finished:
                await engine.abort(request_id)

    def _tokens_prompt(self, prompt: Prompt) -> Any:
        from vllm.inputs import TokensPrompt

        ids = [self._placeholder if token_id == IMAGE_SENTINEL else token_id for token_id in prompt.token_ids]
        tokens_prompt = TokensPrompt(prompt_token_ids=ids)
        if prompt.images:
            tokens_prompt["multi_modal_data"] = {"image": [image.pixels for image in prompt.images]}
            tokens_prompt["multi_modal_uuids"] = {"image": [image.identity for image in prompt.images]}
        if prompt.cache_salt is not None:
            tokens_prompt["cache_salt"] = prompt.cache_salt
        return tokens_prompt

    def _sampling_params(self, sampling: Sampling) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        from huatuo_vllm.penalty import EXTRA_ARG

        penalty = sampling.repetition_penalty
        return SamplingParams(
            max_tokens=sampling.max_tokens,
            min_tokens=min(sampling.min_tokens, sampling.max_tokens),
            temperature=_temperature(sampling.temperature),
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            min_p=sampling.min_p,
            frequency_penalty=sampling.frequency_penalty,
            presence_penalty=sampling.presence_penalty,
            logit_bias=dict(sampling.logit_bias) or None,
            # vLLM takes -1 for "no seed".
            seed=sampling.seed if sampling.seed != -1 else SEED_FOR_MINUS_ONE,
            logprobs=sampling.logprobs,
            logprob_token_ids=list(sampling.logprob_token_ids) or None,
            structured_outputs=_structured(sampling.structured_output),
            # vLLM would add the tokenizer's own idea of an eos; the checkpoint's config.json decides.
            ignore_eos=True,
            stop_token_ids=sorted(self._stop_token_ids(sampling)),
            # vLLM's detokeniser raises on ids that the tokenizer lacks, which ends every request (0.32).
            detokenize=False,
            output_kind=RequestOutputKind.DELTA,
            # Nobody else has it; copying it takes a tenth of a request's time here.
            skip_clone=True,
            extra_args={EXTRA_ARG: penalty} if penalty != 1.0 else None,
        )

    def _stop_token_ids(self, sampling: Sampling) -> set[int]:
        """What ends an answer. A grammar ends with the tokenizer's eos, which need not be the checkpoint's."""
        stop_ids = set(sampling.stop_token_ids)
        if not sampling.ignore_eos:
            stop_ids.update(self._checkpoint.eos_token_ids)
        if sampling.structured_output is not None:
            stop_ids.add(self._engine.get_tokenizer().eos_token_id)
        return stop_ids

    async def check(self) -> None:
        """Raises EngineDeadError when vLLM's processes are gone. It does not see a hung one."""
        if self._stopped:
            raise EngineDeadError(STOPPED)
        if self._engine is None:
            return
        if any(one.is_ending for one in self._vital):
            # vLLM waits for a dead worker's colleagues before it tells (5 s seen).
            raise EngineDeadError("One of the engine's processes has ended.")
        try:
            await self._engine.check_health()
        except Exception as error:
            raise EngineDeadError("The engine has stopped working.") from error

    async def stop(self, *, grace_s: float = 3.0) -> None:
        """End vLLM's processes, and remove its sockets and what it leaves in shared memory.

        grace_s: what has not ended by itself in that time is killed, with all its descendants; 0 kills at once.
        """
        self._stopped = True
        engine, self._engine = self._engine, None
        # vLLM logs the end of its processes, which we asked for, as an engine that died.
        logging.getLogger("vllm.v1.engine.async_llm").setLevel(logging.CRITICAL)
        await asyncio.to_thread(self._end, engine, grace_s)
        if engine is not None:
            # What vLLM still had would be waited for for ever.
            engine.output_processor.propagate_error(EngineDeadError(STOPPED))
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self, engine: Any, grace_s: float) -> None:
        if engine is not None and grace_s > 0:
            engine.shutdown(grace_s)
        if self._others is not None:
            (self._processes | Descendants.now() - self._others).kill()
        if engine is not None and grace_s <= 0:
            # Its sockets and threads, now that there is nothing left to wait for.
            engine.shutdown(0)


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """Processes that start in the block keep theirs in `folder`: killed, they would leave sockets and a file behind."""
    before = os.environ.get("TMPDIR")
    # This process has found its own folder by now and keeps it, but would hand that one to vLLM.
    os.environ["VLLM_RPC_BASE_PATH"] = os.environ["TMPDIR"] = str(folder)
    try:
        yield
    finally:
        del os.environ["TMPDIR"]
        if before is not None:
            os.environ["TMPDIR"] = before


def _folder() -> Path:
    """For vLLM's sockets and its report; short enough, also where $TMPDIR is not."""
    folder = Path(tempfile.mkdtemp(prefix="huatuo-"))
    if len(os.fsencode(folder)) + 37 <= SOCKET_PATH_LIMIT:
        return folder
    folder.rmdir()
    return Path(tempfile.mkdtemp(prefix="huatuo-", dir="/tmp"))


def _set_environment(num_workers: int) -> None:
    """Our defaults for vLLM's own variables; what the operator has set stays."""
    for name, value in {**_QUIET, **_ON_CPU}.items():
        os.environ.setdefault(name, value)
    if num_workers > 1:
        # One group of cores a worker (CPU engine): left alone, every worker binds to all of them.
        cores = sorted(os.sched_getaffinity(0))
        share = max(1, len(cores) // num_workers)
        groups = [cores[rank * share : (rank + 1) * share] or cores for rank in range(num_workers)]
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "|".join(",".join(map(str, group)) for group in groups))


def _overrides(checkpoint: Checkpoint, image_token_id: int) -> dict[str, Any]:
    """What vLLM is told about a checkpoint beyond its own config.json."""
    overrides: dict[str, Any] = {"image_token_index": image_token_id}
    if checkpoint.layout == "hf":
        # vLLM's own LLaVA, which this architecture's name stands for, crops the picture's sides.
        return overrides | {"architectures": ["HuatuoLlavaForConditionalGeneration"]}
    # Our prompts are token ids; text that spells LLaVA's "<image>" must stay text.
    return overrides | {"huatuo_text_placeholder": False}


def _temperature(temperature: float) -> float:
    """What vLLM would make of it with a warning for each request."""
    return max(temperature, LEAST_TEMPERATURE) if temperature else 0.0


def _structured(wanted: StructuredOutput | None) -> Any:
    """vLLM's StructuredOutputsParams."""
    from vllm.sampling_params import StructuredOutputsParams

    if wanted is None:
        return None
    if wanted.choices:
        return StructuredOutputsParams(choice=list(wanted.choices))
    return StructuredOutputsParams(json=wanted.json_schema)


def _translated(error: Exception) -> EngineDeadError | EngineRequestError:
    """Our error for one of vLLM's, by class name: the classes themselves moved between 0.26 and 0.32."""
    if "EngineDeadError" in (kind.__name__ for kind in type(error).__mro__):
        return EngineDeadError("The engine has stopped working.")
    return EngineRequestError("The engine could not process this request.")


def _cause(error: BaseException) -> str:
    """One line for a person: vLLM's own message, without what pydantic wraps around it."""
    if hasattr(error, "errors"):
        return "; ".join(str(entry["msg"]).removeprefix("Value error, ") for entry in error.errors())
    return (str(error).strip() or type(error).__name__).splitlines()[0]
