"""A JSON file that holds a list of records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from benchmarks.accuracy.errors import DataError
from benchmarks.accuracy.formats.record import Record


def json_records(file: Path) -> Iterator[Record]:
    """The objects of the list, in its order. The file is read whole.

    Raises DataError where the file cannot be read, is not JSON, is no list, or holds anything but objects.
    """
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(file, "", f"cannot be read as JSON: {error}") from error
    if not isinstance(found, list):
        raise DataError(file, "", "is not a JSON list")
    for number, fields in enumerate(found):
        if not isinstance(fields, dict):
            raise DataError(file, f"record {number}", "is not a JSON object")
        yield Record(file, number, fields)
