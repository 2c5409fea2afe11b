"""Asks a huatuo-server about medical images: typed helpers over OpenAI's SDK.

    from huatuo_client import HuatuoClient, View

    client = HuatuoClient("http://127.0.0.1:8000")
    answer = client.ask("Is there a fracture?", "film.dcm", view=View(preset="bone"))
    print(answer.text, answer.images[0].warnings)

A name is imported when it is first used: the SDK takes most of a second, and `huatuo --help` does not need it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from huatuo_client import errors as errors
    from huatuo_client.answer import Answer as Answer
    from huatuo_client.answer import Choice as Choice
    from huatuo_client.answer import Choices as Choices
    from huatuo_client.answer import Usage as Usage
    from huatuo_client.answer_stream import AnswerStream as AnswerStream
    from huatuo_client.client import HuatuoClient as HuatuoClient
    from huatuo_client.client import Outcome as Outcome
    from huatuo_client.content_part import image_part as image_part
    from huatuo_client.health import Health as Health
    from huatuo_client.model import Model as Model
    from huatuo_client.provenance import ImageProvenance as ImageProvenance
    from huatuo_client.question import Question as Question
    from huatuo_client.rendering import Rendering as Rendering
    from huatuo_client.retrying import Retrying as Retrying
    from huatuo_client.version import __version__ as __version__
    from huatuo_client.view import View as View

_MODULES: Final = {
    "Answer": "answer",
    "AnswerStream": "answer_stream",
    "Choice": "answer",
    "Choices": "answer",
    "Health": "health",
    "HuatuoClient": "client",
    "ImageProvenance": "provenance",
    "Model": "model",
    "Outcome": "client",
    "Question": "question",
    "Rendering": "rendering",
    "Retrying": "retrying",
    "Usage": "answer",
    "View": "view",
    "__version__": "version",
    "image_part": "content_part",
}

__all__ = ["errors", *_MODULES]  # noqa: PLE0604  they are all strings


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module("huatuo_client.errors")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"huatuo_client.{_MODULES[name]}"), name)
