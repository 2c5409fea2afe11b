"""What a machine without a network lacks, as pieces small enough to be carried there, and their installation.

    python -m benchmarks.speed.device.carry FOLDER      here: fill FOLDER with numbered pieces and their checksums
    python -m benchmarks.speed.gpu --carried FOLDER     there: put them together, install them, and run

What is carried is locks/carried.txt: vLLM 0.26 and our own needs, for Python 3.12 on x86-64, without what PyTorch's
own installation brings (locks/carried-without.txt). Several journeys will do: the pieces only have to lie in one folder
in the end, beside a clone of ours. Standard library only, since nothing is installed there yet.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
LOCK = ROOT / "locks/carried.txt"
PIECE_BYTES = 41 * 2**20
SUMS = "pieces.json"

GLIBC = range(39, 4, -1)
"""pip takes a wheel for `manylinux_2_N` where N is named, and for no other: these are all that there are."""


class DamagedError(RuntimeError):
    """A piece is missing, or is not what was packed."""


def pack(folder: Path) -> list[Path]:
    """Download the wheels and write them as pieces. Raises CalledProcessError where pip fails."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as wheels:
        _pip("download", *_platform(), "--require-hashes", "-r", str(LOCK), "--dest", wheels)
        whole = io.BytesIO()
        with tarfile.open(fileobj=whole, mode="w") as archive:
            archive.add(wheels, arcname=".")
    return write_pieces(whole.getvalue(), folder)


def install(folder: Path, target: Path) -> None:
    """Into a folder for PYTHONPATH, with this clone. Raises DamagedError, and CalledProcessError where pip fails."""
    with tempfile.TemporaryDirectory() as wheels:
        with tarfile.open(fileobj=io.BytesIO(read_pieces(folder))) as archive:
            archive.extractall(wheels, filter="data")
        part = target.with_name(f"{target.name}.part")
        offline = ["--no-index", "--no-compile", "--upgrade", "--target", str(part)]
        _pip("install", *offline, *_wheels(Path(wheels)))
        # Built there, by what has just been installed: vLLM finds the plugin by the entry point that this leaves.
        _pip("install", *offline, "--no-build-isolation", str(ROOT), PYTHONPATH=str(part))
        part.rename(target)


def write_pieces(whole: bytes, folder: Path, piece_bytes: int = PIECE_BYTES) -> list[Path]:
    """Numbered files and the checksums of all; the paths of the former."""
    pieces = {f"piece-{rank:02}": piece for rank, piece in enumerate(_cut(whole, piece_bytes))}
    for name, piece in pieces.items():
        (folder / name).write_bytes(piece)
    sums = {name: hashlib.sha256(piece).hexdigest() for name, piece in pieces.items()}
    (folder / SUMS).write_text(json.dumps(sums, indent=2) + "\n", encoding="utf-8")
    return [folder / name for name in pieces]


def read_pieces(folder: Path) -> bytes:
    """What was cut. Raises DamagedError, naming the first piece that is not as it was."""
    sums = json.loads((folder / SUMS).read_text(encoding="utf-8"))
    return b"".join(_read(folder / name, expected) for name, expected in sums.items())


def _read(path: Path, expected: str) -> bytes:
    if not path.is_file():
        raise DamagedError(f"{path.name} is missing")
    piece = path.read_bytes()
    if hashlib.sha256(piece).hexdigest() != expected:
        raise DamagedError(f"{path.name} is not what was packed")
    return piece


def _cut(whole: bytes, piece_bytes: int) -> Iterator[bytes]:
    return (whole[begin : begin + piece_bytes] for begin in range(0, len(whole), piece_bytes))


def _platform() -> list[str]:
    tags = [f"manylinux_2_{minor}_x86_64" for minor in GLIBC] + ["manylinux2014_x86_64", "manylinux1_x86_64"]
    named = [word for tag in tags for word in ("--platform", tag)]
    return ["--python-version", "3.12", "--implementation", "cp", "--only-binary=:all:", *named]


def _wheels(folder: Path) -> list[str]:
    return [str(path) for path in sorted(folder.glob("*.whl"))]


def _pip(command: str, *words: str, **environ: str) -> None:
    quiet = ["--quiet", "--disable-pip-version-check"]
    pip = [sys.executable, "-m", "pip", *quiet, command, "--no-deps", *words]
    subprocess.run(pip, env={**os.environ, **environ}, check=True)


def main() -> int:
    """Exit code."""
    for path in pack(Path(sys.argv[1])):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
