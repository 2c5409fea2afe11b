"""Fields that we know and do not serve, and that would change the answer if they were ignored.

Everything else that we do not know is accepted and named in the response's `ignored_fields`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from huatuo_server.errors import InvalidRequest

NEVER: Final[tuple[Any, ...]] = ()
"""No value of the field is harmless, except null, which everywhere means that the field is absent."""

REQUEST_FIELDS: Final[Mapping[str, tuple[Any, ...]]] = {
    "allowed_token_ids": NEVER,
    "audio": NEVER,
    "bad_words": ([],),
    "best_of": (1,),
    # Cache keys are ours: a client's own could name another tenant's picture (vllm#55439).
    "cache_salt": NEVER,
    "chat_template": NEVER,
    "continue_final_message": (False,),
    "documents": ([],),
    "echo": (False,),
    "frequency_penalty": (0,),
    "function_call": ("none", "auto"),
    "functions": ([],),
    "guided_choice": NEVER,
    "guided_grammar": NEVER,
    "guided_json": NEVER,
    "guided_regex": NEVER,
    "include_stop_str_in_output": (False,),
    "kv_transfer_params": NEVER,
    "length_penalty": (1,),
    "logit_bias": ({},),
    "logits_processors": ([],),
    "logprobs": (False,),
    "media_io_kwargs": ({},),
    "min_p": (0,),
    "mm_processor_kwargs": ({},),
    "modalities": (["text"],),
    "multi_modal_uuids": NEVER,
    "prediction": NEVER,
    "presence_penalty": (0,),
    # The class of a key decides who goes first.
    "priority": (0,),
    "prompt_embeds": NEVER,
    "prompt_logprobs": NEVER,
    "response_format": ({"type": "text"},),
    "skip_special_tokens": (True,),
    "stop_token_ids": ([],),
    "structured_outputs": NEVER,
    "suffix": ("",),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "top_logprobs": (0,),
    "truncate_prompt_tokens": NEVER,
    "use_beam_search": (False,),
    "vllm_xargs": ({},),
    "web_search_options": NEVER,
}
"""Field of a request -> its harmless values, the first of which the error message proposes."""

MESSAGE_FIELDS: Final[Mapping[str, tuple[Any, ...]]] = {
    "audio": NEVER,
    "function_call": NEVER,
    "prefix": (False,),
    "tool_call_id": NEVER,
    "tool_calls": ([],),
}
"""The same for a message."""

PART_FIELDS: Final[Mapping[str, tuple[Any, ...]]] = {
    "audio_url": NEVER,
    "image_embeds": NEVER,
    "input_audio": NEVER,
    "uuid": NEVER,
    "video_url": NEVER,
    # It stands in the object that names the image; beside it, it would show another picture than was meant.
    "view": NEVER,
}
"""The same for a content part."""

SOURCE_FIELDS: Final[Mapping[str, tuple[Any, ...]]] = {"uuid": NEVER}
"""The same for the object in it that names the image."""


def refuse(extra: Mapping[str, Any], table: Mapping[str, tuple[Any, ...]], prefix: str = "") -> None:
    """Raises InvalidRequest for the first field, by name, whose being ignored would change the answer."""
    for name in sorted(extra.keys() & table.keys()):
        harmless, value = table[name], extra[name]
        if value is None or value in harmless:
            continue
        param = f"{prefix}{name}"
        way_out = f"leave it out or set it to {json.dumps(harmless[0])}" if harmless else "leave it out"
        raise InvalidRequest(
            f"{param} is not supported, and ignoring it would change the answer: {way_out}.", param=param
        )
