"""`serve` as its supervisor sees it: one line on stdout, one line for a failure, exit codes, signals."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import pytest

from huatuo_server.demo.label import UNTRAINED
from tests.server.scripted_model import GOLDEN
from tests.service.supervised import SupervisedServer, scripted

QUESTION = {"model": "checkpoint", "messages": [{"role": "user", "content": "What is this?"}]}


def test_stdout_is_one_line_and_sigterm_exits_0(tmp_path: Path) -> None:
    """The address on stdout, everything else on stderr as JSON, and a clean end."""
    with scripted({}, tmp_path) as server:
        server.listening()
        server.until_ready()
        server.signal(signal.SIGTERM)

        assert server.ended() == 0
        assert server.rest_of_stdout() == []
        assert server.errors() == []
        assert {"ready", "shutting down"} <= {record["message"] for record in server.log()}


def test_ctrl_c_exits_0(tmp_path: Path) -> None:
    """SIGINT is as good as SIGTERM."""
    with scripted({}, tmp_path) as server:
        server.listening()
        server.signal(signal.SIGINT)

        assert server.ended() == 0
        assert server.errors() == []


def test_a_signal_ends_a_start_that_would_take_an_hour(tmp_path: Path) -> None:
    """Nobody has to kill a server that is still loading."""
    with scripted({"start_delay_s": 3600}, tmp_path) as server:
        server.listening()
        server.signal()

        assert server.ended() == 0
        assert server.errors() == []


def test_without_a_model_the_twin_speaks_a_demo_checkpoints_language(tmp_path: Path) -> None:
    """`serve --scripted FILE` alone is enough; the log says what it is."""
    script = tmp_path / "script.json"
    script.write_text("{}")

    with SupervisedServer(["serve", "--scripted", str(script), "--port", "0"]) as server:
        server.listening()
        server.until_ready()

        assert server.get("/v1/models").json()["data"][0]["id"] == "scripted"
        server.until_said(f"this is {UNTRAINED}")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ({"start_failure": "out of memory\non device 0"}, "huatuo-server: out of memory on device 0"),
        ({"warm_up": {"token_ids": [0] * 16}}, "huatuo-server: the self-test failed: the answer is token 0 over and"),
        ({"warm_up": {"text": "x", "fail_after": 1}}, "huatuo-server: the warm-up request failed: "),
    ],
)
def test_a_start_that_fails_exits_1_with_one_line(script: dict[str, object], said: str, tmp_path: Path) -> None:
    """The last thing on stderr is the reason, on one line, with no traceback around it."""
    with scripted(script, tmp_path) as server:
        assert server.ended() == 1

        (line,) = server.errors()
        assert line.startswith(said)


def test_a_folder_that_is_no_checkpoint_exits_1_with_one_line(tmp_path: Path) -> None:
    """A wrong path is told at once, before any engine is imported."""
    with SupervisedServer(["serve", "--model", str(tmp_path), "--port", "0"]) as server:
        assert server.ended() == 1

        (line,) = server.errors()
        assert line.startswith("huatuo-server: ")
        assert "config.json" in line


def test_a_script_that_is_none_exits_2_with_one_line(tmp_path: Path) -> None:
    """A wrong setting that only shows after the socket is open is still a wrong setting."""
    with scripted({"speed": "fast"}, tmp_path) as server:
        assert server.ended() == 2

        (line,) = server.errors()
        assert "unknown field 'speed'" in line


def test_a_context_that_the_model_does_not_have_exits_2_with_one_line() -> None:
    """Ours, not vLLM's, which advises a variable that kills the engine later."""
    with SupervisedServer(["serve", "--model", str(GOLDEN), "--port", "0", "--max-model-len", "4097"]) as server:
        assert server.ended() == 2

        assert server.errors() == ["huatuo-server: --max-model-len 4097: the model has positions for 4096 tokens"]


@pytest.mark.slow
def test_an_unknown_engine_argument_exits_2_with_the_nearest_names() -> None:
    """A misspelt AsyncEngineArgs field is caught before any weights are loaded."""
    arguments = ["serve", "--model", str(GOLDEN), "--port", "0", "--engine", "max_num_seq=3"]

    with SupervisedServer(arguments) as server:
        assert server.ended() == 2

        (line,) = [line for line in server.errors() if line.startswith("huatuo-server: ")]
        assert "max_num_seq" in line
        assert "max_num_seqs" in line.split("max_num_seq:")[-1]


def test_a_port_in_use_exits_1_with_the_cause(tmp_path: Path) -> None:
    """One line, and nothing on stdout that a script could take for an address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with SupervisedServer(["serve", "--model", str(GOLDEN), "--port", port]) as server:
            assert server.ended() == 1

            assert server.errors() == [
                f"huatuo-server: cannot listen on http://127.0.0.1:{port}: address already in use"
            ]
            assert server.rest_of_stdout() == []


def test_a_public_address_without_keys_exits_2_and_no_keys_allows_it(tmp_path: Path) -> None:
    """Strangers get in only where somebody said that something in front asks them for a key."""
    with scripted({}, tmp_path, "--host", "0.0.0.0") as server:
        assert server.ended() == 2
        (line,) = server.errors()
        assert "--no-keys" in line

    with scripted({}, tmp_path, "--host", "0.0.0.0", environ={"HUATUO_NO_KEYS": "1"}) as server:
        assert server.listening().startswith("http://0.0.0.0:")


def test_a_misspelt_variable_is_warned_of(tmp_path: Path) -> None:
    """The server starts, and says that the variable does nothing."""
    with scripted({}, tmp_path, environ={"HUATUO_MAX_MODEL_LENGTH": "4096"}) as server:
        server.until_said("did you mean HUATUO_MAX_MODEL_LEN?")
        server.listening()
        server.until_ready()


def test_an_engine_that_dies_later_exits_1(tmp_path: Path) -> None:
    """The supervisor gets its chance to start a new one."""
    script = {"completions": [{"text": "one two three", "fail_after": 1, "failure": "engine"}]}
    with scripted(script, tmp_path) as server:
        server.listening()
        server.until_ready()

        assert server.post("/v1/chat/completions", QUESTION).status_code == 503
        assert server.ended() == 1
        assert server.errors() == ["huatuo-server: The engine has died."]


def test_the_access_log_has_templates_and_ids_and_nothing_that_was_sent(tmp_path: Path) -> None:
    """Method, route template, status, duration, id; no path, no query string, no prompt; no probes."""
    with scripted({}, tmp_path) as server:
        server.listening()
        server.until_ready()
        server.post("/v1/chat/completions?patient=Chen", QUESTION, headers={"X-Request-Id": "abc-1"})
        server.get("/patients/Chen")
        server.signal()
        server.ended()
        log = server.log()

    requests = [record for record in log if record["logger"] == "huatuo_server.access"]
    chat = next(record for record in requests if record.get("route") == "/v1/chat/completions")
    assert (chat["method"], chat["status"], chat["request_id"]) == ("POST", 200, "abc-1")
    assert chat["duration_ms"] > 0
    assert [record["status"] for record in requests if record["route"] == "unmatched"] == [404]
    assert not any(record["route"].startswith("/health") for record in requests)
    assert "Chen" not in json.dumps(log)
    assert "What is this?" not in json.dumps(log)
