"""What pyproject.toml cannot say: the chat page is put into the package whenever one is built from a clone.

That takes npm. Without it the package has the page that is in the folder already, or none, and then the server says at
`/` what is missing. An archive of the source holds the finished page, so that a wheel of it needs no npm.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).parent
SOURCE = ROOT / "clients" / "web"
PAGE = ROOT / "server" / "huatuo_server" / "web"


class BuildWithPage(build_py):
    """Of an editable installation, `make setup` puts the page together."""

    def run(self) -> None:
        if not self.editable_mode:
            put_page()
        super().run()


class ArchiveWithPage(sdist):
    def run(self) -> None:
        put_page()
        super().run()


def put_page() -> None:
    """As `make page`, but what is missing or fails is said and no more: the API is worth having without a page."""
    if not SOURCE.is_dir():
        return
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        print("npm is not installed: no chat page is put together")
        return
    try:
        if not is_installed():
            subprocess.run([npm, "ci", "--omit=dev", "--no-progress", "--loglevel=error"], cwd=SOURCE, check=True)
        subprocess.run([node, "assemble.mjs", str(PAGE)], cwd=SOURCE, check=True)
    except subprocess.CalledProcessError as error:
        print(f"{error.cmd[0]} failed: no chat page is put together")


def is_installed() -> bool:
    """npm writes the second file when it is done with the first."""
    wanted, done = SOURCE / "package-lock.json", SOURCE / "node_modules" / ".package-lock.json"
    return done.is_file() and done.stat().st_mtime >= wanted.stat().st_mtime


setup(cmdclass={"build_py": BuildWithPage, "sdist": ArchiveWithPage})
