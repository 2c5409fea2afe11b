"""Does what the README says, as a reader would: `make serve`, the chat page, both curls, the Python lines, Ctrl-C.

Run by `make readme` with the demo checkpoint, on a free port, or against a MODEL= of the environment.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huatuo_server.demo.label import TRAINED
from tests.docs.markdown import README, ROOT, blocks

START_LIMIT_S = 420.0
STOP_LIMIT_S = 60.0
README_PORT = "8000"
README_MODEL = "/models/HuatuoGPT-Vision-7B"
BIN = Path(sys.executable).parent
NAMED = os.environ.get("MODEL")
MODEL = NAMED or ".cache/demo-seeing"
ANSWER = "CT"
"""What the README's curl asks about is a CT scan."""


def main() -> int:
    """Walk through the README. Exit code 0 when every command did what the README says."""
    curl, choices = [text for text in blocks(README, "bash") if "curl" in text]
    (sdk,) = blocks(README, "python")
    (check,) = re.findall(r"^huatuo-server check .*$", README.read_text(encoding="utf-8"), re.MULTILINE)
    with served() as port:
        opened = status(f"http://127.0.0.1:{port}/", {})
        print(f"README, the chat page: {opened}")
        streamed = run(["bash", "-euo", "pipefail", "-c", on_port(curl, port)])
        answer = streamed_answer(streamed)
        print(f"README, curl: streamed {len(answer)} characters")
        weighed = json.loads(run(["bash", "-euo", "pipefail", "-c", on_port(named_model(curl) + choices, port)]))
        best = weighed["choices"][weighed["best"]]["text"]
        print(f"README, choices: {best} {[one['probability'] for one in weighed['choices']]}")
        said = run([sys.executable, "-c", on_port(sdk, port)])
        print(f"README, Python: printed {len(said.strip())} characters")
    run(["bash", "-c", f"{BIN}/{check.replace(README_MODEL, MODEL)}"])
    with_keys()
    assert opened == (200 if shutil.which("npm") else 404), f"the chat page is a {opened}"
    assert ANSWER in answer, f"the README's curl asked what kind of scan it is, and was answered {answer!r}"
    assert ANSWER in best, f"the README's choices asked what kind of scan it is, and the best is {best!r}"
    assert NAMED or TRAINED in streamed, "the demo's answer does not say that it is the demo's"
    assert said.strip(), "the README's Python printed nothing"
    assert not accepts(port), f"port {port} still answers after make serve has ended"
    print("README: make serve, both curls, the Python lines, Ctrl-C and check work as written")
    return 0


def with_keys() -> None:
    """The block about keys, in a folder of its own: a key is made, and opens the server that needs one."""
    (block,) = [text for text in blocks(README, "bash") if "keys create" in text]
    create, serve = block.strip().splitlines()
    port = free_port()
    serve = serve.replace(README_MODEL, str(ROOT / MODEL)).replace("--host 0.0.0.0", f"--host 127.0.0.1 --port {port}")
    with tempfile.TemporaryDirectory() as folder:
        run(["bash", "-c", f"{BIN}/{create}"], Path(folder))
        key = (Path(folder) / "radiology.key").read_text(encoding="utf-8").strip()
        command = f"exec {BIN}/{serve} --enforce-eager"
        with server(["bash", "-c", command], port, Path(folder)):
            statuses = [status(f"http://127.0.0.1:{port}/v1/models", headers) for headers in ({}, bearer(key))]
        run([f"{BIN}/huatuo-server", "audit", "verify", "audit.jsonl"], Path(folder))
    assert statuses == [401, 200], f"without and with the key: {statuses}"
    print("README, keys: 401 without the key, 200 with it, and the record verifies")


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def status(url: str, headers: dict[str, str]) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def on_port(command: str, port: int) -> str:
    """The README's command, sent to this server."""
    assert f":{README_PORT}/" in command, f"the command does not name port {README_PORT}"
    return command.replace(f":{README_PORT}/", f":{port}/")


def run(command: list[str], folder: Path = ROOT) -> str:
    """A command's output; its failure is ours. A local proxy has no business between us and the server."""
    environment = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"a README command failed with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def named_model(curl: str) -> str:
    """The line that sets `$model`, which a reader's shell still has for the next command."""
    line = curl.splitlines()[0]
    assert line.startswith("model=")
    return f"{line}\n"


def streamed_answer(output: str) -> str:
    """The text of a streamed completion; it must have come in several chunks and to a proper end."""
    events = [line.removeprefix("data: ") for line in output.splitlines() if line.startswith("data: ")]
    assert events, f"curl printed no server-sent event but {output[:500]!r}"
    assert events[-1] == "[DONE]", f"the stream's last event is {events[-1][:500]}"
    chunks: list[dict[str, Any]] = [json.loads(event) for event in events[:-1]]
    assert all("error" not in chunk for chunk in chunks), events
    assert len(chunks) > 2, f"a stream of {len(chunks)} chunks is not streamed"
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


@contextmanager
def served() -> Iterator[int]:
    """`make serve` on a free port, ready; afterwards Ctrl-C, which must end it."""
    port = free_port()
    with server(["make", "serve", f"PORT={port}"], port, ROOT):
        yield port


@contextmanager
def server(command: list[str], port: int, folder: Path) -> Iterator[None]:
    """A command that serves, ready; afterwards Ctrl-C, which must end it."""
    process = subprocess.Popen(command, cwd=folder, start_new_session=True)
    try:
        wait_until_ready(process, port)
        yield
    finally:
        stop(process)


def wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    """Until `/health/ready` answers 200, as long as the process lives."""
    deadline = time.monotonic() + START_LIMIT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError(f"make serve was not ready within {START_LIMIT_S:.0f} s (exit code: {process.poll()})")


def stop(process: subprocess.Popen[bytes]) -> None:
    """What Ctrl-C does in a terminal: SIGINT to the foreground group, which is `make`'s own here."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise AssertionError(f"make serve did not end within {STOP_LIMIT_S:.0f} s of Ctrl-C") from None


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    """Whether anybody listens on the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    assert Path.cwd() == ROOT, "run me from the repository's root"
    sys.exit(main())
