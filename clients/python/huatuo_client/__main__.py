"""The command line: `huatuo COMMAND`. One module a command stands in `command/`."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; `command/exit_code.py` says which there are."""
    try:
        from huatuo_client.command import parse

        return parse.run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        # Even while modules are read: nobody who presses Ctrl-C wants a traceback.
        return 130


if __name__ == "__main__":
    sys.exit(main())
