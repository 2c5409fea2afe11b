"""Checkpoints that several tests read and none changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from huatuo_server.demo.checkpoint import write_demo_checkpoint


@pytest.fixture(scope="session")
def demo_7b(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo checkpoint in the 7B's layout."""
    folder = tmp_path_factory.mktemp("demo") / "7b"
    write_demo_checkpoint(folder, "7b")
    return folder


@pytest.fixture(scope="session")
def demo_34b(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo checkpoint in the 34B's layout."""
    folder = tmp_path_factory.mktemp("demo") / "34b"
    write_demo_checkpoint(folder, "34b")
    return folder
