"""What can be wrong with the data or a run, told to the person who gave it."""

from __future__ import annotations

from pathlib import Path


class AccuracyError(Exception):
    """One sentence for the user; the command ends with exit code 1."""


class DataError(AccuracyError):
    """A copy of a benchmark is incomplete or is not what it should be.

    file: the file on disk. field: where in it, such as `record 17: image`; empty where the file as a whole is meant.
    """

    def __init__(self, file: Path, field: str, problem: str) -> None:
        self.file = file
        self.field = field
        super().__init__(f"{file}: {field}: {problem}" if field else f"{file}: {problem}")


class RunError(AccuracyError):
    """A run's folder, or the server that it asks, is not what it should be."""
