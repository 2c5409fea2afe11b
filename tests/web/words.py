"""The page's own texts, by which these tests find what a person would."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
from collections.abc import Mapping

from tests.clients.ci_tools import missing
from tests.web.browser import SOURCES

READER = "console.log(JSON.stringify((await import(process.argv[1])).default))"


class Words:
    """Of one language: `words("chat.ask")`, with values for the placeholders."""

    def __init__(self, language: str = "en") -> None:
        """language: en or zh-CN."""
        self._texts = _texts(language)

    def __call__(self, name: str, **values: object) -> str:
        text = self._texts[name]
        if values.get("count") == 1:
            text = self._texts.get(f"{name}.one", text)
        for placeholder, value in values.items():
            text = text.replace("{" + placeholder + "}", str(value))
        return text

    def pattern(self, name: str) -> re.Pattern[str]:
        """The text with anything where its placeholders stand, in one form of its number or the other."""
        forms = [self._texts[one] for one in (name, f"{name}.one") if one in self._texts]
        return re.compile("|".join(re.sub(r"\\{\w+\\}", ".+?", re.escape(one)) for one in forms))


@functools.cache
def _texts(language: str) -> Mapping[str, str]:
    node = shutil.which("node")
    if node is None:
        missing("Node is not installed: `make ci-tools` installs Debian's")
    file = SOURCES / "src" / "locales" / f"{language}.js"
    read = [str(node), "--input-type=module", "--eval", READER, file.as_uri()]
    texts: Mapping[str, str] = json.loads(subprocess.run(read, capture_output=True, text=True, check=True).stdout)
    return texts
