"""Pieces of an answer -> the events of a Responses stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from itertools import count

from huatuo_server.answer_text import ChoicePiece
from huatuo_server.errors import RequestError
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
    """The events of a stream. The last one is asked for by itself, since what it says depends on how the others went.

    Each event is numbered when it is made.
    """

    def __init__(self, pieces: AsyncGenerator[ChoicePiece, None], heading: ResponseHeading) -> None:
        self._pieces = pieces
        self._heading = heading
        self._answer = Answer()
        self._numbers = count()

    async def events(self) -> AsyncGenerator[ResponseEvent, None]:
        """All but the last one; none before the engine's first sign of life, so that its failure can still be a status.

        A piece that adds nothing (its text is held back) gives no event.
        """
        begun = False
        async with aclosing(self._pieces):
            async for _, piece in self._pieces:
                logprobs = output_logprobs(self._heading, piece)
                self._answer.add(piece, logprobs)
                if not begun:
                    begun = True
                    for event in self._first():
                        yield event
                if piece.text or logprobs:
                    yield self._delta(piece.text, logprobs)
        for event in self._done():
            yield event

    def last(self) -> ResponseEvent:
        """The end of an answer that came to one."""
        response = ended(self._heading, self._answer)
        incomplete = response["status"] == "incomplete"
        return self._lifecycle("response.incomplete" if incomplete else "response.completed", response)

    def failure(self, error: RequestError) -> ErrorEvent:
        """The end of one that did not."""
        return ErrorEvent(
            type="error", code=error.code, message=error.message, param=error.param, sequence_number=next(self._numbers)
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
