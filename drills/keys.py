"""Keys for a server under drill, made as an operator makes them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def create(file: Path, tenant: str, **flags: str) -> str:
    """The secret of a new key. flags: of `huatuo-server keys create`, with `_` for `-` (`class_` is `--class`)."""
    given = [one for name, value in flags.items() for one in (f"--{name.strip('_').replace('_', '-')}", value)]
    command = [sys.executable, "-m", "huatuo_server", "keys", "create", "--keys-file", str(file), "--tenant", tenant]
    made = subprocess.run([*command, *given], check=True, capture_output=True, text=True)
    return made.stdout.strip()


def bearer(secret: str) -> str:
    """The value of `Authorization`."""
    return f"Bearer {secret}"
