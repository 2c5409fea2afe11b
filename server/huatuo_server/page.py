"""The chat page as it was put into the package: its files, and what a browser may do with them.

The files are those of clients/web, as `make page` or the build of a wheel copied them. Where npm was missing there are
none, and the server serves the API all the same.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "web"

INDEX: Final = "index.html"

MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

LICENCE: Final = "text/plain; charset=utf-8"
"""The media type of a file whose name has none of these endings."""

IMPORT_MAP: Final = re.compile(rb'<script type="importmap">(.*?)</script>', re.DOTALL)


@dataclass(frozen=True)
class PageFile:
    """One file, in memory: all of them together are less than a megabyte."""

    content: bytes
    media_type: str

    @cached_property
    def etag(self) -> str:
        """Of the content, without the quotes of HTTP."""
        return hashlib.sha256(self.content).hexdigest()[:32]

    @cached_property
    def gzipped(self) -> bytes:
        """The same bytes whenever it is made."""
        return gzip.compress(self.content, compresslevel=9, mtime=0)


@dataclass(frozen=True)
class Page:
    """What is served at `/`, and all that it loads, by path below `/page/`."""

    index: PageFile
    files: Mapping[str, PageFile]

    @classmethod
    def read(cls, folder: Path) -> Page | None:
        """None where the page was never put there."""
        if not (folder / INDEX).is_file():
            return None
        found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        files = {name: PageFile(path.read_bytes(), _media_type(name)) for name, path in found.items()}
        return cls(files.pop(INDEX), files)

    @cached_property
    def paths(self) -> frozenset[str]:
        """What a browser asks for besides `/`."""
        return frozenset(f"/page/{name}" for name in self.files)

    @cached_property
    def content_security_policy(self) -> str:
        """Nothing from elsewhere, no inline script but the import map, no HTML but of two named policies.

        lit-html: templates, of which no text of a model or a user is a part. dompurify: answers, cleaned.
        """
        maps = [
            base64.b64encode(hashlib.sha256(text).digest()).decode() for text in IMPORT_MAP.findall(self.index.content)
        ]
        return "; ".join(
            (
                "default-src 'none'",
                " ".join(("script-src 'self'", *(f"'sha256-{digest}'" for digest in maps))),
                "style-src 'self'",
                # Pictures that the user opened, and thumbnails.
                "img-src 'self' blob: data:",
                "connect-src 'self'",
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
                "require-trusted-types-for 'script'",
                "trusted-types lit-html dompurify",
            )
        )


def _media_type(name: str) -> str:
    return MEDIA_TYPES.get(Path(name).suffix, LICENCE)
