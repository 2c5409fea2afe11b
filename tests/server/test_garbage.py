"""The garbage collector of a server that has started."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc, json
from huatuo_server.garbage import settle
settle()
kept = []
kept.append(kept)
del kept
print(json.dumps([gc.get_freeze_count() > 1000, len(gc.get_objects()) < 1000, gc.collect() > 0, gc.isenabled()]))
"""


def test_what_a_start_leaves_is_never_looked_through_again() -> None:
    """It is out of every collection to come, which still finds what is new and unreachable."""
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, text=True, timeout=60)

    assert run.stdout.strip() == "[true, true, true, true]"
