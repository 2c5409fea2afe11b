"""A folder for a checkpoint: one that nobody uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huatuo_server.errors import CheckpointError


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Makes `folder`, if it does not exist, for the block to write into.

    Raises CheckpointError when it holds anything, or it or a file inside it cannot be written.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise CheckpointError(f"{folder} is not an empty folder; a demo checkpoint is only written into a new one.")
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be written: {error.strerror}.") from error
