"""The command line: `huatuo-server COMMAND`. One module a command stands in `command/`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from huatuo_server.command import parse


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 1 when it failed, 2 when it was misused."""
    return parse.run(sys.argv[1:] if arguments is None else arguments)


if __name__ == "__main__":
    sys.exit(main())
