"""Puts the commands together and turns their errors into one line on stderr and an exit code."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from typing import NoReturn

from huatuo_client.command import ask, chat, health, models, output, render
from huatuo_client.command import map as map_
from huatuo_client.command.exit_code import ExitCode, of_error
from huatuo_client.command.flags import Misuse
from huatuo_client.errors import HuatuoError
from huatuo_client.item import ItemError
from huatuo_client.journal import JournalError
from huatuo_client.version import __version__

COMMANDS = (ask, chat, map_, render, models, health)

DESCRIPTION = """\
Asks a huatuo-server about medical images: DICOM files and pictures. Answers go
to stdout, everything else to stderr.

For research. Not a medical device: verify every finding.
"""

EXAMPLES = """\
examples:
  huatuo ask film.dcm "Is there a fracture?"
  huatuo map films --question "Is there a fracture?" --choices yes no --out results.jsonl

`huatuo COMMAND --help` says more about each command.

exit status: 0 done; 1 the server refused or failed it; 2 misused; 3 the server
is not there, not ready or busy; 4 map: some failed; 130 Ctrl-C; 141 the reader
of stdout is gone; 143 SIGTERM.
"""


def run(arguments: Sequence[str]) -> int:
    """Run the command that the arguments name; returns its exit code."""
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        output.abandon()
        return ExitCode.READER_GONE
    return code


def _run(arguments: Sequence[str]) -> int:
    try:
        given = parsed(arguments)
        code: int = given.run(given)
    except (Misuse, ItemError, JournalError) as error:
        return _say(str(error), ExitCode.MISUSED)
    except HuatuoError as error:
        output.error(error)
        return of_error(error)
    except BrokenPipeError:
        raise
    except OSError as error:
        output.note(f"{error.filename or 'output'}: {error.strerror}.")
        output.abandon()
        return ExitCode.FAILED
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    return code


def _say(text: str, code: ExitCode) -> ExitCode:
    output.note(text)
    return code


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """What the arguments say; exits where they are wrong.

    argparse takes words only where they stand together; those behind a flag are strangers to it.
    """
    parser = _parser()
    if not arguments:
        parser.print_help(sys.stderr)
        sys.exit(ExitCode.MISUSED)
    given, strangers = parser.parse_known_args(arguments)
    words = [one for one in strangers if one == "-" or not one.startswith("-")]
    flags = [one for one in strangers if one not in words]
    if flags or (words and not hasattr(given, "words")):
        unknown = (flags or words)[0].split("=")[0]
        given.parser.error(f"{unknown} is not known here{_did_you_mean(unknown, given.parser.options)}")
    if words:
        given.words += words
    return given


def _did_you_mean(unknown: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(unknown, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


class _Parser(argparse.ArgumentParser):
    """argparse, with one line for an error instead of the whole usage."""

    @property
    def options(self) -> list[str]:
        """All flags, such as `--json`."""
        return [option for action in self._actions for option in action.option_strings]

    def error(self, message: str) -> NoReturn:
        """Exit 2."""
        said = output.shown(message, sys.stderr)
        self.exit(ExitCode.MISUSED, f"{self.prog}: {said} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="huatuo",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"huatuo {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", dest="command", required=True)
    for module in COMMANDS:
        command = commands.add_parser(
            module.NAME,
            help=module.SUMMARY,
            description=module.DESCRIPTION,
            epilog=module.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run, parser=command)
    return parser
