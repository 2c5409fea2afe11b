"""What the process and its children are allowed, tried in a process of its own."""

from __future__ import annotations

import resource
import subprocess
import sys

CODE = """
import resource, subprocess, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
from huatuo_server.process_limits import allow_most_files, forbid_core_dumps
print(allow_most_files(), flush=True)
forbid_core_dumps()
child = "import resource as r; print(*r.getrlimit(r.RLIMIT_NOFILE), *r.getrlimit(r.RLIMIT_CORE))"
subprocess.run([sys.executable, "-c", child], check=True)
"""


def test_children_may_open_as_many_files_and_dump_no_core() -> None:
    """Nobody below the server can write patients' images to a core file, whatever `ulimit -c` says."""
    done = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True)

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert done.stdout.split("\n")[:2] == [str(most), f"{most} {most} 0 0"]
