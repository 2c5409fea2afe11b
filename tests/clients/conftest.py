"""What the clients share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.answers import JSON_TEXT, TEXT, Keys, saying
from tests.service.served import Served


@pytest.fixture(scope="package")
def text_server() -> Iterator[Served]:
    """Whatever it is asked, it says TEXT."""
    with saying(TEXT) as server:
        yield server


@pytest.fixture(scope="package")
def json_server() -> Iterator[Served]:
    """Whatever it is asked, it says JSON_TEXT."""
    with saying(JSON_TEXT) as server:
        yield server


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """No keys yet."""
    return Keys(tmp_path)
