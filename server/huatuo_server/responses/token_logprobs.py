"""Log-probabilities of tokens, as OpenAI writes them."""

from __future__ import annotations

from collections.abc import Iterable

from huatuo_server.answer_text import TokenLogprob
from huatuo_server.engine.base import LEAST_LOGPROB
from huatuo_server.protocol.chat_response import ContentLogprob, TopLogprob
from huatuo_server.tokenizer import Tokenizer


def content_logprobs(logprobs: Iterable[TokenLogprob], tokenizer: Tokenizer) -> list[ContentLogprob]:
    """The `content` of a choice's logprobs. The bytes, joined, are the text's, as far as that is UTF-8."""
    return [_content(one, tokenizer) for one in logprobs]


def _content(one: TokenLogprob, tokenizer: Tokenizer) -> ContentLogprob:
    chosen = _shown(one.token_id, one.logprob, tokenizer, at_head=one.at_head)
    top = [_shown(token_id, logprob, tokenizer, at_head=one.at_head) for token_id, logprob in one.top]
    return ContentLogprob(**chosen, top_logprobs=top)


def _shown(token_id: int, logprob: float, tokenizer: Tokenizer, *, at_head: bool) -> TopLogprob:
    token, said = tokenizer.token_name(token_id), tokenizer.token_bytes(token_id)
    if said is not None and at_head:
        token, said = token.removeprefix(" "), said.removeprefix(b" ")
    return TopLogprob(
        token=token,
        # In this order a NaN is the least, too.
        logprob=max(LEAST_LOGPROB, logprob),
        bytes=None if said is None else list(said),
    )
