"""`huatuo-server serve`: the server."""

from __future__ import annotations

import argparse
import logging
import os
from functools import partial
from typing import TextIO

from huatuo_server import logs
from huatuo_server.command.flags import add_flags, read_settings, required_model
from huatuo_server.command.output import claim_stdout
from huatuo_server.errors import SettingsError
from huatuo_server.settings import Settings, unknown_variables

NAME = "serve"
SUMMARY = "serve a checkpoint over HTTP"
DESCRIPTION = """\
Serves one checkpoint over HTTP: POST /v1/chat/completions, GET /v1/models,
/health and /metrics. HTTP answers at once; /health/ready is 200 when the
weights are loaded and a first question with a picture was answered.

Every setting is a flag and an environment variable, named in brackets; the
flag wins. The address is printed on stdout, the log goes to stderr. SIGTERM
lets running answers end within --drain-s; a second one does not.

exit status: 0 stopped by a signal; 1 the checkpoint or the engine failed;
2 a flag or a variable is wrong.
"""
EXAMPLES = """\
examples:
  huatuo-server serve --model FreedomIntelligence/HuatuoGPT-Vision-7B
  huatuo-server serve --model /models/HuatuoGPT-Vision-34B --tensor-parallel-size 2
  huatuo-server serve --model /models/HuatuoGPT-Vision-7B --port 9000 \\
      --engine max_num_seqs=64 --engine gpu_memory_utilization=0.8
  HUATUO_MODEL=/models/HuatuoGPT-Vision-7B huatuo-server serve
"""

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Every setting is a flag of this command."""
    add_flags(parser, Settings.model_fields)


def run(given: argparse.Namespace) -> int:
    """Serve until a signal comes. Raises HuatuoError with what went wrong."""
    settings = read_settings(given)
    if settings.scripted is None:
        required_model(settings)
    refuse_open_address(settings)
    stdout = claim_stdout()
    logs.configure()
    for sentence in unknown_variables(os.environ):
        log.warning(sentence)
    if settings.keys_file is None:
        log.warning(_without_keys(settings))
    _listen(settings, stdout)
    return 0


def refuse_open_address(settings: Settings) -> None:
    """Raises SettingsError where strangers could ask, and nobody said that something in front asks them for a key."""
    if settings.no_keys and settings.keys_file is not None:
        raise SettingsError("--keys-file and --no-keys contradict each other: leave one of them out")
    if settings.listens_publicly and not settings.no_keys and settings.keys_file is None:
        raise SettingsError(
            f"--host {settings.host} can be reached from other machines, and without --keys-file nobody is asked for a "
            "key; make one (huatuo-server keys create), listen on 127.0.0.1, or say --no-keys where something in front "
            "of this server authenticates"
        )


def _without_keys(settings: Settings) -> str:
    if settings.listens_publicly:
        return f"nobody is asked for a key (--no-keys): whoever reaches {settings.host} may ask anything"
    return f"nobody is asked for a key: without --keys-file the server listens on the loopback only ({settings.host})"


def _listen(settings: Settings, stdout: TextIO) -> None:
    from huatuo_server import listener

    # Before the imports that take a second, so that whoever connects early waits instead of being refused.
    listening = listener.bind(settings.host, settings.port)

    from huatuo_server.app import create_app
    from huatuo_server.connections import Transport
    from huatuo_server.interruption import InFlight
    from huatuo_server.metrics import Metrics
    from huatuo_server.opening import open_model
    from huatuo_server.startup import Startup

    startup = Startup(partial(open_model, settings), hang_s=settings.hang_s)
    metrics, in_flight = Metrics(), InFlight()
    app = create_app(settings, startup, metrics, in_flight)
    announce = partial(print, f"listening on {listener.url(listening)}", file=stdout, flush=True)
    transport = Transport(
        settings.header_timeout_s,
        settings.idle_timeout_s,
        settings.send_timeout_s,
        settings.max_connections,
        on_refused=lambda reason: metrics.rejections.labels(reason).inc(),
    )
    listener.serve(app, startup, in_flight, listening, announce, transport=transport, drain_s=settings.drain_s)
