"""Tools that a test needs beside Python. Where one is missing the test skips and says so; in CI it fails."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

REQUIRED = "REQUIRE_CI_TOOLS"
"""Set to 1 by `.ci/run`: what `make ci-tools` installs must be there."""

NODE_FOLDER = Path(__file__).parent / "node"
OLDEST_NODE = 18


def missing(why: str) -> None:
    """Skips, or fails where the tools are required."""
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{why}; {REQUIRED}=1 forbids the skip")
    pytest.skip(why)


def node() -> str:
    """Node's path; what the tests import is installed beside them."""
    found = shutil.which("node")
    if found is None or _major_version(found) < OLDEST_NODE:
        missing(f"Node {OLDEST_NODE} or newer is not installed: `make ci-tools` installs Debian's")
    if not (NODE_FOLDER / "node_modules" / "openai").is_dir():
        missing("OpenAI's package for Node is not installed: `make ci-tools` installs it")
    return str(found)


@functools.cache
def _major_version(path: str) -> int:
    """As `node --version` says it: v20.20.2."""
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    return int(said.strip().removeprefix("v").split(".")[0])
