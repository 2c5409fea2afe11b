"""Who may ask by which name, and from which web page.

A page in a user's browser can send requests to this machine's loopback, and with a rebound DNS name it could read the
answers. So a server on the loopback answers to the loopback's names alone, and a page of another origin is refused
unless the operator listed it. Programs send no Origin, and are not concerned.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from huatuo_server.errors import HostRefused, OriginRefused, RequestError
from huatuo_server.metrics import Metrics
from huatuo_server.routes.failures import failure_response

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""Names that no DNS server can point elsewhere: trusted in any case."""

HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:/@\[\]]+)(?::[0-9]{1,5})?")
"""A name or address, in lower case, and a port."""

EXPOSED_HEADERS = (
    "X-Request-Id",
    "Retry-After",
    *(f"X-RateLimit-{what}-{of}" for what in ("Limit", "Remaining", "Reset") for of in ("Requests", "Tokens")),
)

PREFLIGHT_AGE_S = 600


def guard_hosts(app: FastAPI, trusted: Collection[str] | None, cors_origins: Collection[str], metrics: Metrics) -> None:
    """Refuse other names and other origins, and let the pages of `cors_origins` read the answers.

    trusted: as `trusted_hosts` gives it.
    """
    if cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(cors_origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["*"],
            expose_headers=EXPOSED_HEADERS,
            max_age=PREFLIGHT_AGE_S,
        )
    app.add_middleware(Hosts, trusted=trusted, cors_origins=cors_origins, metrics=metrics)


def trusted_hosts(listed: Collection[str], host: str, *, public: bool) -> frozenset[str] | None:
    """The names that a Host header may hold, without ports; None is any.

    listed: what the operator wrote; `*.example.org` is every name below that one. host: what the server listens on.
    public: whether other machines can reach it.
    """
    if public and not listed:
        return None
    bound = f"[{host}]" if ":" in host else host
    return LOOPBACK | {bound.lower()} | {name.lower() for name in listed}


class Hosts:
    """Pure ASGI middleware. `/health` takes any name, and every path any address."""

    def __init__(
        self, app: ASGIApp, *, trusted: Collection[str] | None, cors_origins: Collection[str], metrics: Metrics
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._trusted = trusted
        self._cors_origins = frozenset(cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what comes by a good name from a good place."""
        app = self._app if scope["type"] != "http" else self._judge(scope)
        await app(scope, receive, send)

    def _judge(self, scope: Scope) -> ASGIApp:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if not (is_probe(scope["path"]) or self._is_trusted(hosts)):
            return self._refused(
                HostRefused("This server does not go by the name in the Host header (--trusted-hosts).")
            )
        if not all(self._may_ask(origin, hosts) for origin in headers.getlist("origin")):
            return self._refused(OriginRefused("Pages of this origin may not ask this server (--cors-origins)."))
        return self._app

    def _refused(self, error: RequestError) -> ASGIApp:
        self._metrics.rejections.labels(error.code).inc()
        return failure_response(error)

    def _is_trusted(self, hosts: list[str]) -> bool:
        if self._trusted is None:
            return True
        found = HOST.fullmatch(hosts[0].lower()) if len(hosts) == 1 else None
        if found is None:
            return False
        # Only a name can be rebound; monitoring asks by address.
        return _is_address(found[1]) or any(_matches(found[1].removesuffix("."), one) for one in self._trusted)

    def _may_ask(self, origin: str, hosts: list[str]) -> bool:
        """A page that this server itself gave out may; a TLS proxy in front makes its scheme another one."""
        return origin in self._cors_origins or origin.partition("://")[2].lower() in [host.lower() for host in hosts]


def is_probe(path: str) -> bool:
    """Whether it is one of `/health*`."""
    return path == "/health" or path.startswith("/health/")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _matches(name: str, trusted: str) -> bool:
    return name.endswith(trusted[1:]) if trusted.startswith("*.") else name == trusted
