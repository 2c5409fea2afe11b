"""The server asks nobody for anything: no process of it looks up a name or speaks to another machine.

Three witnesses: the kernel's calls (strace, where there is one that may trace), Python's own audit events in every
Python process, and the kernel's table of sockets, looked at while the server runs. The engine is the real one.
"""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server.scripted_model import GOLDEN
from tests.service.asking import image_part
from tests.service.real import MODEL, START_LIMIT_S
from tests.service.supervised import SupervisedServer, until

pytestmark = pytest.mark.long

HOOK = """
import os, sys

_seen = os.open(os.environ["SEEN_BY_PYTHON"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

def _note(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        os.write(_seen, f"{event} {arguments[1]!r}\\n".encode())
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        os.write(_seen, f"{event} {arguments[0]!r}\\n".encode())

sys.addaudithook(_note)
"""
"""As a sitecustomize, which every Python process on the path imports first."""

CONTROL = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 9))"
"""To an address that is nobody's; a datagram socket that connects sends nothing."""

STRACE_ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')
QUOTED = re.compile(r"'([^']*)'")


class Witnesses:
    """What processes did, as far as each witness saw it."""

    def __init__(self, folder: Path) -> None:
        self._python = folder / "python"
        self._kernel = folder / "strace"
        (folder / "sitecustomize.py").write_text(HOOK)
        self.environ = {"PYTHONPATH": str(folder), "SEEN_BY_PYTHON": str(self._python)}
        self.tracer = _tracer(self._kernel)

    def by_python(self) -> set[str]:
        """Hosts of its sockets and look-ups; a socket of the machine's own kind has none."""
        if not self._python.exists():
            return set()
        lines = [line for line in self._python.read_text().splitlines() if not line.split(" ", 1)[1].startswith("'/")]
        return {host for line in lines for host in QUOTED.findall(line)[:1]}

    def by_the_kernel(self) -> set[str]:
        """Addresses of connect, sendto, sendmsg; strace may outlive what it traced for a moment."""
        until(lambda: not any(str(self._kernel) in _read(file) for file in Path("/proc").glob("[0-9]*/cmdline")))
        calls = self._kernel.read_text() if self._kernel.exists() else ""
        return {four or six for four, six in STRACE_ADDRESS.findall(calls)}


def _tracer(file: Path) -> list[str]:
    """The command under which a program keeps its process id and is traced; nothing where it cannot be."""
    calls = "connect,sendto,sendmsg,sendmmsg"
    command = ["strace", "-D", "-f", "--seccomp-bpf", "-qq", "-e", f"trace={calls}", "-o", str(file)]
    if shutil.which("strace") is None:
        return []
    tried = subprocess.run([*command, "true"], capture_output=True, check=False)
    return command if tried.returncode == 0 else []


def strangers(hosts: Iterable[str]) -> set[str]:
    """Those that are not this machine."""
    return {host for host in hosts if not _is_here(host)}


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", "")


def tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, _read(children).split())
    return found


def _read(file: Path) -> str:
    """Empty where the process is gone."""
    try:
        return file.read_text()
    except OSError:
        return ""


def peers(pid: int) -> set[str]:
    """The other ends of the sockets that a process tree holds, by the kernel's table (proc(5), /proc/net/tcp)."""
    inodes = {link for one in tree(pid) for link in _sockets(one)}
    rows = [
        row.split()
        for kind in ("tcp", "tcp6", "udp", "udp6")
        for row in _read(Path(f"/proc/net/{kind}")).splitlines()[1:]
    ]
    ends = [row[2].split(":")[0] for row in rows if row[9] in inodes]
    return {str(_address(end)) for end in ends if int(end, 16)}


def _sockets(pid: int) -> Iterator[str]:
    for file in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            link = str(file.readlink())
        except OSError:
            continue
        if link.startswith("socket:["):
            yield link[8:-1]


def _address(hexadecimal: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Words of four bytes, each in the machine's order; IPv4 within IPv6 as IPv4."""
    words = [bytes.fromhex(hexadecimal[at : at + 8]) for at in range(0, len(hexadecimal), 8)]
    address = ipaddress.ip_address(b"".join(word[::-1] if sys.byteorder == "little" else word for word in words))
    return (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped) or address


@contextmanager
def watching(pid: int) -> Iterator[set[str]]:
    """Collects the peers while the block runs."""
    seen: set[str] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            seen.update(peers(pid))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def test_the_witnesses_see_what_they_are_to_see(tmp_path: Path) -> None:
    """A child's child that connects to another machine is noticed: else the next test would promise nothing."""
    witnesses = Witnesses(tmp_path)
    child: Sequence[str] = [sys.executable, "-c", CONTROL]
    grandchild = f"import subprocess; subprocess.check_call({list(child)!r})"

    subprocess.run(
        [*witnesses.tracer, sys.executable, "-c", grandchild], check=True, env={**os.environ, **witnesses.environ}
    )

    assert strangers(witnesses.by_python()) == {"192.0.2.1"}
    if witnesses.tracer:
        assert strangers(witnesses.by_the_kernel()) == {"192.0.2.1"}


def test_no_process_of_the_server_speaks_to_another_machine(tmp_path: Path) -> None:
    """Start, pictures, a URL that is refused, and the end."""
    witnesses = Witnesses(tmp_path)
    arguments = ["serve", "--model", str(GOLDEN), "--served-model-name", MODEL, "--port", "0", "--enforce-eager"]
    text = {"type": "text", "text": "What is this?"}
    elsewhere = {"type": "image_url", "image_url": {"url": "http://images.example.org/1.png"}}

    with (
        SupervisedServer(arguments, witnesses.environ, witnesses.tracer) as server,
        watching(server.pid) as seen,
    ):
        server.listening()
        server.until_ready(START_LIMIT_S)
        statuses = [
            server.post(
                "/v1/chat/completions",
                {"model": MODEL, "max_tokens": 8, "messages": [{"role": "user", "content": [part, text]}]},
            ).status_code
            for part in (image_part("chelsea_port_300x451.png"), elsewhere)
        ]
        server.signal()
        assert server.ended() == 0

    print(
        f"kernel: {sorted(witnesses.by_the_kernel())}, Python: {sorted(witnesses.by_python())}, sockets: {sorted(seen)}"
    )
    assert statuses == [200, 400]
    assert strangers(witnesses.by_the_kernel()) == set()
    assert strangers(witnesses.by_python()) == set()
    assert strangers(seen) == set()
    assert seen, "the test's own connections are in the table"
