"""`python -m benchmarks.accuracy.smoke.planted SWITCH COMMAND ...`: our own command line, with the bugs planted.

SWITCH is a file that names the bug that is on. vLLM's processes import this module anew, so it imports little.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str]) -> int:
    """Exit code, as of `huatuo-server COMMAND ...`."""
    from benchmarks.accuracy.smoke import server_bugs
    from benchmarks.accuracy.smoke.bug import Switch
    from huatuo_server.__main__ import main as huatuo_server

    server_bugs.plant_all(Switch(Path(arguments[0]).absolute()))
    return huatuo_server(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
