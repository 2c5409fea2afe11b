"""Provenance is typed as the server tells it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_args

import pytest

from huatuo_client import View, provenance
from huatuo_client.view import Preset
from huatuo_server.protocol import provenance as servers
from huatuo_server.protocol import view as servers_view

CT: dict[str, Any] = {
    "sha256": "a" * 64,
    "format": "DICOM",
    "width": 512,
    "height": 400,
    "bit_depth": 12,
    "transfer_syntax": "Explicit VR Little Endian",
    "modality": "CT",
    "frame": 1,
    "frames": 1,
    "window": {"center": 40.0, "width": 400.0, "source": "header"},
    "region": [0, 0, 9, 9],
    "orientation": None,
    "padding": {"left": 0, "top": 56, "right": 0, "bottom": 56},
    "downscaling": 1.5,
    "tokens": 576,
    "warnings": ["A sentence."],
}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (provenance.ImageProvenance, servers.ImageProvenance),
        (provenance.Window, servers.WindowFacts),
        (provenance.Padding, servers.Padding),
        (provenance.StoredValues, servers.StoredValues),
        (View, servers_view.View),
    ],
    ids=lambda one: one.__name__,
)
def test_every_field_of_the_server_has_its_place(ours: Any, theirs: Any) -> None:
    """None is missing, none is made up."""
    assert {one.name for one in fields(ours)} == set(theirs.__annotations__) | _inherited(theirs)


def _inherited(kind: Any) -> set[str]:
    return {name for base in getattr(kind, "__orig_bases__", ()) for name in getattr(base, "__annotations__", {})}


def test_the_presets_are_the_servers() -> None:
    """By name."""
    assert set(get_args(Preset)) == set(servers_view.PRESETS)


def test_what_was_told_is_read() -> None:
    """Each part as its own type."""
    read = provenance.ImageProvenance.of_json(CT)

    assert read.window == provenance.Window(40.0, 400.0, "header")
    assert read.padding == provenance.Padding(0, 56, 0, 56)
    assert (read.region, read.warnings, read.values) == ((0, 0, 9, 9), ("A sentence.",), None)


def test_what_a_newer_server_tells_is_left_out() -> None:
    """An older client goes on."""
    newer = {**CT, "laterality": "left", "window": {**CT["window"], "function": "sigmoid"}}

    assert provenance.ImageProvenance.of_json(newer) == provenance.ImageProvenance.of_json(CT)


@pytest.mark.parametrize(
    "view",
    [View(), View(frame=3), View(window=(-600.0, 1500.0)), View(preset="lung", region=(1, 2, 3, 4))],
    ids=str,
)
def test_a_view_comes_back_as_it_was_written(view: View) -> None:
    """In a batch's file."""
    assert View.of_json(view.as_json()) == view


@pytest.mark.parametrize(
    "written",
    [[], {"veiw": 1}, {"window": {"center": 1}}, {"window": 40}, {"region": [1, 2]}, {"region": 5}],
    ids=str,
)
def test_what_is_no_view_is_refused(written: Any) -> None:
    """A field that is misspelt is not passed over."""
    with pytest.raises(ValueError, match="view"):
        View.of_json(written)
