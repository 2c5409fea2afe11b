"""The README tells the truth: its commands, its tree, its links. `make readme` runs the commands themselves."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from huatuo_server.command.parse import COMMANDS
from tests.docs.markdown import PAGES, README, ROOT, all_blocks, blocks, section, table

DEVELOPMENT = ROOT / "docs" / "development.md"

NOT_IN_THE_TREE = {"__pycache__"}


def make_targets() -> set[str]:
    """The targets that `make help` lists."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z0-9.-]+):.*## ", text, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    """`make X` on any page is a target of the Makefile."""
    text = page.read_text(encoding="utf-8")
    code = [
        *re.findall(r"`(make [^`]+)`", text),
        *(line for block in all_blocks(page) for line in block.text.split("\n")),
    ]
    named = {match[1] for one in code if (match := re.match(r"make ([a-z][a-z0-9.-]*)", one))}
    assert named <= make_targets()


def test_the_table_of_targets_is_the_makefiles() -> None:
    """docs/development.md lists every target."""
    assert {row[0].removeprefix("make ") for row in table(DEVELOPMENT, "Targets")} == make_targets()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    """A link to a file of ours resolves, and a heading after # exists in it."""
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.is_file(), target
        headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
        assert not anchor or anchor in {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings}, (
            target
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_lock_and_page_that_is_named_exists(page: Path) -> None:
    """A `locks/...` or `docs/...` path on a page is a file."""
    for name in re.findall(r"\b((?:locks|docs)/[\w./-]+\.\w+)", page.read_text(encoding="utf-8")):
        assert (ROOT / name).is_file(), f"{page.name}: {name}"


def test_the_list_of_pages_names_each_page_once() -> None:
    """Under its own name: whoever looks for a page finds it from the README."""
    links = re.findall(r"\[([^\]]+)\]\(([^)]+)\)", section(README, "Documentation"))
    pages = [page.relative_to(ROOT).as_posix() for page in PAGES if page != README]
    assert sorted(target for _, target in links) == sorted(pages)
    assert [name for name, _ in links] == [target for _, target in links]


def test_every_command_of_huatuo_server_on_a_page_exists() -> None:
    """`huatuo-server X` on any page is a command."""
    known = {command.NAME for command in COMMANDS}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert set(re.findall(r"huatuo-server ([a-z-]+) (?:--|DIR)", text)) <= known, page.name


def test_the_sdk_example_is_six_lines_of_python() -> None:
    """The README's Python block parses and has six lines."""
    (code,) = blocks(README, "python")
    assert len(ast.parse(code).body) == len(code.strip().splitlines()) == 6


def test_the_shell_blocks_are_shell() -> None:
    """bash can parse every shell block of the README."""
    found = blocks(README, "bash")
    assert found
    for block in found:
        read = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True, check=False)
        assert (read.returncode, read.stderr) == (0, ""), block


def test_the_tree_is_the_real_one() -> None:
    """Every path of the README's tree exists, and every module of the packages stands in it."""
    (tree,) = blocks(README, "text")
    listed = listed_paths(tree)
    assert all((ROOT / path).exists() for path in listed), [path for path in listed if not (ROOT / path).exists()]
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "server").rglob("*.py")}
    modules = {path for path in modules if not path.endswith("/__init__.py") or path.count("/") == 2}
    folders = {path for path in listed if (ROOT / path).is_dir()}
    unlisted = {path for path in modules - set(listed) if not any(is_summed_up(path, one, listed) for one in folders)}
    assert not unlisted


def is_summed_up(path: str, folder: str, listed: list[str]) -> bool:
    """Whether a folder's one line stands for a module: no path inside the folder is listed on its own."""
    return path.startswith(f"{folder}/") and not any(one.startswith(f"{folder}/") for one in listed)


def listed_paths(tree: str) -> list[str]:
    """The paths of a tree of two-space indents; several names may share a line, the text follows two spaces or more."""
    paths: list[str] = []
    parents: list[str] = []
    for line in tree.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        names = re.split(r" {2,}", line.strip(), maxsplit=1)[0].split(" ")
        parents = [*parents[:depth], names[0].rstrip("/")]
        paths += ["/".join([*parents[:depth], name.rstrip("/")]) for name in names]
    return paths
