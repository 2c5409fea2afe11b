"""Grey DICOM: stored values become values in the image's units, and these are shown as the header asks.

Shades are worked out by hand from the value and the window: LINEAR is ((v - (c - 0.5)) / (w - 1) + 0.5) * 255.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from highdicom import imread
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from huatuo_server.errors import InvalidImage
from huatuo_server.images.dicom.values import rescaled
from huatuo_server.images.frame import Grey
from huatuo_server.images.window import shade
from huatuo_server.protocol.view import View, Window
from tests.server.images.dicom.dicom_samples import dataset_of, frame_of, grey_of, made, parsed, real, shades_of

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def item(**elements: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def lut(first: int, entries: list[int], bits: int, order: str = "<") -> Dataset:
    table = item(LUTDescriptor=[len(entries) % 65536, first, bits])
    table.add_new("LUTData", "OW", np.array(entries, f"{order}u2").tobytes())
    return table


def test_ct_is_in_hounsfield_units_and_shown_as_soft_tissue() -> None:
    """Stored 1048, 1188 and 952 less 1024 are 24, 164 and -72; through 40 / 400 they are 118, 207 and 56."""
    grey = grey_of(real("CT_small.dcm"))
    places = ([44, 16, 116], [86, 100, 56])

    assert grey.values[places].tolist() == [24, 164, -72]
    assert (grey.hounsfield, grey.window, grey.window_source) == (True, Window(40, 400), "default")
    assert shades_of(real("CT_small.dcm"))[places].tolist() == [118, 207, 56]


def test_a_preset_shows_ct_in_its_units() -> None:
    """Lung, -600 / 1500: a value of -72 is ((-72 + 600.5) / 1499 + 0.5) * 255 = 217."""
    assert shades_of(real("CT_small.dcm"), view=View(preset="lung"))[116, 56] == 217


def test_the_first_of_several_windows_is_the_one() -> None:
    """40 / 350 before 450 / 1500: 38 is ((38 - 39.5) / 349 + 0.5) * 255 = 126."""
    grey = grey_of(real("bad_sequence.dcm"))

    assert grey.window == Window(40, 350)
    assert shades_of(real("bad_sequence.dcm"))[256, 350] == 126


def test_monochrome1_is_turned_round() -> None:
    """A chest film, 15000 / 30000: stored 4644 would be 39, and is shown as 216; 3606 as 224."""
    grey = grey_of(real("RG1_UNCR.dcm"))

    assert grey.inverted
    assert grey.values[1000, [100, 900]].tolist() == [4644, 3606]
    assert shades_of(real("RG1_UNCR.dcm"))[1000, [100, 900]].tolist() == [216, 224]


def test_rescaling_by_a_fraction_gives_floats() -> None:
    """Stored 59 * 3.774114 + 0.000061 = 222.673; through 1000 / 2000 that is 28."""
    values = grey_of(real("MR2_UNCR.dcm")).values

    assert values.dtype == np.float32
    assert values[500, 300] == pytest.approx(222.672787)
    assert shades_of(real("MR2_UNCR.dcm"))[500, 300] == 28


def test_a_modality_lut_is_looked_up() -> None:
    """Its entries go from 0 for -2048 in steps of 16 with small ones between; 1023 has 49147 and -2048 the first."""
    grey = grey_of(real("mlut_18.dcm"))

    assert grey.values[256, [10, 128, 256, 400]].tolist() == [49147, 13107, 31447, 52428]
    dataset = parsed("mlut_18.dcm")
    assert np.array_equal(grey.values, apply_modality_lut(dataset.pixel_array, dataset))


def test_values_beyond_a_modality_lut_take_its_ends() -> None:
    """A table of three entries from 10 on."""
    data = made(np.array([[0, 10, 11, 12, 13, 255]], np.uint8), ModalityLUTSequence=[lut(10, [500, 600, 700], 16)])

    assert grey_of(data).values.tolist() == [[500, 500, 600, 700, 700, 700]]


def test_a_voi_lut_decides_the_shades() -> None:
    """The table of 16 bits has 257 times the value, so that 191, 51, 122 and 204 are shown as they are."""
    assert shades_of(real("vlut_04.dcm"))[256, [10, 128, 256, 400]].tolist() == [191, 51, 122, 204]


def test_a_voi_lut_is_mapped_from_its_bits_and_not_from_its_entries() -> None:
    """Of 12 bits, entries of 1000 and 2000 are 62 and 125 of 255, and not black and white."""
    data = made(np.array([[0, 1, 2]], np.uint8), VOILUTSequence=[lut(0, [1000, 2000, 3000], 12)])

    assert shades_of(data).tolist() == [[62, 125, 187]]


def test_a_voi_lut_may_begin_below_zero() -> None:
    """In Hounsfield units the first value that is mapped may be negative, though its VR says otherwise."""
    data = made(
        np.array([[1014, 1023, 1024, 1025]], np.uint16),
        RescaleSlope=1,
        RescaleIntercept=-1024,
        VOILUTSequence=[lut(0x10000 - 2, [0, 100, 200, 255], 8)],
    )

    assert grey_of(data).values.tolist() == [[-10, -1, 0, 1]]
    assert shades_of(data).tolist() == [[0, 100, 200, 255]]


def test_a_voi_lut_wins_over_a_window() -> None:
    """A header may have both."""
    data = made(RAMP, VOILUTSequence=[lut(0, [7] * 256, 8)], WindowCenter=128, WindowWidth=256)

    assert set(np.unique(shades_of(data))) == {7}


def test_lookup_tables_of_8_bits_may_be_packed() -> None:
    """Two entries in a word."""
    table = item(LUTDescriptor=[4, 0, 8])
    table.add_new("LUTData", "OW", bytes([10, 20, 30, 40]))
    data = made(np.array([[0, 1, 2, 3]], np.uint8), VOILUTSequence=[table])

    assert shades_of(data).tolist() == [[10, 20, 30, 40]]


@pytest.mark.parametrize(("syntax", "order"), [(ExplicitVRBigEndian, ">"), (ImplicitVRLittleEndian, "<")])
def test_lookup_tables_are_read_in_every_byte_order(syntax: Any, order: str) -> None:
    """And where the VR has to be known."""
    tables: dict[str, Any] = {
        "ModalityLUTSequence": [lut(0, [300, 200, 100], 16, order)],
        "VOILUTSequence": [lut(100, [0] * 100 + [255], 8, order)],
    }
    data = made(np.array([[0, 1, 2]], f"{order}u2"), syntax, **tables)

    assert grey_of(data).values.tolist() == [[300, 200, 100]]
    assert shades_of(data).tolist() == [[255, 255, 0]]


def test_a_lookup_table_that_is_cut_short_is_refused() -> None:
    """There is no telling what the values mean."""
    for keyword in ("ModalityLUTSequence", "VOILUTSequence"):
        short, nameless = lut(0, [1, 2, 3], 16), lut(0, [1, 2, 3], 16)
        short.LUTDescriptor = [300, 0, 16]
        del nameless.LUTDescriptor
        for broken in (short, nameless):
            elements: dict[str, Any] = {keyword: [broken]}
            with pytest.raises(InvalidImage):
                grey_of(made(RAMP, **elements))


def test_unsigned_ct_never_wraps() -> None:
    """0 less 1024 is -1024, and 65535 less 1024 is 64511, in one picture."""
    data = made(np.array([[0, 65535]], np.uint16), RescaleSlope=1, RescaleIntercept=-1024)

    assert grey_of(data).values.tolist() == [[-1024, 64511]]


@pytest.mark.parametrize(
    ("stored", "slope", "intercept", "dtype"),
    [
        ([0, 4095], 1, -1024, np.int16),
        ([40000, 65535], 1, -32768, np.int16),
        ([0, 65535], 1, 0, np.uint16),
        ([0, 65535], 1, -1024, np.int32),
        ([0, 65535], 70000, 0, np.float64),
        ([0, 65535], 0.5, 0, np.float32),
    ],
)
def test_rescaled_values_are_exact_in_the_narrowest_type(
    stored: list[int], slope: float, intercept: float, dtype: type
) -> None:
    """Whole numbers stay whole; 32-bit floats hold 16-bit samples."""
    values = rescaled(np.array([stored], np.uint16), float(slope), float(intercept))

    assert values.dtype == dtype
    assert values.tolist() == [[value * slope + intercept for value in stored]]


@pytest.mark.parametrize("intercept", ["1e300", "nan", "-inf"])
def test_a_rescaling_beyond_all_bounds_is_refused(intercept: str) -> None:
    """The values would be no numbers."""
    with pytest.raises(InvalidImage):
        grey_of(raw_decimal(intercept))


def raw_decimal(intercept: str) -> bytes:
    """pydicom would not write such a number."""
    data = made(RAMP.astype(np.uint16), RescaleSlope=1, RescaleIntercept=-10240000)
    assert b"-10240000.0" in data
    return data.replace(b"-10240000.0", intercept.encode().ljust(11))


def test_a_slope_of_zero_rescales_nothing() -> None:
    """Some writers leave it; every value would be the same."""
    grey = grey_of(made(RAMP.astype(np.uint16), Modality="CT", RescaleSlope=0, RescaleIntercept=-1024))

    assert np.array_equal(grey.values, RAMP)
    assert not grey.hounsfield


@pytest.mark.parametrize(
    ("elements", "hounsfield"),
    [
        ({"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": -1024}, True),
        ({"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": -1024, "RescaleType": "HU"}, True),
        ({"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": -1024, "RescaleType": "US"}, False),
        (
            {
                "Modality": "CT",
                "RescaleSlope": 1,
                "RescaleIntercept": 0,
                "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"],
            },
            False,
        ),
        ({"Modality": "PT", "RescaleSlope": 1, "RescaleIntercept": 0, "RescaleType": "HU"}, True),
        ({"Modality": "PT", "RescaleSlope": 1, "RescaleIntercept": 0}, False),
        ({"Modality": "CT"}, False),
    ],
)
def test_hounsfield_units_are_those_that_the_header_vouches_for(elements: dict[str, Any], hounsfield: bool) -> None:
    """By the rescale type; where there is none, a CT that is rescaled and no localizer."""
    grey = grey_of(made(RAMP.astype(np.uint16), **elements))

    assert grey.hounsfield is hounsfield
    assert (grey.window == Window(40, 400)) is (hounsfield and elements["Modality"] == "CT")


def test_a_film_without_a_window_is_shown_by_percentiles() -> None:
    """16 bits, no window, no modality that has one."""
    _, window, warnings = shade(grey_of(made(RAMP.astype(np.uint16) * 16)), View())

    assert window is not None
    assert window["source"] == "percentiles"
    assert warnings == ["No window in the header: the 0.5th to 99.5th percentile is shown."]


@pytest.mark.parametrize(
    ("elements", "as_is"),
    [
        ({}, True),
        ({"RescaleSlope": 1, "RescaleIntercept": 0}, True),
        ({"RescaleSlope": 2, "RescaleIntercept": 0}, False),
        ({"PixelRepresentation": 1}, False),
        ({"BitsStored": 7, "HighBit": 6}, False),
    ],
)
def test_8_bits_without_a_window_are_shown_as_they_are(elements: dict[str, Any], as_is: bool) -> None:
    """Unless they are signed, rescaled or fewer."""
    assert grey_of(made(RAMP, **elements)).as_is is as_is


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        # (110 - 99.5) / 19 + 0.5 = 1.05; (100 - 99.5) / 19 + 0.5 = 0.526
        (None, [0, 134, 255]),
        ("LINEAR", [0, 134, 255]),
        ("CANARY", [0, 134, 255]),
        # (100 - 100) / 20 + 0.5 = 0.5, which is 127.5
        ("LINEAR_EXACT", [0, 128, 255]),
        # 255 / (1 + exp(-4 * (v - 100) / 20)): 30.4, 127.5, 224.6
        ("SIGMOID", [30, 128, 225]),
    ],
)
def test_the_headers_window_function_is_used(function: str | None, expected: list[int]) -> None:
    """100 / 20 on the values 90, 100 and 110."""
    data = made(np.array([[90, 100, 110]], np.uint8), WindowCenter=100, WindowWidth=20, VOILUTFunction=function)

    assert shades_of(data).tolist() == [expected]


def test_a_window_narrower_than_one_is_applied_exactly() -> None:
    """LINEAR does not reach below a width of 1: 0.5 / 0.5 on 0, 0.5 and 1."""
    data = made(
        np.array([[0, 1, 2]], np.uint16), WindowCenter=0.5, WindowWidth=0.5, RescaleSlope=0.5, RescaleIntercept=0
    )

    assert shades_of(data).tolist() == [[0, 128, 255]]


@pytest.mark.parametrize(
    "window", [("x", "20"), ("nan", "20"), ("100", "0"), ("100", "-5"), ("1e999", "20"), ("", "20")]
)
def test_a_window_that_is_none_is_told_and_left_out(window: tuple[str, str]) -> None:
    """The picture is shown by percentiles."""
    data = made(RAMP.astype(np.uint16), WindowCenter=77777, WindowWidth=88888)
    for written, wanted in zip((b"77777.0", b"88888.0"), window, strict=True):
        data = data.replace(written, wanted.ljust(7).encode())
    _, facts, warnings = shade(grey_of(data), View())

    assert facts is not None
    assert facts["source"] == "percentiles"
    assert warnings[0].startswith("The window in the header is not a valid one")


def test_padding_is_no_value() -> None:
    """CT_small's padding is -2000, which none of its pixels has; a scanner's corners have it, and are black."""
    values = np.array([[-2000, 0, 100], [-2000, 200, 300]], np.int16)
    grey = grey_of(made(values, PixelPaddingValue=-2000, PhotometricInterpretation="MONOCHROME1"))

    assert grey_of(real("CT_small.dcm")).padding is None
    assert grey.padding is not None
    assert grey.padding.tolist() == [[True, False, False], [True, False, False]]
    assert shade(grey, View())[0].getpixel((0, 0)) == 0


@pytest.mark.parametrize("ends", [(10, 12), (12, 10)])
def test_padding_may_be_a_range(ends: tuple[int, int]) -> None:
    """From the padding value to the range's limit, whichever is the larger."""
    grey = grey_of(made(RAMP, PixelPaddingValue=ends[0], PixelPaddingRangeLimit=ends[1]))

    assert grey.padding is not None
    assert np.argwhere(grey.padding.ravel()).ravel().tolist() == [10, 11, 12]


def test_padding_is_found_among_stored_values() -> None:
    """Before rescaling, as the standard has it."""
    data = made(np.array([[0, 63536]], np.uint16), PixelPaddingValue=63536, RescaleSlope=1, RescaleIntercept=-1024)
    padding = grey_of(data).padding

    assert padding is not None
    assert padding.tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted"),
    [
        ("MONOCHROME2", None, False),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME1", None, True),
        ("MONOCHROME1", "INVERSE", True),
    ],
)
def test_an_inverse_presentation_is_not_turned_round_twice(photometric: str, shape: str | None, inverted: bool) -> None:
    """A digital film says it twice, and means it once (PS3.3 C.8.11.3)."""
    data = made(RAMP, PhotometricInterpretation=photometric, PresentationLUTShape=shape)

    assert grey_of(data).inverted is inverted


def test_an_enhanced_objects_functional_groups_are_read() -> None:
    """A perfusion map, 49 / 102, stored 1116 less 1024 is 92: ((92 - 48.5) / 101 + 0.5) * 255 = 237."""
    data = real("eCT_Supplemental.dcm")
    grey = grey_of(data, 1)

    assert grey.window == Window(49, 102)
    assert grey.values[256, [200, 256, 300]].tolist() == [92, 81, 36]
    assert shades_of(data, 1)[256, [200, 256, 300]].tolist() == [237, 210, 96]
    assert not grey.hounsfield
    assert any("supplemental palette" in warning for warning in frame_of(data).facts["warnings"])


def test_a_frames_own_group_wins_over_the_shared_one() -> None:
    """And that over the data set: each of three frames has another source for its window and its rescaling."""
    data = enhanced()

    assert [grey_of(data, number).window for number in (1, 2)] == [Window(1, 100), Window(2, 200)]
    assert [grey_of(data, number).values[0, 0] for number in (1, 2)] == [-10, -20]
    assert [grey_of(data, number).hounsfield for number in (1, 2)] == [True, False]


def enhanced(undefined_length: bool = False) -> bytes:
    """Two frames: the first has groups of its own, the second the shared ones."""

    def groups(center: float, intercept: float, kind: str) -> Dataset:
        return item(
            FrameVOILUTSequence=[item(WindowCenter=center, WindowWidth=100 * center)],
            PixelValueTransformationSequence=[item(RescaleSlope=1, RescaleIntercept=intercept, RescaleType=kind)],
        )

    data = made(
        np.zeros((4, 2), np.uint16),
        Rows=2,
        NumberOfFrames=2,
        WindowCenter=3,
        WindowWidth=300,
        PerFrameFunctionalGroupsSequence=[groups(1, -10, "HU"), Dataset()],
        SharedFunctionalGroupsSequence=[groups(2, -20, "US")],
    )
    dataset = dataset_of(data)
    for keyword in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        dataset[keyword].is_undefined_length = undefined_length
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=False)
    return file.getvalue()


def test_functional_groups_of_unknown_length_are_read() -> None:
    """Both ways to write a sequence."""
    assert grey_of(enhanced(undefined_length=True), 1).window == Window(1, 100)
    assert grey_of(enhanced(undefined_length=True), 2).window == Window(2, 200)


@pytest.mark.parametrize(
    "name", ["MR_small.dcm", "MR2_UNCR.dcm", "RG1_UNCR.dcm", "RG3_UNCR.dcm", "bad_sequence.dcm", "vlut_04.dcm"]
)
def test_shades_are_pydicoms_with_the_windows_range_mapped(name: str) -> None:
    """Whole frames; pydicom maps onto the range that the bits stored have, and that onto 0 to 255 is ours."""
    dataset = parsed(name)
    seen = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)
    low, high = range_of(dataset)
    theirs = np.rint((seen.astype(np.float64) - low) / (high - low) * 255)
    theirs = 255 - theirs if dataset.PhotometricInterpretation == "MONOCHROME1" else theirs

    assert np.abs(theirs - shades_of(real(name))).max() <= 1
    assert (theirs != shades_of(real(name))).mean() < 0.001


def range_of(dataset: Dataset) -> tuple[float, float]:
    if "VOILUTSequence" in dataset:
        return 0, 2 ** dataset.VOILUTSequence[0].LUTDescriptor[2] - 1
    bits, signed = dataset.BitsStored, dataset.PixelRepresentation
    ends = np.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] if signed else [0, 2**bits - 1], np.float64)
    low, high = ends * float(dataset.get("RescaleSlope", 1)) + float(dataset.get("RescaleIntercept", 0))
    return low, high


@pytest.mark.parametrize(
    ("name", "share"),
    [("MR_small.dcm", 0.001), ("RG1_UNCR.dcm", 0.001), ("RG3_J2KR.dcm", 0.001), ("MR2_UNCR.dcm", 0.05)],
)
def test_shades_are_highdicoms(name: str, share: float, tmp_path: Any) -> None:
    """Whole frames, MONOCHROME1 among them, within 1, and mostly the same.

    MR2 is rescaled by 3.77: there highdicom takes LINEAR's half and one from the window in stored values, and not, as
    the standard has it, from that in the image's units.
    """
    path = tmp_path / "file.dcm"
    path.write_bytes(real(name))
    theirs = imread(path).get_frame(1, apply_voi_transform=True, voi_output_range=(0, 255), apply_presentation_lut=True)
    differences: NDArray[Any] = np.abs(np.rint(theirs.astype(np.float64)) - shades_of(real(name)))

    assert differences.max() <= 1
    assert (differences > 0).mean() < share


def test_grey_is_grey() -> None:
    """Every grey interpretation comes as values, and a window of the request decides over the header's."""
    pixels = frame_of(real("RG3_UNCR.dcm")).pixels
    assert isinstance(pixels, Grey)
    image, facts, _ = shade(pixels, View(window=Window(512, 2)))

    assert facts == {"center": 512, "width": 2, "source": "request"}
    assert set(np.unique(np.asarray(image))) <= {0, 128, 255}
