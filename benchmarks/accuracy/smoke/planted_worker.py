"""`python -m benchmarks.accuracy.smoke.planted_worker SWITCH ...`: an image worker in which bugs are planted."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.accuracy.smoke import image_bugs
from benchmarks.accuracy.smoke.bug import Switch
from huatuo_server.images import worker

if __name__ == "__main__":
    image_bugs.plant_all(Switch(Path(sys.argv[1]).absolute()))
    worker.main(sys.argv[2:])
