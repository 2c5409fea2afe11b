"""Text that a grammar leaves no choice in, in tokens that say it.

Such text llguidance writes as the tokenizer would, and allows those tokens alone. But a sentencepiece tokenizer reads
U+2581 as a blank, and any tokenizer a text such as "<unk>" as a token that says nothing: the answer would fail, or end
there as if it were complete.
"""

from __future__ import annotations

from typing import Any


def spelled(tokenizer: Any) -> Any:
    """llguidance's LLTokenizer over the same tokens, whose text is always spelled by tokens that say it."""
    from llguidance import LLTokenizer

    return LLTokenizer(Spelling(tokenizer), n_vocab=tokenizer.vocab_size, eos_token=tokenizer.eos_tokens)  # type: ignore[arg-type]


class Spelling:
    """What LLTokenizer asks of a tokenizer that is written in Python; it goes by `is_tokenizer_wrapper`."""

    is_tokenizer_wrapper = True

    def __init__(self, tokenizer: Any) -> None:
        ids = range(tokenizer.vocab_size)
        self.eos_token_id: int = tokenizer.eos_token
        self.bos_token_id: int | None = None
        self.tokens: list[bytes] = [tokenizer.decode_bytes([token_id]) for token_id in ids]
        self.special_token_ids: list[int] = [token_id for token_id in ids if tokenizer.is_special_token(token_id)]
        self._silent = frozenset(self.special_token_ids)
        self._tokenizer = tokenizer

    def __call__(self, text: str) -> list[int]:
        """As the tokenizer has it where that says the text; else the longest token first, then the next."""
        ids: list[int] = self._tokenizer.tokenize_str(text)
        says = b"".join(self.tokens[token_id] for token_id in ids)
        if says == text.encode() and self._silent.isdisjoint(ids):
            return ids
        greedy: list[int] = self._tokenizer.greedy_tokenize(text)
        return greedy
