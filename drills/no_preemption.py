"""The engine never takes a running answer's memory away, whatever waits before it.

Promised: with a KV cache for far fewer tokens than the engine's sequences may want, and ten times as many clients as it
has sequences, vLLM preempts nothing (`vllm:num_preemptions_total` stays 0), and answers come all the time: only what
fits in the worst case is let in. The engine is vLLM with sixteen sequences and a cache for four whole contexts.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from drills import keys
from drills.aside import Lookout
from drills.http import CHAT, post
from drills.load import Clients, Load, Span
from drills.page import Page
from drills.question import picture, question
from drills.report import Promises, Report, at_most
from tests import golden
from tests.service.real import MODEL, serving

NUM_SEQS = 16
CONTEXT_TOKENS = 2048
BLOCK_TOKENS = 32
NUM_CONTEXTS = 4
TIMES = 10
SHORT_S, LONG_S = 20.0, 60.0

ENGINE = (
    *("--engine", f"max_num_seqs={NUM_SEQS}"),
    *("--engine", f"block_size={BLOCK_TOKENS}"),
    *("--engine", f"num_gpu_blocks_override={NUM_CONTEXTS * CONTEXT_TOKENS // BLOCK_TOKENS}"),
    *("--max-model-len", str(CONTEXT_TOKENS), "--dtype", "float32"),
)


def drill(short: bool) -> Report:
    """short: a third of the time."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "keys"
        secrets = [keys.create(file, tenant, scopes="chat,metrics") for tenant in ("one", "other")]
        with serving(golden.CHECKPOINT, *ENGINE, "--keys-file", str(file)) as server, Load(server.url) as load:
            crowd = [Clients(_requests(secret), NUM_SEQS * TIMES // len(secrets), leave=True) for secret in secrets]
            with Gauges(server.url, secrets[0]) as gauges:
                span = load.run(SHORT_S if short else LONG_S, *crowd)
            return _report(span, gauges)


def _requests(secret: str) -> tuple[bytes, ...]:
    """Questions short and long, with and without an image; each answer is as long as it may be."""
    chance = random.Random(0)
    image = picture("tiny_5x7.png")
    return tuple(
        post(CHAT, _body([image] * chance.randrange(2), chance), Authorization=keys.bearer(secret)) for _ in range(100)
    )


def _body(images: list[bytes], chance: random.Random) -> dict[str, Any]:
    text = " ".join(str(chance.random()) for _ in range(chance.randrange(1, 20)))
    fields = {"max_tokens": chance.randrange(16, 512), "ignore_eos": True}
    return question(MODEL, *images, text=text, **fields)


class Gauges(Lookout):
    """`with Gauges(url, secret) as gauges:` reads vLLM's and our metrics every half a second."""

    def __init__(self, url: str, secret: str) -> None:
        super().__init__()
        self._url = url
        self._authorization = keys.bearer(secret)
        self.pages: list[Page] = []

    def most(self, name: str) -> float:
        """The highest that a metric ever was."""
        return max(page.total(name) for page in self.pages)

    def look(self) -> bool:
        """Keeps the page."""
        self.pages.append(Page.read(self._url, Authorization=self._authorization))
        return True


def _report(span: Span, gauges: Gauges) -> Report:
    exchanges = [one for each in span.exchanges for one in each]
    figures = {
        "preemptions": gauges.most("vllm:num_preemptions_total"),
        "running_at_most": gauges.most("vllm:num_requests_running"),
        "waiting_in_vllm_at_most": gauges.most("vllm:num_requests_waiting"),
        "waiting_at_most": gauges.most("hgv_requests_waiting"),
        "kv_cache_used_at_most": round(gauges.most("vllm:kv_cache_usage_perc"), 2),
        "answers": sum(one.answered for one in exchanges),
        "ended_as": dict(Counter(one.code or str(one.status) for one in exchanges)),
    }
    promises: Promises = {
        "vLLM counts preemptions": gauges.pages[-1].has("vllm:num_preemptions_total"),
        "nothing is preempted": at_most(gauges.most("vllm:num_preemptions_total"), 0),
        "the cache is the bound: more than half of it is used": gauges.most("vllm:kv_cache_usage_perc") > 0.5,
        "requests wait": gauges.most("hgv_requests_waiting") >= NUM_SEQS,
        "nothing ends but as an answer or a 429": all(one.answered or one.status == 429 for one in exchanges),
    }
    return Report(figures, promises)
