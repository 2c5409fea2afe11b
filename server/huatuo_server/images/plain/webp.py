"""How large a WebP is, told from its first bytes: opening one in Pillow takes memory for it twice."""

from __future__ import annotations


def canvas(head: bytes) -> tuple[int, int] | None:
    """Width and height, at least 30 bytes given; None where they are not to be found (RFC 9649, section 2.5 to 2.7)."""
    match head[12:16]:
        case b"VP8X":
            return _number(head[24:27]) + 1, _number(head[27:30]) + 1
        case b"VP8L":
            bits = _number(head[21:25])
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            return _number(head[26:28]) & 0x3FFF, _number(head[28:30]) & 0x3FFF
        case _:
            return None


def canvas_bytes(size: tuple[int, int]) -> int:
    """What the decoder of animations holds, through which Pillow reads still pictures too: two of RGBA."""
    return 2 * 4 * size[0] * size[1]


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")
