"""The client is a distribution of its own, small, and installed beside the server's."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from build import ProjectBuilder

import huatuo_client
from tests.docs.markdown import ROOT
from tests.docs.test_packaging import copy, files
from tests.huatuo_client.commands import CLIENT

PROJECT: dict[str, Any] = tomllib.loads((CLIENT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built from a copy that no other process writes to."""
    folder = tmp_path_factory.mktemp("built")
    copy(CLIENT, folder / "source")
    return zipfile.ZipFile(ProjectBuilder(folder / "source").build("wheel", folder))


def test_the_wheel_holds_every_module_and_the_licence(wheel: zipfile.ZipFile) -> None:
    """And its types; no example comes along."""
    modules = {one.relative_to(CLIENT).as_posix() for one in files(CLIENT / "huatuo_client")}
    assert modules <= set(wheel.namelist())
    assert {name.partition("/")[0] for name in wheel.namelist()} == {
        "huatuo_client",
        f"huatuo_client-{huatuo_client.__version__}.dist-info",
    }
    assert any(name.endswith("/LICENSE") for name in wheel.namelist())
    assert (CLIENT / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_it_asks_for_no_model_library() -> None:
    """A laptop installs it in seconds: no torch, no vLLM; what only some need is extra."""
    needed = {one.partition(">")[0] for one in PROJECT["dependencies"]}

    assert needed == {"httpx2", "openai", "tqdm"}
    assert PROJECT["optional-dependencies"].keys() == {"arrays", "dicom"}
    assert PROJECT["scripts"] == {"huatuo": "huatuo_client.__main__:main"}


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import huatuo_client.command.parse", ("openai", "tqdm", "numpy", "PIL", "pydicom")),
        ("from huatuo_client import *", ("numpy", "PIL", "pydicom", "torch", "vllm", "huatuo_server")),
    ],
    ids=["command", "library"],
)
def test_nothing_is_imported_that_is_not_needed(code: str, unwanted: tuple[str, ...]) -> None:
    """Help comes at once, and a file can be sent where no Pillow is."""
    show = f"{code}\nimport sys\nprint(*sorted(set(sys.modules) & set({unwanted!r})))"
    said = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True, cwd=Path("/"))

    assert said.stdout.split() == []


def test_the_command_is_installed() -> None:
    """Beside the Python that runs the tests."""
    said = subprocess.run([Path(sys.executable).parent / "huatuo", "--version"], capture_output=True, check=True)

    assert said.stdout.decode() == f"huatuo {huatuo_client.__version__}\n"


def test_every_public_name_can_be_imported() -> None:
    """They are found when they are first used."""
    assert all(getattr(huatuo_client, name) is not None for name in huatuo_client.__all__)
    with pytest.raises(AttributeError):
        _ = huatuo_client.nothing
