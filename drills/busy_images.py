"""While sixteen large PNGs are prepared, the server stays awake.

Promised: while sixteen different 3000 x 2500 PNGs, sent at once as sixteen chat requests, are being prepared,
`/health/live` answers within 50 ms (99th percentile), and a running stream's 95th percentile of gaps between chunks is
at most twice that of the same stream just before.

The engine is the twin, which says a token every 20 ms. The PNGs are in colour: the most bytes that such a picture has.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.images import films
from drills.http import CHAT, post
from drills.observer import Observer, Span
from drills.report import Promises, Report, at_most, in_ms, percentile, spread
from drills.sender import Sender, Volley
from tests.service.supervised import scripted

NUM_IMAGES = 16
MAX_LIVE_S = 0.050
MAX_GAP_RATIO = 2.0

PACE_S = 0.020
CALM_S = 5.0
VOLLEYS = 3

SERVER = ("--image-cache-bytes", "0", "--max-model-len", "100000")
"""Every volley is prepared anew, and the stream outlasts them all."""


def drill(short: bool) -> Report:
    """short: one volley."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = _requests(folder)
        script = {"completions": [{"text": "All is calm in this picture. " * 20, "delay_s": PACE_S}]}
        with scripted(script, folder, *SERVER) as server:
            url = server.listening()
            server.until_ready()
            with Sender(url, files) as sender, Observer(url, _chat("Tell me all.", 50_000, stream=True)) as observer:
                calm = _calm()
                waited = _waited_s(server.pid)
                volleys = [sender.fire() for _ in range(1 if short else VOLLEYS)]
                waited = _waited_s(server.pid) - waited
    return _report(observer, calm, volleys, waited)


def _requests(folder: Path) -> list[Path]:
    """Files of whole HTTP requests, an image each."""
    films.write(folder, {"png-colour": NUM_IMAGES})
    files = []
    for number, url in enumerate(sorted(folder.glob("*.url"))):
        part = {"type": "image_url", "image_url": {"url": url.read_text(encoding="ascii")}}
        file = folder / f"{number}.request"
        file.write_bytes(post(CHAT, _chat([part, {"type": "text", "text": "What is this?"}], 1)))
        files.append(file)
    return files


def _chat(content: Any, max_tokens: int, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": content}]
    extra = {"ignore_eos": True, "max_tokens": max_tokens}
    return {"model": "checkpoint", "messages": messages, **extra, **fields}


def _calm() -> Span:
    time.sleep(1)
    began = time.monotonic()
    time.sleep(CALM_S)
    return began, time.monotonic()


def _waited_s(pid: int) -> float:
    """How long the event loop's thread was ready to run and had no core (sched-stats of the kernel)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9


def _report(observer: Observer, calm: Span, volleys: Sequence[Volley], waited_s: float) -> Report:
    spans = [(volley.began, volley.ended) for volley in volleys]
    polls = [seconds for span in spans for seconds in observer.polls(span)]
    gaps = [seconds for span in spans for seconds in observer.gaps(span)]
    statuses = [status for volley in volleys for status, _ in volley.answers]
    live, before, during = percentile(polls, 99), percentile(observer.gaps(calm), 95), percentile(gaps, 95)
    took = sum(end - begin for begin, end in spans)
    figures = {
        "images_per_s": round(len(statuses) / took, 1),
        "live_ms": spread(polls),
        "live_ms_before": spread(observer.polls(calm)),
        "gap_ms": spread(gaps),
        "gap_ms_before": spread(observer.gaps(calm)),
        "gap_p95_ratio": round(during / before, 2),
        "observer_late_ms_p99": in_ms(percentile(observer.lateness, 99)),
        "server_waited_for_a_core": round(waited_s / took, 2),
        "sender_share_of_a_core": round(sum(volley.processor_s for volley in volleys) / took, 2),
    }
    promises: Promises = {
        f"/health/live answers within {in_ms(MAX_LIVE_S):.0f} ms (p99)": at_most(in_ms(live), in_ms(MAX_LIVE_S), " ms"),
        f"the stream's p95 gap stays within {MAX_GAP_RATIO:g} times": at_most(during / before, MAX_GAP_RATIO),
        "every image is answered": all(status == 200 for status in statuses),
        "the stream and /health/live never fail": not observer.failures,
    }
    return Report(figures, promises)
