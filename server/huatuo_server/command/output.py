"""Standard output, kept for what a command has to say."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def claim_stdout() -> TextIO:
    """Standard output for us alone: whatever else writes to descriptor 1, vLLM's processes too, lands on stderr."""
    sys.stdout.flush()
    ours = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return ours
