"""Pieces of an answer -> one response."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from huatuo_server.answer_text import Piece, RunAnswers
from huatuo_server.engine.base import FinishReason
from huatuo_server.errors import EngineRequestError
from huatuo_server.families import SamplingDefaults
from huatuo_server.protocol.responses_object import (
    OutputMessage,
    OutputText,
    ResponseObject,
    ResponseUsage,
    Status,
)
from huatuo_server.protocol.responses_request import ResponsesRequest
from huatuo_server.protocol.written_list import WrittenList
from huatuo_server.responses.heading import Heading
from huatuo_server.responses.token_logprobs import content_logprobs


@dataclass(frozen=True, slots=True)
class ResponseHeading:
    """What is known of a response before its first token.

    id: of the request. heading: what is known of any answer. temperature, top_p: that hold.
    """

    id: str
    heading: Heading
    request: ResponsesRequest
    temperature: float
    top_p: float

    @classmethod
    def of(
        cls, request_id: str, heading: Heading, request: ResponsesRequest, defaults: SamplingDefaults
    ) -> ResponseHeading:
        """defaults: of the model, for what the request leaves to it."""
        asked = request.asked
        return cls(
            request_id,
            heading,
            request,
            temperature=defaults.temperature if asked.temperature is None else asked.temperature,
            top_p=defaults.top_p if asked.top_p is None else asked.top_p,
        )

    @property
    def message_id(self) -> str:
        """Of the one message of the output."""
        return f"msg_{self.id}"

    def message(self, status: Status, *content: OutputText) -> OutputMessage:
        """The output's one message."""
        return OutputMessage(type="message", id=self.message_id, status=status, role="assistant", content=list(content))

    def response(self, status: Status, *output: OutputMessage) -> ResponseObject:
        """The response without what only its end tells."""
        request, heading = self.request, self.heading
        return ResponseObject(
            id=f"resp_{self.id}",
            object="response",
            created_at=heading.created,
            completed_at=None,
            status=status,
            background=False,
            error=None,
            incomplete_details=None,
            instructions=request.instructions,
            max_output_tokens=request.asked.max_tokens,
            max_tool_calls=None,
            metadata=request.metadata,
            model=heading.model,
            output=list(output),
            parallel_tool_calls=request.parallel_tool_calls,
            previous_response_id=None,
            reasoning={"effort": None, "summary": None},
            service_tier="default",
            store=False,
            temperature=self.temperature,
            text={"format": request.text_format},
            tool_choice=request.tool_choice,
            tools=[],
            top_logprobs=request.top_logprobs,
            top_p=self.top_p,
            truncation="disabled",
            system_fingerprint=heading.system_fingerprint,
        )


@dataclass(slots=True)
class Answer:
    """What has come of it so far."""

    texts: list[str] = field(default_factory=list)
    logprobs: WrittenList = field(default_factory=WrittenList)
    num_tokens: int = 0
    num_cached_tokens: int = 0
    finish_reason: FinishReason | None = None

    def add(self, piece: Piece, logprobs: Sequence[bytes]) -> None:
        """The next piece, and its logprobs as they are written."""
        self.texts.append(piece.text)
        self.logprobs.extend(logprobs)
        self.num_tokens += len(piece.token_ids)
        self.num_cached_tokens = max(self.num_cached_tokens, piece.num_cached_tokens)
        self.finish_reason = piece.finish_reason

    @property
    def status(self) -> Status:
        """Of the answer that has ended. Raises EngineRequestError for one that has not."""
        if self.finish_reason is None:
            raise EngineRequestError("The engine ended the answer without a reason.")
        return "incomplete" if self.finish_reason == "length" else "completed"

    @property
    def part(self) -> OutputText:
        """The content of the message as it stands."""
        return OutputText(type="output_text", text="".join(self.texts), annotations=[], logprobs=self.logprobs)

    def usage(self, prompt_tokens: int) -> ResponseUsage:
        """OpenAI's usage."""
        return ResponseUsage(
            input_tokens=prompt_tokens,
            input_tokens_details={"cached_tokens": self.num_cached_tokens, "cache_write_tokens": 0},
            output_tokens=self.num_tokens,
            output_tokens_details={"reasoning_tokens": 0},
            total_tokens=prompt_tokens + self.num_tokens,
        )


def output_logprobs(heading: ResponseHeading, piece: Piece) -> list[bytes]:
    """As in a chat completion, but that a token without text has no bytes instead of null. Empty unless asked for."""
    tokenizer = heading.heading.tokenizer
    return [] if tokenizer is None else list(content_logprobs(piece.logprobs, tokenizer, no_text="[]"))


def ended(heading: ResponseHeading, answer: Answer) -> ResponseObject:
    """The whole response, with our extensions. Raises EngineRequestError for an answer without an end."""
    status, known = answer.status, heading.heading
    response = heading.response(status, heading.message(status, answer.part))
    if status == "completed":
        response["completed_at"] = int(time.time())
    else:
        response["incomplete_details"] = {"reason": "max_output_tokens"}
    response["usage"] = answer.usage(known.prompt_tokens)
    response["images"] = list(known.images)
    response["ignored_fields"] = list(known.ignored_fields)
    if known.max_tokens_clamped_to is not None:
        response["max_tokens_clamped_to"] = known.max_tokens_clamped_to
    if known.demo is not None:
        response["demo"] = known.demo
    return response


async def response(run: RunAnswers, heading: ResponseHeading) -> ResponseObject:
    """The whole answer at once."""
    answer = Answer()
    await run(lambda _, piece: answer.add(piece, output_logprobs(heading, piece)))
    return ended(heading, answer)
