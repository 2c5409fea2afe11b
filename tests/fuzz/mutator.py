"""Valid files, spoilt: bytes flipped, numbers changed, pieces copied, dropped, moved, taken from another file, cut off.

Everything comes from the generator that is handed in, so that a number names an input for good.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

from tests.fuzz.pieces import DEFLATED_MARK, Pieces, join, split
from tests.fuzz.valid import KINDS, Seed
from tests.hostile.dicom import element

DICOM_SHARE = 0.5
"""Of all inputs; the other formats share the rest."""

MEND_SHARE = 0.85
"""How often checksums are made right again: else a reader looks no further."""

DICOM_GROUPS = frozenset({0x0002, 0x0028, 0x5200, 0x7FE0, 0xFFFE})
"""What decides how pixels are read; a film has hundreds of other elements."""

NUMBERS = (0, 1, 2, 3, 4, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 64, 100, 127, 128, 255, 256, 257, 1000, 4095, 4096,
           5000, 20_000, 20_001, 32_767, 32_768, 40_000, 65_534, 65_535, 65_536, 10**6, 2**24, 2**31 - 1, 2**31,
           2**32 - 2, 2**32 - 1)  # fmt: skip

DECIMALS = ("0", "-1", "1", "2", "3", "16", "1000", "1001", "65536", "2147483647", "-2147483648", "4294967296", "1e308",
            "-1e308", "1e-308", "nan", "inf", "-inf", "0.0", "1.5", "", " ", "1\\2", "1\\2\\3\\4\\5\\6", "\\", "1\\",
            "abc", "1,5", "0x10", "1_0", "+7", "99999999999999999999")  # fmt: skip

Change = Callable[["_Draft", random.Random], None]


class Mutator:
    """Makes inputs from seeds. The same generator state gives the same input."""

    def __init__(self, seeds: Sequence[Seed]) -> None:
        self._files: dict[str, list[Pieces]] = {
            kind: [split(kind, seed.content) for seed in seeds if seed.kind == kind] for kind in KINDS
        }

    def input(self, rng: random.Random) -> tuple[str, bytes]:
        """The kind of file it was, and the bytes."""
        kind = "DICOM" if rng.random() < DICOM_SHARE else rng.choice(KINDS[:-1])
        draft = _Draft(kind, list(rng.choice(self._files[kind])), self._files[kind])
        for _ in range(min(1 + int(rng.expovariate(1.0)), 6)):
            rng.choices(_CHANGES, _WEIGHTS)[0](draft, rng)
        content = join(kind, draft.pieces, mend=rng.random() < MEND_SHARE)
        return kind, _cut(content, rng) if rng.random() < 0.05 else content


class _Draft:
    """A file at work. others: the files of its kind."""

    def __init__(self, kind: str, pieces: list[bytes], others: Sequence[Pieces]) -> None:
        self.kind = kind
        self.pieces = pieces
        self.others = others

    def place(self, rng: random.Random) -> int:
        """A piece: by its size, so that pixels are hit, or one that matters for how pixels are read, or any."""
        chance = rng.random()
        if chance < 0.4:
            return rng.choices(range(len(self.pieces)), [len(piece) + 1 for piece in self.pieces])[0]
        if chance < 0.9 and self.kind == "DICOM":
            return rng.choice(
                [at for at, piece in enumerate(self.pieces) if _group(piece) in DICOM_GROUPS] or range(len(self.pieces))
            )
        return rng.randrange(len(self.pieces))

    def put(self, at: int, offset: int, content: bytes) -> None:
        """Overwrite, in place."""
        piece = self.pieces[at]
        if piece != DEFLATED_MARK:
            self.pieces[at] = piece[:offset] + content[: len(piece) - offset] + piece[offset + len(content) :]


def _group(piece: bytes) -> int:
    """The group of an element, of either byte order; private and odd ones do not matter."""
    if len(piece) < 8:
        return 0
    little, big = struct.unpack_from("<H", piece)[0], struct.unpack_from(">H", piece)[0]
    return int(little if little in DICOM_GROUPS else big)


def _flip_bits(draft: _Draft, rng: random.Random) -> None:
    at = draft.place(rng)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        if piece := draft.pieces[at]:
            offset = rng.randrange(len(piece))
            draft.put(at, offset, bytes([piece[offset] ^ 1 << rng.randrange(8)]))


def _write_noise(draft: _Draft, rng: random.Random) -> None:
    at = draft.place(rng)
    draft.put(at, rng.randrange(len(draft.pieces[at]) + 1), rng.randbytes(rng.choice((1, 1, 2, 4, 8, 64))))


def _write_number(draft: _Draft, rng: random.Random) -> None:
    """A likely or an extreme one over what is most often a size, near the beginning of a piece."""
    at = draft.place(rng)
    width = rng.choice("BHHI")
    size = struct.calcsize(width)
    value = rng.choice(NUMBERS) % 256**size
    limit = max(1, min(len(draft.pieces[at]), 48) - size + 1)
    offset = rng.randrange(limit)
    draft.put(at, offset - offset % min(size, 2), struct.pack(rng.choice("<>") + width, value))


def _nudge_number(draft: _Draft, rng: random.Random) -> None:
    """One more, or less, than it was."""
    at = draft.place(rng)
    piece = draft.pieces[at]
    if len(piece) < 2:
        return
    offset, order = rng.randrange(min(len(piece), 48) - 1), rng.choice("<>")
    value = int(struct.unpack_from(f"{order}H", piece, offset)[0]) + rng.choice((-16, -2, -1, 1, 2, 16))
    draft.put(at, offset, struct.pack(f"{order}H", value % 65_536))


def _write_decimal(draft: _Draft, rng: random.Random) -> None:
    """DICOM's numbers in text; its element stays in order."""
    places = [at for at, piece in enumerate(draft.pieces) if piece[4:6] in (b"DS", b"IS")]
    if not places:
        return _write_number(draft, rng)
    at = rng.choice(places)
    group, number = struct.unpack_from("<HH", draft.pieces[at])
    text = rng.choice(DECIMALS)
    vr = draft.pieces[at][4:6].decode()
    draft.pieces[at] = element(group << 16 | number, vr, (text + " " * (len(text) % 2)).encode())
    return None


def _copy_piece(draft: _Draft, rng: random.Random) -> None:
    at = draft.place(rng)
    number = rng.choice((1, 1, 2, 30))
    if len(draft.pieces[at]) * number < 1_000_000:
        draft.pieces[at:at] = [draft.pieces[at]] * number


def _drop_piece(draft: _Draft, rng: random.Random) -> None:
    if len(draft.pieces) > 1:
        del draft.pieces[draft.place(rng)]


def _swap_pieces(draft: _Draft, rng: random.Random) -> None:
    one, other = draft.place(rng), draft.place(rng)
    draft.pieces[one], draft.pieces[other] = draft.pieces[other], draft.pieces[one]


def _splice(draft: _Draft, rng: random.Random) -> None:
    """A piece of another file of the kind, if it can be one that begins alike, in place of one or before it."""
    donor, at = rng.choice(draft.others), draft.place(rng)
    alike = [piece for piece in donor if piece[:4] == draft.pieces[at][:4]]
    piece = rng.choice(alike or donor)
    if piece != DEFLATED_MARK and draft.pieces[at] != DEFLATED_MARK:
        draft.pieces[at : at + rng.randrange(2)] = [piece]


def _join_halves(draft: _Draft, rng: random.Random) -> None:
    """The beginning of this file and the end of another."""
    donor = rng.choice(draft.others)
    if DEFLATED_MARK not in donor:
        draft.pieces[draft.place(rng) + 1 :] = donor[rng.randrange(len(donor)) :]


def _shorten_piece(draft: _Draft, rng: random.Random) -> None:
    at = draft.place(rng)
    if draft.pieces[at] != DEFLATED_MARK:
        draft.pieces[at] = draft.pieces[at][: rng.randrange(len(draft.pieces[at]) + 1)]


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


_CHANGES: tuple[Change, ...] = (
    _flip_bits, _write_noise, _write_number, _nudge_number, _write_decimal, _copy_piece, _drop_piece, _swap_pieces,
    _splice, _join_halves, _shorten_piece,
)  # fmt: skip
_WEIGHTS = (6, 3, 6, 3, 3, 1, 1, 1, 3, 0.5, 0.5)
