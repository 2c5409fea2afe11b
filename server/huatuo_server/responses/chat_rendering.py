"""A chat request and its prompt -> what `POST /v1/chat/render` answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from huatuo_server.engine.base import Prompt, Sampling, StructuredOutput
from huatuo_server.model_card import ModelCard
from huatuo_server.prompt import PromptPiece, text_of
from huatuo_server.protocol.chat_rendering import (
    ChatRendering,
    PromptPart,
    RoomFacts,
    SamplingFacts,
    StructuredOutputFacts,
)
from huatuo_server.protocol.chat_request import ChatRequest
from huatuo_server.responses.heading import Heading
from huatuo_server.sampling import Room, sampling_of_choice


def chat_rendering(
    request: ChatRequest,
    heading: Heading,
    prompt: Prompt,
    pieces: Sequence[PromptPiece],
    room: Room,
    sampling: Sampling,
    card: ModelCard,
) -> ChatRendering:
    """pieces: what the prompt is made of; they are made into tokens once more, some milliseconds for a full context.
    sampling: of the first choice.
    """
    answer = ChatRendering(
        object="chat.rendering",
        model=heading.model,
        system_fingerprint=heading.system_fingerprint,
        prompt_token_ids=list(prompt.token_ids),
        prompt=text_of(pieces),
        prompt_parts=list(_parts(pieces, card)),
        tokens_per_image=card.tokens_per_image,
        room=RoomFacts(max_model_len=room.context, prompt=room.prompt, images=room.images, answer=room.left),
        sampling=_facts(request, sampling, card),
        stream=request.stream,
        images=list(heading.images),
        ignored_fields=list(heading.ignored_fields),
    )
    if heading.max_tokens_clamped_to is not None:
        answer["max_tokens_clamped_to"] = heading.max_tokens_clamped_to
    if heading.demo is not None:
        answer["demo"] = heading.demo
    return answer


def _parts(pieces: Sequence[PromptPiece], card: ModelCard) -> Iterator[PromptPart]:
    num_images = 0
    for piece in pieces:
        if piece is None:
            yield PromptPart(text=None, image=num_images, tokens=card.tokens_per_image)
            num_images += 1
        else:
            yield PromptPart(text=piece, image=None, tokens=len(card.tokenizer.encode(piece)))


def _facts(request: ChatRequest, sampling: Sampling, card: ModelCard) -> SamplingFacts:
    seeds = [sampling_of_choice(sampling, index).seed for index in range(request.n)]
    return SamplingFacts(
        max_tokens=sampling.max_tokens,
        min_tokens=sampling.min_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        repetition_penalty=sampling.repetition_penalty,
        frequency_penalty=sampling.frequency_penalty,
        presence_penalty=sampling.presence_penalty,
        logit_bias={str(token_id): bias for token_id, bias in sampling.logit_bias},
        n=request.n,
        seeds=None if sampling.seed is None else [seed for seed in seeds if seed is not None],
        stop=list(request.stop),
        stop_token_ids=list(sampling.stop_token_ids),
        eos_token_ids=list(card.eos_token_ids),
        ignore_eos=sampling.ignore_eos,
        logprobs=sampling.logprobs,
        structured_output=_structured(sampling.structured_output),
    )


def _structured(output: StructuredOutput | None) -> StructuredOutputFacts | None:
    if output is None:
        return None
    schema = None if output.json_schema is None else json.loads(output.json_schema)
    return StructuredOutputFacts(json_schema=schema, choices=list(output.choices) or None)
