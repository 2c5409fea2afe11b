"""What is found out about data before the first question is asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.accuracy.data import checked
from benchmarks.accuracy.errors import DataError
from benchmarks.accuracy.item import Item, Picture
from tests.benchmarks.accuracy.made_items import JPEG, PNG, item, reader

SOMEWHERE = Path("somewhere")


def test_the_digest_is_the_same_wherever_the_copy_lies() -> None:
    """A run that was begun on one machine can go on on another."""
    assert checked(reader(3), SOMEWHERE) == checked(reader(3), Path("elsewhere"))
    assert checked(reader(3), SOMEWHERE).ids == ("Made/0", "Made/1", "Made/2")


@pytest.mark.parametrize(
    "other",
    [
        item(0, id="Made/x"),
        item(0, dataset="Other"),
        item(0, subset="s"),
        item(0, question="Question"),
        item(0, options=("No", "Yes")),
        item(0, answer="No"),
        item(0, PNG),
        item(0, details={"discussion": "Long."}),
    ],
)
def test_the_digest_tells_every_part_of_a_question_apart(other: Item) -> None:
    """A run must not go on with other questions."""
    assert checked(reader(1), SOMEWHERE).sha256 != checked(reader(1, lambda _number: other), SOMEWHERE).sha256


def test_the_digest_tells_swapped_pictures_apart() -> None:
    """By their names: the same questions about other pictures are other data."""

    def digest(*names: str) -> str:
        pictures = tuple(Picture(name, lambda: PNG) for name in names)
        return checked(reader(1, lambda _number: item(0, pictures=pictures)), SOMEWHERE).sha256

    assert len({digest("a.png", "b.png"), digest("b.png", "a.png"), digest("a.png"), digest("b.png")}) == 4


def test_a_check_that_is_stopped_reads_no_further() -> None:
    """Nothing is made of what was read until then."""
    stop, read = threading.Event(), list[int]()

    def items(_path: Path) -> Iterator[Item]:
        for number in range(10):
            read.append(number)
            if number == 3:
                stop.set()
            yield item(number)

    with pytest.raises(DataError, match="was stopped"):
        checked(items, SOMEWHERE, stop)

    assert read == [0, 1, 2, 3]


def test_pictures_are_not_read() -> None:
    """The check of 20,000 records takes seconds."""

    def broken(number: int) -> Item:
        made = item(number, JPEG)
        object.__setattr__(made.pictures[0], "read", lambda: pytest.fail("it was read"))
        return made

    assert len(checked(reader(2, broken), SOMEWHERE).ids) == 2


def test_an_id_that_is_there_twice_is_refused() -> None:
    """One of the two would never be asked."""
    with pytest.raises(DataError, match="Made/7: is there twice"):
        checked(reader(2, lambda _number: item(7)), SOMEWHERE)


def test_data_without_questions_are_refused() -> None:
    """The path is wrong, or the file is."""
    with pytest.raises(DataError, match="somewhere: has no questions"):
        checked(reader(0), SOMEWHERE)
