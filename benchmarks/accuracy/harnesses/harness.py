"""What a harness is to the driver, and what it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.accuracy.item import Item, media_type

ROOT = Path(__file__).parents[3]
"""Of the clone: the task files of ours import the package `benchmarks` from it."""

_SUFFIX = {"image/png": ".png", "image/jpeg": ".jpg"}


@dataclass(frozen=True, slots=True)
class Call:
    """python: of the environment that holds the harness. url: of the server, without `/v1`. folder: data and results.

    defaults: with the harness' own prompt, settings and scorer, as far as it has any.
    """

    python: Path
    url: str
    model: str
    folder: Path
    defaults: bool


@dataclass(frozen=True, slots=True)
class Scored:
    """What the harness says of its run. num: questions in its score. accuracy: 0 to 1."""

    num: int
    accuracy: float


class Harness(Protocol):
    """A module for each."""

    DISTRIBUTION: str
    """Its name on PyPI."""

    def write(self, items: Sequence[Item], folder: Path) -> None:
        """The items in the harness' own format."""

    def command(self, call: Call) -> list[str]:
        """What runs it, in the folder."""

    def environment(self, folder: Path) -> Mapping[str, str]:
        """Variables that it needs."""

    def scored(self, folder: Path) -> Scored:
        """Read from what it wrote. Raises RunError where there is no score."""


def written_pictures(item: Item, folder: Path) -> list[Path]:
    """The item's pictures as files, byte for byte; harnesses tell the kind of a file by its suffix."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for picture in item.pictures:
        content = picture.read()
        files.append(folder / f"{picture.name}{_SUFFIX[media_type(content)]}")
        files[-1].write_bytes(content)
    return files
