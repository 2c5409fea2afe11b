"""Single elements of a data set, read from their raw bytes.

pydicom's own conversion would quote values in warnings, refuse harmless flaws, and decode text that nobody asked for.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_sequence

from huatuo_server.images.dicom.source import Source


def has(dataset: Dataset, keyword: str) -> bool:
    """Whether the element is there and not empty."""
    return bool(raw(dataset, keyword))


def raw(dataset: Dataset, keyword: str) -> bytes:
    """The value's bytes; none where it is missing."""
    element = _element(dataset, keyword)
    return element.value or b"" if isinstance(element, RawDataElement) else b""


def texts(dataset: Dataset, keyword: str) -> list[str]:
    """The values of an element of text, without the padding."""
    values = raw(dataset, keyword).decode("latin-1").split("\\")
    return [value.strip(" \0") for value in values]


def text(dataset: Dataset, keyword: str) -> str:
    """The first value of an element of text; empty where it is missing."""
    return texts(dataset, keyword)[0]


def numbers(dataset: Dataset, keyword: str) -> list[float]:
    """The values of an element of decimal or integer text (DS, IS), not all finite. Raises ValueError for no number."""
    return [float(value) for value in texts(dataset, keyword)] if has(dataset, keyword) else []


def short(dataset: Dataset, keyword: str, default: int | None = None) -> int:
    """The first value of an element of 16-bit numbers, unsigned. Raises ValueError where it is missing."""
    values = shorts(dataset, keyword)
    if values.size:
        return int(values[0])
    if default is None:
        raise ValueError(f"{keyword} is missing")
    return default


def shorts(dataset: Dataset, keyword: str) -> NDArray[np.uint16]:
    """The values of an element of 16-bit numbers, unsigned. An odd byte at the end is left out."""
    value = raw(dataset, keyword)
    return np.frombuffer(value[: len(value) // 2 * 2], f"{byte_order(dataset, keyword)}u2")


def byte_order(dataset: Dataset, keyword: str) -> str:
    """In which order an element's bytes stand, as NumPy writes it: `<` or `>`."""
    element = _element(dataset, keyword)
    return ">" if isinstance(element, RawDataElement) and not element.is_little_endian else "<"


def items(dataset: Dataset, keyword: str) -> Sequence[Dataset]:
    """The items of a sequence; none where it is missing."""
    element = _element(dataset, keyword)
    if not isinstance(element, RawDataElement):
        return cast("Sequence[Dataset]", element.value) if element is not None else ()
    value: bytes = element.value or b""
    source = cast(BinaryIO, Source(io.BytesIO(value)))
    return read_sequence(source, element.is_implicit_VR, element.is_little_endian, len(value), "latin-1")


def item(dataset: Dataset, keyword: str, index: int = 0) -> Dataset | None:
    """One item of a sequence; None where it is missing."""
    found = items(dataset, keyword)
    return found[index] if index < len(found) else None


def _element(dataset: Dataset, keyword: str) -> Any:
    return dataset.get_item(keyword, keep_deferred=True)
