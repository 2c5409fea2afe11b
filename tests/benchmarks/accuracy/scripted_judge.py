"""A judge over a real socket that follows a script, and a run over made-up JAMA cases for it to judge.

The discussion of case N is the words `kN.1` to `kN.10`, `iN.1` to `iN.3` and `eN.1` to `eN.12`: the judge makes them
the rubric, and finds those in an answer that are words of it.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.accuracy.answer import Answer, Failure
from benchmarks.accuracy.data import checked
from benchmarks.accuracy.formats import READERS
from benchmarks.accuracy.run_folder import Run

MODEL = "some-judge"
LIMIT_S = 60.0


@dataclass(frozen=True)
class Said:
    """One HTTP reply. text: of the completion, where the status is 200."""

    text: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Script = Callable[[str, int], Said | None]
"""From what is asked (`rubric 0`, `matches 0`: the case) and how often it was before, to what is said; None for the
usual reply."""


def rubric(number: int) -> dict[str, list[str]]:
    """Of the case of that number."""
    return {
        "key_points": [f"k{number}.{entry}" for entry in range(1, 11)],
        "inference": [f"i{number}.{entry}" for entry in range(1, 4)],
        "evidence": [f"e{number}.{entry}" for entry in range(1, 13)],
    }


def as_usual(_asked: str, _before: int) -> None:
    """What a judge does that works."""


class ScriptedJudge:
    """asked: how often each question was. bodies, headers: of the requests, in order."""

    def __init__(self, script: Script) -> None:
        self.base_url = ""
        self.asked: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._script = script
        self._lock = threading.Lock()

    def said(self, body: dict[str, Any], headers: dict[str, str]) -> Said:
        """To one request."""
        question = body["messages"][1]["content"]
        found = re.search(r"\bk(\d+)\.1\b", question)
        asked = f"{'rubric' if '<discussion>' in question else 'matches'} {found[1] if found else '?'}"
        with self._lock:
            before = self.asked[asked]
            self.asked[asked] += 1
            self.bodies.append(body)
            self.headers.append(headers)
        return self._script(asked, before) or Said(json.dumps(_usual(asked, question)))


def _usual(asked: str, question: str) -> dict[str, Any]:
    step, number = asked.split()
    entries = rubric(int(number))
    if step == "rubric":
        return entries
    answer = question.partition("<answer>")[2].partition("</answer>")[0].split()
    return {name: [at for at, each in enumerate(of, 1) if each in answer] for name, of in entries.items()}


@contextmanager
def scripted_judge(script: Script = as_usual) -> Iterator[ScriptedJudge]:
    """It listens until the block ends."""
    judge = ScriptedJudge(script)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            said = judge.said(body, {name.lower(): value for name, value in self.headers.items()})
            message = {"role": "assistant", "content": said.text}
            content = json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()
            self.send_response(said.status)
            for name, value in {**said.headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            """Not to stderr."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that is killed hangs up."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="scripted judge")
    thread.start()
    judge.base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield judge
    finally:
        server.shutdown()
        server.server_close()
        thread.join(LIMIT_S)
        assert not thread.is_alive()


def jama_file(folder: Path, num: int, **fields: Any) -> Path:
    """So many cases as the scraper writes them. fields: of each, in place of the usual ones."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = [
        {
            "id": number,
            "link": "https://example.org/",
            "question": f"Case {number}. What Is Your Diagnosis?",
            "opa": "Gout",
            "opb": "Sarcoidosis",
            "opc": "Melanoma",
            "opd": "Scurvy",
            "diagnosis": "Scurvy",
            "answer_idx": "D",
            "answer": "Scurvy",
            "explanation": " ".join(word for words in rubric(number).values() for word in words),
            "field": "JAMA Dermatology",
            **fields,
        }
        for number in range(num)
    ]
    file = folder / "jama_raw.json"
    file.write_text(json.dumps(cases), encoding="utf-8")
    return file


def jama_run(folder: Path, data: Path, texts: Mapping[int, str | None]) -> Run:
    """texts: by the case's number; None for a question that failed."""
    about = {"reader": "jama", "path": str(data), "sha256": checked(READERS["jama"], data).sha256}
    run = Run.create(folder, {"data": about})
    with run:
        for number, text in texts.items():
            run.append(jama_answer(number, text))
    return run


def jama_answer(number: int, text: str | None) -> Answer:
    """To the case of that number."""
    return Answer(
        id=f"JAMA/{number}",
        dataset="JAMA",
        subset="",
        label=None,
        options=(),
        text=text or "",
        finish_reason="stop",
        prompt_tokens=600,
        completion_tokens=200,
        seconds=2.5,
        prompt_sha256="0" * 64,
        error=None if text is not None else Failure(400, "context_length_exceeded", "too long"),
    )
