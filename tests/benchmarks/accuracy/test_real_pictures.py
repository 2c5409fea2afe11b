from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from benchmarks.accuracy.demo_training.real_pictures import Modality, RealPicture, real_pictures, split

MODALITIES = get_args(Modality)

HALVED = ("X-ray", "histology", "retina")


@pytest.fixture(scope="module")
def pictures() -> list[RealPicture]:
    return real_pictures()


def test_a_picture_is_rgb_of_eight_bits_and_shows_something(pictures: list[RealPicture]) -> None:
    """Every picture is uint8 of shape (height, width, 3), at least 64 pixels a side, and uses much of the shades."""
    for picture in pictures:
        assert picture.pixels.dtype == np.uint8, picture.source
        assert picture.pixels.ndim == 3, picture.source
        assert picture.pixels.shape[2] == 3, picture.source
        assert min(picture.pixels.shape[:2]) >= 64, picture.source
        assert np.ptp(picture.pixels) >= 128, picture.source


def test_sources_name_package_and_file_once_each(pictures: list[RealPicture]) -> None:
    """A source is `package: file`, perhaps with more after it, and no two pictures have the same."""
    sources = [picture.source for picture in pictures]

    assert len(set(sources)) == len(sources)
    for picture in pictures:
        package, file = picture.file.split(": ")
        assert package in {"pydicom", "pydicom-data", "nibabel", "matplotlib", "scikit-image"}
        assert picture.source.startswith(f"{package}: {file}")


def test_no_picture_is_twice_in_the_list(pictures: list[RealPicture]) -> None:
    """No two pictures have the same pixels: a copy of a file in another encoding is no second patient."""
    contents = {(picture.pixels.shape, picture.pixels.tobytes()) for picture in pictures}

    assert len(contents) == len(pictures)


def test_files_that_are_not_for_commercial_use_are_left_out(pictures: list[RealPicture]) -> None:
    """No picture comes from pydicom-data's files 693_*."""
    assert not [picture.source for picture in pictures if "693_" in picture.source]


@pytest.mark.parametrize("modality", MODALITIES)
def test_every_modality_is_trained_on_and_held_out(pictures: list[RealPicture], modality: Modality) -> None:
    """Both parts of the split have pictures of every modality."""
    for part in split(pictures):
        assert [picture for picture in part if picture.modality == modality]


def test_no_file_is_both_trained_on_and_held_out(pictures: list[RealPicture]) -> None:
    """Where a modality has several files, none of them is in both parts, and no picture is lost."""
    training, held_out = split([picture for picture in pictures if picture.modality not in HALVED])

    assert not {picture.file for picture in training} & {picture.file for picture in held_out}
    assert len(training) + len(held_out) == sum(picture.modality not in HALVED for picture in pictures)


@pytest.mark.parametrize("modality", HALVED)
def test_the_few_pictures_of_a_modality_are_parted(pictures: list[RealPicture], modality: Modality) -> None:
    """Side by side, the trained and the held-out half of an X-ray, a retina or a slide are the picture itself."""
    for picture in (one for one in pictures if one.modality == modality):
        [left], [right] = split([picture])

        assert np.array_equal(np.concatenate([left.pixels, right.pixels], axis=1), picture.pixels)
        assert (left.source, right.source) == (f"{picture.source} left half", f"{picture.source} right half")


def test_magnetic_resonance_slices_stand_upright(pictures: list[RealPicture]) -> None:
    """A slice of the volume stands higher than wide, as a head does: its axes are not swapped."""
    [middle] = [picture for picture in pictures if picture.source == "nibabel: example4d.nii.gz slice 12"]

    rows, columns = np.nonzero(middle.pixels[..., 0] > 64)

    assert np.ptp(np.percentile(rows, (2, 98))) > 1.1 * np.ptp(np.percentile(columns, (2, 98)))
