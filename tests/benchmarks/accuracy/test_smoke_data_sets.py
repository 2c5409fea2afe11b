"""The gate's data sets: each is read by its own reader, and asks what can be answered from the picture."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.accuracy.formats import READERS
from benchmarks.accuracy.item import Item, media_type
from benchmarks.accuracy.smoke import data_sets
from benchmarks.accuracy.smoke.data_sets import FILMS, SLAKE_ITEMS, VQA_RAD_ITEMS
from benchmarks.accuracy.smoke.scenes import Pick, Pool, tall, wide


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Item]]:
    """By the reader's name."""
    written = data_sets.write(tmp_path_factory.mktemp("smoke"))
    return {reader: list(READERS[reader](path)) for reader, path in written.items()}


def test_every_reader_finds_all_of_its_data_set(items: dict[str, list[Item]]) -> None:
    """Nothing is passed over as open or malformed."""
    assert Counter(item.subset for item in items["bundle"]) == {name: film.num_items for name, film in FILMS.items()}
    assert Counter(item.subset for item in items["slake"]) == {"en": SLAKE_ITEMS, "zh": SLAKE_ITEMS}
    assert len(items["vqa-rad"]) == VQA_RAD_ITEMS


def test_every_question_has_a_right_option_and_a_picture(items: dict[str, list[Item]]) -> None:
    """So that a model that sees can be right everywhere."""
    everything = [item for found in items.values() for item in found]

    assert all(item.label is not None for item in everything)
    assert all(len(item.pictures) == 1 for item in everything)


def test_films_are_of_the_kinds_that_their_subsets_say(items: dict[str, list[Item]]) -> None:
    """What goes over the wire is told by its first bytes."""
    kinds = {item.subset: media_type(item.pictures[0].read()) for item in items["bundle"]}

    assert kinds == {
        "square PNG": "image/png",
        "wide PNG": "image/png",
        "tall PNG": "image/png",
        "MONOCHROME1 DICOM": "application/dicom",
        "16-bit PNG": "image/png",
        "16-bit TIFF": "image/tiff",
    }


def test_the_same_data_sets_are_made_each_time(items: dict[str, list[Item]], tmp_path: Path) -> None:
    """A score can be compared with one of another day."""
    again = {reader: list(READERS[reader](path)) for reader, path in data_sets.write(tmp_path / "again").items()}

    for reader, found in items.items():
        assert [_content(item) for item in found] == [_content(item) for item in again[reader]]


@pytest.mark.parametrize("bright_left", [True, False])
@pytest.mark.parametrize("pick", [wide, tall])
def test_the_middle_of_a_wide_or_tall_picture_is_empty(pick: Pick, bright_left: bool) -> None:
    """A crop to the middle square loses the shape, and leaves it whole at the end where it was."""
    scene = pick(Pool(3), bright_left)

    (place,), (height, width) = scene.places, scene.pixels.shape
    long_side, at = (width, place.x) if width > height else (height, place.y)
    assert abs(at - long_side / 2) - place.reach > min(height, width) / 2
    assert place.reach < at < long_side - place.reach
    shape = int(scene.pixels[place.y, place.x])
    ground = int(scene.pixels[height // 2, width // 2])
    assert (shape > ground) == bright_left
    assert pick is tall or (place.x < width / 2) == bright_left


def _content(item: Item) -> tuple[object, ...]:
    return item.id, item.question, item.options, item.answer, item.pictures[0].read()
