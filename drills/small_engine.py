"""The twin as an engine of a known capacity: sixteen sequences, and answers of 0.7 to 1.3 s.

They differ, so that sequences do not all end at the same moment, as real ones do not.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from drills import keys
from drills.http import CHAT, post
from drills.question import TWIN, question
from tests.service.supervised import SupervisedServer, scripted

NUM_SEQS = 16
ANSWER_TOKENS = 20
PACES_S = (0.035, 0.055, 0.045, 0.065, 0.040, 0.060, 0.050)
"""Of a token; each answer has the next of them."""

ANSWERS_PER_S = NUM_SEQS * len(PACES_S) / (ANSWER_TOKENS * sum(PACES_S))
"""By construction; what the server makes of it is measured."""

TEXT = "All is calm in this picture. " * 8
SCRIPT = {"max_num_seqs": NUM_SEQS, "completions": [{"text": TEXT, "delay_s": pace} for pace in PACES_S]}


@contextmanager
def serving(tenants: Sequence[str], *flags: str) -> Iterator[tuple[SupervisedServer, list[str]]]:
    """The server, ready, and the secret of a key for each tenant."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "keys"
        secrets = [keys.create(file, tenant, scopes="chat,metrics") for tenant in tenants]
        with scripted(SCRIPT, folder, "--keys-file", str(file), *flags) as server:
            server.listening()
            server.until_ready()
            yield server, secrets


def request(secret: str, timeout_s: float) -> bytes:
    """A streamed request for an answer of `ANSWER_TOKENS`."""
    body = question(TWIN, max_tokens=ANSWER_TOKENS, ignore_eos=True, stream=True)
    return post(CHAT, body, Authorization=keys.bearer(secret), X_Request_Timeout=f"{timeout_s:g}")
