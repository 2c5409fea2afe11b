"""The bugs that can be planted, and the switch that every process of the server looks at."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

Bug = Literal[
    "centre crop",
    "wrong template",
    "penalty on the prompt",
    "pictures swapped",
    "MONOCHROME1 not inverted",
    "16 bits clipped",
]
"""centre crop: CLIP's own preprocessing, in place of padding to a square. wrong template: ChatML, the released
checkpoint's own. penalty on the prompt: vLLM's repetition penalty. 16 bits clipped: Pillow's `convert("RGB")`, white
above 255."""

BUGS: tuple[Bug, ...] = get_args(Bug)


class Switch:
    """At most one bug is on. file: where it is named, read anew each time, since the server is several processes."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def turn_to(self, bug: Bug | None) -> None:
        """While no request is in flight."""
        self.file.write_text(bug or "", encoding="utf-8")

    @property
    def bug(self) -> str:
        """The one that is on; empty where none is."""
        return self.file.read_text(encoding="utf-8")


def plant(place: Any, name: str, wrapped: Any) -> None:
    """Put `wrapped` in the place of a module's or a class's `name`. Raises AttributeError where there is no such."""
    getattr(place, name)
    setattr(place, name, wrapped)
