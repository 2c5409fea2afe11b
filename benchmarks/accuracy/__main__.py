"""`python -m benchmarks.accuracy COMMAND`."""

from __future__ import annotations

import argparse
import logging
import sys
from types import ModuleType

from benchmarks.accuracy import (
    command_choices,
    command_compare,
    command_judge,
    command_report,
    command_run,
    command_submit,
)
from benchmarks.accuracy.errors import AccuracyError
from benchmarks.accuracy.printable import printable

COMMANDS: tuple[ModuleType, ...] = (
    command_run,
    command_choices,
    command_report,
    command_compare,
    command_judge,
    command_submit,
)


def main(arguments: list[str] | None = None) -> int:
    """Exit code; 1 with one line on stderr where the data or a run is not what it should be."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        one = commands.add_parser(command.NAME, help=command.SUMMARY, description=command.__doc__)
        command.add_arguments(one)
        one.set_defaults(command=command)
    given = parser.parse_args(arguments)
    try:
        code: int = given.command.run(given)
    except AccuracyError as error:
        line = printable(str(error)).replace("\n", "\\n")
        print(f"{parser.prog}: {line}", file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
