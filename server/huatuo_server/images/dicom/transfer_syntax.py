"""In which transfer syntaxes (PS3.5 Annex A, PS3.6 Table A-1) DICOM's pixels are read, and what decodes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from pydicom import uid
from pydicom.uid import UID

from huatuo_server.errors import ImageRefused

Coding = Literal["native", "RLE", "JPEG", "JPEG 2000"]


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """name: the standard's, without its process numbers. coding: of the pixels."""

    name: str
    coding: Coding


SYNTAXES: Final = {
    uid.ImplicitVRLittleEndian: TransferSyntax("Implicit VR Little Endian", "native"),
    uid.ExplicitVRLittleEndian: TransferSyntax("Explicit VR Little Endian", "native"),
    uid.DeflatedExplicitVRLittleEndian: TransferSyntax("Deflated Explicit VR Little Endian", "native"),
    uid.ExplicitVRBigEndian: TransferSyntax("Explicit VR Big Endian", "native"),
    uid.RLELossless: TransferSyntax("RLE Lossless", "RLE"),
    uid.JPEGBaseline8Bit: TransferSyntax("JPEG Baseline", "JPEG"),
    uid.JPEGExtended12Bit: TransferSyntax("JPEG Extended", "JPEG"),
    uid.JPEGLossless: TransferSyntax("JPEG Lossless", "JPEG"),
    uid.JPEGLosslessSV1: TransferSyntax("JPEG Lossless SV1", "JPEG"),
    uid.JPEGLSLossless: TransferSyntax("JPEG-LS Lossless", "JPEG"),
    uid.JPEGLSNearLossless: TransferSyntax("JPEG-LS Near-Lossless", "JPEG"),
    uid.JPEG2000Lossless: TransferSyntax("JPEG 2000 Lossless", "JPEG 2000"),
    uid.JPEG2000: TransferSyntax("JPEG 2000", "JPEG 2000"),
    uid.HTJ2KLossless: TransferSyntax("HTJ2K Lossless", "JPEG 2000"),
    uid.HTJ2KLosslessRPCL: TransferSyntax("HTJ2K Lossless RPCL", "JPEG 2000"),
    uid.HTJ2K: TransferSyntax("HTJ2K", "JPEG 2000"),
}
"""What is read. Which of the JPEGs a frame is, its own first bytes tell."""

UNREAD: Final = {
    "1.2.840.10008.1.2.1.98": "Encapsulated Uncompressed",
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
    "1.2.840.10008.1.2.8.1": "Deflated Image Frame Compression",
}
"""Newer than pydicom's list."""


def transfer_syntax(syntax: str) -> tuple[UID, TransferSyntax]:
    """The syntax of a UID. Raises ImageRefused for one that is not read, with the standard's name for it."""
    known = UID(syntax)
    if known in SYNTAXES:
        return known, SYNTAXES[known]
    # pydicom's name of a UID that it does not know is the UID, which may be anything that a client wrote.
    is_standard = known.type == "Transfer Syntax"
    name = UNREAD.get(known) or (known.name if is_standard else "a transfer syntax outside the standard")
    raise ImageRefused(
        f"The DICOM image is coded as {name}, which is not read here. "
        "Send it uncompressed, or as JPEG, JPEG-LS, JPEG 2000 or RLE."
    )
