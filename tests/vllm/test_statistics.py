"""vLLM's metrics, counted by us."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import REGISTRY, generate_latest

pytest.importorskip("vllm", reason="vLLM is not installed")

from vllm import AsyncEngineArgs
from vllm.v1.engine import FinishReason
from vllm.v1.metrics.loggers import PrometheusStatLogger
from vllm.v1.metrics.stats import FinishedRequestStats, IterationStats, SchedulerStats

import huatuo_vllm
from huatuo_server.engine.statistics import prometheus_logger
from tests import golden

ENVIRONMENT = {"VLLM_USE_V2_MODEL_RUNNER": "0", "VLLM_HOST_IP": "127.0.0.1", "HF_HUB_OFFLINE": "1"}


def vllm_collectors() -> list[Any]:
    return [one for one in REGISTRY._collector_to_names if getattr(one, "_name", "").startswith("vllm:")]


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A real engine's; whatever engine runs in this process has its metrics back afterwards."""
    monkeypatch.setattr(os, "environ", {**os.environ, **ENVIRONMENT})
    running = vllm_collectors()
    huatuo_vllm.register()
    yield AsyncEngineArgs(model=str(golden.CHECKPOINT), served_model_name="huatuo").create_engine_config()
    for collector in vllm_collectors():
        REGISTRY.unregister(collector)
    for collector in running:
        REGISTRY.register(collector)


def step(number: int) -> IterationStats:
    """Every kind of observation."""
    statistics = IterationStats()
    statistics.num_generation_tokens = 3
    statistics.time_to_first_tokens_iter = [0.03 * number]
    statistics.inter_token_latencies_iter = [0.004 * number, 0.01, 7.0]
    statistics.max_num_generation_tokens_iter = [17]
    statistics.n_params_iter = [1]
    statistics.finished_requests = [
        FinishedRequestStats(
            finish_reason=FinishReason.STOP,
            e2e_latency=2.5,
            num_prompt_tokens=640,
            num_generation_tokens=number,
            max_tokens_param=200,
            queued_time=0.1,
            prefill_time=0.2,
            inference_time=2.0,
            decode_time=1.8,
            mean_time_per_output_token=0.009,
        )
    ]
    return statistics


def page(logger: PrometheusStatLogger) -> list[str]:
    """What `/metrics` says of vLLM after a few steps, without the times at which the counting began."""
    logger.log_engine_initialized()
    for number in range(1, 40):
        logger.record(SchedulerStats(num_running_reqs=number, kv_cache_usage=0.5), step(number))
    lines = generate_latest(REGISTRY).decode().splitlines()
    return [line for line in lines if "vllm:" in line and "_created" not in line]


def test_vllm_s_page_is_the_same_as_without_us(config: Any) -> None:
    """Every name, help text, label, bucket and value, after steps with every kind of observation."""
    theirs = page(PrometheusStatLogger(config, [0]))

    ours = page(prometheus_logger()(config, [0]))

    assert ours == theirs
    gaps = next(line for line in ours if line.startswith("vllm:inter_token_latency_seconds_count"))
    assert float(gaps.rpartition(" ")[2]) == 3 * 39
