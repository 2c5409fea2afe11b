"""`huatuo chat`: a conversation, through a pipe or on a terminal."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

from huatuo_server.engine.scripted import Completion
from tests.clients.answers import saying
from tests.huatuo_client.commands import LIMIT_S, begun, ended, huatuo
from tests.huatuo_client.pictures import grey_png
from tests.huatuo_client.terminal import Terminal
from tests.service.served import Served, scripted_engine, served

FIRST, SECOND = "A grey square.", "Nothing else."


def num_images(server: Served) -> list[int]:
    """Of each question, earlier turns' included."""
    asked = [one for one in server.engine.generations if not one.request_id.startswith("warm-up")]
    return [len(one.prompt.images) for one in asked]


def test_questions_through_a_pipe_are_answered_in_turn(tmp_path: Path) -> None:
    """The image goes with the first one and stays; /add gives another, /new begins again."""
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(grey_png(1))
    lines = f"What is this?\nAnything else?\n/add {tmp_path / 'b.png'}\nAnd now?\n\n/new\nWhat is a fracture?"
    with saying(FIRST, SECOND, FIRST, SECOND) as server:
        done = huatuo(server, "chat", tmp_path / "a.png", stdin=lines.encode())
        seen = num_images(server)

    assert (done.returncode, done.stdout.decode()) == (0, f"{FIRST}\n{SECOND}\n{FIRST}\n{SECOND}\n")
    assert seen == [1, 1, 2, 0]


def test_answers_may_be_json(tmp_path: Path) -> None:
    """One a line."""
    (tmp_path / "a.png").write_bytes(grey_png(1))
    with saying(FIRST, SECOND) as server:
        done = huatuo(
            server, "chat", tmp_path / "a.png", "--json", stdin=b"What is this?\nAnything else?\n/quit\nNo.\n"
        )

    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["answer"] for one in told] == [FIRST, SECOND]
    assert [len(one["images"]) for one in told] == [1, 1]


def test_a_question_that_fails_is_no_part_of_it(tmp_path: Path) -> None:
    """The next one goes on; its image waits for it. A script sees exit 1."""
    (tmp_path / "a.png").write_bytes(grey_png(1))
    script = (Completion(text=FIRST, fail_after=2), Completion(text=SECOND))
    with served(scripted_engine(*script)) as server:
        done = huatuo(server, "chat", tmp_path / "a.png", stdin=b"What is this?\nOnce more?\n")
        seen = num_images(server)

    assert done.returncode == 1
    assert done.stdout.decode().endswith(f"{SECOND}\n")
    assert b"engine_error" in done.stderr
    assert seen == [1, 1]


def test_ctrl_c_stops_an_answer_and_not_the_conversation() -> None:
    """The server's work ends too; the next question is answered."""
    script = (Completion(text=FIRST, hang_after=3), Completion(text=SECOND))
    with served(scripted_engine(*script)) as server:
        process = begun(server, "chat", stdin=subprocess.PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"What is this?\n")
        process.stdin.flush()
        assert process.stdout.read(1) == FIRST[:1].encode()
        process.send_signal(signal.SIGINT)
        assert server.engine.aborts.get(timeout=LIMIT_S)
        out, err = process.communicate(b"Anything else?\n", timeout=LIMIT_S)

    assert process.returncode == 0
    assert out.decode().endswith(f"\n{SECOND}\n")
    assert b"stopped" in err


def test_a_terminal_gets_a_prompt() -> None:
    """And Ctrl-D ends, with exit 0."""
    with saying(FIRST) as server, Terminal() as terminal:
        process = begun(server, "chat", stdin=terminal.theirs, stdout=terminal.theirs)
        terminal.until(b"> ")
        terminal.write(b"What is this?\n")
        terminal.until(b"> ", times=2)
        terminal.write(b"\x04")
        code, _, err = ended(process)

    assert (code, err) == (0, "")
    assert FIRST.encode() in terminal.seen
