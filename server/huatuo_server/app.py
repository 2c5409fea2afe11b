"""The composition root: settings and a model's life become an app."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from fastapi import APIRouter, FastAPI

from huatuo_server import __version__
from huatuo_server.admission.budget import Budget
from huatuo_server.admission.capacity import Capacity
from huatuo_server.admission.fair_queue import FairQueue
from huatuo_server.audit import AuditLog
from huatuo_server.engine.base import EngineFacts
from huatuo_server.errors import SettingsError, StorageFailed
from huatuo_server.images.bounds import Bounds
from huatuo_server.images.cache import PictureCache
from huatuo_server.images.preparation import Preparation
from huatuo_server.images.remote.fetch import RemoteImages
from huatuo_server.images.sources import Sources
from huatuo_server.images.workers import ImageWorkers, WorkerEvents, WorkerLimits
from huatuo_server.interruption import InFlight
from huatuo_server.logs import AccessLog
from huatuo_server.metrics import Metrics
from huatuo_server.page import FOLDER, Page
from huatuo_server.routes.authentication import OPEN, Authentication
from huatuo_server.routes.chat import chat_routes
from huatuo_server.routes.chat_render import chat_render_routes
from huatuo_server.routes.choices import choices_routes
from huatuo_server.routes.docs import docs_routes
from huatuo_server.routes.failures import answer_failures
from huatuo_server.routes.files import files_routes
from huatuo_server.routes.health import health_routes
from huatuo_server.routes.hosts import guard_hosts, trusted_hosts
from huatuo_server.routes.metrics import metrics_routes
from huatuo_server.routes.models import models_routes
from huatuo_server.routes.page import page_routes
from huatuo_server.routes.render import render_routes
from huatuo_server.routes.request_id import RequestId
from huatuo_server.routes.responses import responses_routes
from huatuo_server.routes.tokenize import tokenize_routes
from huatuo_server.service import Limits, Service
from huatuo_server.settings import Settings
from huatuo_server.startup import Startup
from huatuo_server.store import DirectoryStore, Store
from huatuo_server.tenants.keyring import Keyring
from huatuo_server.tenants.quota import Quotas

SWEEP_INTERVAL_S = 60.0

SECRET_BYTES = 32

MOST_WORKERS = 8
"""By default; the engine's own processes want their cores too."""


def create_app(settings: Settings, startup: Startup, metrics: Metrics, in_flight: InFlight | None = None) -> FastAPI:
    """Build the app. While it runs, the model of `startup` starts, is watched, and in the end is stopped.

    metrics: the process's own in a server, of a fresh registry in tests. in_flight: for whoever waits for its end.
    Raises SettingsError.
    """
    keyring = Keyring.read(settings.keys_file) if settings.keys_file is not None else None
    workers = _workers(settings, metrics)
    service = _service(settings, startup, metrics, InFlight() if in_flight is None else in_flight, workers, keyring)
    _tie_to_life(service)
    _show_states(service, keyring)
    app = FastAPI(
        title="huatuo-server",
        version=__version__,
        lifespan=_lifespan(service, workers, keyring),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        generate_unique_id_function=lambda route: route.name,
        redirect_slashes=False,
    )
    page = Page.read(FOLDER)
    for router in (*_routers(service), page_routes(page), docs_routes(app)):
        app.include_router(router)
    answer_failures(app)
    # The last one added is the outermost.
    open_paths = OPEN if page is None else OPEN | page.paths
    app.add_middleware(Authentication, keyring=keyring, metrics=metrics, open_paths=open_paths)
    trusted = trusted_hosts(settings.trusted_hosts, settings.host, public=settings.listens_publicly)
    guard_hosts(app, trusted, settings.cors_origins, metrics)
    app.add_middleware(RequestId)
    app.add_middleware(AccessLog)
    return app


def _service(
    settings: Settings,
    startup: Startup,
    metrics: Metrics,
    in_flight: InFlight,
    workers: ImageWorkers,
    keyring: Keyring | None,
) -> Service:
    secret = _secret(settings.secret_file)
    store = None if settings.files_dir is None else _store(settings, settings.files_dir)
    return Service(
        model_name=settings.public_name,
        limits=Limits(
            settings.max_body_bytes,
            settings.max_images_per_request,
            settings.max_image_bytes,
            settings.body_timeout_s,
            settings.request_timeout_s,
            settings.strict,
        ),
        startup=startup,
        metrics=metrics,
        in_flight=in_flight,
        quotas=Quotas(),
        queue=FairQueue(
            settings.max_waiting,
            keeps_stat=lambda: keyring is not None and keyring.has_lane("stat"),
            on_change=lambda lane, waiting: metrics.waiting.labels(lane).set(waiting),
        ),
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
        audit=AuditLog(settings.audit_log) if settings.audit_log is not None else None,
        secret=secret,
    )


def _lifespan(
    service: Service, workers: ImageWorkers, keyring: Keyring | None
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        workers.start()
        background = [asyncio.create_task(_sweep(service.store))] if service.store is not None else []
        if keyring is not None:
            background.append(asyncio.create_task(keyring.watch()))
        try:
            async with service.startup.running():
                yield
        finally:
            for task in background:
                task.cancel()
            await workers.close()
            if service.audit is not None:
                await service.audit.close()

    return lifespan


def _tie_to_life(service: Service) -> None:
    """What must be known or done when the model is opened, ready or lost."""
    startup, queue, audit = service.startup, service.queue, service.audit
    startup.before_ready(service.preparation.check)
    startup.on_ready(lambda served: queue.open(_capacity(served.engine.facts)))
    startup.on_failure(service.in_flight.interrupt_all)
    if audit is not None:
        startup.before_all(audit.open)
        startup.while_ready(lambda: audit.failing and f"the audit log cannot be written: {audit.failing}")


def _capacity(facts: EngineFacts) -> Capacity:
    return Capacity(facts.max_num_seqs, facts.kv_tokens, facts.kv_block_tokens, facts.max_model_len)


def _show_states(service: Service, keyring: Keyring | None) -> None:
    metrics, startup, audit = service.metrics, service.startup, service.audit
    metrics.engine_silent.set_function(lambda: startup.silent_s)
    metrics.keys_failing.set_function(lambda: keyring is not None and keyring.failing is not None)
    metrics.audit_failing.set_function(lambda: audit is not None and audit.failing is not None)


def _secret(file: Path | None) -> bytes:
    """Raises SettingsError, which does not tell what it read."""
    if file is None:
        return secrets.token_bytes(SECRET_BYTES)
    try:
        secret = file.read_bytes()
    except OSError as error:
        raise SettingsError(f"--secret-file {file}: {error.strerror}") from None
    if len(secret) < SECRET_BYTES:
        raise SettingsError(
            f"--secret-file {file}: it holds {len(secret)} bytes; {SECRET_BYTES} random ones are needed"
        )
    return secret


def _routers(service: Service) -> tuple[APIRouter, ...]:
    return (
        chat_routes(service),
        choices_routes(service),
        responses_routes(service),
        tokenize_routes(service),
        chat_render_routes(service),
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
