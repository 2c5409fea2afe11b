"""What the model says of its start, from whichever process it loads in, to whoever started vLLM.

vLLM loads a model in processes of its own and passes back neither progress nor reasons. A file of JSON lines, named
in the environment, carries both; without the variable nothing is written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

VARIABLE = "HUATUO_VLLM_REPORT"
"""The environment variable that names the file."""


def say(**fields: Any) -> None:
    """Append one line. Every tensor-parallel worker says the same; one short write is atomic under O_APPEND."""
    path = os.environ.get(VARIABLE)
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(fields) + "\n")


def read(path: Path) -> Mapping[str, Any]:
    """All fields said so far, the latest of each. Empty before the first."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    said: dict[str, Any] = {}
    for line in lines:
        said |= json.loads(line)
    return said
