"""docs/audit.md tells the events that there are, and a check without our tools that works."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from huatuo_server.command.parse import run
from tests.docs.markdown import ROOT, section, table
from tests.server.audit.chains import chain_of, numbered, write
from tests.server.audit.open_log import open_log

AUDIT = ROOT / "docs" / "audit.md"
SERVER = ROOT / "server" / "huatuo_server"


def script() -> str:
    """The shell lines."""
    found = re.search(r"```bash\n(.*?)```", section(AUDIT, "Checking it"), re.DOTALL)
    assert found is not None
    return found[1]


def broken_lines(folder: Path) -> str:
    return subprocess.check_output(["bash", "-c", script()], cwd=folder, text=True)


def test_the_table_of_events_is_the_code_s() -> None:
    """Each `"event": "..."` that stands in the code is a row, and the reverse."""
    written = {row[0] for row in table(AUDIT, "What is written")}
    sources = [file.read_text(encoding="utf-8") for file in SERVER.rglob("*.py")]

    assert written == {event for text in sources for event in re.findall(r'"event": "([a-z]+)"', text)}


def test_the_check_without_our_tools_agrees_with_ours(tmp_path: Path) -> None:
    """A log of the server's passes it; one changed letter does not."""
    path = tmp_path / "audit.jsonl"
    with open_log(path) as log:
        log.record({"event": "accepted", "tenant": "Spital Zürich", "parameters": {"temperature": 1e-7}})
    assert broken_lines(tmp_path) == ""

    lines, _ = chain_of(*numbered(3))
    write(path, [lines[0], lines[1].replace(b"accepted", b"rejected"), lines[2]])

    assert broken_lines(tmp_path).startswith('broken: {"seq":1,')
    assert run(["audit", "verify", str(path)]) == 1
