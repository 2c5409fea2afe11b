"""The lookup table in an item of a Modality or VOI LUT Sequence (PS3.3 C.11.1.1, C.11.2.1.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from huatuo_server.errors import InvalidImage
from huatuo_server.images.bands import bands
from huatuo_server.images.dicom.elements import raw, shorts

MAX_ENTRIES = 2**16


@dataclass(frozen=True, slots=True)
class Lut:
    """table: uint16, one for each value from first_value on. bits: of its entries."""

    first_value: int
    table: NDArray[np.uint16]
    bits: int

    def __call__(self, values: NDArray[Any]) -> NDArray[np.uint16]:
        """The values' entries. Those before the first one take that, those after the last one the last."""
        looked_up = np.empty(values.shape, np.uint16)
        for rows in bands(values.shape):
            looked_up[rows] = self.table.take(values[rows].astype(np.int64) - self.first_value, mode="clip")
        return looked_up


def lut(sequence_item: Dataset, *, is_signed: bool) -> Lut:
    """is_signed: values that go in may be negative, and so the first one that is mapped. Raises InvalidImage."""
    descriptor = shorts(sequence_item, "LUTDescriptor")
    if descriptor.size < 3:
        raise InvalidImage("A lookup table in the DICOM header is damaged.")
    entries, first, bits = (int(value) for value in descriptor[:3])
    entries = entries or MAX_ENTRIES
    packed = np.frombuffer(raw(sequence_item, "LUTData"), np.uint8)
    table = shorts(sequence_item, "LUTData") if packed.size >= 2 * entries else packed.astype(np.uint16)
    if table.size < entries:
        raise InvalidImage("A lookup table in the DICOM header is shorter than announced.")
    table = table[:entries].astype(np.uint16)
    # Some descriptors name fewer bits than their entries have, or none that there can be.
    bits = max(bits if bits <= 16 else 0, int(table.max()).bit_length(), 1)
    return Lut(first - 2**16 if is_signed and first >= 2**15 else first, table, bits)
