"""A JSON file of a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from huatuo_server.errors import CheckpointError


def read_object(path: Path, missing_ok: bool = False) -> dict[str, Any]:
    """The JSON object in `path`; empty if the file is missing and may be. Raises CheckpointError otherwise."""
    if missing_ok and not path.exists():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {error}.") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} does not hold a JSON object.")
    return value
