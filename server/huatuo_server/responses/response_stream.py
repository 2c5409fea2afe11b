"""Pieces of an answer -> the events of a Responses stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from huatuo_server.answer_text import Piece
from huatuo_server.errors import RequestError
from huatuo_server.protocol import sse
from huatuo_server.protocol.responses_events import (
    ContentPartEvent,
    ErrorEvent,
    ItemEvent,
    Lifecycle,
    LifecycleEvent,
    OutputItemEvent,
    PartEvent,
    ResponseEvent,
    TextDeltaEvent,
    TextDoneEvent,
)
from huatuo_server.protocol.responses_object import OutputMessage, OutputText, ResponseObject
from huatuo_server.protocol.written_list import WrittenList
from huatuo_server.responses.response import Answer, ResponseHeading, ended, output_logprobs


class ResponseStream:
    """The events of a Responses stream. Each is numbered when it is made.

    A piece that adds nothing (its text is held back) gives no event.
    """

    def __init__(self, heading: ResponseHeading) -> None:
        self._heading = heading
        self._answer = Answer()
        self._begun = False
        self._numbers = count()

    def events(self, _index: int, piece: Piece) -> bytes:
        """What a piece adds to the stream; may be nothing."""
        logprobs = output_logprobs(self._heading, piece)
        self._answer.add(piece, logprobs)
        first = b"" if self._begun else b"".join(map(_written, self._first()))
        self._begun = True
        return first + _written(self._delta(piece.text, logprobs)) if piece.text or logprobs else first

    def last(self) -> bytes:
        """The end of an answer that came to one. Raises EngineRequestError for one that did not."""
        response = ended(self._heading, self._answer)
        incomplete = response["status"] == "incomplete"
        done = b"".join(map(_written, self._done()))
        return done + _written(self._lifecycle("response.incomplete" if incomplete else "response.completed", response))

    def failure(self, error: RequestError) -> bytes:
        """The end of one that did not."""
        number = next(self._numbers)
        return _written(
            ErrorEvent(type="error", code=error.code, message=error.message, param=error.param, sequence_number=number)
        )

    def _first(self) -> Iterator[ResponseEvent]:
        heading = self._heading
        yield self._lifecycle("response.created", heading.response("in_progress"))
        yield self._lifecycle("response.in_progress", heading.response("in_progress"))
        yield self._item("response.output_item.added", heading.message("in_progress"))
        yield self._part("response.content_part.added", Answer().part)

    def _done(self) -> Iterator[ResponseEvent]:
        part, status = self._answer.part, self._answer.status
        yield TextDoneEvent(
            type="response.output_text.done",
            item_id=self._heading.message_id,
            output_index=0,
            content_index=0,
            text=part["text"],
            logprobs=part["logprobs"],
            sequence_number=next(self._numbers),
        )
        yield self._part("response.content_part.done", part)
        yield self._item("response.output_item.done", self._heading.message(status, part))

    def _lifecycle(self, kind: Lifecycle, response: ResponseObject) -> LifecycleEvent:
        return LifecycleEvent(type=kind, response=response, sequence_number=next(self._numbers))

    def _item(self, kind: ItemEvent, item: OutputMessage) -> OutputItemEvent:
        return OutputItemEvent(type=kind, output_index=0, item=item, sequence_number=next(self._numbers))

    def _part(self, kind: PartEvent, part: OutputText) -> ContentPartEvent:
        return ContentPartEvent(
            type=kind,
            item_id=self._heading.message_id,
            output_index=0,
            content_index=0,
            part=part,
            sequence_number=next(self._numbers),
        )

    def _delta(self, text: str, logprobs: Sequence[bytes]) -> TextDeltaEvent:
        return TextDeltaEvent(
            type="response.output_text.delta",
            item_id=self._heading.message_id,
            output_index=0,
            content_index=0,
            delta=text,
            logprobs=WrittenList(logprobs),
            sequence_number=next(self._numbers),
        )


def _written(event: ResponseEvent) -> bytes:
    return sse.event(event, event["type"])
