"""Where a copy of a benchmark has its files: a user names the file, or the folder that holds it."""

from __future__ import annotations

from pathlib import Path

from benchmarks.accuracy.errors import DataError

SPLITS = ("train", "validation", "dev", "test")
"""What the names of parquet files on the Hugging Face hub begin with, where a data set has several splits."""


def index_file(path: Path, name: str) -> Path:
    """`path`, or the file `name` in it where it is a folder. Raises DataError where there is no such file."""
    file = path / name if path.is_dir() else path
    if not file.is_file():
        raise DataError(file, "", "there is no such file")
    return file


def split_files(path: Path, split: str) -> list[Path]:
    """`path`, or the parquet files of the split in the folder `path` or else in its folder `data`, by their names.

    Where none is named after this split, they are those named after no split. Raises DataError where there is none.
    """
    if not path.is_dir():
        return [index_file(path, "")]
    # A copy that has the files in both folders would be asked twice.
    found = _of_split(path, split) or _of_split(path / "data", split)
    if not found:
        raise DataError(path, "", f"there is no {split}*.parquet in this folder or in its folder data")
    return found


def _of_split(folder: Path, split: str) -> list[Path]:
    files = sorted(folder.glob("*.parquet"))
    named = [file for file in files if file.name.startswith(split)]
    return named or [file for file in files if not file.name.startswith(SPLITS)]
