"""Percentiles are numpy's, whatever the type, and take no memory to speak of."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from huatuo_server.images.percentiles import percentiles

WANTED = (0.0, 0.5, 37.3, 50.0, 99.5, 100.0)

DTYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", ">u2", ">i4", ">f4", "?"]


def numpys(values: np.ndarray[Any, Any]) -> tuple[float, ...] | None:
    """In 64-bit floats: numpy's own for float32 places the ranks in float32, which misses some of 40 million."""
    exact = values.astype(np.float64)
    usable = exact[np.isfinite(exact)]
    return tuple(float(found) for found in np.percentile(usable, WANTED)) if usable.size else None


@settings(deadline=None, max_examples=50)
@given(st.data())
@pytest.mark.parametrize("dtype", DTYPES)
def test_they_are_numpys(dtype: str, data: st.DataObject) -> None:
    """Of every type, size and set of values, with and without padding, NaN and infinity among them."""
    shape = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    # Values near the end of the range overflow numpy's own interpolation.
    values = data.draw(arrays.arrays(dtype, shape)) if dtype != "f8" else data.draw(small_floats(shape))
    padding = data.draw(st.none() | arrays.arrays("?", shape))
    left = values if padding is None else values[~padding]
    assert percentiles(values, padding, WANTED) == numpys(left)


def small_floats(shape: tuple[int, int]) -> st.SearchStrategy[np.ndarray[Any, Any]]:
    return arrays.arrays("f8", shape, elements=st.floats(-1e300, 1e300) | st.sampled_from([np.nan, np.inf, -np.inf]))


@pytest.mark.parametrize("dtype", ["u2", "i4", "f4", "f8"])
def test_they_are_numpys_of_many_values(dtype: str) -> None:
    """More than one band of them, and seen from the side."""
    values = np.random.default_rng(0).normal(2000, 500, (700, 900)).astype(dtype)
    assert percentiles(values, None, WANTED) == numpys(values)
    assert percentiles(values.T[::-1], None, WANTED) == numpys(values)


def test_they_are_few_bytes() -> None:
    """Of 8 million values of 32 bits, 32 MB: less than 12 MB besides."""
    values = np.random.default_rng(0).normal(size=(2000, 4000)).astype(np.float32)
    tracemalloc.start()
    percentiles(values, None, WANTED)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 12_000_000


def test_of_nothing_there_are_none() -> None:
    """All padding, or no finite value."""
    values = np.zeros((2, 2), np.uint16)
    assert percentiles(values, np.ones((2, 2), bool), WANTED) is None
    assert percentiles(np.full((2, 2), np.nan, np.float32), None, WANTED) is None
