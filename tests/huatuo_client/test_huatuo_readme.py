"""The client's README tells the truth: its library example runs, its commands parse, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from huatuo_client import HuatuoClient, Question
from huatuo_client.command import parse
from huatuo_client.item import READ
from tests.clients.answers import TEXT, saying
from tests.docs.markdown import ROOT, blocks, table
from tests.huatuo_client.commands import CLIENT, LIMIT_S, environ

README = CLIENT / "README.md"


def test_the_library_example_runs(tmp_path: Path) -> None:
    """As it stands, but for the server's port; on DICOM files."""
    (code,) = blocks(README, "python")
    for name in ("film.dcm", "a.dcm", "b.dcm"):
        shutil.copy(str(get_testdata_file("CT_small.dcm")), tmp_path / name)
    with saying(TEXT) as server:
        done = subprocess.run(
            [sys.executable, "-c", code.replace("http://127.0.0.1:8000", server.base_url)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env=environ(server),
            timeout=LIMIT_S,
            check=False,
        )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count(TEXT) >= 2


def commands() -> list[str]:
    """Every line of a shell block that runs `huatuo`."""
    lines = [line for block in blocks(README, "bash") for line in block.splitlines()]
    return [line for line in lines if line.startswith("huatuo ")]


@pytest.mark.parametrize("line", sorted(set(commands())))
def test_every_command_is_understood(line: str) -> None:
    """By its own flags."""
    assert parse.parsed(shlex.split(line)[1:]).run


def test_the_first_question_is_about_a_file_of_the_clone() -> None:
    """Whoever has just cloned it has nothing else at hand; the environment it makes is not taken for ours by git."""
    first = next(block for block in blocks(README, "bash"))
    (asked,) = [shlex.split(line) for line in first.splitlines() if line.startswith("huatuo ask")]

    assert (ROOT / asked[2]).is_file()
    assert (ROOT / "clients" / "python").is_dir()
    assert first.startswith("python3 -m venv .venv-client\n")
    assert ".venv-*/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_every_link_leads_somewhere() -> None:
    """To a file of ours."""
    targets = re.findall(r"\]\(([^)#]+)", README.read_text(encoding="utf-8"))

    assert targets
    assert all((CLIENT / target).is_file() for target in targets)


def test_every_example_and_script_is_there() -> None:
    """Those that its shell blocks run."""
    named = {path for block in blocks(README, "bash") for path in re.findall(r"clients/python/\S+\.py", block)}

    assert named == {f"clients/python/examples/{one.name}" for one in (CLIENT / "examples").glob("*.py")}


def test_what_a_source_may_say_is_what_is_read() -> None:
    """The table of columns and fields."""
    named = {word for row in table(README, "Many questions") for word in row[0].replace(",", " ").split()}

    assert named - {"image_2", "..."} == set(READ)


def test_every_call_and_option_of_the_library_is_there() -> None:
    """The table of calls; the options that the text names."""
    calls = {word for row in table(README, "The library") for word in row[0].replace(",", " ").split()}
    options = {"history", "json_schema", "extra"}

    assert all(hasattr(HuatuoClient, call) for call in calls - {"image_part", "client.sdk"})
    assert options <= {one.name for one in fields(Question)}
    assert all(f"`{option}`" in README.read_text(encoding="utf-8") for option in options)
