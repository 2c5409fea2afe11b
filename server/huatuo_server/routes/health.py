"""`/health/*`: live, startup, ready; `/health` is ready. Open to everybody, answered from the first second."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final, Literal

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from typing_extensions import TypedDict

from huatuo_server.engine.base import Phase
from huatuo_server.startup import Health, Startup


class HealthStatus(TypedDict):
    """phase: where a start stands. reason: for people; null where there is nothing to say."""

    status: Literal["ok", "starting", "draining", "failed"]
    phase: Phase
    reason: str | None


FAILED: Final = HealthStatus(status="failed", phase="failed", reason="The engine has died.")


def health_routes(startup: Startup) -> APIRouter:
    """The routes, over one model's life."""
    router = APIRouter(prefix="/health", tags=["health"])

    @router.get("/live", summary="Is the process worth keeping?", response_model=HealthStatus, responses=_unwell())
    async def live() -> Response:
        """200 while the server starts, answers or drains; 503 once its engine died or hangs."""
        return _answer(startup.live())

    @router.get("/startup", summary="Has the server started?", response_model=HealthStatus, responses=_unwell())
    async def started() -> Response:
        """503, with the phase, until the warm-up request went through; 200 from then on, unless the server fails."""
        return _answer(startup.started())

    @router.get("/ready", summary="May new work come?", response_model=HealthStatus, responses=_unwell())
    @router.get("", name="health", summary="As /health/ready", response_model=HealthStatus, responses=_unwell())
    async def ready() -> Response:
        """200 when a new request would be taken, else 503."""
        return _answer(startup.ready())

    return router


def _unwell() -> dict[int | str, dict[str, Any]]:
    """`responses` of one route: what is not good yet, or any more. The contract adds each route's errors to it."""
    content = {"application/json": {"examples": {"failed": {"value": FAILED}}}}
    return {503: {"model": HealthStatus, "description": "Not, and why.", "content": content}}


def _answer(health: Health) -> Response:
    body: dict[str, Any] = asdict(health)
    good = body.pop("good")
    return JSONResponse(body, status_code=200 if good else 503, headers={"Cache-Control": "no-store"})
