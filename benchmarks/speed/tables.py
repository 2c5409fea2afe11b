"""What was found, as Markdown for people: the bars, the other figures, the ceilings, every workload."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.speed.ceilings import H200_ANSWER_TOKENS, H200_REQUESTS_PER_S, H200_TOKENS_PER_S, Ceilings
from benchmarks.speed.finding import Finding
from benchmarks.speed.measurement import SideName
from benchmarks.speed.run import SLO, Run
from benchmarks.speed.spread import Spread, short
from benchmarks.speed.verdict import Verdict, verdicts, workloads

SIDES: tuple[SideName, ...] = ("ours", "stock")

ABSENT = "-"


CrossCheck = Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]]
"""Workload -> side -> figure -> generator -> value."""


def page(runs: Sequence[Run], findings: Sequence[Finding], cross_check: CrossCheck) -> str:
    """All tables, each under its heading. The median of the pairs, from the least to the most."""
    parts = {
        "Bars": bars(verdicts(runs), findings),
        "Ceilings": ceilings(runs),
        "Workloads, closed loop": closed(runs),
        "Open loop": opened(runs),
        "Other figures": others(findings),
        "The same load from vLLM's own generator": crossed(cross_check),
    }
    return "\n\n".join(f"### {title}\n\n{table}" for title, table in parts.items() if table) + "\n"


def bars(judged: Sequence[Verdict], findings: Sequence[Finding]) -> str:
    """What was promised, what was seen, and whether it is kept."""
    rows = [
        [one.work, str(one.bound), str(one.judged), short(one.ours.median), _median(one.stock), _kept(one.kept)]
        for one in judged
    ]
    rows += [
        [one.work, str(one.bound), f"{one.spread} {one.unit}", ABSENT, ABSENT, _kept(one.kept)]
        for one in findings
        if one.bound is not None
    ]
    return _table(["work", "bar", "seen", "ours", "stock", "kept"], rows) if rows else ""


def ceilings(runs: Sequence[Run]) -> str:
    """What the front end's processor time bounds, where the engine takes none."""
    of = [Ceilings.of(runs, side) for side in SIDES]
    if not any(one.image_requests_per_s or one.streamed_tokens_per_s for one in of):
        return ""
    long = f"{H200_REQUESTS_PER_S:g} image requests/s, {H200_ANSWER_TOKENS} tokens out"
    named = {
        "image requests/s of one core (32 tokens out)": [one.image_requests_per_s for one in of],
        f"image requests/s of one server process ({H200_ANSWER_TOKENS} tokens out)": [
            one.server_image_requests_per_s for one in of
        ],
        "streamed tokens/s of one core": [one.streamed_tokens_per_s for one in of],
        f"cores in front of an H200: {long}": [one.h200_cores for one in of],
        f"of these, the server process ({long})": [one.h200_server_share for one in of],
        f"cores in front of an H200: text, {H200_TOKENS_PER_S:,.0f} tokens/s": [one.h200_text_cores for one in of],
    }
    return _table(["", *SIDES], [[name, *map(_number, values)] for name, values in named.items()])


def closed(runs: Sequence[Run]) -> str:
    """A line a workload, load and side."""
    head = ["workload", "at once", "side", "requests/s", "tokens/s", "TTFT p50 ms", "TTFT p99 ms", "TPOT p50 ms"]
    head += ["CPU ms a request", "server", "workers", "CPU us a token", "share", "RSS MiB", "chunks", "lag p99 ms"]
    figures = ["requests_per_s", "output_tokens_per_s", "ttft_ms_p50", "ttft_ms_p99", "tpot_ms_p50"]
    figures += ["front_end_ms_per_request", "server_ms_per_request", "image_workers_ms_per_request"]
    figures += ["front_end_us_per_token", "front_end_share"]
    rows = []
    for same in _groups([run for run in runs if run.concurrency]):
        first = same[0]
        cells = [first.workload, str(first.concurrency), first.side, *(_cell(same, figure) for figure in figures)]
        memory = Spread.of([run.server_mib + run.image_workers_mib for run in same])
        rows.append([*cells, short(memory.median), _cell(same, "chunks_per_completion"), _cell(same, "lag_ms_p99")])
    return _table(head, rows) if rows else ""


def opened(runs: Sequence[Run]) -> str:
    """Arrivals that wait for nobody: goodput counts the answers that keep to the SLO."""
    slo = f"goodput/s (TTFT {SLO.ttft_s:g} s, TPOT {1e3 * SLO.tpot_s:g} ms)"
    head = [
        "workload",
        "offered/s",
        "side",
        slo,
        "requests/s",
        "TTFT p50 ms",
        "TTFT p99 ms",
        "E2E p99 ms",
        "lag p99 ms",
    ]
    figures = ["goodput_per_s", "requests_per_s", "ttft_ms_p50", "ttft_ms_p99", "e2e_ms_p99", "lag_ms_p99"]
    rows = [
        [same[0].workload, f"{same[0].rate_per_s:g}", same[0].side, *(_cell(same, figure) for figure in figures)]
        for same in _groups([run for run in runs if run.rate_per_s])
    ]
    return _table(head, rows) if rows else ""


def others(findings: Sequence[Finding]) -> str:
    """What has numbers behind it; what is longer stands in the record."""
    rows = []
    for one in findings:
        rows.append([one.work, f"{one.spread} {one.unit}"])
        rows += [[f"... {name}", str(Spread.of(values))] for name, values in one.facts.items() if _are_numbers(values)]
    return _table(["figure", "median (least to most)"], rows) if rows else ""


def crossed(cross_check: CrossCheck) -> str:
    """What two load generators saw of one server."""
    rows = [
        [workload, side, figure, *(short(value) for value in seen.values())]
        for workload, sides in cross_check.items()
        for side, figures in sides.items()
        for figure, seen in figures.items()
    ]
    return _table(["workload", "side", "figure", "vllm.benchmarks.serve", "AIPerf"], rows) if rows else ""


def _groups(runs: Sequence[Run]) -> Iterable[list[Run]]:
    """Runs of one workload, load and side, over the pairs."""
    found: dict[tuple[int, int, float, int], list[Run]] = {}
    order = workloads(runs)
    for run in runs:
        key = (order.index(run.workload), run.concurrency, run.rate_per_s, SIDES.index(run.side))
        found.setdefault(key, []).append(run)
    return [found[key] for key in sorted(found)]


def _cell(same: Sequence[Run], figure: str) -> str:
    return short(Spread.of([run.figure(figure) for run in same]).median)


def _median(spread: Spread | None) -> str:
    return ABSENT if spread is None else short(spread.median)


def _number(value: float | None) -> str:
    return ABSENT if value is None else short(value)


def _kept(kept: bool) -> str:
    return "yes" if kept else "**no**"


def _are_numbers(values: object) -> bool:
    return isinstance(values, list) and bool(values) and all(isinstance(each, int | float) for each in values)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
