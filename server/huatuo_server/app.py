"""The composition root: settings and a model's life become an app."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import APIRouter, FastAPI

from huatuo_server import __version__
from huatuo_server.admission import Budget
from huatuo_server.errors import StorageFailed
from huatuo_server.images.bounds import Bounds
from huatuo_server.images.cache import PictureCache
from huatuo_server.images.preparation import Preparation
from huatuo_server.images.remote.fetch import RemoteImages
from huatuo_server.images.sources import Sources
from huatuo_server.images.workers import ImageWorkers, WorkerEvents, WorkerLimits
from huatuo_server.logs import AccessLog
from huatuo_server.metrics import Metrics
from huatuo_server.pipeline import Limits, Service
from huatuo_server.routes.chat import chat_routes
from huatuo_server.routes.failures import answer_failures
from huatuo_server.routes.files import files_routes
from huatuo_server.routes.health import health_routes
from huatuo_server.routes.metrics import metrics_routes
from huatuo_server.routes.models import models_routes
from huatuo_server.routes.render import render_routes
from huatuo_server.routes.request_id import RequestId
from huatuo_server.settings import Settings
from huatuo_server.startup import Startup
from huatuo_server.store import DirectoryStore, Store

SWEEP_INTERVAL_S = 60.0

MOST_WORKERS = 8
"""By default; the engine's own processes want their cores too."""


def create_app(settings: Settings, startup: Startup, metrics: Metrics) -> FastAPI:
    """Build the app. While it runs, the model of `startup` starts, is watched, and in the end is stopped.

    metrics: the process's own in a server, of a fresh registry in tests.
    """
    secret = secrets.token_bytes(32)
    workers = _workers(settings, metrics)
    store = None if settings.files_dir is None else _store(settings, settings.files_dir)
    service = Service(
        model_name=settings.public_name,
        limits=Limits(settings.max_body_bytes, settings.max_images_per_request, settings.max_image_bytes),
        startup=startup,
        metrics=metrics,
        bytes_in_flight=Budget("bytes", settings.max_bytes_in_flight, "--max-bytes-in-flight"),
        sources=Sources(settings.max_image_bytes, store, _remote_images(settings)),
        preparation=Preparation(
            workers,
            PictureCache(settings.image_cache_bytes),
            Budget("pixels", settings.max_pixels_in_flight, "--max-pixels-in-flight"),
            Bounds(settings.max_image_pixels, settings.max_image_side, settings.max_frames),
            secret,
            metrics,
        ),
        store=store,
        secret=secret,
    )

    startup.before_ready(service.preparation.check)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        workers.start()
        sweeping = asyncio.create_task(_sweep(store)) if store is not None else None
        try:
            async with startup.running():
                yield
        finally:
            if sweeping is not None:
                sweeping.cancel()
            await workers.close()

    app = FastAPI(
        title="huatuo-server",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for router in _routers(service):
        app.include_router(router)
    answer_failures(app)
    # The last one added is the outermost.
    app.add_middleware(RequestId)
    app.add_middleware(AccessLog)
    return app


def _routers(service: Service) -> tuple[APIRouter, ...]:
    return (
        chat_routes(service),
        render_routes(service),
        files_routes(service),
        models_routes(service),
        health_routes(service.startup),
        metrics_routes(service.metrics),
    )


def _workers(settings: Settings, metrics: Metrics) -> ImageWorkers:
    count = settings.image_workers or min(MOST_WORKERS, len(os.sched_getaffinity(0)))
    limits = WorkerLimits(settings.image_memory_bytes, settings.image_cpu_s, settings.image_timeout_s)
    events = WorkerEvents(metrics.workers_busy.inc, lambda cause: metrics.workers_replaced.labels(cause).inc())
    return ImageWorkers(count, limits, events)


def _store(settings: Settings, folder: Path) -> Store:
    return DirectoryStore(folder, ttl_s=settings.file_ttl_s, quota_bytes=settings.file_quota_bytes)


async def _sweep(store: Store) -> None:
    """Expired uploads are not served, swept or not; this is what takes them off the disk."""
    while True:
        # The store has logged it already.
        with contextlib.suppress(StorageFailed):
            await asyncio.to_thread(store.sweep)
        await asyncio.sleep(SWEEP_INTERVAL_S)


def _remote_images(settings: Settings) -> RemoteImages:
    return RemoteImages(settings.remote_images, settings.max_image_bytes, settings.remote_timeout_s)
