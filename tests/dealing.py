"""Which tests one process gets, where several run them (`pytest -n 2`)."""

from __future__ import annotations

import functools
import re
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[1]
ENGINE = "engine"

_STARTS_ENGINES = re.compile(r"\breal_server\b|\bvllm_engine\b|mark\.slow\b")


class ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """A file's tests go to one process, so that its fixtures are made once.

    So do all files that start real engines: there is one to share, and no two take the cores and the memory at once.
    """

    def _split_scope(self, nodeid: str) -> str:
        return share_of(nodeid)


def share_of(nodeid: str) -> str:
    """Tests with the same share go to the same process."""
    file = nodeid.partition("::")[0]
    return ENGINE if _starts_engines(file) else file


@functools.cache
def _starts_engines(file: str) -> bool:
    return _STARTS_ENGINES.search((ROOT / file).read_text(encoding="utf-8")) is not None
