"""Logs: JSON, an allow-list, and nothing of what a client sent."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from typing import Any

from huatuo_server import logs
from huatuo_server.logs import AllowListFormatter

SECRET = "Mr Chen, born 1961, nodule in the left lung"


def line(message: str, **given: Any) -> dict[str, Any]:
    record = logging.getLogger("huatuo_server.test").makeRecord(
        "huatuo_server.test", logging.INFO, "file.py", 1, message, (), given.get("exc_info"), extra=given.get("extra")
    )
    written = AllowListFormatter().format(record)
    assert "\n" not in written
    parsed: dict[str, Any] = json.loads(written)
    return parsed


def test_a_line_says_when_how_grave_who_and_what() -> None:
    """The four fields that every line has."""
    said = line("ready")

    assert (said["level"], said["logger"], said["message"]) == ("INFO", "huatuo_server.test", "ready")
    assert said["timestamp"]


def test_a_field_that_is_not_on_the_list_is_dropped() -> None:
    """A careless `extra` cannot leak a prompt."""
    said = line("request", extra={"route": "/v1/models", "status": 200, "prompt": SECRET})

    assert (said["route"], said["status"]) == ("/v1/models", 200)
    assert "prompt" not in said


def test_an_exception_is_logged_without_its_text() -> None:
    """Libraries quote their input in their errors; the type and the places are what helps."""
    try:
        try:
            json.loads(SECRET)
        except ValueError as cause:
            raise RuntimeError(f"could not read {SECRET}") from cause
    except RuntimeError:
        said = line("a request failed", exc_info=sys.exc_info())

    assert "Chen" not in json.dumps(said)
    assert said["exception"].startswith("RuntimeError at test_logs.py:")
    assert "from JSONDecodeError at decoder.py:" in said["exception"]


def test_a_record_keeps_its_exception_for_other_handlers() -> None:
    """pytest's and Sentry's handlers see the same record after ours."""
    try:
        raise ValueError(SECRET)
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "f.py", 1, "failed", None, sys.exc_info())

    AllowListFormatter().format(record)

    assert record.exc_info is not None
    assert record.exc_text is None


def test_what_pillow_warns_of_is_not_logged() -> None:
    """One damaged TIFF would fill megabytes of log with a client's numbers."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        logs.quieten_pictures()
        warnings.warn_explicit("Tag data larger than file", UserWarning, "f.py", 1, module="PIL.TiffImagePlugin")
        warnings.warn_explicit("overflow", RuntimeWarning, "f.py", 1, module="huatuo_server.images.window")
        warnings.warn_explicit("something else", UserWarning, "f.py", 1, module="elsewhere")

    assert [str(warning.message) for warning in seen] == ["something else"]
