"""`huatuo` as a process, as a person or a script runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from tests.service.served import Served

LIMIT_S = 60.0
HUATUO = (sys.executable, "-m", "huatuo_client")
CLIENT = Path(__file__).parents[2] / "clients" / "python"


def environ(server: Served | str | None, **more: str) -> dict[str, str]:
    """Of a shell that knows the server and nothing else of ours."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HUATUO_", "OPENAI_"))}
    base_url = server.base_url if isinstance(server, Served) else server
    return {**clean, **({} if base_url is None else {"HUATUO_BASE_URL": base_url}), **more}


def huatuo(
    server: Served | str | None, *arguments: str | Path, stdin: bytes = b"", more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run it to its end. server: or a base URL. more: variables of the environment."""
    return subprocess.run(
        [*HUATUO, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
        env=environ(server, **(more or {})),
    )


def begun(
    server: Served | str,
    *arguments: str | Path,
    stdin: int = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int | IO[bytes] = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Begin it; who begins it ends it."""
    return subprocess.Popen(
        [*HUATUO, *map(str, arguments)], stdin=stdin, stdout=stdout, stderr=stderr, env=environ(server)
    )


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    """Wait for its end: exit code, stdout, stderr."""
    out, err = process.communicate(timeout=LIMIT_S)
    return process.returncode, (out or b"").decode(), (err or b"").decode()


def records(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file of JSON lines; none where there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def names(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """The ids of records."""
    return [str(one["id"]) for one in found]
