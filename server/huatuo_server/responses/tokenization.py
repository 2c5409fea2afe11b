"""A prompt -> what `POST /v1/tokenize` answers."""

from __future__ import annotations

from collections.abc import Sequence

from huatuo_server.engine.base import IMAGE_SENTINEL
from huatuo_server.model_card import ModelCard
from huatuo_server.prompt import IMAGE_MARK, PromptPiece, ids_of, num_positions, text_of
from huatuo_server.protocol.tokenization import Tokenization
from huatuo_server.protocol.tokenize_request import TokenizeRequest


def tokenization(
    request: TokenizeRequest, pieces: Sequence[PromptPiece], card: ModelCard, max_model_len: int
) -> Tokenization:
    """The tokens of a prompt's pieces. Takes a thread's time: some milliseconds for a full context."""
    token_ids = ids_of(pieces, card.tokenizer)
    answer = Tokenization(
        tokens=list(token_ids),
        count=num_positions(token_ids, card.tokens_per_image),
        max_model_len=max_model_len,
        num_images=token_ids.count(IMAGE_SENTINEL),
        tokens_per_image=card.tokens_per_image,
        prompt=text_of(pieces),
        ignored_fields=list(request.ignored_fields),
    )
    if request.return_token_strs:
        answer["token_strs"] = [
            IMAGE_MARK if token_id == IMAGE_SENTINEL else card.tokenizer.token_name(token_id) for token_id in token_ids
        ]
    return answer
