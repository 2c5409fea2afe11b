"""What a request puts on record before it is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from huatuo_server.audit import AuditUnanswered
from huatuo_server.call import Call
from huatuo_server.errors import AuditFailed
from huatuo_server.images.identity import PREPARATION_VERSION, on_record
from huatuo_server.served_model import ServedModel
from huatuo_server.service import Service


async def put_on_record(
    service: Service,
    call: Call,
    model: ServedModel | None = None,
    images: Iterable[str] = (),
    parameters: Mapping[str, Any] | None = None,
) -> None:
    """Who asks what of which model, on disk before it is done. images: SHA-256 of the files. Raises AuditFailed."""
    if service.audit is None:
        return
    event = {
        "event": "accepted",
        "request_id": call.id,
        "engine_id": call.engine_id,
        "key": call.caller.key_id,
        "tenant": call.tenant,
        "route": call.route,
        "model": model.card.digest if model is not None else None,
        "preparation_version": PREPARATION_VERSION,
        "images": [on_record(sha256, service.secret, call.tenant) for sha256 in images],
        "parameters": parameters or {},
    }
    # One whose caller leaves meanwhile is written all the same, and so must its end be.
    call.on_record = True
    try:
        await service.audit.record(event)
    except AuditFailed as error:
        # One that may be written needs its end as well.
        call.on_record = isinstance(error, AuditUnanswered)
        raise
