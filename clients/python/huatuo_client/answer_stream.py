"""An answer, as it comes."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import openai

from huatuo_client.answer import Answer, of_its_shape
from huatuo_client.errors import AnswerBroken
from huatuo_client.errors import of as known_error


class AnswerStream:
    """Its pieces of text, once; `answer` after the last one.

        with client.stream("What is this?", "film.dcm") as pieces:
            for piece in pieces:
                print(piece, end="", flush=True)
        print(pieces.answer.finish_reason)

    text: what came so far. To leave the block before the end hangs up, which ends the server's work.
    """

    def __init__(self, stream: openai.Stream[object]) -> None:
        self._stream = stream
        self._request_id = stream.response.headers.get("x-request-id")
        self._answer: Answer | None = None
        self.text = ""

    def __iter__(self) -> Iterator[str]:
        """Raises HuatuoError where the answer fails; what came before was read."""
        last: dict[str, Any] | None = None
        try:
            for chunk in self._stream:
                told: Any = chunk
                with of_its_shape():
                    choice = told["choices"][0] if told["choices"] else None
                    piece = "" if choice is None else choice["delta"].get("content") or ""
                    self.text += piece
                    if choice is None and last is not None:
                        last["usage"] = told.get("usage")
                    elif choice is not None and choice.get("finish_reason") is not None:
                        last = told
                if piece:
                    yield piece
        except openai.APIError as error:
            raise known_error(error) from error
        finally:
            self.close()
        if last is None:
            raise AnswerBroken("The answer broke off: its end did not come.")
        with of_its_shape():
            reason = last["choices"][0]["finish_reason"]
            self._answer = Answer.told(self.text, reason, last, request_id=self._request_id)

    @property
    def answer(self) -> Answer:
        """The whole. Raises AnswerBroken before its end."""
        if self._answer is None:
            raise AnswerBroken("The answer has not ended.")
        return self._answer

    def close(self) -> None:
        """Hang up."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
