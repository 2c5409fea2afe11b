"""docs/operations.md and the settings are the same list."""

from __future__ import annotations

import re

from huatuo_server.settings import Flag, Settings, flag, variable
from tests.docs.markdown import PAGES, ROOT, table

OPERATIONS = ROOT / "docs" / "operations.md"

VLLM_INTERNAL = {"HUATUO_VLLM_REPORT"}


def visible_fields() -> list[str]:
    """The settings that `--help` shows."""
    return [
        name
        for name, info in Settings.model_fields.items()
        if any(isinstance(one, Flag) and one.group is not None for one in info.metadata)
    ]


def test_every_setting_has_a_row_and_every_row_a_setting() -> None:
    """The table of settings names each visible setting's flag and variable, and nothing else."""
    rows = {(row[0], row[1]) for row in table(OPERATIONS, "Settings")}
    assert rows == {(flag(field), variable(field)) for field in visible_fields()}


def test_the_defaults_in_the_table_are_the_real_ones() -> None:
    """A default that is a number, a word or a truth value stands in the table as it is in the code."""
    written = {row[0]: row[2] for row in table(OPERATIONS, "Settings")}
    for field in visible_fields():
        default = Settings.model_fields[field].get_default(call_default_factory=True)
        if isinstance(default, bool):
            assert written[flag(field)] == str(default).lower(), field
        elif isinstance(default, int | str):
            assert written[flag(field)] == str(default), field


def test_no_page_names_a_flag_or_a_variable_that_does_not_exist() -> None:
    """Every --flag of huatuo-server and every HUATUO_* variable on any page is a setting."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        strangers = set(re.findall(r"\bHUATUO_[A-Z_]*[A-Z]", text)) - {variable(f) for f in Settings.model_fields}
        assert not strangers, f"{page.name}: {strangers}"
        commands = re.findall(r"^.*huatuo-server (?:serve|check|verify) .*$", text, re.MULTILINE)
        flags = {word for command in commands for word in re.findall(r"--[a-z-]+", command)}
        assert flags <= {flag(f) for f in Settings.model_fields} | {"--help"}, page.name
