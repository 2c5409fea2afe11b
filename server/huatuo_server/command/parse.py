"""Puts the commands together and turns their errors into one line on stderr and an exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from huatuo_server import __version__
from huatuo_server.command import audit, check, demo_checkpoint, keys, serve, verify
from huatuo_server.errors import HuatuoError, SettingsError
from huatuo_server.settings import did_you_mean

COMMANDS = (serve, check, verify, keys, demo_checkpoint, audit)

EXIT_FAILED = 1
EXIT_MISUSED = 2
EXIT_INTERRUPTED = 130

DESCRIPTION = """\
Serves the HuatuoGPT-Vision checkpoints, as their authors released them, behind
an OpenAI-compatible API on vLLM: an application sends images and a question,
and the answer streams back.
"""

EXAMPLES = """\
examples:
  huatuo-server serve --model FreedomIntelligence/HuatuoGPT-Vision-7B
  huatuo-server check --model /models/HuatuoGPT-Vision-7B
  huatuo-server demo-checkpoint /tmp/demo

`huatuo-server COMMAND --help` says more about each command.
"""


def run(arguments: Sequence[str]) -> int:
    """Run the command that the arguments name; returns 0, 1 when it failed, 2 when it was misused."""
    parser = _parser()
    if not arguments:
        parser.print_help(sys.stderr)
        return EXIT_MISUSED
    given, strangers = parser.parse_known_args(arguments)
    if strangers:
        hint = did_you_mean(strangers[0].split("=")[0], given.parser.options)
        given.parser.error(f"{strangers[0]} is not known here{hint}")
    try:
        code: int = given.run(given)
    except SettingsError as error:
        return _say(error, EXIT_MISUSED)
    except HuatuoError as error:
        return _say(error, EXIT_FAILED)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return code


def _say(error: HuatuoError, code: int) -> int:
    print(f"huatuo-server: {' '.join(error.message.split())}", file=sys.stderr, flush=True)
    return code


class _Parser(argparse.ArgumentParser):
    """argparse, with one line for an error instead of the whole usage."""

    @property
    def options(self) -> list[str]:
        """All flags, such as `--port`."""
        return [option for action in self._actions for option in action.option_strings]

    def error(self, message: str) -> NoReturn:
        """Exit 2."""
        self.exit(EXIT_MISUSED, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="huatuo-server",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"huatuo-server {__version__}")
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
