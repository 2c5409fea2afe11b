"""An urgent question is not held up by a batch that fills the engine.

Promised: while clients of class `batch` keep the engine full with questions about images, the 95th percentile of the
time to the first token of `stat` questions about images is at most 2.5 times that on a quiet server (on a GPU 1.5 is
the bar). The engine is vLLM with sixteen sequences. The images are small: without a GPU, their preparation and the
engine take the same cores from each other, and it is the engine's turns that are measured.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from drills import keys
from drills.exchange import Exchange
from drills.http import CHAT, post
from drills.load import Clients, Load
from drills.page import Page
from drills.question import part, picture
from drills.report import Promises, Report, at_most, in_ms, percentile
from tests import golden
from tests.service.real import MODEL, serving

MAX_RATIO = 2.5
NUM_SEQS = 16
NUM_BATCH_CLIENTS = 3 * NUM_SEQS
ANSWER_TOKENS = {"stat": 4, "batch": 96}
NUM_REQUESTS = 400
SETTLE_S = 5.0
SHORT_S, LONG_S = 15.0, 60.0
PAUSE_S = 0.2


def drill(short: bool) -> Report:
    """short: a quarter of the time."""
    seconds = SHORT_S if short else LONG_S
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "keys"
        stat, batch = (keys.create(file, lane, class_=lane, scopes="chat,metrics") for lane in ("stat", "batch"))
        engine = ("--engine", f"max_num_seqs={NUM_SEQS}", "--dtype", "float32", "--keys-file", str(file))
        with serving(golden.CHECKPOINT, *engine) as server, Load(server.url) as load:
            before, calm, busy = (Clients(_requests(stat, "stat", phase), 1, PAUSE_S) for phase in range(3))
            batches = Clients(_requests(batch, "batch", 0), NUM_BATCH_CLIENTS, leave=True)
            load.run(SETTLE_S, before)
            (quiet,) = load.run(seconds, calm).exchanges
            urgent, filling = load.run(SETTLE_S + seconds, busy, batches).exchanges
            page = Page.read(server.url, Authorization=keys.bearer(stat))
    return _report(quiet, [one for one in urgent if one.began >= urgent[0].began + SETTLE_S], filling, page)


def _requests(secret: str, lane: str, phase: int) -> tuple[bytes, ...]:
    """Each of another region of the picture and with another text, so that no cache helps."""
    chance = random.Random(f"{lane} {phase}")
    image = part(picture("ct_128_gray.png"))
    return tuple(_request(secret, image, chance, ANSWER_TOKENS[lane]) for _ in range(NUM_REQUESTS))


def _request(secret: str, image: dict[str, Any], chance: random.Random, max_tokens: int) -> bytes:
    region = [*(chance.randrange(40) for _ in range(2)), *(80 + chance.randrange(48) for _ in range(2))]
    seen = {"type": "image_url", "image_url": {**image["image_url"], "view": {"region": region}}}
    content = [seen, {"type": "text", "text": f"What stands at {chance.random()}?"}]
    fields = {"max_tokens": max_tokens, "ignore_eos": True, "stream": True}
    body = {"model": MODEL, "messages": [{"role": "user", "content": content}], **fields}
    return post(CHAT, body, Authorization=keys.bearer(secret))


def _report(quiet: Sequence[Exchange], busy: Sequence[Exchange], filling: Sequence[Exchange], page: Page) -> Report:
    before, during = _first_s(quiet), _first_s(busy)
    ratio = percentile(during, 95) / percentile(before, 95)
    figures = {
        "stat_requests": [len(quiet), len(busy)],
        "first_token_ms_p50": [in_ms(percentile(each, 50)) for each in (before, during)],
        "first_token_ms_p95": [in_ms(percentile(each, 95)) for each in (before, during)],
        "ratio_p95": round(ratio, 2),
        "batch_answers": sum(one.answered for one in filling),
        "batch_first_token_s_p50": round(percentile(_first_s(filling), 50), 2),
        "rejections": dict(page.by("hgv_rejections_total", "reason")),
        "ended_as": dict(Counter(one.code or str(one.status) for one in (*quiet, *busy, *filling))),
    }
    promises: Promises = {
        f"p95 of the time to the first token stays within {MAX_RATIO:g} times": at_most(ratio, MAX_RATIO),
        "every stat question is answered": all(one.answered for one in (*quiet, *busy)),
        "batch gets answers too": any(one.answered for one in filling),
    }
    return Report(figures, promises)


def _first_s(exchanges: Sequence[Exchange]) -> list[float]:
    return [one.first_s for one in exchanges if one.first_s is not None]
