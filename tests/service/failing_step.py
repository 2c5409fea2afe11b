"""A logits processor for vLLM with which every step fails from the moment on at which a file is there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from vllm.v1.sample.logits_processor import LogitsProcessor

VARIABLE = "FAILS_WHEN_THERE_IS"
"""The environment variable that names the file."""


class FailingStep(LogitsProcessor):  # type: ignore[misc]
    """`--engine 'logits_processors=["tests.service.failing_step:FailingStep"]'`."""

    def __init__(self, *_: Any) -> None:
        self._file = Path(os.environ[VARIABLE])

    def is_argmax_invariant(self) -> bool:
        """As vLLM asks: it computes something else than the largest value's place."""
        return False

    def update_state(self, _update: Any) -> None:
        """Keeps none."""

    def apply(self, logits: Any) -> Any:
        """Raises RuntimeError once the file is there."""
        if self._file.exists():
            raise RuntimeError("the step failed")
        return logits
