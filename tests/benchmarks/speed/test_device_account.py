"""What a server's metrics and its log say of its engine."""

from __future__ import annotations

from pathlib import Path

from benchmarks.speed.device.account import cached_tokens, model_runner, sums

PAGE = """\
# HELP vllm:cache_config_info Information of the LLMEngine CacheConfig
# TYPE vllm:cache_config_info gauge
vllm:cache_config_info{block_size="16",cache_dtype="auto",engine="0",num_gpu_blocks="1000"} 1.0
vllm:inter_token_latency_seconds_count{engine="0",model_name="m"} 10.0
vllm:inter_token_latency_seconds_sum{engine="0",model_name="m"} 0.25
vllm:inter_token_latency_seconds_count{engine="1",model_name="m"} 30.0
vllm:inter_token_latency_seconds_bucket{engine="0",le="0.01",model_name="m"} 4.0
hgv_requests_in_flight 2.0
"""


def test_engines_are_summed_and_buckets_left_out() -> None:
    """A sample with a label of its own is no total."""
    found = sums(PAGE)
    assert found["vllm:inter_token_latency_seconds_count"] == 40.0
    assert found["vllm:inter_token_latency_seconds_sum"] == 0.25
    assert found["hgv_requests_in_flight"] == 2.0
    assert "vllm:inter_token_latency_seconds_bucket" not in found


def test_the_cache_holds_its_blocks() -> None:
    """Number times size."""
    assert cached_tokens(PAGE) == 16_000


def test_the_log_names_the_runner(tmp_path: Path) -> None:
    """And where it does not, nothing is guessed."""
    log = tmp_path / "log"
    log.write_text('{"message": "the engine has started", "model_runner": "V2"}\n')
    assert model_runner(log) == "V2"
    log.write_text("")
    assert model_runner(log) == "not said"
