"""Python's garbage collector, once the server has started."""

from __future__ import annotations

import gc

THRESHOLDS = (10_000, 20, 50)
"""Of `gc.set_threshold`. Python's own first one, 700 objects, is reached by a handful of requests at work."""


def settle() -> None:
    """What lives now will live to the end: torch's and vLLM's modules, some 500,000 objects. It is looked through once
    more and then never again, which took up to 0.4 s of the event loop each time.
    """
    gc.collect()
    gc.freeze()
    # Nothing is left to look at, and Python learns that: else the next one waits for a quarter of those 500,000.
    gc.collect()
    gc.set_threshold(*THRESHOLDS)
