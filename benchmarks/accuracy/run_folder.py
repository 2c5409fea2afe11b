"""A run on disk: `run.json` says what was asked of whom, `answers.jsonl` has a line an answer, appended as it comes.

A process that is killed leaves at most half a line behind, which is dropped. One process at a time may append.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import NoneType, TracebackType, UnionType
from typing import Any

from benchmarks.accuracy.errors import RunError

FORMAT = 1
ABOUT = "run.json"
ANSWERS = "answers.jsonl"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a question has no answer. status: of HTTP, None where no reply came. code: the server's own, or None."""

    status: int | None
    code: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one item.

    label: the right option's letter. text: the model's, as it came; empty where there is an error. tokens: as the
    server counts them. seconds: of the request that was answered, without waits before it. prompt_sha256: as in `chat`.
    """

    id: str
    dataset: str
    subset: str
    label: str | None
    options: tuple[str, ...]
    text: str
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float
    prompt_sha256: str
    error: Failure | None = None


_TYPES: dict[str, type | UnionType] = {
    "id": str,
    "dataset": str,
    "subset": str,
    "label": str | None,
    "options": list,
    "text": str,
    "finish_reason": str | None,
    "prompt_tokens": int | None,
    "completion_tokens": int | None,
    "seconds": int | float,
    "prompt_sha256": str,
    "error": dict | NoneType,
}
"""Of a line's fields, as JSON has them."""


class Run:
    """`with run:` holds the folder for appending: RunError where another process does.

    about: what `run.json` says.
    """

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        self.folder = folder
        self.about = about
        self._journal: int | None = None

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
        """One that is there. Raises RunError where none is, or one that this version does not read."""
        try:
            about = json.loads((folder / ABOUT).read_bytes())
        except OSError as error:
            raise RunError(f"{folder}: is no run: {ABOUT}: {error.strerror}") from error
        except ValueError as error:
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
        self.about = about

    def __enter__(self) -> Run:
        path = self.folder / ANSWERS
        try:
            self._journal = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(self._journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._journal, sum(map(len, self._lines())))
        except BlockingIOError as error:
            self._close()
            raise RunError(f"{self.folder}: another process asks for this run") from error
        except OSError as error:
            self._close()
            raise RunError(f"{path}: {error.strerror}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._journal is not None:
            os.fsync(self._journal)
        self._close()

    def _close(self) -> None:
        if self._journal is not None:
            os.close(self._journal)
            self._journal = None

    def append(self, answer: Answer) -> None:
        """Keep it: a whole line, or what the next reader drops. Raises RunError where it cannot be written."""
        if self._journal is None:
            with self:
                return self.append(answer)
        line = (json.dumps(asdict(answer)) + "\n").encode()
        try:
            written = os.write(self._journal, line)
        except OSError as error:
            raise RunError(f"{self.folder / ANSWERS}: {error.strerror}") from error
        if written < len(line):
            raise RunError(f"{self.folder / ANSWERS}: the disk is full")
        return None

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
        for number, line in enumerate(self._lines(), start=1):
            try:
                yield number, _answer(json.loads(line))
            except (ValueError, TypeError) as error:
                raise RunError(f"{self.folder / ANSWERS}: line {number}: is no answer") from error

    def _lines(self) -> Iterator[bytes]:
        """Those that are whole."""
        if not (self.folder / ANSWERS).exists():
            return
        with (self.folder / ANSWERS).open("rb") as file:
            yield from (line for line in file if line.endswith(b"\n"))


def _answer(fields: Any) -> Answer:
    """Raises TypeError where a field is missing, unknown or of another type."""
    if not isinstance(fields, dict) or fields.keys() != _TYPES.keys():
        raise TypeError("other fields")
    if wrong := [name for name, kind in _TYPES.items() if not isinstance(fields[name], kind)]:
        raise TypeError(f"other types: {wrong}")
    error = fields["error"]
    return Answer(
        **{**fields, "options": tuple(fields["options"]), "error": None if error is None else Failure(**error)}
    )
