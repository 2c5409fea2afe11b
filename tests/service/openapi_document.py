"""The document of `/openapi.json` as a file: `python -m tests.service.openapi_document` writes it (`make openapi`)."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from huatuo_server.app import create_app
from huatuo_server.metrics import Metrics
from huatuo_server.routes.contract import contract
from huatuo_server.served_model import ServedModel
from huatuo_server.settings import Settings
from huatuo_server.startup import Report, Startup

FILE = Path(__file__).parents[1] / "data" / "openapi.json"


@functools.cache
def document() -> dict[str, Any]:
    """Of an app that is not started."""

    async def never(_report: Report) -> ServedModel:
        raise AssertionError("this app is not started")

    app = create_app(Settings(model="unused"), Startup(never), Metrics(CollectorRegistry()))
    as_sent: dict[str, Any] = json.loads(json.dumps(contract(app)))
    return as_sent


def written() -> str:
    """As it lies in the file: two blanks a level, so that a change is a few lines of a diff."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(written(), encoding="utf-8")
    print(f"wrote {FILE}: say in CHANGELOG.md what has changed for those who call the API")
