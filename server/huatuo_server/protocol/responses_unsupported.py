"""The fields of a Responses request that we know and do not honour, as `unsupported` has those of a chat request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from huatuo_server.errors import InvalidRequest
from huatuo_server.protocol import unsupported
from huatuo_server.protocol.unsupported import EVERY, NEVER, Harmless, changes_nothing

RESPONSES_FIELDS: Final[Mapping[str, Harmless]] = {
    **unsupported.REQUEST_FIELDS,
    # OpenAI's
    "background": (False,),
    "context_management": NEVER,
    "conversation": NEVER,
    "max_tool_calls": EVERY,
    "previous_response_id": NEVER,
    "prompt": NEVER,
    "reasoning": EVERY,
    "stream_options": EVERY,
    "truncation": ("disabled",),
    # A chat request's
    "logprobs": (False,),
    "max_completion_tokens": NEVER,
    "max_tokens": NEVER,
    "messages": NEVER,
    "n": (1,),
    "response_format": NEVER,
    "return_token_ids": (False,),
    # vLLM's
    "enable_response_messages": (False,),
    "previous_input_messages": ([],),
}
"""Field -> its harmless values, the first of which the error message proposes."""

REASONS: Final[Mapping[str, str]] = {
    "background": "an answer is given at once, or as a stream; leave it out or set it to false",
    "conversation": "this server keeps no conversation; send all of it in input",
    "logprobs": 'here it is include: ["message.output_text.logprobs"]',
    "max_completion_tokens": "here it is max_output_tokens",
    "max_tokens": "here it is max_output_tokens",
    "messages": "here it is input",
    "previous_response_id": "this server keeps no response; send the conversation so far in input",
    "prompt": "this server keeps no prompt; send its text in instructions and input",
    "response_format": "here it is text.format",
    "store": "this server keeps no response; leave it out or set it to false",
    "truncation": 'a conversation that is too long is refused, not cut; leave it out or set it to "disabled"',
}
"""Field -> why it is refused, where the client can be told what to do instead."""

ITEM_FIELDS: Final[Mapping[str, Harmless]] = {**unsupported.MESSAGE_FIELDS, "phase": EVERY}
"""The same as RESPONSES_FIELDS for a message among the items."""

PART_FIELDS: Final[Mapping[str, Harmless]] = {
    "detail": EVERY,
    "file": NEVER,
    "filename": EVERY,
    "input_audio": NEVER,
    "prompt_cache_breakpoint": EVERY,
    "uuid": NEVER,
}
"""The same for a content part."""

TEXT_FIELDS: Final[Mapping[str, Harmless]] = {"verbosity": ("medium",)}
"""The same for `text`."""


def refuse_with_reason(extra: Mapping[str, Any]) -> None:
    """Raises InvalidRequest for the first field, by name, of those with a reason."""
    for name in sorted(extra.keys() & REASONS.keys()):
        if not changes_nothing(extra[name], RESPONSES_FIELDS[name]):
            raise InvalidRequest(f"{name}: {REASONS[name]}.", param=name)
