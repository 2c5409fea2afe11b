"""What a server says of itself: its metrics, and its log."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.request import urlopen

_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


def samples(url: str) -> dict[str, float]:
    """Each of /metrics that has no label but the model's and the engine's, summed over those."""
    return sums(_page(url))


def sums(page: str) -> dict[str, float]:
    """Of Prometheus's text format."""
    found: dict[str, float] = {}
    for name, labels, value in _SAMPLE.findall(page):
        if dict(_LABEL.findall(labels)).keys() <= {"model_name", "engine"}:
            found[name] = found.get(name, 0.0) + float(value)
    return found


def kv_tokens(url: str) -> int:
    """What the engine's cache holds, by vLLM's account of its blocks."""
    return cached_tokens(_page(url))


def cached_tokens(page: str) -> int:
    """Of Prometheus's text format."""
    (labels,) = (labels for name, labels, _ in _SAMPLE.findall(page) if name == "vllm:cache_config_info")
    said = dict(_LABEL.findall(labels))
    return int(said["num_gpu_blocks"]) * int(said["block_size"])


def model_runner(log: Path) -> str:
    """V1 or V2, as our server's log says at its start."""
    found = re.search(r'"model_runner": "(\w+)"', log.read_text(encoding="utf-8", errors="replace"))
    return found[1] if found else "not said"


def _page(url: str) -> str:
    with urlopen(url + "/metrics", timeout=30) as answer:
        page: str = answer.read().decode()
        return page
