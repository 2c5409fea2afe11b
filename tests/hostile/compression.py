"""Streams that hold next to nothing and become much: zeros in deflate and in LZW, written without making the zeros."""

from __future__ import annotations

import functools
import struct
import zlib

MEBIBYTE = 1024 * 1024

_ADLER_BASE = 65521


def raw_deflated_zeros(num_bytes: int) -> bytes:
    """Raw deflate (RFC 1951), about a thousandth of what it becomes. A flushed block can be repeated as it is."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = stream.compress(bytes(MEBIBYTE)) + stream.flush(zlib.Z_FULL_FLUSH)
    rest = stream.compress(bytes(num_bytes % MEBIBYTE)) + stream.flush()
    return block * (num_bytes // MEBIBYTE) + rest


def deflated_zeros(num_bytes: int) -> bytes:
    """The same in zlib's wrapping (RFC 1950). Adler-32 of n zeros: the sums are 1 and n."""
    checksum = (num_bytes % _ADLER_BASE) << 16 | 1
    return b"\x78\xda" + raw_deflated_zeros(num_bytes) + struct.pack(">I", checksum)


def lzw_zeros(num_bytes: int) -> bytes:
    """TIFF's LZW (8 bits, most significant bit first, widths change one early): at least so many zeros.

    A table of zeros has runs of 1, 2, 3, ...: one table's worth of codes is 5.5 KB and stands for 7 MB.
    """
    block, grown = _lzw_table_of_zeros()
    return block * -(-num_bytes // grown)


@functools.cache
def _lzw_table_of_zeros() -> tuple[bytes, int]:
    """One clear code and the codes that fill the table, padded with clear codes to whole bytes."""
    bits, run, grown = [f"{256:09b}"], 1, 0
    for next_code in range(257, 4094):
        code = 0 if run == 1 else 256 + run
        width = 9 + (next_code >= 511) + (next_code >= 1023) + (next_code >= 2047)
        bits.append(f"{code:0{width}b}")
        grown += run
        run += 1
    text = "".join(bits)
    while len(text) % 8:
        text += f"{256:012b}" if text[-12:] != f"{256:012b}" else f"{256:09b}"
    return int(text, 2).to_bytes(len(text) // 8, "big"), grown
