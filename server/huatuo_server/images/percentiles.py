"""Percentiles of a large picture's values: exact, and in memory that does not grow with the picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from huatuo_server.images.bands import bands

DIGIT_BITS: Final = 16
DIGITS: Final = 1 << DIGIT_BITS

_Keys = Callable[[], Iterator[NDArray[Any]]]
"""The values as unsigned numbers in the same order, band by band."""

_Counts = dict[int | None, NDArray[np.int64]]
"""Under the digits that keys begin with (None: all keys), how often each next digit follows."""


def percentiles(
    values: NDArray[Any], padding: NDArray[np.bool_] | None, wanted: Sequence[float]
) -> tuple[float, ...] | None:
    """What `numpy.percentile` says in float64 (linear) of the values that are finite and no padding; None: of nothing.

    values: rows and columns of integers or floats, padding of the same shape. The values at the wanted places are found
    digit by digit, as radix sort would: one histogram of 65,536 counts for 16-bit values, two for 32-bit ones. Sorting,
    even in part, would need a copy of the whole.
    """

    def keys() -> Iterator[NDArray[Any]]:
        for rows in bands(values.shape):
            part = values[rows] if padding is None else values[rows][~padding[rows]]
            yield _keys_of(_finite(part).reshape(-1))

    first = _histograms(keys, _top_shift(values.dtype), {None})
    last = int(first[None].sum()) - 1
    if last < 0:
        return None
    places = [percent / 100 * last for percent in wanted]
    ranks = {rank for place in places for rank in (math.floor(place), math.ceil(place))}
    found = _at_ranks(keys, values.dtype, ranks, first)
    return tuple(_between(found[math.floor(place)], found[math.ceil(place)], place % 1) for place in places)


def _finite(part: NDArray[Any]) -> NDArray[Any]:
    if part.dtype.kind != "f":
        return part
    finite = np.isfinite(part)
    return part if finite.all() else part[finite]


def _at_ranks(keys: _Keys, dtype: np.dtype[Any], ranks: set[int], counts: _Counts) -> dict[int, float]:
    """The values that would stand at these places, from 0, if they were sorted. counts: of the highest digit."""
    # Of each: the digits found so far, and the rank among the keys that begin with them.
    known: dict[int, tuple[int | None, int]] = {rank: (None, rank) for rank in ranks}
    for shift in range(_top_shift(dtype), -1, -DIGIT_BITS):
        if shift != _top_shift(dtype):
            counts = _histograms(keys, shift, {begin for begin, _ in known.values()})
        known = {rank: _longer(begin, inner, counts[begin]) for rank, (begin, inner) in known.items()}
    return {rank: _value_of(key or 0, dtype) for rank, (key, _) in known.items()}


def _top_shift(dtype: np.dtype[Any]) -> int:
    """Bits below the highest digit."""
    return max(0, dtype.itemsize * 8 - DIGIT_BITS)


def _histograms(keys: _Keys, shift: int, begins: set[int | None]) -> _Counts:
    """shift: bits below the digit that is counted."""
    counts: _Counts = {begin: np.zeros(DIGITS, np.int64) for begin in begins}
    for part in keys():
        number = part.dtype.type
        for begin in counts:
            same = part if begin is None else part[part >> number(shift + DIGIT_BITS) == number(begin)]
            counts[begin] += np.bincount((same >> number(shift)).astype(np.uint16), minlength=DIGITS)
    return counts


def _longer(begin: int | None, rank: int, count: NDArray[np.int64]) -> tuple[int, int]:
    """The beginning with the digit under which the rank falls, and the rank among those that begin so."""
    up_to = np.cumsum(count)
    digit = int(np.searchsorted(up_to, rank, side="right"))
    return ((begin or 0) << DIGIT_BITS) | digit, rank - int(up_to[digit] - count[digit])


def _keys_of(part: NDArray[Any]) -> NDArray[Any]:
    """Unsigned numbers that sort as the values do: the sign bit turned round, all bits of a negative float."""
    bits, sign = _bits(part.dtype)
    keys = np.ascontiguousarray(part, part.dtype.newbyteorder("=")).view(bits)
    if part.dtype.kind == "i":
        keys = keys ^ sign
    elif part.dtype.kind == "f":
        keys = np.where(keys & sign, ~keys, keys | sign)
    return keys


def _value_of(key: int, dtype: np.dtype[Any]) -> float:
    bits, sign = _bits(dtype)
    number = bits.type(key)
    if dtype.kind == "i":
        number ^= sign
    elif dtype.kind == "f":
        number = number ^ sign if number & sign else ~number
    return float(np.array(number).view(dtype.newbyteorder("=")))


def _bits(dtype: np.dtype[Any]) -> tuple[np.dtype[Any], Any]:
    """The unsigned type of the same size, and its highest bit."""
    unsigned = np.dtype(f"u{dtype.itemsize}")
    return unsigned, unsigned.type(1 << (dtype.itemsize * 8 - 1))


def _between(low: float, high: float, part: float) -> float:
    """Linear interpolation, rounded as numpy rounds it."""
    step = high - low
    return low + step * part if part < 0.5 else high - step * (1 - part)
