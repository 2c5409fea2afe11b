"""The page's sources: types, lint and unit tests; and an import that leads nowhere is found when the page is built."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients.ci_tools import missing
from tests.docs.markdown import ROOT

WEB = ROOT / "clients" / "web"

OLDEST_NODE = (20, 19)
"""ESLint's."""

SOURCE = """/** What it is. */

/**
 * Of several lines.
 * @param {string} one
 */
export function first(one) {
  // A reason.
  return /** @type {any} */ (one);
}
/** @type {number} */ export const second = 2; /* kept */
export const address = "https://example.org"; // kept
export const style = `
  * { margin: 0; }
`;
"""

SERVED = """





export function first(one) {

  return /** @type {any} */ (one);
}
/** @type {number} */ export const second = 2; /* kept */
export const address = "https://example.org"; // kept
export const style = `
  * { margin: 0; }
`;
"""

LOCK: dict[str, Any] = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))

LICENCES = {"MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "(MPL-2.0 OR Apache-2.0)", "PSF-2.0"}
"""Of what the page is made of."""


@pytest.fixture(scope="module")
def npm() -> str:
    """npm's path; what the check needs is installed."""
    found, node = shutil.which("npm"), shutil.which("node")
    if found is None or node is None or version(node) < OLDEST_NODE:
        missing("Node 20.19 or newer with npm is not installed: `make ci-tools` installs Debian's")
    if not (WEB / "node_modules" / ".bin" / "tsc").exists():
        missing("the page's tools are not installed: `make ci-tools` installs them")
    return str(found)


def version(node: str) -> tuple[int, ...]:
    """As `node --version` says it: v20.20.2."""
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(one) for one in said.strip().removeprefix("v").split(".")[:2])


@pytest.mark.parametrize("script", ["types", "lint", "test"])
def test_the_sources_pass(npm: str, script: str) -> None:
    """`npm run check` in three parts."""
    done = subprocess.run([npm, "run", "--silent", script], cwd=WEB, capture_output=True, text=True, check=False)

    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def test_the_page_holds_what_its_modules_import_and_nothing_else(npm: str, tmp_path: Path) -> None:
    """Each module that the browser could ask for is there, and no development file."""
    assemble(WEB, tmp_path / "web")
    names = {path.relative_to(tmp_path / "web").as_posix() for path in (tmp_path / "web").rglob("*") if path.is_file()}

    assert {"index.html", "style.css", "icon.svg", "src/main.js", "vendor/lit/index.js"} <= names
    assert {f"src/{path.relative_to(WEB / 'src').as_posix()}" for path in (WEB / "src").rglob("*.js")} <= names
    assert not [name for name in names if re.search(r"development|\.(map|ts|json|test\.js)$", name)]


def test_our_modules_are_served_without_comments_and_else_as_they_are(npm: str, tmp_path: Path) -> None:
    """Line by line; a comment before code, or in a text, stays."""
    copy_shell(tmp_path)
    (tmp_path / "src" / "main.js").write_text(SOURCE, encoding="utf-8")
    assemble(tmp_path, tmp_path / "web")

    assert (tmp_path / "web" / "src" / "main.js").read_text(encoding="utf-8") == SERVED


def test_an_import_that_the_map_does_not_name_stops_the_build(npm: str, tmp_path: Path) -> None:
    """With both names, and the page from before stays."""
    copy_shell(tmp_path)
    (tmp_path / "src" / "main.js").write_text('import { render } from "preact";\n', encoding="utf-8")
    (tmp_path / "web").mkdir()

    with pytest.raises(subprocess.CalledProcessError) as failed:
        assemble(tmp_path, tmp_path / "web")

    assert "src/main.js imports preact" in failed.value.stderr
    assert (tmp_path / "web").is_dir()


def copy_shell(folder: Path) -> None:
    """All of the page but its modules."""
    for name in ("index.html", "style.css", "icon.svg", "assemble.mjs", "package.json"):
        shutil.copy(WEB / name, folder / name)
    (folder / "src").mkdir()


def assemble(source: Path, target: Path) -> None:
    """As `make page`."""
    subprocess.run(["node", "assemble.mjs", str(target)], cwd=source, capture_output=True, text=True, check=True)


def test_the_lock_has_hashes_and_names_no_registry() -> None:
    """Whoever installs says where from, and gets the same bytes."""
    packages = {name: one for name, one in LOCK["packages"].items() if name}

    assert packages
    assert [name for name, one in packages.items() if not one.get("integrity", "").startswith("sha512-")] == []
    assert "://" not in "".join(one.get("resolved", "") for one in packages.values())


def test_what_the_page_is_made_of_is_free_to_ship() -> None:
    """No GPL among the packages that are not for development alone."""
    shipped = {name: one["license"] for name, one in LOCK["packages"].items() if name and not one.get("dev")}

    assert {name: licence for name, licence in shipped.items() if licence not in LICENCES} == {}


def test_no_source_goes_around_the_policy() -> None:
    """No inline style, which the browser would drop, no handler in HTML, and no address from the root of a server."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in (WEB / "src").rglob("*.js")}
    found = {
        (name, match[0])
        for name, text in texts.items()
        for match in re.finditer(r"""\sstyle=["'$]|\son(?:click|load|error)=|["'`]/(?:v1|page|health)\b""", text)
    }

    assert texts
    assert found == set()
