"""The token id that stands for an image inside the engine: one that no text can produce."""

from __future__ import annotations

from huatuo_server.checkpoint import Checkpoint
from huatuo_server.errors import CheckpointError
from huatuo_server.tokenizer import Tokenizer
from huatuo_vllm.config import load_config


def image_token_id(checkpoint: Checkpoint, tokenizer: Tokenizer) -> int:
    """The checkpoint's own image token where it will do, else a row of no piece, else a control piece.

    vLLM wants an id of the vocabulary. An -hf conversion may name one past it (the 34B's 64000) or a piece of text;
    Yi has a piece in every row but the control ones, of which a prompt never holds the bos.

    Raises CheckpointError when there is no such id.
    """
    try:
        config = load_config(checkpoint.path)
    except ValueError as error:
        raise CheckpointError(f"{checkpoint.path}: {error}") from error
    candidates = (config.image_token_index, tokenizer.size, config.get_text_config().bos_token_id)
    for token_id in candidates:
        if isinstance(token_id, int) and _is_free(token_id, checkpoint.vocab_size, tokenizer):
            return token_id
    raise CheckpointError(
        f"{checkpoint.path} has no token id for an image: its image token and its bos_token_id are text or outside "
        "the vocabulary, and the vocabulary has no spare row."
    )


def _is_free(token_id: int, vocab_size: int, tokenizer: Tokenizer) -> bool:
    spare = token_id >= tokenizer.size
    return 0 <= token_id < vocab_size and (spare or token_id in tokenizer.unreachable_ids)
