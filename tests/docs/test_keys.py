"""docs/keys.md is what the command and the file are."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from dataclasses import fields
from pathlib import Path

from huatuo_server.caller import SCOPES
from huatuo_server.command import keys
from huatuo_server.lane import LANES
from huatuo_server.tenants import keyring
from huatuo_server.tenants.key import LIMITS, Key
from huatuo_server.tenants.key_file import KeyFile
from tests.docs.markdown import ROOT, blocks, code_words, section, table

KEYS = ROOT / "docs" / "keys.md"

NOT_TO_BE_GIVEN = {"id", "sha256", "created_at"}
"""What `create` makes itself."""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(exit_on_error=False)
    keys.add_arguments(made)
    return made


def test_the_table_of_fields_is_the_keys() -> None:
    """Flag, field in the file and default of each; and nothing else."""
    rows = {row[1]: (row[0], row[2]) for row in table(KEYS, "What a key says")}
    given = vars(parser().parse_args(["create", "--tenant", "x"]))
    named = {"lane": "class"}
    made = {named.get(field.name, field.name): field.name for field in fields(Key) if field.name not in NOT_TO_BE_GIVEN}

    assert rows.keys() == made.keys()
    for name, (flag, default) in rows.items():
        assert flag == "--" + name.replace("_", "-")
        assert default == ("required" if name == "tenant" else str(given[made[name]] or "none"))


def test_every_limit_has_its_reason_and_every_class_and_scope_is_named() -> None:
    """The words are the code's."""
    assert {(row[0], row[2]) for row in table(KEYS, "Quotas")} == {
        ("--" + limit.replace("_", "-"), limit) for limit in LIMITS
    }
    assert set(LANES) | SCOPES <= code_words(section(KEYS, "What a key says"))


def test_the_commands_are_understood() -> None:
    """Each `huatuo-server keys ...` on the page parses."""
    text = KEYS.read_text(encoding="utf-8").replace("\\\n", " ")
    commands = re.findall(r"^ *huatuo-server keys (.*?)(?: > .*)?$", text, re.MULTILINE)

    assert len(commands) >= 5
    for command in commands:
        assert parser().parse_args(shlex.split(command)).keys_file == "keys.jsonl"


def test_the_line_of_the_file_is_a_key(tmp_path: Path) -> None:
    """The example is read as it stands."""
    (line,) = blocks(KEYS, "json")

    file = tmp_path / "keys.jsonl"
    file.write_text(line, encoding="utf-8")
    file.chmod(0o600)

    (key,) = KeyFile(file).read().keys

    assert json.loads(line)["id"] == key.id


def test_the_figures_are_the_codes() -> None:
    """How long a disk may not answer; two looks at the file are well within the second that is promised."""
    assert f"`hgv_keys_file_failing` 1 after {keyring.STUCK_S:g} seconds" in section(KEYS, "The file")
    assert 2 * keyring.POLL_S <= 0.5
