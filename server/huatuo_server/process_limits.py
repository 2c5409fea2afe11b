"""What the kernel allows this process and those that it starts."""

from __future__ import annotations

import resource


def allow_most_files() -> int:
    """As many open files, and so connections, as can be had without being root; how many. The usual 1024 are few."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def forbid_core_dumps() -> None:
    """A dump would hold the images and texts that were in memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
