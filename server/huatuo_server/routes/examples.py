"""One request and one answer of each route, for `/openapi.json`, all about a picture of one grey pixel."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from huatuo_server import __version__
from huatuo_server.images.identity import PREPARATION_VERSION
from huatuo_server.prompt import IMAGE_MARK, prompt_format
from huatuo_server.protocol.chat_rendering import ChatRendering
from huatuo_server.protocol.chat_response import ChatCompletion, ChatCompletionChunk, Usage
from huatuo_server.protocol.choices_response import ChatChoices
from huatuo_server.protocol.model_object import ModelObject
from huatuo_server.protocol.provenance import ImageProvenance
from huatuo_server.protocol.responses_events import TextDeltaEvent
from huatuo_server.protocol.responses_object import ResponseObject
from huatuo_server.protocol.tokenization import Tokenization

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"
PNG: Final = "image/png"
BYTES: Final = "application/octet-stream"
PLAIN_TEXT: Final = "text/plain"
OPENMETRICS: Final = "application/openmetrics-text"


@dataclass(frozen=True, slots=True)
class Examples:
    """requests: bodies by a name for people. answers: by media type, of text or of what JSON can hold. files: answers
    of bytes by media type, as data: URLs of it.
    """

    requests: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


MODEL: Final = "huatuogpt-vision"
FINGERPRINT: Final = "fp_3b1a6c0f5d2e4978"
DIGEST: Final = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
TOKENIZER_DIGEST: Final = "sha256:ca10d7e9fb3ed18575dd1e277a2579c16d108e32f27439684afa0e10b1440910"
CREATED: Final = 1_790_000_000
QUESTION: Final = "Is there a pleural effusion?"
PIXEL: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)
PIXEL_SHA256: Final = "a1abfd410973b0111c215baa879b9edcd739e601659ba44168269767cc2e9108"
IMAGE_PART: Final = {"type": "image_url", "image_url": {"url": PIXEL}}
TEXT_PART: Final = {"type": "text", "text": QUESTION}

WITH_TEXT: Final = {"model": MODEL, "messages": [{"role": "user", "content": QUESTION}]}
WITH_IMAGE: Final = {"model": MODEL, "messages": [{"role": "user", "content": [IMAGE_PART, TEXT_PART]}]}

PROVENANCE: Final = ImageProvenance(
    format="PNG",
    width=1,
    height=1,
    bit_depth=8,
    transfer_syntax=None,
    modality=None,
    frame=1,
    frames=1,
    window=None,
    orientation=None,
    warnings=[],
    sha256=PIXEL_SHA256,
    region=None,
    padding=None,
    downscaling=1 / 336,
    tokens=576,
)


def _usage(completion_tokens: int) -> Usage:
    return Usage(
        prompt_tokens=596,
        completion_tokens=completion_tokens,
        total_tokens=596 + completion_tokens,
        prompt_tokens_details={"cached_tokens": 0},
    )


COMPLETION: Final = ChatCompletion(
    id="chatcmpl-5f3d9a1c",
    object="chat.completion",
    created=CREATED,
    model=MODEL,
    system_fingerprint=FINGERPRINT,
    choices=[
        {
            "index": 0,
            "message": {"role": "assistant", "content": "No.", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    usage=_usage(3),
    images=[PROVENANCE],
    ignored_fields=[],
)
CHUNK: Final = ChatCompletionChunk(
    id="chatcmpl-5f3d9a1c",
    object="chat.completion.chunk",
    created=CREATED,
    model=MODEL,
    system_fingerprint=FINGERPRINT,
    choices=[{"index": 0, "delta": {"content": "No"}, "logprobs": None, "finish_reason": None}],
)

DELTA: Final = TextDeltaEvent(
    sequence_number=4,
    type="response.output_text.delta",
    item_id="msg_5f3d9a1c",
    output_index=0,
    content_index=0,
    delta="No",
    logprobs=[],
)
RESPONSE: Final = ResponseObject(
    id="resp_5f3d9a1c",
    object="response",
    created_at=CREATED,
    completed_at=CREATED + 1,
    status="completed",
    background=False,
    error=None,
    incomplete_details=None,
    instructions=None,
    max_output_tokens=None,
    max_tool_calls=None,
    metadata={},
    model=MODEL,
    output=[
        {
            "type": "message",
            "id": "msg_5f3d9a1c",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "No.", "annotations": [], "logprobs": []}],
        }
    ],
    parallel_tool_calls=True,
    previous_response_id=None,
    reasoning={"effort": None, "summary": None},
    service_tier="default",
    store=False,
    temperature=0.2,
    text={"format": {"type": "text"}},
    tool_choice="auto",
    tools=[],
    top_logprobs=0,
    top_p=1.0,
    truncation="disabled",
    usage={
        "input_tokens": 596,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 599,
    },
    system_fingerprint=FINGERPRINT,
    images=[PROVENANCE],
    ignored_fields=[],
)

CHOICES: Final = ChatChoices(
    id="chatcmpl-5f3d9a1c",
    object="chat.choices",
    created=CREATED,
    model=MODEL,
    system_fingerprint=FINGERPRINT,
    choices=[
        {
            "index": 0,
            "text": "Yes",
            "logprob_sum": -1.9459,
            "logprob_mean": -1.9459,
            "probability": 0.25,
            "probability_mean": 0.25,
            "tokens": [{"id": 8241, "logprob": -1.9459}],
        },
        {
            "index": 1,
            "text": "No",
            "logprob_sum": -0.8473,
            "logprob_mean": -0.8473,
            "probability": 0.75,
            "probability_mean": 0.75,
            "tokens": [{"id": 2652, "logprob": -0.8473}],
        },
    ],
    best=1,
    note="A probability under the model, not calibrated: it does not say how often the model is right.",
    usage=_usage(2),
    images=[PROVENANCE],
    ignored_fields=[],
)

HEAD_IDS: Final = [1969, 1481, 1970, 18]
TAIL_IDS: Final = [18, 2917, 1218, 269, 309, 273, 3324, 2500, 3957, 559, 4027, 18, 1969, 3054, 1970, 18]
PROMPT_IDS: Final = [*HEAD_IDS, -200, *TAIL_IDS]
PROMPT_HEAD: Final = "<|user|>\n"
PROMPT_TAIL: Final = f"\n{QUESTION}\n<|assistant|>\n"
PROMPT: Final = f"{PROMPT_HEAD}{IMAGE_MARK}{PROMPT_TAIL}"

TOKENIZATION: Final = Tokenization(
    tokens=PROMPT_IDS,
    count=596,
    max_model_len=4608,
    num_images=1,
    tokens_per_image=576,
    prompt=PROMPT,
    ignored_fields=[],
)
RENDERING: Final = ChatRendering(
    object="chat.rendering",
    model=MODEL,
    system_fingerprint=FINGERPRINT,
    prompt_token_ids=PROMPT_IDS,
    prompt=PROMPT,
    prompt_parts=[
        {"text": PROMPT_HEAD, "image": None, "tokens": 4},
        {"text": None, "image": 0, "tokens": 576},
        {"text": PROMPT_TAIL, "image": None, "tokens": 16},
    ],
    tokens_per_image=576,
    room={"max_model_len": 4608, "prompt": 596, "images": 576, "answer": 4012},
    sampling={
        "max_tokens": 512,
        "min_tokens": 1,
        "temperature": 0.2,
        "top_p": 1.0,
        "top_k": 50,
        "min_p": 0.0,
        "repetition_penalty": 1.2,
        "frequency_penalty": 0.0,
        "presence_penalty": 0.0,
        "logit_bias": {},
        "n": 1,
        "seeds": None,
        "stop": [],
        "stop_token_ids": [],
        "eos_token_ids": [151643],
        "ignore_eos": False,
        "logprobs": None,
        "structured_output": None,
    },
    stream=False,
    images=[PROVENANCE],
    ignored_fields=[],
)

BITMAP: Final = struct.pack(
    "<2s3I I2i2H6I 4s", b"BM", 58, 0, 54, 40, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0, b"\x7f\x7f\x7f"
).decode("ascii")
"""A BMP of one grey pixel, which JSON can hold: its bytes are all ASCII, as those of no PNG are."""

UPLOAD: Final = {"file": BITMAP, "purpose": "vision"}
FILE: Final = {
    "id": "file-0192f0c1d4e5",
    "object": "file",
    "bytes": len(BITMAP),
    "created_at": CREATED,
    "expires_at": CREATED + 3600,
    "filename": "upload",
    "purpose": "vision",
    "status": "processed",
}
MODEL_OBJECT: Final = ModelObject(
    id=MODEL,
    object="model",
    created=CREATED,
    owned_by="huatuo-server",
    family="HuatuoGPT-Vision-7B",
    max_model_len=4608,
    max_images_per_request=6,
    max_images_in_context=7,
    tokens_per_image=576,
    image_side_pixels=336,
    vocab_size=152064,
    eos_token_ids=[151643],
    defaults={
        "temperature": 0.2,
        "top_p": 1.0,
        "top_k": 50,
        "repetition_penalty": 1.2,
        "max_tokens": 512,
        "min_tokens": 1,
    },
    prompt_format=prompt_format(),
    system_fingerprint=FINGERPRINT,
    digest=DIGEST,
    tokenizer_digest=TOKENIZER_DIGEST,
    preparation_version=PREPARATION_VERSION,
    versions={"huatuo_server": __version__, "vllm": "0.32.0"},
)
METRICS: Final = """\
# HELP hgv_requests_in_flight Requests received and not ended.
# TYPE hgv_requests_in_flight gauge
hgv_requests_in_flight 1.0
"""
OK: Final = {"status": "ok", "phase": "ready", "reason": None}

EXAMPLES: Final[Mapping[str, Examples]] = {
    "create_chat_completion": Examples(
        {
            "a question about an image": WITH_IMAGE,
            "text alone, streamed": {**WITH_TEXT, "stream": True, "stream_options": {"include_usage": True}},
            "JSON of a schema": {
                **WITH_IMAGE,
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {
                        "name": "finding",
                        "strict": True,
                        "schema": {
                            "type": "object",
                            "properties": {"effusion": {"type": "boolean"}},
                            "required": ["effusion"],
                            "additionalProperties": False,
                        },
                    },
                },
            },
        },
        {JSON: COMPLETION, EVENTS: CHUNK},
    ),
    "weigh_choices": Examples({"a closed question": {**WITH_IMAGE, "choices": ["Yes", "No"]}}, {JSON: CHOICES}),
    "create_response": Examples(
        {
            "a question about an image": {
                "model": MODEL,
                "input": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "input_text", "text": QUESTION},
                            {"type": "input_image", "image_url": PIXEL},
                        ],
                    }
                ],
            },
            "text alone, streamed": {"model": MODEL, "input": QUESTION, "stream": True},
        },
        {JSON: RESPONSE, EVENTS: DELTA},
    ),
    "tokenize": Examples(
        {
            "a conversation": WITH_IMAGE,
            "a text": {"model": MODEL, "prompt": QUESTION, "return_token_strs": True},
        },
        {JSON: TOKENIZATION},
    ),
    "render_chat": Examples({"a question about an image": WITH_IMAGE}, {JSON: RENDERING}),
    "render_image": Examples(
        {"as the model sees it": {"image": IMAGE_PART, "size": "model"}},
        {JSON: {"object": "image.rendering", "image": PIXEL, "provenance": PROVENANCE}},
        {PNG: PIXEL},
    ),
    "upload_file": Examples(
        {
            "an image": UPLOAD,
            "an image for an hour": {
                **UPLOAD,
                "expires_after[anchor]": "created_at",
                "expires_after[seconds]": 3600,
            },
        },
        {JSON: FILE},
    ),
    "list_files": Examples(
        {},
        {
            JSON: {
                "object": "list",
                "data": [FILE],
                "first_id": FILE["id"],
                "last_id": FILE["id"],
                "has_more": False,
            }
        },
    ),
    "retrieve_file": Examples({}, {JSON: FILE}),
    "download_file": Examples(files={BYTES: f"data:{BYTES};base64,{base64.b64encode(BITMAP.encode()).decode()}"}),
    "delete_file": Examples({}, {JSON: {"id": FILE["id"], "object": "file", "deleted": True}}),
    "list_models": Examples({}, {JSON: {"object": "list", "data": [MODEL_OBJECT]}}),
    "retrieve_model": Examples({}, {JSON: MODEL_OBJECT}),
    "metrics": Examples({}, {PLAIN_TEXT: METRICS, OPENMETRICS: f"{METRICS}# EOF\n"}),
    "live": Examples({}, {JSON: OK}),
    "started": Examples({}, {JSON: OK}),
    "ready": Examples({}, {JSON: OK}),
    "health": Examples({}, {JSON: OK}),
}
"""By the operation's id."""
