"""What is installed: both packages, the command, the plugin, and nothing that breaks vLLM."""

from __future__ import annotations

import json
import re
import shutil
import tarfile
import tomllib
import zipfile
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from build import ProjectBuilder
from packaging.version import Version

from huatuo_server import __version__
from tests.clients.ci_tools import missing
from tests.docs.markdown import ROOT

WEB = ROOT / "clients" / "web"

PAGE = ROOT / "server" / "huatuo_server" / "web"

LEFT = {"__pycache__", "node_modules"}
"""Folders that no clone has."""

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist, built from a copy that no other process writes to."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    for name in ("server", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        copy(ROOT / name, source / name)
    if (WEB / "node_modules" / "lit").is_dir():
        copy_page(source / "clients" / "web")
    builder = ProjectBuilder(source)
    builder.build("wheel", folder)
    builder.build("sdist", folder)
    return folder


def copy(source: Path, target: Path) -> None:
    """A file, or all of a folder but what Python and setuptools leave there."""
    for one in [source] if source.is_file() else files(source):
        to = target / one.relative_to(source) if source.is_dir() else target
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(one, to)


def copy_page(target: Path) -> None:
    """The chat page's sources and what they are made of, as npm left it: nothing is to be fetched."""
    copy(WEB, target)
    packages = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    for name in [name for name, package in packages.items() if name and not package.get("dev")]:
        shutil.copytree(WEB / name, target / name, dirs_exist_ok=True)
    (target / "node_modules" / ".package-lock.json").touch()


def files(folder: Path) -> list[Path]:
    """Everything that a clone has there."""
    return [
        one
        for one in folder.rglob("*")
        if one.is_file()
        and not one.is_relative_to(PAGE)
        and not any(part in LEFT or part.endswith((".egg-info", ".so", ".part")) for part in one.parts)
    ]


def data() -> set[str]:
    """Every file of the source that is no module, as a wheel names it."""
    found = {path.relative_to(ROOT / "server").as_posix() for path in files(ROOT / "server")}
    return {name for name in found if not name.endswith(".py")}


def modules() -> set[str]:
    """Every module of the source, as a wheel names it."""
    return {path.relative_to(ROOT / "server").as_posix() for path in (ROOT / "server").rglob("*.py")}


def test_the_wheel_holds_every_module_of_both_packages(built: Path) -> None:
    """No module or data file is left behind, the trained demo's neither, and no test comes along."""
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert modules() == {name for name in names if name.endswith(".py")}
    assert {
        "huatuo_server/py.typed",
        "huatuo_vllm/chat_template.jinja",
        "huatuo_server/demo/seeing/config.json",
    } <= data()
    assert data() <= names


def test_the_wheel_holds_what_was_compiled(built: Path) -> None:
    """For any Python from 3.11 on."""
    (wheel,) = built.glob("*.whl")

    assert "huatuo_server/images/_bicubic.abi3.so" in zipfile.ZipFile(wheel).namelist()


def test_the_sdist_holds_every_module_and_the_licence(built: Path) -> None:
    """The source archive can be built from."""
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"server/{name}" for name in modules() | data()} <= names
    assert {"LICENSE", "README.md", "pyproject.toml"} <= names


@pytest.mark.parametrize("kind", ["whl", "tar.gz"])
def test_what_is_built_where_npm_is_holds_the_page(built: Path, kind: str) -> None:
    """Whole, with the licences: it is served without npm where it is installed."""
    if not (WEB / "node_modules" / "lit").is_dir():
        missing("the chat page's packages are not installed: `make page` does it, where npm is")
    (archive,) = built.glob(f"*.{kind}")
    if kind == "whl":
        names = set(zipfile.ZipFile(archive).namelist())
    else:
        with tarfile.open(archive) as opened:
            names = {name.partition("/server/")[2] for name in opened.getnames()}
    sources = {
        f"huatuo_server/web/src/{path.relative_to(WEB / 'src').as_posix()}" for path in (WEB / "src").rglob("*.js")
    }

    assert sources <= names
    assert {f"huatuo_server/web/{name}" for name in ("index.html", "style.css", "vendor/lit/index.js")} <= names
    assert "huatuo_server/web/vendor/dompurify/LICENSE" in names


def test_a_package_is_built_without_a_page_where_npm_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API is worth having; who builds is told."""
    for name in ("server", "clients/web", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        copy(ROOT / name, tmp_path / name)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))

    ProjectBuilder(tmp_path).build("wheel", tmp_path)

    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "huatuo_server/app.py" in names
    assert not [name for name in names if "/web/" in name]


def test_the_version_is_the_packages(built: Path) -> None:
    """The one place of the version is the package."""
    assert [path.name.split("-")[1] for path in built.glob("*.whl")] == [__version__]


def test_vllm_finds_the_plugin_and_no_logits_processor_of_ours() -> None:
    """A class under `vllm.logits_processors` would keep Model Runner V2 from starting, for any model on the machine."""
    assert PROJECT["entry-points"] == {"vllm.general_plugins": {"huatuo": "huatuo_vllm:register"}}
    ours = [one for one in entry_points(group="vllm.logits_processors") if one.value.startswith("huatuo")]
    assert not ours
    (plugin,) = [one for one in entry_points(group="vllm.general_plugins") if one.name == "huatuo"]
    assert callable(plugin.load())


@pytest.mark.parametrize("lock", sorted((ROOT / "locks").glob("*.txt")), ids=lambda path: path.name)
def test_a_lock_names_no_place_of_the_machine_it_was_made_on(lock: Path) -> None:
    """No index, no path: whoever installs says where from."""
    text = lock.read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text


@pytest.mark.parametrize("name", ["cpu", "torch", "cuda", "dev", "vllm-0.26"])
def test_every_pin_of_a_lock_has_a_hash(name: str) -> None:
    """Each requirement is an exact version, followed by at least one hash."""
    lines = (ROOT / "locks" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    starts = [number for number, line in enumerate(lines) if line[:1].isalnum()]
    assert starts
    for number in starts:
        assert "==" in lines[number], lines[number]
        assert lines[number + 1].startswith("    --hash=sha256:"), lines[number]


def test_the_cpu_lock_leaves_out_what_breaks_beside_a_cpu_torch() -> None:
    """torch is chosen at installation; torchvision, torchaudio, torchcodec and triton are CUDA builds on PyPI."""
    lines = (ROOT / "locks" / "cpu.txt").read_text(encoding="utf-8").splitlines()
    names = {line.split("==")[0] for line in lines if line[:1].isalnum()}
    assert not names & {"torch", "torchvision", "torchaudio", "torchcodec", "triton"}


FLOORS = {
    "aiohttp": "3.12.14",  # CVE-2025-53643
    "fastapi-swagger": "0.4.51",  # CVE-2026-49458, in the DOMPurify of its Swagger UI before 5.32.7
    "h11": "0.16.0",  # CVE-2025-43859
    "jinja2": "3.1.6",  # CVE-2025-27516
    "pillow": "11.3.0",  # CVE-2025-48379
    "protobuf": "6.31.1",  # CVE-2025-4565
    "pydicom": "3.0.2",  # CVE-2026-32711
    "python-multipart": "0.0.18",  # CVE-2024-53981
    "requests": "2.32.4",  # CVE-2024-47081
    "starlette": "0.49.1",  # CVE-2025-62727
    "torch": "2.8.0",  # CVE-2025-2953
    "transformers": "4.53.0",  # CVE-2025-5197
    "urllib3": "2.6.0",  # CVE-2025-66418
}
"""Below these, something that we install had a hole. An audit that finds no database is silent; this list is not."""


@pytest.mark.parametrize("name", ["cpu", "torch", "cuda", "dev", "vllm-0.26"])
def test_no_lock_holds_a_version_with_a_known_hole(name: str) -> None:
    """And every package of the list is in some lock, so that no row guards a name that is spelt wrong."""
    pins = _pins(name)
    below = {
        package: str(pins[package]) for package in FLOORS.keys() & pins if pins[package] < Version(FLOORS[package])
    }
    everywhere = {package for lock in ("cpu", "torch", "cuda", "dev", "vllm-0.26") for package in _pins(lock)}

    assert below == {}
    assert FLOORS.keys() <= everywhere


def _pins(name: str) -> dict[str, Version]:
    lines = (ROOT / "locks" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    found = [re.match(r"([A-Za-z0-9_.-]+)===?([^ ;\\]+)", line) for line in lines]
    return {one[1].lower(): Version(one[2]) for one in found if one}
