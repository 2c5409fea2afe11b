"""How busy the GPU was over a stretch of time, by the driver's own account."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from statistics import fmean
from types import TracebackType

EVERY_MS = 200
FIELDS = "utilization.gpu,power.draw,clocks.sm"


@dataclass(frozen=True, slots=True)
class Busy:
    """Means over the stretch. percent: of the time in which some kernel ran."""

    percent: float
    power_w: float
    clock_mhz: float


class GpuWatch:
    """`with GpuWatch() as watch:`; afterwards `watch.busy`, which is None where there is no NVIDIA driver."""

    def __init__(self) -> None:
        self.busy: Busy | None = None
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> GpuWatch:
        if shutil.which("nvidia-smi"):
            command = ["nvidia-smi", "-i", "0", f"--query-gpu={FIELDS}", "--format=csv,noheader,nounits"]
            self._process = subprocess.Popen([*command, f"-lms={EVERY_MS}"], stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None:
            return
        self._process.terminate()
        said, _ = self._process.communicate()
        self.busy = read(said)


def read(said: str) -> Busy | None:
    """nvidia-smi's lines: three numbers each. Left out: one that was cut short, and what it could not read."""
    rows = []
    for line in said.splitlines():
        try:
            percent, power, clock = map(float, line.split(","))
        except ValueError:
            continue
        rows.append(Busy(percent, power, clock))
    if not rows:
        return None
    return Busy(
        percent=fmean(row.percent for row in rows),
        power_w=fmean(row.power_w for row in rows),
        clock_mhz=fmean(row.clock_mhz for row in rows),
    )
