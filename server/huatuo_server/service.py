"""What the routes of the API may use."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from huatuo_server.admission.budget import Budget
from huatuo_server.admission.fair_queue import FairQueue
from huatuo_server.audit import AuditLog
from huatuo_server.images.preparation import Preparation
from huatuo_server.images.sources import Sources
from huatuo_server.interruption import InFlight
from huatuo_server.metrics import Metrics
from huatuo_server.startup import Startup
from huatuo_server.store import Store
from huatuo_server.tenants.quota import Quotas


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may bring, and how long it may take. strict: a field that changes nothing is refused."""

    max_body_bytes: int
    max_images: int
    max_image_bytes: int
    body_timeout_s: float
    request_timeout_s: float
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """What the routes of the API may use; built once, in `app.create_app`.

    model_name: the one name that requests may ask for. bytes_in_flight: of all bodies. store: None where uploads are
    off. audit: None where nothing is put on record. secret: keys what tenants must not share.
    showing: one prompt at a time is made into tokens only to be shown, so that those for the engine find a thread.
    """

    model_name: str
    limits: Limits
    startup: Startup
    metrics: Metrics
    in_flight: InFlight
    quotas: Quotas
    bytes_in_flight: Budget
    queue: FairQueue
    sources: Sources
    preparation: Preparation
    store: Store | None
    audit: AuditLog | None
    secret: bytes
    showing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
