"""`/metrics`: vLLM's metrics and ours on one page."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from huatuo_server.metrics import Metrics
from huatuo_server.routes.examples import OPENMETRICS, PLAIN_TEXT


def metrics_routes(metrics: Metrics) -> APIRouter:
    """The route, over one registry."""
    router = APIRouter(tags=["metrics"])

    @router.get(
        "/metrics",
        name="metrics",
        summary="Prometheus metrics",
        response_class=Response,
        responses={200: {"content": {kind: {"schema": {"type": "string"}} for kind in (PLAIN_TEXT, OPENMETRICS)}}},
    )
    async def page(request: Request) -> Response:
        """Plain text, or OpenMetrics 1.0 for whoever accepts it."""
        body, content_type = metrics.exposition(request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": content_type})

    return router
