"""The options of a question, and the one that a letter stands for."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from string import ascii_uppercase

from benchmarks.accuracy.formats.record import Record
from benchmarks.accuracy.item import MAX_OPTIONS

UNPUBLISHED = "?"
"""What stands for an answer that is not told; it counts as wrong."""


def options_of(record: Record, field: str) -> tuple[str, ...]:
    """The field's list of texts, or the list in the Python literal that it holds (`"['one', 'two']"`); may be empty.

    Raises DataError where it is missing, is no such list, or has more options than there are letters.
    """
    found = record.value(field)
    if isinstance(found, str):
        found = _literal(record, field, found)
    if not isinstance(found, list) or not all(isinstance(option, str) for option in found):
        raise record.error(field, "is not a list of texts")
    if len(found) > MAX_OPTIONS:
        raise record.error(field, f"has {len(found)} options, and there are {MAX_OPTIONS} letters")
    return tuple(found)


def option(record: Record, field: str, options: Sequence[str]) -> str:
    """The option that the field holds. Raises DataError where it is none of them: no answer could be right."""
    found = record.text(field)
    if found not in options:
        raise record.error(field, f"{found!r} is none of the options")
    return found


def lettered(record: Record, field: str, options: Sequence[str]) -> str:
    """The option whose letter the field holds. Raises DataError where it holds anything else."""
    letters = ascii_uppercase[: len(options)]
    letter = record.text(field).strip()
    if len(letter) != 1 or letter not in letters:
        raise record.error(field, f"{letter!r} is not the letter of an option ({', '.join(letters)})")
    return options[letters.index(letter)]


def _literal(record: Record, field: str, text: str) -> object:
    try:
        found: object = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise record.error(field, f"cannot be read as a Python list: {error}") from error
    return found
