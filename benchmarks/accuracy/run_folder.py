"""A run on disk: `run.json` says what was asked of whom, `answers.jsonl` has a line an answer, appended as it comes.

A process that is killed leaves at most half a line behind, which is dropped. One process at a time may append.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType, UnionType
from typing import Any

from benchmarks.accuracy.answer import Answer, answer_of
from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.journal import Journal

FORMAT = 1
ABOUT = "run.json"
ANSWERS = "answers.jsonl"

_Types = Mapping[str, type | UnionType]

_FIELDS: _Types = {
    "data": dict,
    "base_url": str,
    "model": str,
    "settings": dict,
    "server": dict,
    "concurrency": int,
    "sessions": list,
}
_DATA: _Types = {"reader": str, "path": str, "sha256": str}
_DATA_SIZE: _Types = {"num_items": int | None}
_SESSION: _Types = {"started": str, "ended": str | None, "asked": int, "seconds": int | float}


class About(dict[str, Any]):
    """What `run.json` says, by name. A field that is not there is a RunError where it is looked up."""

    def __init__(self, file: Path, fields: Mapping[str, Any]) -> None:
        """Raises RunError, with file and field, where a field is not as `run` writes it."""
        super().__init__(fields)
        self._file = file
        self._check(_FIELDS, self, required=False)
        if "data" in self:
            self._check(_DATA, self["data"], "data.")
            self._check(_DATA_SIZE, self["data"], "data.", required=False)
        for number, session in enumerate(self.get("sessions", [])):
            self._check(_SESSION, session, f"sessions[{number}].")

    def __missing__(self, name: str) -> Any:
        raise RunError(f"{self._file}: {name}: is missing")

    def _check(self, types: _Types, fields: Any, place: str = "", *, required: bool = True) -> None:
        for name, kind in types.items():
            there = isinstance(fields, dict) and name in fields
            if required and not there:
                raise RunError(f"{self._file}: {place}{name}: is missing")
            if there and not isinstance(fields[name], kind):
                raise RunError(f"{self._file}: {place}{name}: is of another type")


class Run:
    """`with run:` holds the folder for appending: RunError where another process does.

    about: what `run.json` says.
    """

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        self.folder = folder
        self.about = About(folder / ABOUT, about)
        self._journal = Journal(folder / ANSWERS)

    @classmethod
    def create(cls, folder: Path, about: dict[str, Any]) -> Run:
        """A new one. Raises RunError where the folder holds a run, or cannot be written."""
        run = cls(folder, {"format": FORMAT, **about})
        if cls.is_at(folder):
            raise RunError(f"{folder}: holds a run already")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{folder}: {error.strerror}") from error
        run.rewrite(run.about)
        return run

    @classmethod
    def open(cls, folder: Path) -> Run:
        """One that is there. Raises RunError where none is, or one that this version does not read, and as `About`."""
        try:
            about = json.loads((folder / ABOUT).read_bytes())
        except OSError as error:
            raise RunError(f"{folder}: is no run: {ABOUT}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise RunError(f"{folder / ABOUT}: is no JSON") from error
        if not isinstance(about, dict) or about.get("format") != FORMAT:
            raise RunError(f"{folder / ABOUT}: is no run of format {FORMAT}")
        return cls(folder, about)

    @staticmethod
    def is_at(folder: Path) -> bool:
        """Whether the folder holds a run, or what is left of one."""
        return (folder / ABOUT).exists() or (folder / ANSWERS).exists()

    def rewrite(self, about: dict[str, Any]) -> None:
        """Replace what `run.json` says, all at once. Raises RunError where it cannot be written."""
        new = self.folder / f"{ABOUT}.part"
        try:
            with new.open("w", encoding="utf-8") as file:
                file.write(json.dumps(about, indent=2) + "\n")
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.folder / ABOUT)
        except OSError as error:
            raise RunError(f"{new}: {error.strerror}") from error
        self.about = About(self.folder / ABOUT, about)

    def __enter__(self) -> Run:
        self._journal.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._journal.__exit__(kind, error, trace)

    def append(self, answer: Answer) -> None:
        """Keep it: a whole line, or what the next reader drops. Raises RunError where it cannot be written."""
        self._journal.append(asdict(answer))

    def answers(self) -> Iterator[Answer]:
        """The newest of each item, in the file's order, one in memory at a time.

        Raises RunError, with file and line, where a line is broken; a last line without an end is none.
        """
        newest = {answer.id: number for number, answer in self._numbered()}
        return (answer for number, answer in self._numbered() if newest.get(answer.id) == number)

    def answered_ids(self) -> set[str]:
        """Of the items that need not be asked again: those whose newest line has no error."""
        return {answer.id for answer in self.answers() if answer.error is None}

    def failed_ids(self) -> set[str]:
        """Of the items whose newest line has an error."""
        return {answer.id for answer in self.answers() if answer.error is not None}

    def _numbered(self) -> Iterator[tuple[int, Answer]]:
        for number, record in enumerate(self._journal.records(), start=1):
            try:
                yield number, answer_of(record)
            except TypeError as error:
                raise RunError(f"{self._journal.path}: line {number}: is no answer") from error
