"""`python -m benchmarks.accuracy.harnesses NAME`: a harness asks a server made-up questions, and we look at the wire.

Exit code 1 where fewer questions were answered, or scored, than were made: several harnesses end with 0 all the same.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from benchmarks.accuracy.errors import AccuracyError, RunError
from benchmarks.accuracy.harnesses import evalscope, lmms_eval, vlmeval, wire
from benchmarks.accuracy.harnesses.harness import ROOT, Call, Harness, Scored
from benchmarks.accuracy.harnesses.made_up import items
from benchmarks.accuracy.harnesses.recorder import recording

HARNESSES: dict[str, Harness] = {"lmms-eval": lmms_eval, "vlmeval": vlmeval, "evalscope": evalscope}

FOREIGN = ("OPENAI_API_KEY", "OPENAI_API_BASE", "OPENAI_BASE_URL", "PYTHONHOME", "VIRTUAL_ENV")
"""Variables that are not handed on: with a key at hand, a harness sends questions and answers to a judge elsewhere."""


def main() -> int:
    """Exit code."""
    given = _arguments()
    try:
        return _run(HARNESSES[given.name], given)
    except AccuracyError as error:
        print(error, file=sys.stderr)
        return 1


def _run(harness: Harness, given: argparse.Namespace) -> int:
    folder = Path(given.folder or tempfile.mkdtemp(prefix="harness-")).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    made = items(given.questions)
    harness.write(made, folder)
    model = _served_model(given.base_url)
    with recording(given.base_url) as record:
        call = Call(given.python.absolute(), record.url, model, folder, given.defaults)
        code = _harness_run(harness, call)
    print(f"{harness.DISTRIBUTION} {_version(given.python, harness)}, exit code {code}, results in {folder}")
    print(wire.summary(made, record))
    score, arrived = harness.scored(folder), wire.arrived(made, record)
    print(f"questions made: {len(made)}, answered: {arrived}, scored: {score.num}, accuracy {score.accuracy:.3f}")
    return 0 if _complete(len(made), arrived, score, code) else 1


def _complete(made: int, arrived: int, score: Scored, code: int) -> bool:
    return code == 0 and made == arrived == score.num


def _harness_run(harness: Harness, call: Call) -> int:
    """In the harness' own environment, without a network but this machine's loopback, as far as it obeys."""
    inherited = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    own = {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    command = harness.command(call)
    print("$", shlex.join(command), flush=True)
    environment = {**inherited, **own, **harness.environment(call.folder)}
    return subprocess.run(command, cwd=call.folder, env=environment, check=False).returncode


def _served_model(base_url: str) -> str:
    try:
        with urllib.request.urlopen(f"{base_url}/v1/models", timeout=30) as reply:
            return str(json.load(reply)["data"][0]["id"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise RunError(f"{base_url}/v1/models names no model: {error}") from error


def _version(python: Path, harness: Harness) -> str:
    code = f"from importlib.metadata import version; print(version({harness.DISTRIBUTION!r}))"
    found = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "of an unknown version"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.harnesses", description=__doc__)
    parser.add_argument("name", choices=HARNESSES)
    parser.add_argument("--base-url", required=True, help="of the server, http://HOST:PORT, without /v1")
    parser.add_argument("--python", required=True, type=Path, help="of the environment that holds the harness")
    parser.add_argument("--questions", type=int, default=12, help="how many are made up")
    parser.add_argument("--defaults", action="store_true", help="the harness' own prompt, settings and scorer")
    parser.add_argument("--folder", type=Path, help="for data and results; default: a new one that stays")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
