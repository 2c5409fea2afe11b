"""The demo checkpoint that sees: trained, shipped with the package, and completed here to the released 7B's layout.

The package holds all of it but the second CLIP of `vit/`, whose weights nobody loads, since the shards have their own.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from huatuo_server.demo import weights
from huatuo_server.demo.checkpoint import VISION_TOWER
from huatuo_server.demo.new_folder import new_folder
from huatuo_server.errors import CheckpointError
from huatuo_server.weight_headers import Shape, read_shapes

SEEING = Path(__file__).with_name("seeing")
"""Config files (those of `vit/` too), tokenizer, shards and their index."""

CLIP_PREFIX = "model.vision_tower.vision_tower."
"""Before the names of CLIP's tensors in the shards of a released checkpoint."""

SECOND_CLIP_SEED = 1


def write_seeing_checkpoint(folder: Path, source: Path) -> None:
    """Write a trained demo checkpoint; the same source gives the same bytes.

    source: SEEING, or a folder like it. Raises CheckpointError when it is not there, when `folder` holds anything, or
    when it cannot be written.
    """
    if not (source / "config.json").is_file():
        raise CheckpointError(f"{source} is missing: huatuo-server was installed without its demo checkpoint.")
    with new_folder(folder):
        _copy(source, folder)
        # Other weights than the shards': whoever reads these in their place gives other answers.
        weights.save_clip(folder / VISION_TOWER, weights.draw(_clip_shapes(source), SECOND_CLIP_SEED))


def _copy(source: Path, folder: Path) -> None:
    """Every file, with the permissions of a new one: those of an installation may be read-only."""
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        target = folder / file.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def _clip_shapes(source: Path) -> dict[str, Shape]:
    """The names and shapes of the shards' CLIP, as its own folder names them."""
    shapes = read_shapes(source)
    return {name.removeprefix(CLIP_PREFIX): shapes[name] for name in shapes if name.startswith(CLIP_PREFIX)}
