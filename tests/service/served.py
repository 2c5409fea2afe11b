"""A real server over a real socket, in this process: the app on uvicorn in a thread of its own, the twin as engine."""

from __future__ import annotations

import asyncio
import base64
import functools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import openai
import uvicorn
from prometheus_client import CollectorRegistry

from huatuo_server.app import create_app
from huatuo_server.connections import Connections, Transport
from huatuo_server.engine.scripted import Completion, Script, ScriptedEngine
from huatuo_server.families import HUATUO_34B
from huatuo_server.listener import bind, configured, url
from huatuo_server.metrics import Metrics
from huatuo_server.model_card import ModelCard
from huatuo_server.served_model import ServedModel
from huatuo_server.settings import Settings
from huatuo_server.startup import Startup
from huatuo_server.tokenizer import Tokenizer
from tests import golden

MODEL = "huatuo-test"
MAX_MODEL_LEN = 4096
TOKENS_PER_IMAGE = 576
EOS = 2
SMALLEST_CONTEXT = 640
"""Tokens; the warm-up's picture must fit."""

READY_LIMIT_S = 60.0

IMAGE_TIMEOUT_S = 60.0
"""Longer than a server's: other tests may run beside this one, and the processor's time is limited all the same."""

DIGEST = f"sha256:{'5' * 64}"
"""Some checkpoint's."""

TOKENIZER_DIGEST = f"sha256:{'6' * 64}"


@functools.cache
def golden_card() -> ModelCard:
    """The golden checkpoint's tokenizer and sizes, as the released 34B's; no weights."""
    tokenizer = Tokenizer.load(golden.CHECKPOINT)
    return ModelCard(HUATUO_34B, tokenizer, (EOS,), TOKENS_PER_IMAGE, 4096, DIGEST, TOKENIZER_DIGEST)


def scripted_engine(*completions: Completion, max_model_len: int = MAX_MODEL_LEN, **script: Any) -> ScriptedEngine:
    """A twin over the golden tokenizer that has not started. script: other fields of Script."""
    card = golden_card()
    return ScriptedEngine(
        Script(completions or (Completion(text="Four small words here."),), **script),
        max_model_len=max_model_len,
        vocab_size=card.vocab_size,
        tokens_per_image=card.tokens_per_image,
        eos_token_ids=card.eos_token_ids,
        encode=card.tokenizer.encode,
    )


@dataclass(frozen=True)
class Served:
    """A running server: where it listens, and the engine behind it."""

    base_url: str
    engine: ScriptedEngine
    registry: CollectorRegistry

    @property
    def port(self) -> int:
        """Of 127.0.0.1."""
        return int(self.base_url.rsplit(":", 1)[1])

    @functools.cached_property
    def client(self) -> openai.OpenAI:
        """The official SDK, told not to try again."""
        return openai.OpenAI(base_url=f"{self.base_url}/v1", api_key="none", max_retries=0, timeout=30)

    def create(self, content: Any = "What is this?", **fields: Any) -> Any:
        """One user message through the SDK; fields that it does not know go into `extra_body`."""
        return self.client.chat.completions.create(**ask(content, **fields))

    def post(self, body: Any = None, **options: Any) -> httpx.Response:
        """POST a chat request without the SDK; `body` is JSON, or give httpx's own options."""
        if body is not None:
            options["json"] = body
        return httpx.post(f"{self.base_url}/v1/chat/completions", timeout=30, **options)

    def metric(self, name: str, **labels: str) -> float:
        """A sample's value; 0 where nothing was counted yet."""
        return self.registry.get_sample_value(name, labels) or 0.0

    def outcomes(self) -> dict[str, float]:
        """`hgv_requests_total` of the chat route by outcome."""
        return {
            sample.labels["outcome"]: sample.value
            for metric in self.registry.collect()
            for sample in metric.samples
            if sample.name == "hgv_requests_total" and sample.labels["route"] == "/v1/chat/completions"
        }


@contextmanager
def served(
    engine: ScriptedEngine | None = None, *, ready: bool = True, demo: str | None = None, **settings: Any
) -> Iterator[Served]:
    """Serve the twin until the block ends.

    ready: wait until requests are answered. demo: the card's. settings: fields of Settings.
    """
    engine = engine or scripted_engine()
    registry = CollectorRegistry()
    startup = Startup.of(ServedModel(engine, replace(golden_card(), demo=demo)))
    own = {"served_model_name": MODEL, "image_timeout_s": IMAGE_TIMEOUT_S}
    app = create_app(Settings(**{**own, **settings}), startup, Metrics(registry))
    listening = bind("127.0.0.1", 0)
    server = uvicorn.Server(configured(app, Connections(Transport())))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])), name="served")
    thread.start()
    try:
        base_url = url(listening)
        if ready:
            _wait_until_ready(base_url)
        yield Served(base_url, engine, registry)
    finally:
        server.should_exit = True
        thread.join(READY_LIMIT_S)
        assert not thread.is_alive()


def _wait_until_ready(base_url: str) -> None:
    deadline = time.monotonic() + READY_LIMIT_S
    while time.monotonic() < deadline:
        health = httpx.get(f"{base_url}/health/ready")
        if health.status_code == 200:
            return
        assert health.json()["status"] == "starting", health.text
        time.sleep(0.01)
    raise TimeoutError("the server did not get ready")


def image_part(name: str) -> dict[str, Any]:
    """A golden image as a content part."""
    return image_part_of((golden.IMAGES / name).read_bytes())


def image_part_of(content: bytes) -> dict[str, Any]:
    """Bytes as a content part; what they claim to be does not matter."""
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(content).decode()}"}}


def ask(content: Any = "What is this?", **fields: Any) -> dict[str, Any]:
    """A chat request's body with one user message."""
    return {"model": MODEL, "messages": [{"role": "user", "content": content}], **fields}
