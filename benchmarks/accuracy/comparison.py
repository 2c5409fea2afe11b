"""Two runs side by side: `comparison.md` and `comparison.json`, with the pictures of each question that flipped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from benchmarks.accuracy.answer import Answer
from benchmarks.accuracy.asked_data import asked_items
from benchmarks.accuracy.errors import AccuracyError, DataError, RunError
from benchmarks.accuracy.item import Item
from benchmarks.accuracy.markdown import fenced, plain, table
from benchmarks.accuracy.pairing import Pair, Paired, Pairing, by_dataset, pairing, total
from benchmarks.accuracy.picture_copy import copy
from benchmarks.accuracy.proportion import Estimate
from benchmarks.accuracy.run_folder import Run
from benchmarks.accuracy.run_identity import asked, differing, identity
from benchmarks.accuracy.score import SCORERS, TextScorer

PAGE, RECORD, PICTURES = "comparison.md", "comparison.json", "pictures"

_METHOD = """\
Only questions that both runs have asked, pair by pair. The difference is the second run's accuracy less the first's, in
points, with the interval of 95 % of Bonett and Price (2012). p is McNemar's, exact and two-sided: how often a fair coin
would part the flipped questions at least so unevenly. It is not corrected for the number of rows. What is unparsed,
crashed or failed counts as not right. The interval and p hold the choice of questions; where answers are sampled, two
runs of one model differ too."""


@dataclass(frozen=True, slots=True)
class Compared:
    """names: of the two runs, which differ. paired: counts by scorer and data set."""

    runs: tuple[Run, Run]
    names: tuple[str, str]
    pairing: Pairing
    paired: dict[TextScorer, dict[str, Paired]]
    flipped: Sequence[Pair]


def compare(first: Run, second: Run, out: Path) -> str:
    """Write the comparison into the folder, and give its table. Raises RunError where the runs share no question."""
    compared = _compared(first, second)
    items, missing = _items(compared)
    try:
        (out / PICTURES if items else out).mkdir(parents=True, exist_ok=True)
        (out / PAGE).write_text(_page(compared, items, missing, out), encoding="utf-8")
        (out / RECORD).write_text(json.dumps(_record(compared), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise RunError(f"{out}: {error.strerror}") from error
    return _table(compared)


def _compared(first: Run, second: Run) -> Compared:
    found = pairing(first, second)
    paired = {scorer: by_dataset(found.pairs, scorer) for scorer in SCORERS}
    if not any(paired.values()):
        raise RunError(f"{first.folder} and {second.folder}: have no question in common whose right answer is known")
    names = (first.folder.resolve().name, second.folder.resolve().name)
    if names[0] == names[1]:
        names = (str(first.folder), str(second.folder))
    return Compared((first, second), names, found, paired, [pair for pair in found.pairs if pair.is_flipped])


def _items(compared: Compared) -> tuple[dict[str, Item], str]:
    """The flipped questions by id, from the first run's data or else the second's; and why there are none."""
    ids, problems = {pair.first.id for pair in compared.flipped}, []
    for run in compared.runs if ids else ():
        try:
            return {item.id: item for item in asked_items(run) if item.id in ids}, ""
        except AccuracyError as error:
            problems.append(str(error))
    return {}, "; ".join(dict.fromkeys(problems))


def _page(compared: Compared, items: dict[str, Item], missing: str, out: Path) -> str:
    first, second = (
        f"**{plain(name)}** ({plain(asked(run.about))})"
        for name, run in zip(compared.names, compared.runs, strict=True)
    )
    sections = ["# Comparison", f"First: {first}. Second: {second}.", _METHOD, _table(compared), *_remarks(compared)]
    sections += ["## What differs between the runs", _differences(compared)]
    sections.append(f"## Flipped questions: {len(compared.flipped)}")
    if missing:
        sections.append(f"Without their questions and pictures, since the data cannot be read again: {plain(missing)}")
    for number, pair in enumerate(compared.flipped, start=1):
        sections += _flipped(number, pair, compared.names, items.get(pair.first.id), out)
    return "\n\n".join(sections) + "\n"


def _table(compared: Compared) -> str:
    first, second = map(plain, compared.names)
    head = ["data set", "scorer", "n", f"{first}, %", f"{second}, %", "difference, points", "both right"]
    head += [f"only {first}", f"only {second}", "neither", "p"]
    rows = []
    for dataset in compared.paired[SCORERS[0]]:
        rows += [_row(plain(dataset), scorer, compared.paired[scorer][dataset]) for scorer in SCORERS]
    rows += [_row("all questions", scorer, total(compared.paired[scorer].values())) for scorer in SCORERS]
    return table(head, rows, num_texts=2)


def _row(name: str, scorer: TextScorer, paired: Paired) -> list[str]:
    first, second = ((paired.both + only) / paired.n for only in (paired.only_first, paired.only_second))
    counts = [paired.both, paired.only_first, paired.only_second, paired.neither]
    shares = [f"{100 * first:.1f}", f"{100 * second:.1f}", _points(paired.difference)]
    return [name, scorer, str(paired.n), *shares, *map(str, counts), _p(paired.p)]


def _points(found: Estimate) -> str:
    return f"{100 * found.value:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "below 0.001"


def _remarks(compared: Compared) -> Iterator[str]:
    found, (first, second) = compared.pairing, map(plain, compared.names)
    if found.only_first or found.only_second:
        yield f"Not compared, being of one run only: {found.only_first} of {first}, {found.only_second} of {second}."
    if found.num_other:
        yield f"Not compared, since options or right answer are not the same in both: {found.num_other}."
    if num_asked_otherwise := sum(pair.first.prompt_sha256 != pair.second.prompt_sha256 for pair in found.pairs):
        yield f"Asked with another text or other pictures in the second run: {num_asked_otherwise}."


def _differences(compared: Compared) -> str:
    first, second = (identity(run.about) for run in compared.runs)
    rows = [[plain(cell) for cell in found] for found in differing(first, second)]
    return table(["", *map(plain, compared.names)], rows, num_texts=3) if rows else "Nothing that is on record."


def _flipped(number: int, pair: Pair, names: tuple[str, str], item: Item | None, out: Path) -> Iterator[str]:
    answer = pair.first
    yield f"### {number}. {plain(answer.id)}"
    yield (
        plain(f"{answer.dataset}, {answer.subset}" if answer.subset else answer.dataset) + f". Right: {_right(answer)}."
    )
    options = [f"{letter}. {option}" for letter, option in zip(ascii_uppercase, answer.options, strict=False)]
    yield fenced("\n".join([*([item.question] if item else []), *options]))
    yield from _pictures(item, number, out) if item else ()
    for place, (name, each) in enumerate(zip(names, (pair.first, pair.second), strict=True)):
        said = ", ".join(_verdict(pair, scorer, place) for scorer in SCORERS)
        yield f"**{plain(name)}** ({said}):"
        yield fenced(each.text if each.error is None else f"no answer: {each.error.message}")


def _right(answer: Answer) -> str:
    return "none of the options" if answer.label is None else plain(answer.label)


def _verdict(pair: Pair, scorer: TextScorer, place: int) -> str:
    found = pair.verdicts[scorer][place]
    return f"{scorer}: {found.outcome}" + (f", read {found.letter}" if found.letter else "")


def _pictures(item: Item, number: int, out: Path) -> Iterator[str]:
    for place, picture in enumerate(item.pictures, start=1):
        name = plain(picture.name)
        try:
            copied = copy(picture.read(), out / PICTURES, f"{number}-{place}")
        except DataError as error:
            yield f"{name}: cannot be read again: {plain(str(error))}"
            continue
        link = f"[{name}]({PICTURES}/{copied.file})"
        yield f"{link}: {plain(copied.remark)}" if copied.remark else f"!{link}"


def _record(compared: Compared) -> dict[str, Any]:
    """Counts and flips; differences are shares."""
    differences = differing(*(identity(run.about) for run in compared.runs))
    return {
        "runs": list(compared.names),
        "differences": [{"what": what, "values": [one, other]} for what, one, other in differences],
        "paired": {
            scorer: {
                name: {**asdict(part), "difference": asdict(part.difference), "p": part.p}
                for name, part in {**parts, "all questions": total(parts.values())}.items()
            }
            for scorer, parts in compared.paired.items()
        },
        "flipped": [_flip_record(pair) for pair in compared.flipped],
    }


def _flip_record(pair: Pair) -> dict[str, Any]:
    return {
        "id": pair.first.id,
        "label": pair.first.label,
        "texts": [pair.first.text, pair.second.text],
        "verdicts": {scorer: [asdict(each) for each in found] for scorer, found in pair.verdicts.items()},
    }
