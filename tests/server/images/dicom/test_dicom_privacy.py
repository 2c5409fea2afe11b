"""What a DICOM header says goes no further: canaries in its elements come out nowhere."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_keyword
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from huatuo_server.errors import RequestError
from huatuo_server.images.bounds import Bounds
from huatuo_server.images.dicom import file as dicom_file
from huatuo_server.images.dicom import reader as dicom
from huatuo_server.images.frame import Frame, Grey, Header
from huatuo_server.images.window import shade
from huatuo_server.protocol.provenance import FrameFacts
from huatuo_server.protocol.view import WHOLE
from tests.server.images.dicom.dicom_samples import PIXELS, bytes_of, dataset_of, element, explicit, real

CANARY = "CANARY^7391"

TEXT = ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT", "DS", "IS", "DA", "TM", "DT", "AS", "UI", "UN")
"""Value representations that are text, or may be taken for it."""


def text_keywords() -> list[str]:
    """Every element of the standard that holds text, but for group 2, the file's own, which is tried on its own."""
    return [
        dictionary_keyword(tag)
        for tag, (vr, _, _, retired, keyword) in DicomDictionary.items()
        if vr in TEXT and keyword and not retired and 0x00080000 <= tag < 0x7FE00000
    ]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[list[str]]:
    """Collects what is told; at the end nothing of it, nor of the logs and the output, may hold the canary."""
    told: list[str] = []
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield told
    output = capfd.readouterr()
    everything = [*told, caplog.text, output.out, output.err, *(str(warning.message) for warning in caught)]
    assert not any("CANARY" in text for text in everything)
    assert not any("7391" in text for text in everything)


def tell(data: bytes, told: list[str]) -> None:
    """Reads header and frame, and notes what comes of each: what was found, or the error."""
    for read in (lambda file: dicom.read_header(file, Bounds()), lambda file: dicom.read_frame(file, None, Bounds())):
        try:
            found = read(io.BytesIO(data))
        except RequestError as error:
            told.append(f"{error.message} {error.param} {error}")
            continue
        told.append(repr(found) if isinstance(found, Header) else json.dumps(found.facts))
        if isinstance(found, Frame) and isinstance(found.pixels, Grey):
            told.append(repr(shade(found.pixels, WHOLE)[1:]))


def test_canaries_in_every_element_come_out_nowhere(said: list[str]) -> None:
    """All 2,000 elements of text at once, beside a picture that is read."""
    pixels = set(PIXELS) | {"NumberOfFrames", "ModalityLUTSequence", "RescaleSlope", "RescaleIntercept"}
    canaries = {keyword: CANARY.encode() for keyword in text_keywords() if keyword not in pixels}
    assert len(canaries) > 1500

    tell(explicit(canaries | PIXELS), said)

    facts: FrameFacts = json.loads(said[1])
    assert (facts["modality"], facts["width"]) == ("other", 16)


KEPT = [keyword for keyword in dicom_file.KEPT if "Sequence" not in keyword]


@pytest.mark.parametrize("keyword", [*KEPT, "SpecificCharacterSet", "PatientName", "PatientID"])
def test_a_canary_in_any_element_that_is_read_comes_out_nowhere(keyword: str, said: list[str]) -> None:
    """Whether the file is read in spite of it or refused for it."""
    data = explicit(PIXELS | {keyword: CANARY.encode()})
    assert CANARY.encode() in data

    tell(data, said)

    assert len(said) >= 2


def with_sequences(**sequences: list[Dataset]) -> bytes:
    """A file whose picture is whole, with these sequences in its header, which hold canaries."""
    dataset = dataset_of(explicit(PIXELS))
    for keyword, items in sequences.items():
        setattr(dataset, keyword, items)
    data = bytes_of(dataset)
    assert CANARY.encode() in data
    return data


@pytest.mark.parametrize(
    "keyword", ["RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "VOILUTFunction"]
)
def test_canaries_in_functional_groups_come_out_nowhere(keyword: str, said: list[str]) -> None:
    """Each alone, beside others that can be read: the first that is damaged may end the reading."""
    inner, group = Dataset(), Dataset()
    inner.RescaleSlope, inner.RescaleIntercept, inner.WindowCenter, inner.WindowWidth = 1, 0, 40, 400
    inner.add_new(keyword, "LO", CANARY)
    group.FrameVOILUTSequence, group.PixelValueTransformationSequence = [inner], [inner]

    tell(with_sequences(SharedFunctionalGroupsSequence=[group]), said)

    assert said[0].startswith("Header(")


@pytest.mark.parametrize("sequence", ["ModalityLUTSequence", "VOILUTSequence"])
def test_canaries_beside_a_lookup_table_come_out_nowhere(sequence: str, said: list[str]) -> None:
    """Its explanation is free text, and its type may be; the picture is read through the table."""
    table = Dataset()
    table.LUTDescriptor = [256, 0, 8]
    table.add_new("LUTData", "OW", bytes(range(256)))
    for keyword in ("LUTExplanation", "ModalityLUTType"):
        table.add_new(keyword, "LO", CANARY)

    tell(with_sequences(**{sequence: [table]}), said)

    facts: FrameFacts = json.loads(said[1])
    assert facts["width"] == 16


@pytest.mark.parametrize("tag", [0x00020002, 0x00020003, 0x00020010, 0x00020012, 0x00020013, 0x00020016, 0x00020102])
def test_canaries_in_the_files_own_elements_come_out_nowhere(tag: int, said: list[str]) -> None:
    """The transfer syntax among them."""
    data = explicit(PIXELS)
    if tag == 0x00020010:
        tell(explicit(PIXELS, CANARY.encode()), said)
        assert all("transfer syntax outside the standard" in one for one in said)
    else:
        vr = DicomDictionary.get(tag, ("OB",))[0]
        tell(data[:132] + element(tag, vr, CANARY.encode() + b"\0") + data[132:], said)
        assert json.loads(said[1])["width"] == 16


@pytest.mark.parametrize(
    "name",
    ["MR_small.dcm", "MR_truncated.dcm", "MR_small_RLE.dcm", "badVR.dcm", "JPGExtended.dcm", "rtplan_truncated.dcm"],
)
def test_canaries_in_real_files_come_out_nowhere(name: str, said: list[str]) -> None:
    """Read, damaged and refused ones; with the patient's name replaced byte for byte."""
    data = real(name)
    patient = str(dataset_of(data).PatientName).encode("latin-1")
    canary = b"CANARY".ljust(len(patient), b"^")
    data = data.replace(patient, canary)
    assert data.count(canary) == 1

    tell(data, said)

    assert len(said) >= 2


def test_damaged_canaries_come_out_nowhere(said: list[str]) -> None:
    """Five hundred files with broken bytes among elements full of canaries."""
    elements = ("PatientName", "StudyDescription", "WindowCenter", "RescaleSlope", "PixelSpacing", "InstitutionName")
    data = explicit({keyword: CANARY.encode() for keyword in elements} | PIXELS)
    rng = np.random.default_rng(0)
    for _ in range(500):
        broken = bytearray(data)
        for place in rng.integers(132, len(data) - 256, int(rng.integers(1, 5))).tolist():
            broken[place] = int(rng.integers(0, 256))
        tell(bytes(broken), said)

    assert any(one.startswith("Header(") for one in said)
    assert any(one.startswith("The DICOM") for one in said)


def test_what_pydicom_says_to_others_is_not_stopped() -> None:
    """Its log and its warnings are quiet only while a file is read here."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    with dicom_file.silence():
        assert not logging.getLogger("pydicom.pixels").isEnabledFor(logging.ERROR)
    assert logger.level == level


def test_only_elements_on_the_list_are_kept() -> None:
    """The data set that is worked on has no patient in it at all."""
    contents = dicom_file.open_file(io.BytesIO(real("MR_small.dcm")))

    allowed = {*(Tag(keyword) for keyword in dicom_file.KEPT), Tag("SpecificCharacterSet")}
    assert set(contents.dataset.keys()) <= allowed
    assert "PatientName" not in contents.dataset
