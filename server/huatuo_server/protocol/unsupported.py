"""The fields that we know and do not honour: those that are refused, since the answer would not be what was asked.

A field is honoured (it stands in a shape), inert (it cannot change the answer: accepted, and named in the answer's
`ignored_fields`) or refused by a 400 that names it. What nobody knows is inert. One exception: what an output item of
the server's own brings along when it comes back (see `responses_schema`) is neither named nor refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

from huatuo_server.errors import InvalidRequest
from huatuo_server.protocol.json_body import shown_name

EVERY: Final = "every value"
"""The field is inert, whatever it holds."""

Harmless: TypeAlias = tuple[Any, ...] | Literal["every value"]
"""The values of a field that change nothing. null is one of every field's: it means that the field is absent."""

NEVER: Final[tuple[Any, ...]] = ()
"""No value of the field is harmless."""

REQUEST_FIELDS: Final[Mapping[str, Harmless]] = {
    # OpenAI's
    "audio": NEVER,
    "function_call": ("none", "auto"),
    "functions": ([],),
    "metadata": EVERY,
    "modalities": (["text"],),
    "moderation": NEVER,
    "parallel_tool_calls": EVERY,
    "prediction": EVERY,
    "prompt_cache_key": EVERY,
    "prompt_cache_options": EVERY,
    "prompt_cache_retention": EVERY,
    "reasoning_effort": EVERY,
    "safety_identifier": EVERY,
    "service_tier": ("auto", "default"),
    "store": (False,),
    # Before what says how they are chosen: the first one in this table is what a refusal names.
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "user": EVERY,
    "verbosity": ("medium",),
    "web_search_options": NEVER,
    # OpenAI's older completions
    "best_of": (1,),
    "echo": (False,),
    "suffix": ("",),
    # vLLM's
    "add_generation_prompt": (True,),
    "add_special_tokens": (False,),
    "allowed_token_ids": NEVER,
    "bad_words": ([],),
    # Cache keys are ours: a client's own could name another tenant's picture (vllm#55439).
    "cache_salt": NEVER,
    "chat_template": NEVER,
    "chat_template_kwargs": ({},),
    "continue_final_message": (False,),
    "documents": ([],),
    "ec_transfer_params": NEVER,
    # Older vLLM's names for structured_outputs, and whatever else begins so.
    "guided_*": NEVER,
    "include_reasoning": EVERY,
    "include_stop_str_in_output": (False,),
    "kv_transfer_params": NEVER,
    "length_penalty": (1,),
    "logits_processors": ([],),
    "logprob_token_ids": NEVER,
    "media_io_kwargs": ({},),
    "mm_payload": EVERY,
    "mm_processor_kwargs": ({},),
    "multi_modal_uuids": NEVER,
    # The class of a key decides who goes first.
    "priority": (0,),
    "prompt_embeds": NEVER,
    "prompt_logprobs": NEVER,
    "repetition_detection": NEVER,
    "request_id": EVERY,
    "return_assistant_tokens_mask": (False,),
    "return_mm_kwargs": EVERY,
    "return_prompt_text": (False,),
    "return_token_offsets": EVERY,
    "return_tokens_as_token_ids": (False,),
    "routed_experts_prompt_start": (0,),
    "session_id": EVERY,
    "skip_special_tokens": (True,),
    "spaces_between_special_tokens": EVERY,
    "stream_interval": EVERY,
    "structural_tag": NEVER,
    "thinking_token_budget": NEVER,
    "truncate_prompt_tokens": NEVER,
    "truncation_side": EVERY,
    "use_beam_search": (False,),
    "vllm_xargs": ({},),
    "watermarking": (False,),
}
"""Field of a request -> its harmless values, the first of which the error message proposes.

A name that ends in an asterisk is of all fields that begin so.
"""

MESSAGE_FIELDS: Final[Mapping[str, Harmless]] = {
    "annotations": EVERY,
    "audio": NEVER,
    "function_call": NEVER,
    "name": EVERY,
    "prefix": (False,),
    "reasoning": EVERY,
    "reasoning_content": EVERY,
    # What an assistant said instead of an answer is a part of the conversation.
    "refusal": ("",),
    "tool_call_id": NEVER,
    "tool_calls": ([],),
}
"""The same for a message."""

PART_FIELDS: Final[Mapping[str, Harmless]] = {
    "audio_url": NEVER,
    "cache_control": EVERY,
    "image_embeds": NEVER,
    "input_audio": NEVER,
    "prompt_cache_breakpoint": EVERY,
    "uuid": NEVER,
    "video_url": NEVER,
    # It stands in the object that names the image; beside it, it would show another picture than was meant.
    "view": NEVER,
}
"""The same for a content part."""

SOURCE_FIELDS: Final[Mapping[str, Harmless]] = {"detail": EVERY, "uuid": NEVER}
"""The same for the object in it that names the image."""

FILE_FIELDS: Final[Mapping[str, Harmless]] = {**SOURCE_FIELDS, "filename": EVERY}
"""The same for that object of a `file` part."""

STREAM_FIELDS: Final[Mapping[str, Harmless]] = {"continuous_usage_stats": (False,), "include_obfuscation": EVERY}
"""The same for `stream_options`."""

FORMAT_FIELDS: Final[Mapping[str, Harmless]] = {"schema": NEVER}
"""The same for `response_format`."""

SCHEMA_FIELDS: Final[Mapping[str, Harmless]] = {"description": EVERY}
"""The same for its `json_schema`."""

STRUCTURED_FIELDS: Final[Mapping[str, Harmless]] = {
    "disable_additional_properties": (False,),
    "disable_any_whitespace": (True,),
    "grammar": NEVER,
    "json_object": (False,),
    "regex": NEVER,
    "structural_tag": NEVER,
    "whitespace_pattern": NEVER,
}
"""The same for `structured_outputs`."""


def refuse(extra: Mapping[str, Any], table: Mapping[str, Harmless], prefix: str = "") -> None:
    """Raises InvalidRequest for the first field of the table whose being ignored would change the answer."""
    for row, harmless in table.items():
        for name in _meant(row, extra):
            if changes_nothing(extra.get(name), harmless):
                continue
            param = prefix + shown_name(name)
            way_out = f" or set it to {json.dumps(harmless[0])}" if isinstance(harmless, tuple) and harmless else ""
            raise InvalidRequest(
                f"{param} is not supported, and ignoring it would change the answer: leave it out{way_out}.",
                param=param,
            )


def changes_nothing(value: Any, harmless: Harmless) -> bool:
    """Of a field's value. False is not 0, and True is not 1."""
    if value is None or not isinstance(harmless, tuple):
        return True
    return any(value == one and isinstance(value, bool) is isinstance(one, bool) for one in harmless)


def _meant(row: str, extra: Mapping[str, Any]) -> Iterable[str]:
    """The fields that a row of a table is about."""
    if not row.endswith("*"):
        return (row,)
    return (name for name in extra if name.startswith(row[:-1]))
