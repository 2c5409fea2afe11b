"""`huatuo-server keys`: keys are made, listed and revoked, and a secret is shown once, where it can be piped."""

from __future__ import annotations

import argparse
import json
import re
import stat
from pathlib import Path

import pytest

from huatuo_server.__main__ import main
from huatuo_server.command import keys
from huatuo_server.settings import Settings, variable
from huatuo_server.tenants.key import LIMITS, sha256_of
from huatuo_server.tenants.key_file import KeyFile


@pytest.fixture(autouse=True)
def no_ambient_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's own HUATUO_* variables stay out of the tests."""
    for field in Settings.model_fields:
        monkeypatch.delenv(variable(field), raising=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.jsonl"


def created(path: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> tuple[str, str]:
    """The new key's secret and id."""
    assert main(["keys", "create", "--keys-file", str(path), "--tenant", "radiology", *flags]) == 0
    said = capsys.readouterr()
    return said.out, said.err.split()[0]


def test_stdout_is_the_secret_and_nothing_else(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`... > secret` holds what a client sends; what the key is goes to stderr, and the file has the hash alone."""
    assert main(["keys", "create", "--keys-file", str(path), "--tenant", "radiology"]) == 0

    said = capsys.readouterr()
    secret = said.out.removesuffix("\n")
    assert re.fullmatch(r"hgv-[A-Za-z0-9_-]{43}", secret)
    assert secret not in said.err
    assert re.match(r"key-[0-9a-f]{8} made for tenant radiology \(class routine, scopes chat, no limits\)", said.err)
    assert secret not in path.read_text()
    assert KeyFile(path).read().keys[0].sha256 == sha256_of(secret)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_every_flag_of_create_is_in_the_key(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Name, class, scopes and the four limits."""
    flags = ["--name", "PACS, ward 3", "--class", "stat", "--scopes", "chat, metrics"]
    limits = [
        "--requests-per-min",
        "60",
        "--tokens-per-min",
        "200000",
        "--images-per-min",
        "30",
        "--max-concurrent",
        "4",
    ]

    _, key_id = created(path, capsys, *flags, *limits)

    line = json.loads(path.read_text())
    assert {name: line[name] for name in ("id", "name", "class", "scopes")} == {
        "id": key_id,
        "name": "PACS, ward 3",
        "class": "stat",
        "scopes": ["chat", "metrics"],
    }
    assert [line[limit] for limit in LIMITS] == [60, 200000, 30, 4]


def test_list_shows_what_is_known_and_no_hash(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line a key, in columns, under a heading."""
    secret, first = created(path, capsys, "--name", "PACS", "--max-concurrent", "4")
    _, second = created(path, capsys, "--class", "batch")

    assert main(["keys", "list", "--keys-file", str(path)]) == 0

    said = capsys.readouterr().out
    heading, *rows = said.splitlines()
    assert heading.split() == ["id", "tenant", "class", "scopes", "limits", "created", "name"]
    assert re.fullmatch(rf"{first}  radiology  routine  chat    max_concurrent=4  \d{{4}}-\d\d-\d\d  PACS", rows[0])
    assert re.fullmatch(rf"{second}  radiology  batch    chat    no limits         \d{{4}}-\d\d-\d\d", rows[1])
    assert secret.strip() not in said
    assert sha256_of(secret.strip()) not in said


def test_revoke_takes_the_key_out_once(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0, and 1 when there is no such key any more; the others stay."""
    _, first = created(path, capsys)
    _, second = created(path, capsys)

    assert main(["keys", "revoke", first, "--keys-file", str(path)]) == 0
    assert main(["keys", "revoke", first, "--keys-file", str(path)]) == 1

    assert [key.id for key in KeyFile(path).read().keys] == [second]
    assert "no key of this id" in capsys.readouterr().err


def test_a_secret_given_as_the_id_is_not_repeated(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever pastes the wrong thing does not find it in a log of his terminal."""
    secret, _ = created(path, capsys)

    assert main(["keys", "revoke", secret.strip(), "--keys-file", str(path)]) == 1

    said = capsys.readouterr()
    assert secret.strip() not in said.out + said.err


def test_the_file_may_come_from_the_environment(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """HUATUO_KEYS_FILE, as for the server."""
    monkeypatch.setenv("HUATUO_KEYS_FILE", str(path))

    assert main(["keys", "create", "--tenant", "a"]) == 0
    assert main(["keys", "list"]) == 0

    assert "  a " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--tenant", "a b"], "tenant must be"),
        (["--tenant", "a", "--scopes", "chat,root"], "scopes must be some of admin, chat, metrics"),
        (["--tenant", "a", "--scopes", ""], "scopes must be some of"),
        (["--tenant", "a", "--tokens-per-min", "0"], "tokens_per_min must be"),
        (["--tenant", "a", "--name", "two\nlines"], "name must be"),
    ],
)
def test_a_key_that_cannot_be_is_not_made(
    path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], said: str
) -> None:
    """Exit 2 in one line, nothing on stdout, and no file."""
    assert main(["keys", "create", "--keys-file", str(path), *flags]) == 2

    written = capsys.readouterr()
    assert written.err.startswith(f"huatuo-server: {said}")
    assert written.err.count("\n") == 1
    assert written.out == ""
    assert not path.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create"], "huatuo-server keys create: the following arguments are required: --tenant"),
        (["create", "--tenant", "a", "--class", "urgent"], "invalid choice: 'urgent'"),
        (["create", "--tenant", "a", "--max-concurrent", "many"], "invalid int value: 'many'"),
        (["create", "--tenant", "a", "--token-per-min=5"], "did you mean --tokens-per-min or"),
        (
            ["list", "--keys-fiel", "x"],
            "huatuo-server keys list: --keys-fiel is not known here; did you mean --keys-file?",
        ),
        (["revoke"], "huatuo-server keys revoke: the following arguments are required: ID"),
        (["reovke"], "invalid choice: 'reovke'"),
        ([], "huatuo-server keys: the following arguments are required: ACTION"),
    ],
)
def test_a_mistyped_flag_exits_2_in_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As with every other command."""
    with pytest.raises(SystemExit) as ended:
        main(["keys", *arguments])

    assert ended.value.code == 2
    written = capsys.readouterr().err
    assert said in written
    assert written.count("\n") == 1


@pytest.mark.parametrize("action", [["create", "--tenant", "a"], ["list"], ["revoke", "key-00000001"]])
def test_no_file_named_exits_2(action: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The flag and the variable are named."""
    assert main(["keys", *action]) == 2
    assert capsys.readouterr().err == (
        "huatuo-server: --keys-file is missing: name the file of keys (or set HUATUO_KEYS_FILE)\n"
    )


@pytest.mark.parametrize("action", [["create", "--tenant", "a"], ["list"], ["revoke", "key-00000001"]])
def test_a_damaged_file_exits_2_and_stays_as_it_is(
    path: Path, action: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The line is told by its number; nobody overwrites what somebody may still mend."""
    path.write_text("{canary-7c1f\n")

    assert main(["keys", *action, "--keys-file", str(path)]) == 2

    assert path.read_text() == "{canary-7c1f\n"
    assert capsys.readouterr().err.startswith("huatuo-server: the keys file, line 1: not a JSON object")


@pytest.mark.parametrize("arguments", [["keys"], ["keys", "create"], ["keys", "list"], ["keys", "revoke"]])
def test_help_has_an_example_of_each(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What to type; the whole command's help says what the exit status means."""
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--help"])

    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert f"  huatuo-server {' '.join(arguments)} " in said
    assert arguments != ["keys"] or "exit status: 0 " in said


def test_the_examples_in_the_help_are_understood() -> None:
    """Each of them parses."""
    parser = argparse.ArgumentParser()
    keys.add_arguments(parser)
    examples = keys.EXAMPLES.replace("\\\n", " ")

    commands = [line.split() for line in examples.splitlines() if line.startswith("  huatuo-server keys ")]

    assert len(commands) == 5
    assert all(parser.parse_args(command[2:]).keys_file == "keys.jsonl" for command in commands)
