"""`huatuo-server audit verify`: was an audit log changed?"""

from __future__ import annotations

import argparse
from pathlib import Path

NAME = "audit"
SUMMARY = "check that an audit log was not changed"
DESCRIPTION = """\
Reads an audit log, which `serve --audit-log FILE` writes, and says whether each
line follows the one before it. Needs no server; the log may be in use.
"""
EXAMPLES = """\
examples:
  huatuo-server audit verify /var/log/huatuo/audit.jsonl
  huatuo-server audit verify audit-2026.jsonl audit.jsonl --head 5f0c...

`huatuo-server audit verify --help` says more.

exit status: 0 the chain is whole; 1 it is not; 2 a flag is wrong.
"""

VERIFY_DESCRIPTION = """\
Checks every line's hash, number and link to the line before it, and prints how
many lines there are and the last one's hash, the head. Several files are read
as one chain, the oldest first.

A log whose end was cut off, or that was written anew from some line on, is a
whole chain as well: it takes a head that was noted elsewhere to tell, given
here as --head.
"""
VERIFY_EXAMPLES = """\
exit status: 0 the chain is whole, and holds the head that was given;
1 a line is broken, which is named, or the head is not there; 2 a flag is wrong.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There is one thing to do with a log."""
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    verify = actions.add_parser(
        "verify",
        help="say whether each line follows the one before it",
        description=VERIFY_DESCRIPTION,
        epilog=VERIFY_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verify.add_argument("files", metavar="FILE", type=Path, nargs="+", help="the log; its earlier files before it")
    verify.add_argument("--head", metavar="HASH", type=_hash, help="a hash that must be in the chain")
    verify.set_defaults(parser=verify)


def run(given: argparse.Namespace) -> int:
    """Print what was found on stdout. Raises HuatuoError with the first broken line."""
    from huatuo_server.audit.verification import verified

    chain = verified(given.files, given.head)
    print(f"{chain.num_lines} lines, whole; head: {chain.ends.prev}")
    if chain.begins.seq:
        print(f"They begin with number {chain.begins.seq}: the lines before it are in another file, or were removed.")
    if chain.unfinished:
        print("The last line is not finished: it is being written, or a crash cut it off.")
    if chain.holds is False:
        print("The head that was given is not in the chain: lines were cut off or written anew since it was noted.")
    return 1 if chain.holds is False else 0


def _hash(text: str) -> str:
    from huatuo_server.audit.chain import HASH

    if not HASH.fullmatch(text):
        raise argparse.ArgumentTypeError("a head is 64 hexadecimal digits")
    return text
