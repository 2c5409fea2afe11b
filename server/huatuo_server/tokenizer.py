"""Text <-> token ids, with the ids of the reference's tokenizer and no way for a text to become a special token.

The checkpoint's own files are read with `sentencepiece` and `tokenizers`, not through transformers: the special tokens
are taken out of the encoder itself, so that none can come out of it. Plain text gives the ids of transformers 4.41, the
reference's version; the tests hold that against the golden data.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from huatuo_server.detokenizer import TextDecoder
from huatuo_server.errors import CheckpointError
from huatuo_server.vocabulary import DeclaredTokens, Vocabulary
from huatuo_server.vocabulary.bpe import read_qwen2_files, read_tokenizer_json
from huatuo_server.vocabulary.sentencepiece import read_sentencepiece


class Tokenizer:
    """A checkpoint's tokenizer."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    @classmethod
    def load(cls, folder: Path) -> Tokenizer:
        """Read the tokenizer of a checkpoint folder.

        The order is that of the reference's `AutoTokenizer`: tokenizer.json, unless tokenizer_config.json sets
        `add_prefix_space` beside a tokenizer.model; tokenizer.model; vocab.json with merges.txt.

        Raises CheckpointError when there is none, or one that cannot be read.
        """
        declared = DeclaredTokens.read(folder)
        model, spec = folder / "tokenizer.model", folder / "tokenizer.json"
        if model.exists() and (declared.add_prefix_space is not None or not spec.exists()):
            return cls(read_sentencepiece(model, declared))
        if spec.exists():
            return cls(read_tokenizer_json(spec, declared))
        if (folder / "vocab.json").exists() and (folder / "merges.txt").exists():
            return cls(read_qwen2_files(folder, declared))
        raise CheckpointError(
            f"{folder} has no tokenizer: expected tokenizer.json, tokenizer.model, or vocab.json with merges.txt."
        )

    @property
    def size(self) -> int:
        """One more than the highest id it knows; the model's head may have more rows."""
        return self._vocabulary.size

    @property
    def special_ids(self) -> frozenset[int]:
        """Ids that decode to nothing."""
        return frozenset(self._vocabulary.special)

    @property
    def unreachable_ids(self) -> frozenset[int]:
        """Special, added and control tokens: ids that `encode` never gives."""
        return self._vocabulary.unreachable_ids

    def encode(self, text: str) -> list[int]:
        """Token ids of `text` on its own: no BOS, no special token. A lone surrogate counts as U+FFFD."""
        token_ids = self._vocabulary.encode(_without_surrogates(text))
        if not self.unreachable_ids.isdisjoint(token_ids):
            raise RuntimeError("the tokenizer gave a special token for plain text")
        return token_ids

    def decode(self, token_ids: Sequence[int]) -> str:
        """Text of `token_ids`, without special tokens and without ids that the tokenizer lacks."""
        decoder = self.text_decoder()
        return decoder.push(token_ids) + decoder.finish()

    def token_bytes(self, token_id: int) -> bytes | None:
        """What a token says by itself, its leading space included. None: it has no text (special), or is not known."""
        piece = self._vocabulary.pieces.get(token_id)
        if isinstance(piece, str):
            return piece.encode("utf-8")
        return bytes((piece,)) if isinstance(piece, int) else piece

    def token_name(self, token_id: int) -> str:
        """A token for people: its bytes as text, with U+FFFD for what is not UTF-8; a special one's own name.

        An id that the tokenizer lacks, such as a row of the model's head past its end, is `token_id:151700`.
        """
        said = self.token_bytes(token_id)
        if said is None:
            return self._vocabulary.special.get(token_id, f"token_id:{token_id}")
        return said.decode("utf-8", "replace")

    def text_decoder(self) -> TextDecoder:
        """Begin a text that is decoded a few ids at a time."""
        return self._vocabulary.text_decoder()


def _without_surrogates(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
