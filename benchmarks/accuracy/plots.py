"""The report's figures: a run beside the published models, and OmniMedVQA's subsets. PNG and SVG.

Colours are of Okabe and Ito (2008), which colour-blind people tell apart; published models differ in shape as well.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from benchmarks.accuracy.printable import printable
from benchmarks.accuracy.proportion import Estimate
from benchmarks.accuracy.published import DATASETS, OMNIMEDVQA_SUBSETS, PAPER, RERUN, ROWS, Row

INK, FAINT, GREY = "#222222", "#dddddd", "#8a8a8a"
RUN_COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")

_MARKERS = {
    ("HuatuoGPT-Vision-34B", PAPER): ("D", INK),
    ("HuatuoGPT-Vision-7B", PAPER): ("o", INK),
    ("HuatuoGPT-Vision-7B", RERUN): ("o", "none"),
    ("LLaVA-v1.5-LLaMA3-8B + PubMedVision", PAPER): ("^", "none"),
    ("LLaVA-v1.6-34B", PAPER): ("s", GREY),
    ("LLaVA-v1.5-LLaMA3-8B", PAPER): ("v", GREY),
    ("LLaVA-Med-7B", PAPER): ("X", GREY),
}
"""Shape and fill, in the order of the legend."""

AXIS_IN, LEGEND_ROW_IN = 0.75, 0.2
FIRST_RUN_IN, RUN_IN, GAP_IN = 0.19, 0.17, 0.3
BAR_IN = 0.2
"""Inches of height: of the axis below and of a row of the legend; from a data set's line to the first run, from one run
to the next, from the last one to the next line; and of a bar."""


MAX_ROWS, MAX_LETTERS = 30, 40
"""Of a figure, and of a name in it: data may have any number of subsets, with names of any length. Tables have all."""

_Handle = Artist | ErrorbarContainer


@dataclass(frozen=True, slots=True)
class Drawn:
    """A run. accuracy: by data set. subsets: OmniMedVQA's. All of them shares, 0 to 1."""

    name: str
    accuracy: Mapping[str, Estimate]
    subsets: Mapping[str, Estimate]


def accuracy_figure(runs: Sequence[Drawn]) -> Figure:
    """Each data set that a run answered: the published models on a line, the runs with their intervals below it."""
    datasets = _ordered([dataset for run in runs for dataset in run.accuracy], DATASETS)
    row_in = FIRST_RUN_IN + RUN_IN * (len(runs) - 1) + GAP_IN
    legend_in = LEGEND_ROW_IN * -(-(len(runs) + len(_MARKERS)) // 2)
    with _style():
        figure = Figure(figsize=(7.6, AXIS_IN + legend_in + row_in * len(datasets)), layout="constrained")
        axes = figure.add_subplot()
        _frame(axes, [DATASETS.get(dataset) or _label(dataset) for dataset in datasets])
        axes.set_ylim(len(datasets) - 1 + (row_in - GAP_IN + 0.15) / row_in, -0.25 / row_in)
        drawn: list[_Handle] = [
            _run(axes, run, datasets, number, (FIRST_RUN_IN + RUN_IN * number) / row_in)
            for number, run in enumerate(runs)
        ]
        drawn += [_published(axes, row, datasets) for row in sorted(filter(_is_drawn, ROWS), key=_place)]
        figure.legend(handles=drawn, loc="outside upper center", ncols=2, frameon=False, columnspacing=3)
    return figure


def subsets_figure(runs: Sequence[Drawn]) -> Figure:
    """OmniMedVQA's subsets: a bar from nought and an interval for each run."""
    subsets = _ordered([subset for run in runs for subset in run.subsets], OMNIMEDVQA_SUBSETS)
    with _style():
        height_in = AXIS_IN + (0.14 + BAR_IN * len(runs)) * len(subsets)
        figure = Figure(figsize=(7.6, height_in), layout="constrained")
        axes = figure.add_subplot()
        _frame(axes, [OMNIMEDVQA_SUBSETS.get(subset) or _label(subset) for subset in subsets])
        for number, run in enumerate(runs):
            _bars(axes, run, subsets, number, len(runs))
        axes.set_xlim(0, 100)
        axes.grid(visible=False)
        if len(runs) > 1:
            figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure


def save(figure: Figure, folder: Path, name: str) -> None:
    """As NAME.png and NAME.svg; the same figure is the same file."""
    with _style():
        figure.savefig(folder / f"{name}.png", dpi=160, metadata={"Software": None})
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


@contextmanager
def _style() -> Iterator[None]:
    style = mpl.rc_context(
        {
            "font.family": "DejaVu Sans",
            "font.size": 9,
            "axes.edgecolor": GREY,
            "axes.labelcolor": INK,
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "svg.hashsalt": "accuracy",
            "text.parse_math": False,
        }
    )
    with style, warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box; the tables have it.
        warnings.filterwarnings("ignore", r"Glyph \d+", UserWarning)
        yield


def _ordered(found: Sequence[str], known: Mapping[str, str]) -> list[str]:
    """Each once; those that are known first, in their order; no more than there are rows for."""
    each_once = [each for each in known if each in found] + [each for each in dict.fromkeys(found) if each not in known]
    return each_once[:MAX_ROWS]


def _label(name: str) -> str:
    line = " ".join(printable(name).split())
    cut = line if len(line) <= MAX_LETTERS else f"{line[: MAX_LETTERS - 1]}…"
    # Matplotlib leaves names that begin with an underscore out of the legend.
    return f" {cut}" if cut.startswith("_") else cut


def _frame(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlabel("Accuracy (%); whiskers are intervals of 95 %")
    axes.tick_params(axis="both", length=0)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color=FAINT, lw=0.6)


def _is_drawn(row: Row) -> bool:
    return (row.model, row.source) in _MARKERS


def _place(row: Row) -> int:
    return list(_MARKERS).index((row.model, row.source))


def _published(axes: Axes, row: Row, datasets: Sequence[str]) -> _Handle:
    found = [(row.accuracy.get(dataset), place) for place, dataset in enumerate(datasets)]
    points = [(value, place) for value, place in found if value is not None]
    shape, fill = _MARKERS[row.model, row.source]
    label = row.model if row.source is PAPER else f"{row.model}, {row.source.title}"
    edge, size = (INK, 8.0) if fill == "none" else ("white", 6.5)
    xs, ys = [x for x, _ in points], [y for _, y in points]
    line, *_ = axes.plot(xs, ys, shape, mfc=fill, mec=edge, mew=0.9, ms=size, label=label, zorder=2 + (fill == "none"))
    return line


def _run(axes: Axes, run: Drawn, datasets: Sequence[str], number: int, below: float) -> _Handle:
    """below: the data sets' lines, in rows."""
    points = [(run.accuracy[each], place + below) for place, each in enumerate(datasets) if each in run.accuracy]
    estimates, ys = [each for each, _ in points], [y for _, y in points]
    colour = RUN_COLOURS[number % len(RUN_COLOURS)]
    xs, whiskers = [100 * each.value for each in estimates], _whiskers(estimates)
    for each, y in points:
        _number(axes, each, y, colour)
    return axes.errorbar(
        xs, ys, xerr=whiskers, fmt="o", color=colour, ms=6, capsize=2.5, lw=1.5, label=_label(run.name)
    )


def _number(axes: Axes, found: Estimate, y: float, colour: str) -> None:
    place = (100 * found.high, y)
    text = f"{100 * found.value:.1f}"
    axes.annotate(text, place, (5, -0.5), textcoords="offset points", va="center", color=colour, annotation_clip=False)


def _bars(axes: Axes, run: Drawn, subsets: Sequence[str], number: int, num_runs: int) -> None:
    thickness, is_named = 0.72 / num_runs, False
    for place, subset in enumerate(subsets):
        if (found := run.subsets.get(subset)) is None:
            continue
        y = place + thickness * (number - (num_runs - 1) / 2)
        colour = RUN_COLOURS[number % len(RUN_COLOURS)]
        label = None if is_named else _label(run.name)
        is_named = True
        axes.barh(y, 100 * found.value, thickness * 0.9, color=colour, alpha=0.45, label=label)
        axes.errorbar(100 * found.value, y, xerr=_whiskers([found]), color=colour, capsize=2.5, lw=1.4)
        _number(axes, found, y, INK)


def _whiskers(estimates: Sequence[Estimate]) -> tuple[list[float], list[float]]:
    """Below and above, in per cent."""
    return (
        [100 * (each.value - each.low) for each in estimates],
        [100 * (each.high - each.value) for each in estimates],
    )
