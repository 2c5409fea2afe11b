"""One server, measured without a bug and then with each one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path

from benchmarks.accuracy.answer import Answer
from benchmarks.accuracy.formats import READERS
from benchmarks.accuracy.run_folder import Run
from benchmarks.accuracy.score import scores
from benchmarks.accuracy.session import Session
from benchmarks.accuracy.settings import Settings
from benchmarks.accuracy.smoke import data_sets
from benchmarks.accuracy.smoke.bug import BUGS, Bug, Switch
from benchmarks.accuracy.smoke.figures import Figures, Report
from benchmarks.accuracy.smoke.parity import Expected, agreeing, expected
from benchmarks.accuracy.smoke.parity_questions import pair_questions, questions
from benchmarks.accuracy.smoke.server import serving

MODEL = "smoke"

SETTINGS = Settings(temperature=0.0, max_tokens=16)
"""The paper's, but greedy, so that the same server has the same score; and short, as an answer is a letter."""

CONCURRENCY = 8

FLAGS = ("--served-model-name", MODEL, "--dtype", "float32", "--enforce-eager")
"""In float32, as the reference: else rounding alone parts them."""

PATIENT = ("--hang-s", "1800", "--request-timeout-s", "1800", "--image-timeout-s", "600", "--image-cpu-s", "60")
"""A machine that is busy with other things is no regression."""

Say = Callable[[str], None]


def measured(checkpoint: Path, folder: Path, say: Say) -> Report:
    """folder: an empty one, for data, runs and logs. say: is told what happens next.

    Raises AccuracyError, and huatuo_server.errors.HuatuoError where the checkpoint is none.
    """
    say("the data sets are made, and the reference answers")
    data, answers = data_sets.write(folder / "data"), expected(checkpoint, questions(), pair_questions())
    switch = Switch(folder / "bug")
    switch.turn_to(None)
    say("the server starts")
    with serving(switch, folder / "server.log", "--model", str(checkpoint.absolute()), *FLAGS, *PATIENT) as url:
        measuring = Measuring(url, data, answers, folder / "runs", switch, say)
        return Report(measuring.figures(None), {bug: measuring.figures(bug) for bug in BUGS})


@dataclass(frozen=True, slots=True)
class Measuring:
    """data: by the reader's name. folder: of the runs."""

    url: str
    data: Mapping[str, Path]
    answers: Sequence[Expected]
    folder: Path
    switch: Switch
    say: Say

    def figures(self, bug: Bug | None) -> Figures:
        """While this bug is on. Raises AccuracyError."""
        self.say(f"with the bug: {bug}" if bug else "without a bug")
        self.switch.turn_to(bug)
        runs = [self._run(reader, self.folder / (bug or "none") / reader) for reader in self.data]
        return Figures(scores(_answers(runs))["official"], agreeing(self.url, MODEL, self.answers))

    def _run(self, reader: str, folder: Path) -> Run:
        session = Session(
            reader=reader,
            read=READERS[reader],
            path=self.data[reader],
            folder=folder,
            base_url=f"{self.url}/v1",
            model=MODEL,
            settings=SETTINGS,
            concurrency=CONCURRENCY,
        )
        folder.mkdir(parents=True)
        with (folder / "progress.log").open("w") as progress, redirect_stderr(progress):
            asyncio.run(session.hold())
        return Run.open(folder)


def _answers(runs: Sequence[Run]) -> Iterator[Answer]:
    for run in runs:
        yield from run.answers()
