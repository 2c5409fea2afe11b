"""VLMEvalKit's `run` with the adapter `huatuo-paper`; the Python of VLMEvalKit's environment runs it.

`--custom-prompt huatuo-paper --local-media` sends the paper's prompt and each picture's file as it lies on disk:
`--local-media` names the file in the request, and the adapter puts the file's bytes in the name's place.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from vlmeval.api.adapters import ModelAdapter, register_adapter  # type: ignore[import-not-found]
from vlmeval.run import main  # type: ignore[import-not-found]

from benchmarks.accuracy.chat import data_url


@register_adapter("huatuo-paper")
class PaperAdapter(ModelAdapter):  # type: ignore[misc]
    """Hooks that VLMEvalKit calls for each question."""

    def use_custom_prompt(self, dataset: str, system_prompt: str | None = None) -> bool:
        """For every data set."""
        return True

    def build_prompt(self, line: Any, dataset: str | None = None) -> list[dict[str, str]]:
        """The pictures, then the column `prompt`. line: a row of the table."""
        paths = line["image_path"]
        images = [{"type": "image", "value": path} for path in ([paths] if isinstance(paths, str) else paths)]
        return [*images, {"type": "text", "value": line["prompt"]}]

    def process_payload(self, payload: dict[str, Any], dataset: str | None = None) -> dict[str, Any]:
        """`file://` names become the files' bytes."""
        for message in payload["messages"]:
            for part in message["content"]:
                if part["type"] == "image_url":
                    path = Path(unquote(urlsplit(part["image_url"]["url"]).path))
                    part["image_url"] = {"url": data_url(path.read_bytes())}
        return payload


if __name__ == "__main__":
    main()
