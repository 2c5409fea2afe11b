"""The scripted twin over the golden checkpoint's card, for tests that need a whole model and no weights."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huatuo_server.opening import open_model
from huatuo_server.served_model import ServedModel
from huatuo_server.settings import Settings

GOLDEN = Path(__file__).parent.parent / "data" / "golden" / "checkpoint"


def scripted_model(script: Mapping[str, Any]) -> ServedModel:
    """An engine that has not started and plays `script`."""
    import asyncio

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "script.json"
        file.write_text(json.dumps(script))
        return asyncio.run(open_model(Settings(model=str(GOLDEN), scripted=file), lambda _note: None))
