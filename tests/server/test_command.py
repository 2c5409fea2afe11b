"""The command line, as far as no server runs: help, mistakes, and the commands that end by themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from huatuo_server import __version__
from huatuo_server.__main__ import main
from huatuo_server.command.flags import parse_engine
from huatuo_server.demo.label import TRAINED
from huatuo_server.errors import SettingsError
from huatuo_server.settings import Settings, flag, variable
from tests.server.scripted_model import GOLDEN


@pytest.fixture(autouse=True)
def no_ambient_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's own HUATUO_* variables stay out of the tests."""
    for field in Settings.model_fields:
        monkeypatch.delenv(variable(field), raising=False)


def help_of(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_help_shows_every_command_and_how_to_begin(capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody who has never seen it finds the first command to type."""
    said = help_of(capsys=capsys)

    assert all(name in said for name in ("serve", "check", "verify", "demo-checkpoint"))
    assert "huatuo-server serve --model FreedomIntelligence/HuatuoGPT-Vision-7B" in said


def test_help_of_serve_shows_every_flag_with_its_variable(capsys: pytest.CaptureFixture[str]) -> None:
    """Each setting appears once, with its HUATUO_* name; the test twin does not."""
    said = help_of("serve", capsys=capsys)

    for field in set(Settings.model_fields) - {"scripted"}:
        assert f"  {flag(field)}" in said
        assert f"[{variable(field)}" in said
    assert "default: 8000" in said
    assert "scripted" not in said.lower()


@pytest.mark.parametrize("command", ["check", "verify", "demo-checkpoint"])
def test_help_of_every_command_has_an_example_and_the_exit_status(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What to type and what the answer means."""
    said = help_of(command, capsys=capsys)

    assert f"  huatuo-server {command} " in said
    assert command == "demo-checkpoint" or "exit status: 0 " in said


def test_no_command_shows_the_help_and_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    """A bare `huatuo-server` is no success."""
    assert main([]) == 2
    assert "COMMAND" in capsys.readouterr().err


def test_version_prints_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The distribution's own."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out == f"huatuo-server {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", "--prot", "80"], "huatuo-server serve: --prot is not known here; did you mean --port?"),
        (["serve", "--tensor-paralel-size=2"], "did you mean --tensor-parallel-size?"),
        (["sevre"], "invalid choice: 'sevre'"),
        (["demo-checkpoint", "x", "--layout", "9b"], "invalid choice: '9b'"),
        (["serve", "--model"], "expected one argument"),
    ],
)
def test_a_mistyped_flag_exits_2_in_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The nearest name, and no screenful of usage."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    written = capsys.readouterr().err
    assert said in written
    assert written.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve"], "--model is missing"),
        (["check"], "--model is missing"),
        (["verify"], "--model is missing"),
        (["serve", "--model", "x", "--port", "http"], "--port: "),
        (["serve", "--model", "x", "--dtype", "int4"], "--dtype: input should be 'auto'"),
        (["serve", "--model", "x", "--engine", "max_num_seqs"], "--engine max_num_seqs: write KEY=VALUE"),
        (["serve", "--model", "x", "--host", "0.0.0.0"], "--host 0.0.0.0 can be reached from other machines"),
    ],
)
def test_a_bad_value_exits_2_in_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence that names the flag."""
    assert main(arguments) == 2

    written = capsys.readouterr().err
    assert written.startswith(f"huatuo-server: {said}")
    assert written.count("\n") == 1


def test_a_bad_variable_exits_2_and_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The variable, not the flag that nobody typed."""
    monkeypatch.setenv("HUATUO_MAX_MODEL_LEN", "many")

    assert main(["serve", "--model", "x"]) == 2

    assert capsys.readouterr().err.startswith("huatuo-server: HUATUO_MAX_MODEL_LEN: ")


def test_engine_values_are_json_or_else_text() -> None:
    """Numbers, booleans and objects keep their type; dashes in a key do as well as underscores."""
    pairs = ["max_num_seqs=64", "kv-cache-dtype=fp8", "async_scheduling=false", 'x={"a": [1]}', "y=a=b"]

    assert parse_engine(pairs) == {
        "max_num_seqs": 64,
        "kv_cache_dtype": "fp8",
        "async_scheduling": False,
        "x": {"a": [1]},
        "y": "a=b",
    }


def test_an_engine_flag_without_a_key_is_refused() -> None:
    """`--engine =3` names nothing."""
    with pytest.raises(SettingsError, match="write KEY=VALUE"):
        parse_engine(["=3"])


def test_check_accepts_a_good_checkpoint(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0 and a report on stdout."""
    assert main(["check", "--model", str(GOLDEN)]) == 0
    assert "HuatuoGPT-Vision-34B" in capsys.readouterr().out


def test_check_refuses_what_is_no_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 1, and a sentence that says what is missing."""
    assert main(["check", "--model", str(tmp_path)]) == 1

    said = capsys.readouterr()
    assert "config.json" in said.out + said.err
    assert "Traceback" not in said.err


def test_demo_checkpoint_writes_what_check_accepts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The two commands of a first look fit together, and the demo says that it is one."""
    folder = tmp_path / "demo"

    assert main(["demo-checkpoint", str(folder), "--layout", "34b", "--seed", "3"]) == 0
    assert "untrained" in capsys.readouterr().out
    assert main(["check", "--model", str(folder)]) == 0
    assert "untrained" in capsys.readouterr().out


def test_demo_checkpoint_without_a_layout_writes_the_trained_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what that is, and so does `check`."""
    folder = tmp_path / "demo"

    assert main(["demo-checkpoint", str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder}: {TRAINED}\n"
    assert main(["check", "--model", str(folder)]) == 0
    assert TRAINED in capsys.readouterr().out


def test_a_seed_without_a_layout_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is trained has no seed, and nothing is written."""
    assert main(["demo-checkpoint", str(tmp_path / "demo"), "--seed", "3"]) == 2

    assert capsys.readouterr().err.startswith("huatuo-server: --seed needs --layout")
    assert not (tmp_path / "demo").exists()


def test_light_commands_import_no_engine() -> None:
    """`--help` and `check` answer without vLLM and torch, which take seconds to import."""
    program = (
        "import sys, json; from huatuo_server.__main__ import main; code = main(sys.argv[1:]);"
        "print(json.dumps([code, sorted({'vllm', 'torch', 'fastapi'} & set(sys.modules))]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "check", "--model", str(GOLDEN / "missing")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert json.loads(done.stdout.splitlines()[-1]) == [1, []]
