"""What this machine's device really does, as a roofline needs it: a large matrix product and a large copy.

`python -m benchmarks.speed.device.rates cuda|cpu` prints one line of JSON: in a process of its own, so that the
measured server finds the device's memory empty.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.speed.roofline import Device

if TYPE_CHECKING:
    import torch

WARM_UPS, REPEATS = 3, 15
SIDES = {"cuda": 8192, "cpu": 1024}
COPIED_BYTES = {"cuda": 4 * 2**30, "cpu": 256 * 2**20}
"""Many times a cache: 60 MB on an H200."""


def measure(kind: str) -> Device:
    """kind: "cuda" or "cpu". Raises CalledProcessError where the device cannot be had."""
    command = [sys.executable, "-m", __name__, kind]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return Device(**json.loads(said.splitlines()[-1]))


def _measure(kind: str) -> Device:
    import torch

    side = SIDES[kind]
    # Random, since a product of zeros is faster than one of data.
    left, right = (torch.randn(side, side, device=kind).to(torch.bfloat16) for _ in range(2))
    source = torch.empty(COPIED_BYTES[kind], dtype=torch.uint8, device=kind).random_()
    target = torch.empty_like(source)
    return Device(
        name=torch.cuda.get_device_name() if kind == "cuda" else "CPU",
        bf16_flops=2 * side**3 / _seconds(kind, lambda: left @ right),
        fp8_flops=_fp8_flops(left, right) if kind == "cuda" else 0.0,
        bytes_per_s=2 * source.numel() / _seconds(kind, lambda: target.copy_(source)),
        memory_bytes=_memory_bytes(kind),
    )


def _fp8_flops(left: torch.Tensor, right: torch.Tensor) -> float:
    """0 where the device has no FP8 units."""
    import torch

    if torch.cuda.get_device_capability() < (8, 9):
        return 0.0
    narrow, one = left.to(torch.float8_e4m3fn), torch.ones((), device="cuda")
    # The second factor is wanted column by column.
    other = right.to(torch.float8_e4m3fn).t().contiguous().t()
    seconds = _seconds("cuda", lambda: torch._scaled_mm(narrow, other, one, one, out_dtype=torch.bfloat16))
    return 2 * left.shape[0] ** 3 / seconds


def _memory_bytes(kind: str) -> float:
    import torch

    if kind == "cuda":
        return float(torch.cuda.get_device_properties(0).total_memory)
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return 1024.0 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))


def _seconds(kind: str, work: Callable[[], Any]) -> float:
    """Of one call, the median."""
    import torch

    settle: Callable[[], Any] = torch.cuda.synchronize if kind == "cuda" else lambda: None
    taken = []
    for _ in range(WARM_UPS + REPEATS):
        settle()
        began = time.perf_counter()
        work()
        settle()
        taken.append(time.perf_counter() - began)
    return median(taken[WARM_UPS:])


if __name__ == "__main__":
    print(json.dumps(asdict(_measure(sys.argv[1]))))
