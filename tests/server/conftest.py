"""Checkpoints that several tests read and none changes; and hypothesis without a clock."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest

from huatuo_server.demo.checkpoint import write_demo_checkpoint

# How long an example takes on a machine with much else to do says nothing of the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


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
