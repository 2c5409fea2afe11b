"""The record's figures, for people: how latency grows with load, where processor time goes, how long a text takes.

Colours are of Okabe and Ito (2008), which colour-blind people tell apart; the sides differ in their marks as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmarks.speed.measurement import SideName
from benchmarks.speed.run import SLO, Run
from benchmarks.speed.spread import Spread, short
from benchmarks.speed.verdict import is_curve, workloads

INK, FAINT, GREY = "#222222", "#dddddd", "#8a8a8a"
COLOURS: Mapping[SideName, str] = {"ours": "#0072B2", "stock": "#D55E00"}
LIGHT: Mapping[SideName, str] = {"ours": "#56B4E9", "stock": "#E69F00"}
MARKS: Mapping[SideName, str] = {"ours": "o", "stock": "s"}
BESIDE: Mapping[SideName, float] = {"ours": -0.2, "stock": 0.2}
"""Of a workload's line, in lines."""
NAMES: Mapping[SideName, str] = {"ours": "huatuo-server", "stock": "stock vLLM"}


def save(runs: Sequence[Run], stem: Path) -> dict[str, Path]:
    """Title -> STEM-NAME.png, of each figure that there are runs for."""
    drawn: dict[str, tuple[str, Callable[[Sequence[Run]], Figure | None]]] = {
        "Latency under load": ("curves", curves),
        "Processor time of the front end": ("processor", processor),
        "Time to the first token": ("ttft", ttft),
    }
    saved = {}
    for title, (name, draw) in drawn.items():
        with _style():
            figure = draw(runs)
            if figure is not None:
                saved[title] = stem.with_name(f"{stem.name}-{name}.png")
                figure.savefig(saved[title], dpi=160, metadata={"Software": None})
    return saved


def curves(runs: Sequence[Run]) -> Figure | None:
    """Of each workload with several loads: TTFT against throughput, and goodput against what an open loop offers."""
    names = [name for name in workloads(runs) if is_curve(runs, name)]
    if not names:
        return None
    figure = Figure(figsize=(9.6, 3.9 * len(names)), layout="constrained")
    for row, name in enumerate(names):
        mine = [run for run in runs if run.workload == name]
        left, right = (figure.add_subplot(len(names), 2, 2 * row + column) for column in (1, 2))
        _closed(left, [run for run in mine if run.concurrency])
        _open(right, [run for run in mine if run.rate_per_s])
        left.set_title(f"{name}: closed loop, by requests at once", loc="left")
        right.set_title(f"{name}: open loop, Poisson arrivals", loc="left")
    return figure


def processor(runs: Sequence[Run]) -> Figure | None:
    """Milliseconds a request, the server's and the image workers'; and microseconds a streamed token of text."""
    closed = _single(runs)
    with_images = [name for name in workloads(closed) if name != "text"]
    if not closed:
        return None
    figure = Figure(figsize=(9.6, 0.8 + 0.62 * max(2, len(with_images))), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 1.4))
    _stacked(left, closed, with_images, "server_ms_per_request", "image_workers_ms_per_request")
    left.set_title("A request with pictures: front-end CPU", loc="left")
    left.set_xlabel("ms; lighter: our image workers")
    _stacked(right, closed, [name for name in workloads(closed) if name == "text"], "server_us_per_token", None)
    # Bars as thick as the others'.
    right.set_ylim(left.get_ylim())
    right.set_title("A streamed token of text", loc="left")
    right.set_xlabel("us")
    _legend(figure)
    return figure


def ttft(runs: Sequence[Run]) -> Figure | None:
    """Median and 99th percentile of each workload under its closed loop."""
    closed = _single(runs)
    names = workloads(closed)
    if not names:
        return None
    figure = Figure(figsize=(9.6, 1.1 + 0.55 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    _frame(axes, [_label(closed, name) for name in names])
    for side in COLOURS:
        _whiskers(axes, closed, names, side)
    axes.set_xscale("log")
    _plain_ticks(axes.xaxis)
    axes.set_xlabel("time to the first token, ms: median, and a line to the 99th percentile")
    _legend(figure)
    return figure


def _closed(axes: Axes, runs: Sequence[Run]) -> None:
    for side in COLOURS:
        points = _by_load(runs, side, lambda run: run.concurrency)
        xs = [_median(same, "requests_per_s") for same in points.values()]
        ys = [_median(same, "ttft_ms_p50") for same in points.values()]
        axes.plot(xs, ys, f"-{MARKS[side]}", color=COLOURS[side], label=NAMES[side], ms=5)
        for load, x, y in zip(points, xs, ys, strict=True):
            axes.annotate(f"{load:g}", (x, y), (5, 4), textcoords="offset points", color=COLOURS[side], size=8)
    axes.set(xlabel="requests/s", ylabel="TTFT p50, ms", yscale="log")
    axes.set_xlim(left=0)
    _plain_ticks(axes.yaxis)
    _open_frame(axes)
    axes.legend(frameon=False)


def _open(axes: Axes, runs: Sequence[Run]) -> None:
    offered = sorted({run.rate_per_s for run in runs})
    axes.plot(offered, offered, color=GREY, lw=0.8, ls=":", label="all that is offered")
    for side in COLOURS:
        points = _by_load(runs, side, lambda run: run.rate_per_s)
        ys = [_median(same, "goodput_per_s") for same in points.values()]
        axes.plot(list(points), ys, f"-{MARKS[side]}", color=COLOURS[side], label=NAMES[side], ms=5)
    axes.set_xlabel("offered requests/s")
    axes.set_ylabel(f"goodput/s: TTFT {SLO.ttft_s:g} s, TPOT {1e3 * SLO.tpot_s:g} ms")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    _open_frame(axes)
    axes.legend(frameon=False)


def _stacked(axes: Axes, runs: Sequence[Run], names: Sequence[str], first: str, second: str | None) -> None:
    """A bar a side and workload; second stands on first."""
    _frame(axes, [_label(runs, name) for name in names])
    for side in COLOURS:
        for place, name in enumerate(names):
            if same := _of(runs, name, side):
                y = place + BESIDE[side]
                lower, upper = _median(same, first), _median(same, second) if second else 0.0
                axes.barh(y, lower, 0.36, color=COLOURS[side])
                axes.barh(y, upper, 0.36, left=lower, color=LIGHT[side])
                _number(axes, lower + upper, y)
    axes.set_xlim(0, axes.get_xlim()[1] * 1.1)


def _whiskers(axes: Axes, runs: Sequence[Run], names: Sequence[str], side: SideName) -> None:
    for place, name in enumerate(names):
        if same := _of(runs, name, side):
            y, half, most = place + BESIDE[side], _median(same, "ttft_ms_p50"), _median(same, "ttft_ms_p99")
            axes.plot([half, most], [y, y], "-", color=COLOURS[side], lw=1.5)
            axes.plot([half], [y], MARKS[side], color=COLOURS[side], ms=6)
            axes.annotate(
                short(half), (half, y), (-6, 0), textcoords="offset points", va="center", ha="right", size=8, color=INK
            )


def _number(axes: Axes, x: float, y: float) -> None:
    axes.annotate(short(x), (x, y), (5, 0), textcoords="offset points", va="center", size=8, color=INK)


def _single(runs: Sequence[Run]) -> list[Run]:
    """One closed loop a workload."""
    return [run for run in runs if run.concurrency and not is_curve(runs, run.workload)]


def _of(runs: Sequence[Run], workload: str, side: SideName) -> list[Run]:
    return [run for run in runs if (run.workload, run.side) == (workload, side)]


def _by_load(runs: Sequence[Run], side: SideName, load: Callable[[Run], float]) -> dict[float, list[Run]]:
    found: dict[float, list[Run]] = {}
    for run in sorted(runs, key=load):
        if run.side == side:
            found.setdefault(load(run), []).append(run)
    return found


def _median(same: Sequence[Run], figure: str) -> float:
    return Spread.of([run.figure(figure) for run in same]).median


def _label(runs: Sequence[Run], name: str) -> str:
    first = next(run for run in runs if run.workload == name)
    return f"{name}\n{first.concurrency} at once"


def _frame(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="both", length=0)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color=FAINT, lw=0.6)


def _open_frame(axes: Axes) -> None:
    axes.spines[["right", "top"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(color=FAINT, lw=0.6)


def _plain_ticks(axis: mpl.axis.Axis) -> None:
    """Numbers, not powers of ten."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axis.set_minor_formatter(NullFormatter())


def _legend(figure: Figure) -> None:
    handles = [
        mpl.lines.Line2D([], [], marker=MARKS[side], ls="", color=COLOURS[side], label=NAMES[side]) for side in COLOURS
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=2, frameon=False)


@contextmanager
def _style() -> Iterator[None]:
    with mpl.rc_context(
        {
            "font.family": "DejaVu Sans",
            "font.size": 9,
            "axes.titlesize": 9,
            "axes.edgecolor": GREY,
            "axes.labelcolor": INK,
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "text.parse_math": False,
        }
    ):
        yield
