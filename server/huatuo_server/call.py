"""One request on its way."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass, field

from huatuo_server.admission.flow import Claimant, Flow
from huatuo_server.caller import Caller
from huatuo_server.engine.base import FinishReason
from huatuo_server.errors import RequestError
from huatuo_server.interruption import Interruption
from huatuo_server.metrics import RequestMeter
from huatuo_server.tenants.quota import Use


@dataclass(slots=True)
class Call:
    """One request on its way. The counts are filled in as they become known, for its meter.

    id: the client's X-Request-Id or ours. engine_id: never used twice, whatever the client sends. route: its template.
    use: of the caller's quotas. deadline: of time.monotonic. held: given back when the request has ended.
    on_record: whether the audit log has its beginning. entered: whether the
    engine has begun with it. begun: whether the head of the answer is out. failed: what ended
    a stream that had begun.
    """

    id: str
    engine_id: str
    route: str
    caller: Caller
    meter: RequestMeter
    use: Use
    deadline: float = math.inf
    interruption: Interruption = field(default_factory=Interruption)
    held: ExitStack = field(default_factory=ExitStack)
    on_record: bool = False
    entered: bool = False
    begun: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: FinishReason | None = None
    failed: RequestError | None = None

    @property
    def tenant(self) -> str:
        """Whose files, pictures and cached prefixes it may use."""
        return self.caller.tenant

    @property
    def headers(self) -> dict[str, str]:
        """What the answer says of the caller's quotas."""
        return self.use.headers()

    @property
    def flow(self) -> Flow:
        """Where it waits for its turn."""
        return Flow(self.caller.tenant, self.caller.lane)

    @property
    def claimant(self) -> Claimant:
        """Who holds what is in flight for it."""
        return Claimant(self.flow, self.engine_id)
