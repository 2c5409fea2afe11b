"""The modalities that the standard has terms for."""

from __future__ import annotations

from typing import Final

TERMS: Final = frozenset(
    {
        *("ANN", "AR", "ASMT", "AU", "BDUS", "BI", "BMD", "CFM", "CR", "CT", "CTPROTOCOL", "DMS", "DG", "DOC", "DX"),
        *("ECG", "EEG", "EMG", "EOG", "EPS", "ES", "FID", "GM", "HC", "HD", "IO", "IOL", "IVOCT", "IVUS", "KER", "KO"),
        *("LEN", "LS", "MG", "MR", "M3D", "NM", "OAM", "OCT", "OP", "OPM", "OPT", "OPTBSV", "OPTENF", "OPV", "OSS"),
        *("OT", "PA", "PLAN", "POS", "PR", "PT", "PX", "REG", "RESP", "RF", "RG", "RTDOSE", "RTIMAGE", "RTINTENT"),
        *("RTPLAN", "RTRAD", "RTRECORD", "RTSEGANN", "RTSTRUCT", "RWV", "SEG", "SM", "SMR", "SR", "SRF", "STAIN"),
        *("TEXTUREMAP", "TG", "US", "VA", "XA", "XAPROTOCOL", "XC"),
        # retired, and still in archives
        *("AS", "CD", "CF", "CP", "CS", "DD", "DF", "DM", "DS", "EC", "FA", "FS", "LP", "MA", "MS", "OPR", "ST", "VF"),
    }
)
"""The defined terms of PS3.3 C.7.3.1.1.1. What is not among them may be anything that somebody typed."""


def modality(term: str) -> str:
    """The term, or `other`."""
    return term if term in TERMS else "other"
