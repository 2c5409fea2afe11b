"""The bytes of a DICOM file as pydicom reads them, with limits that pydicom has not."""

from __future__ import annotations

import os
from typing import BinaryIO, Final

from huatuo_server.errors import ImageRefused

MAX_READS: Final = 200_000
"""Two or three make an element or an item; a header over it takes a second. 1,000 enhanced frames need 150,000."""


class Source:
    """A file as pydicom reads it: never more at once than there is, and not for ever.

    A length that lies would otherwise have its gigabytes set aside before the end of the file is noticed.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        self._num_reads = 0
        self.cut_short = False
        file.seek(0)

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes. Raises ImageRefused after MAX_READS."""
        self._num_reads += 1
        if self._num_reads > MAX_READS:
            raise ImageRefused("The DICOM file has too many elements.")
        left = self._size - self._file.tell()
        self.cut_short = self.cut_short or left < 0 or 0 < left < size
        return self._file.read(max(0, left) if size < 0 else max(0, min(size, left)))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As a file's."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As a file's."""
        return self._file.tell()

    def left_from(self, offset: int) -> int:
        """How many bytes there are from `offset` on."""
        return max(0, self._size - offset)
