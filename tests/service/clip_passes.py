"""How many pictures vLLM's workers have put through CLIP: an extension of the worker, for a test's engine."""

from __future__ import annotations

from typing import Any

EXTENSION = f"{__name__}.ClipPasses"
"""For vLLM's engine argument `worker_extension_cls`."""


class ClipPasses:
    """vLLM makes it a base class of its worker; `AsyncLLM.collective_rpc` calls it there by name."""

    model_runner: Any

    def num_pictures_encoded(self) -> int:
        """Since the first call, which begins to count."""
        tower = self.model_runner.get_model().vision_tower
        if not hasattr(tower, "num_pictures_encoded"):
            tower.num_pictures_encoded = 0
            tower.register_forward_pre_hook(_count)
        return int(tower.num_pictures_encoded)


def _count(tower: Any, arguments: tuple[Any, ...]) -> None:
    """arguments: the pictures, (n, 3, side, side), first."""
    tower.num_pictures_encoded += len(arguments[0])
