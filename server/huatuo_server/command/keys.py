"""`huatuo-server keys`: the keys that clients ask with."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from typing import TypeAlias, cast

from huatuo_server.caller import Scope
from huatuo_server.command.flags import read_settings
from huatuo_server.errors import SettingsError
from huatuo_server.lane import LANES
from huatuo_server.settings import flag, variable
from huatuo_server.tenants.key import LIMITS, Key, new_id, new_secret, sha256_of
from huatuo_server.tenants.key_file import KeyFile

NAME = "keys"
SUMMARY = "make, list and revoke the keys that clients ask with"
DESCRIPTION = """\
Makes, lists and revokes the keys that clients of `huatuo-server serve
--keys-file FILE` ask with. The file holds no secrets, only their hashes. A
running server follows it: a change holds within a second, without a restart.

exit status: 0 done; 1 there is no such key; 2 a flag or the file is wrong.
"""
EXAMPLES = """\
examples:
  huatuo-server keys create --keys-file keys.jsonl --tenant radiology
  huatuo-server keys create --keys-file keys.jsonl --tenant research \\
      --class batch --tokens-per-min 200000 --max-concurrent 8
  huatuo-server keys create --keys-file keys.jsonl --tenant prometheus --scopes metrics
  huatuo-server keys list --keys-file keys.jsonl
  huatuo-server keys revoke key-1a2b3c4d --keys-file keys.jsonl

`huatuo-server keys create --help` says more about each.
"""

CREATE = """\
Adds a key to the file, which is made where there is none. The key's secret is
printed on stdout, once, and cannot be had again; all else goes to stderr.
"""
CREATE_EXAMPLES = """\
example:
  huatuo-server keys create --keys-file keys.jsonl --tenant radiology > secret
"""

LIST = "Prints what is known of each key: never a secret, which the file does not hold."
LIST_EXAMPLES = """\
example:
  huatuo-server keys list --keys-file keys.jsonl
"""

REVOKE = "Takes a key out of the file. Running servers refuse it within a second."
REVOKE_EXAMPLES = """\
example:
  huatuo-server keys revoke key-1a2b3c4d --keys-file keys.jsonl
"""

_COLUMNS = ("id", "tenant", "class", "scopes", "limits", "created", "name")

_LIMIT_HELP = {
    "requests_per_min": "requests a minute",
    "tokens_per_min": "tokens a minute, of prompts and answers together",
    "images_per_min": "images a minute",
    "max_concurrent": "requests at once",
}

_Actions: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A command of its own for each thing to do."""
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    _add_create(_action(actions, "create", "make a key", CREATE, CREATE_EXAMPLES))
    _add_list(_action(actions, "list", "list the keys", LIST, LIST_EXAMPLES))
    _add_revoke(_action(actions, "revoke", "revoke a key", REVOKE, REVOKE_EXAMPLES))


def run(given: argparse.Namespace) -> int:
    """Do what was asked. Raises SettingsError."""
    settings = read_settings(given)
    if settings.keys_file is None:
        raise SettingsError("--keys-file is missing: name the file of keys (or set HUATUO_KEYS_FILE)")
    code: int = given.act(KeyFile(settings.keys_file), given)
    return code


def _action(actions: _Actions, name: str, summary: str, description: str, examples: str) -> argparse.ArgumentParser:
    """A parser that the command's own mistakes are told by."""
    parser: argparse.ArgumentParser = actions.add_parser(
        name,
        help=summary,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(parser=parser)
    parser.add_argument(
        flag("keys_file"), default=argparse.SUPPRESS, metavar="FILE", help=f"the file of keys [{variable('keys_file')}]"
    )
    return parser


def _add_create(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(act=_create)
    key = parser.add_argument_group("key")
    key.add_argument(
        "--tenant", required=True, metavar="T", help="whose it is; keys of one tenant share uploads, caches and turns"
    )
    key.add_argument("--name", default="", metavar="N", help="what it is for, for whoever lists the keys")
    key.add_argument(
        "--class", dest="lane", choices=LANES, default="routine", help="how urgent its requests are; default: routine"
    )
    key.add_argument(
        "--scopes",
        default="chat",
        metavar="SCOPE,...",
        help="what it opens: chat (all of the API), metrics, or admin (both); default: chat",
    )
    limits = parser.add_argument_group("limits", "each counted by one server process for itself; default: none")
    for limit, said in _LIMIT_HELP.items():
        limits.add_argument(f"--{limit.replace('_', '-')}", type=int, metavar="N", help=said)


def _add_list(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(act=_list)


def _add_revoke(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(act=_revoke)
    parser.add_argument("id", metavar="ID", help="the key's id, as create and list print it")


def _create(file: KeyFile, given: argparse.Namespace) -> int:
    secret = new_secret()
    key = _key(given, sha256_of(secret))
    file.add(key)
    print(
        f"{key.id} made for tenant {key.tenant} (class {key.lane}, scopes {_scopes(key)}, {_limits(key)}); "
        "its secret is on stdout and is not kept anywhere",
        file=sys.stderr,
        flush=True,
    )
    print(secret, flush=True)
    return 0


def _list(file: KeyFile, given: argparse.Namespace) -> int:
    rows = [_COLUMNS, *(_row(key) for key in file.read().keys)]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _revoke(file: KeyFile, given: argparse.Namespace) -> int:
    if file.remove(given.id):
        print(f"{given.id} is revoked", file=sys.stderr)
        return 0
    print("huatuo-server: the keys file has no key of this id; huatuo-server keys list shows them", file=sys.stderr)
    return 1


def _key(given: argparse.Namespace, sha256: str) -> Key:
    """Raises SettingsError."""
    try:
        return Key(
            id=new_id(),
            tenant=given.tenant,
            sha256=sha256,
            created_at=int(time.time()),
            name=given.name,
            # Key says which there are.
            scopes=frozenset(cast("list[Scope]", [scope.strip() for scope in given.scopes.split(",")])),
            lane=given.lane,
            **{limit: getattr(given, limit) for limit in LIMITS},
        )
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _row(key: Key) -> tuple[str, ...]:
    created = datetime.fromtimestamp(key.created_at, UTC).strftime("%Y-%m-%d")
    return (key.id, key.tenant, key.lane, _scopes(key), _limits(key), created, key.name)


def _scopes(key: Key) -> str:
    return ",".join(sorted(key.scopes))


def _limits(key: Key) -> str:
    found = [f"{limit}={value}" for limit in LIMITS if (value := getattr(key, limit)) is not None]
    return ",".join(found) or "no limits"
