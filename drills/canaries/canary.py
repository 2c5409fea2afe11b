"""Words that occur nowhere else in the world, one a field, and the forms in which a program may have written them."""

from __future__ import annotations

import base64
import secrets
import string
from collections.abc import Iterator, Mapping

MARK = "zqxjkv"
"""Begins every word that is made here: what does not hold it in any form need not be searched for each of them."""

NUM_LETTERS = 10
"""After the mark; letters only, so that no escaping and no quoting changes them."""

SHORTEST_FORM = 12
"""Of what is not made here; a shorter one may turn up by chance."""


class Canaries:
    """`canaries["prompt"]` is the word of the field `prompt`: the same one each time."""

    def __init__(self) -> None:
        self._words: dict[str, str] = {}
        self._forms: dict[str, frozenset[bytes]] = {}
        self._others: dict[str, frozenset[bytes]] = {}

    def __getitem__(self, field: str) -> str:
        if field not in self._words:
            self._words[field] = MARK + "".join(secrets.choice(string.ascii_lowercase) for _ in range(NUM_LETTERS))
            self._forms[field] = frozenset(_forms(self._words[field].encode()))
        return self._words[field]

    def __len__(self) -> int:
        return len(self._words) + len(self._others)

    def other(self, field: str, word: str) -> None:
        """A word that was not made here, such as token ids; a short one is not looked for."""
        if len(word) >= SHORTEST_FORM:
            self._others[field] = frozenset(_forms(word.encode()))

    def found_in(self, said: bytes) -> set[str]:
        """The fields whose words it holds, in whatever form."""
        folded = said.lower()
        forms = self._others | (self._forms if _has_one(_MARKS, said, folded) else {})
        return {field for field, those in forms.items() if _has_one(those, said, folded)}

    def hits(self, places: Mapping[str, bytes]) -> dict[str, list[str]]:
        """Place -> fields, of those places that hold one."""
        found = {place: sorted(self.found_in(said)) for place, said in places.items()}
        return {place: fields for place, fields in found.items() if fields}


def _has_one(forms: frozenset[bytes], *said: bytes) -> bool:
    return any(form in text for form in forms for text in said)


def _forms(word: bytes) -> Iterator[bytes]:
    """As it is, in UTF-16, as grey pixels in colour, in hexadecimal, and in base64 at every alignment."""
    yield word
    yield word.decode().encode("utf-16-le")
    yield bytes(byte for byte in word for _ in range(3))
    yield word.hex().encode()
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + word)
        # The characters at either end that hold bits of the neighbours are left out.
        yield encoded[-(-shift * 8 // 6) : (shift + len(word)) * 8 // 6]


_MARKS = frozenset(_forms(MARK.encode()))
