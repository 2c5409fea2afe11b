"""These tests start vLLM on an NVIDIA GPU; `make test-gpu` runs them, and says so where there is none."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="session")
def nvidia_gpu() -> None:
    """Skips, with the reason, where PyTorch sees no GPU."""
    import torch

    if not torch.cuda.is_available():
        pytest.skip(f"no NVIDIA GPU: torch {torch.__version__} sees no CUDA device")
