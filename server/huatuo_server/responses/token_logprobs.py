"""Log-probabilities of tokens, as OpenAI writes them."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator

from huatuo_server.answer_text import TokenLogprob
from huatuo_server.engine.base import LEAST_LOGPROB
from huatuo_server.tokenizer import Tokenizer

NUM_KNOWN = 16_384
"""Tokens whose text is kept as JSON: some 5 MB. The likely ones come again and again."""


def content_logprobs(
    logprobs: Iterable[TokenLogprob], tokenizer: Tokenizer, *, no_text: str = "null"
) -> Iterator[bytes]:
    """The JSON of a `ContentLogprob` each. The bytes in them, joined, are the text's, as far as that is UTF-8.

    Written by hand, since a token has up to 21 entries: a third of the time that objects and `json.dumps` take.
    no_text: the `bytes` of a token without text.
    """
    for one in logprobs:
        top = ",".join([_shown(*each, one.at_head, no_text, tokenizer) + "}" for each in one.top])
        chosen = _shown(one.token_id, one.logprob, one.at_head, no_text, tokenizer)
        yield f'{chosen},"top_logprobs":[{top}]}}'.encode()


def _shown(token_id: int, logprob: float, at_head: bool, no_text: str, tokenizer: Tokenizer) -> str:
    """A `TopLogprob`, still open at its end."""
    before, after = _around(token_id, at_head, no_text, tokenizer)
    # In this order a NaN is the least, too.
    return f"{before}{max(LEAST_LOGPROB, logprob)!r}{after}"


@functools.lru_cache(maxsize=NUM_KNOWN)
def _around(token_id: int, at_head: bool, no_text: str, tokenizer: Tokenizer) -> tuple[str, str]:
    """What stands before a token's log-probability, and behind it."""
    token, said = tokenizer.token_name(token_id), tokenizer.token_bytes(token_id)
    if said is not None and at_head:
        token, said = token.removeprefix(" "), said.removeprefix(b" ")
    spelled = no_text if said is None else json.dumps(list(said), separators=(",", ":"))
    return f'{{"token":{json.dumps(token, ensure_ascii=False)},"logprob":', f',"bytes":{spelled}'
