"""The figures show what they are given, and are the same file each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from benchmarks.accuracy.plots import Drawn, accuracy_figure, save, subsets_figure
from benchmarks.accuracy.proportion import Estimate, wilson

RAD = wilson(154, 251)
RUN = Drawn("ours", {"VQA-RAD_test": RAD, "SLAKE_test": wilson(318, 416)}, {"X-Ray": wilson(7, 10)})
OTHER = Drawn("other", {"VQA-RAD_test": wilson(1, 2)}, {"X-Ray": wilson(1, 2), "ultrasound": wilson(2, 2)})


def labels(figure: Figure) -> list[str]:
    """Of the rows, from above."""
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def legend(figure: Figure) -> list[str]:
    """Its texts."""
    return [text.get_text() for text in figure.legends[0].get_texts()]


def whiskers(figure: Figure) -> list[list[float]]:
    """From where to where, in per cent."""
    containers = [each for each in figure.axes[0].containers if isinstance(each, ErrorbarContainer)]
    segments = [segment for each in containers for segment in each.lines[2][0].get_segments()]
    return [[float(x) for x in segment[:, 0]] for segment in segments]


def test_a_data_set_s_row_has_the_published_models_and_the_run() -> None:
    """The run comes first in the legend."""
    figure = accuracy_figure([RUN])

    assert labels(figure) == ["VQA-RAD", "SLAKE"]
    assert legend(figure)[0] == "ours"
    assert "HuatuoGPT-Vision-7B, independent rerun" in legend(figure)
    assert len(legend(figure)) == 8


def test_a_published_dot_is_where_it_was_printed() -> None:
    """LLaVA-Med-7B has 51.4 and 48.6."""
    lines = {line.get_label(): line for line in accuracy_figure([RUN]).axes[0].get_lines()}

    assert np.asarray(lines["LLaVA-Med-7B"].get_xdata()).tolist() == [51.4, 48.6]


def test_whiskers_are_wilson_s() -> None:
    """From low to high, in per cent."""
    assert whiskers(accuracy_figure([RUN]))[0] == pytest.approx([100 * RAD.low, 100 * RAD.high])


def test_bars_begin_at_nought_and_have_whiskers() -> None:
    """In the bundle's order of subsets, under short names."""
    figure = subsets_figure([RUN, OTHER])

    assert labels(figure) == ["Ultrasound", "X-ray"]
    assert figure.axes[0].get_xlim() == (0, 100)
    assert legend(figure) == ["ours", "other"]
    assert len(whiskers(figure)) == 3


def test_a_name_is_drawn_as_it_is() -> None:
    """A dollar begins no formula."""
    figure = accuracy_figure([Drawn("a $x^2$ run", {"Own set": Estimate(0.5, 0.4, 0.6)}, {})])

    assert labels(figure) == ["Own set"]
    assert legend(figure)[0] == "a $x^2$ run"


def test_long_and_many_names_are_cut() -> None:
    """Forty letters of a name and thirty rows; a control character is shown as text."""
    known = {f"{number:02}\x1b {'long ' * 20}": RAD for number in range(50)}

    figure = subsets_figure([Drawn("r" * 99, {}, known), Drawn("_other", {}, known)])

    assert len(labels(figure)) == 30
    assert labels(figure)[0] == "00\\x1b long long long long long long lo…"
    assert legend(figure) == ["r" * 39 + "…", " _other"]


def test_a_figure_is_saved_as_the_same_files_each_time(tmp_path: Path) -> None:
    """PNG and SVG, without a date."""
    for name in ("one", "two"):
        save(accuracy_figure([RUN]), tmp_path, name)

    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
