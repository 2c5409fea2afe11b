"""`python -m benchmarks.speed.sizing`: how many GPUs and processor cores a hospital needs; docs/sizing.md tells how.

The roofline gives a ceiling of the GPU, and `--efficiency` says how much of it is reached; the front end's processor
time comes from the latest record of `make bench-full`, or from the three flags that stand for it. Standard library
and this folder only: it runs wherever Python does.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.speed.bars import FILM_LONG, TEXT
from benchmarks.speed.roofline import DEVICES, MODELS, PATCHES, Roofline

RESULTS = Path(__file__).parent / "results"
DAY_S = 86_400
TENSOR_PARALLEL = (1, 2, 4, 8)
"""Numbers of GPUs that the heads of both models can be divided by: 28 and 4, 56 and 8. 8 is the 34B's alone."""

MAX_NUM_SEQS = 256
MIN_NUM_SEQS = 32
"""Sequences that have to fit beside the weights: with fewer, a GPU is mostly busy with reading the weights."""

FILM_TOKENS = 200
"""Of the answers in the workload FILM_LONG."""

BUSY_CORE = 0.7
"""Of one core: what a server process may use at the peak, so that its event loop answers at once."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is asked. questions_per_s: in the busiest minutes, of people. batch_per_s: a day's, spread over the day."""

    questions_per_s: float
    batch_per_s: float
    mean_questions_per_s: float
    """Over the whole day, nights included."""
    images: int = 1
    text_tokens: int = 64
    output_tokens: int = FILM_TOKENS

    @property
    def most_per_s(self) -> float:
        """At the peak, when batches wait, or over the day with them."""
        return max(self.questions_per_s, self.mean_questions_per_s + self.batch_per_s)

    @property
    def prompt_tokens(self) -> int:
        """Text and pictures."""
        return self.text_tokens + PATCHES * self.images

    @property
    def context_tokens(self) -> float:
        """That a sequence holds on average while it is decoded."""
        return self.prompt_tokens + self.output_tokens / 2


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """Processor time. server_ms, image_workers_ms: a request with one picture and FILM_TOKENS out. token_us: each."""

    server_ms: float
    image_workers_ms: float
    token_us: float
    source: str

    @classmethod
    def of(cls, record: Path) -> FrontEnd:
        """Medians over the runs of ours. Raises ValueError where the record lacks the two workloads."""
        runs = json.loads(record.read_text(encoding="utf-8"))["runs"]
        return cls(
            server_ms=_median(runs, FILM_LONG, "server_ms_per_request"),
            image_workers_ms=_median(runs, FILM_LONG, "image_workers_ms_per_request"),
            token_us=_median(runs, TEXT, "front_end_us_per_token"),
            source=record.name,
        )

    def server_s(self, work: Work) -> float:
        """Of the server process, a request. A further picture costs it what the first does, tokens apart."""
        pictures = max(0.0, 1e-3 * self.server_ms - 1e-6 * self.token_us * FILM_TOKENS) * work.images
        return pictures + 1e-6 * self.token_us * work.output_tokens

    def image_workers_s(self, work: Work) -> float:
        """Of the image workers, a request."""
        return 1e-3 * self.image_workers_ms * work.images


@dataclass(frozen=True, slots=True)
class Plan:
    """Replicas of the server, each with one engine on so many GPUs, and how they fare."""

    roofline: Roofline
    work: Work
    front_end: FrontEnd
    efficiency: float
    utilisation: float

    @property
    def num_seqs(self) -> int:
        """At a time, as the KV cache and the engine's own limit allow."""
        tokens = self.work.prompt_tokens + self.work.output_tokens
        return min(MAX_NUM_SEQS, math.floor(self.roofline.kv_tokens() / tokens))

    @property
    def fits(self) -> bool:
        """Whether the weights leave room for enough sequences."""
        return self.num_seqs >= MIN_NUM_SEQS

    @property
    def requests_per_s(self) -> float:
        """That one replica's GPUs do when they are full."""
        work = self.work
        ceiling = self.roofline.requests_per_s(work.prompt_tokens, work.images, work.output_tokens, self.num_seqs)
        return self.efficiency * ceiling

    @property
    def server_requests_per_s(self) -> float:
        """That one server process does on BUSY_CORE of a core."""
        return BUSY_CORE / self.front_end.server_s(self.work)

    @property
    def replicas(self) -> int:
        """Enough for all that is asked."""
        return max(1, math.ceil(self.work.most_per_s / self.carried_per_s))

    @property
    def carried_per_s(self) -> float:
        """Requests a second, by one replica, with room for chance."""
        return min(self.utilisation * self.requests_per_s, self.server_requests_per_s)

    @property
    def gpus(self) -> int:
        """Of all replicas."""
        return self.replicas * self.roofline.gpus

    @property
    def peak_per_replica(self) -> float:
        """Requests a second."""
        return self.work.most_per_s / self.replicas

    @property
    def bound_by(self) -> str:
        """What fills up first."""
        return "server process" if self.server_requests_per_s < self.utilisation * self.requests_per_s else "GPU"

    @property
    def cores(self) -> int:
        """A server process and vLLM's engine process each replica, one a GPU more with TP, and the image workers."""
        engines = self.replicas * (2 + (self.roofline.gpus if self.roofline.gpus > 1 else 0))
        peak = self.peak_per_replica * self.replicas
        return engines + math.ceil(peak * self.front_end.image_workers_s(self.work) / BUSY_CORE)

    @property
    def token_ms(self) -> float:
        """Between two tokens at the peak: Little's law, with prefills that take their share of the GPU."""
        prefill = self.roofline.prefill_s(self.work.prompt_tokens, self.work.images) / self.efficiency
        free = max(0.05, 1 - self.peak_per_replica * prefill)
        batch = 1.0
        for _ in range(100):
            step = self._step_s(batch) / free
            batch = min(float(self.num_seqs), max(1.0, self.peak_per_replica * self.work.output_tokens * step))
        return 1e3 * step

    @property
    def first_token_ms(self) -> float:
        """Of a picture and a question on an idle replica, its GPU's part alone."""
        return 1e3 * self.roofline.prefill_s(self.work.prompt_tokens, self.work.images) / self.efficiency

    @property
    def answer_s(self) -> float:
        """A whole answer at the peak."""
        return 1e-3 * (self.first_token_ms + self.work.output_tokens * self.token_ms)

    def _step_s(self, batch: float) -> float:
        return self.roofline.decode_step_s(math.ceil(batch), self.work.context_tokens) / self.efficiency


def plans(options: argparse.Namespace) -> list[Plan]:
    """One for each number of GPUs an engine may span, the fewest GPUs first; those that do not fit are left out."""
    work, front_end = work_of(options), _front_end(options)
    found = []
    for gpus in TENSOR_PARALLEL:
        if MODELS[options.model].decoder.num_key_value_heads % gpus == 0:
            roofline = Roofline(MODELS[options.model], DEVICES[options.gpu], options.precision, gpus)
            found.append(Plan(roofline, work, front_end, options.efficiency, options.utilisation))
    return sorted((plan for plan in found if plan.fits), key=lambda plan: (plan.gpus, plan.roofline.gpus))


def work_of(options: argparse.Namespace) -> Work:
    """From clinicians, their day, and a day's batch."""
    a_day = options.clinicians * options.questions
    return Work(
        questions_per_s=a_day / (3600 * options.hours) * options.peak,
        batch_per_s=options.batch_images / options.images / DAY_S,
        mean_questions_per_s=a_day / DAY_S,
        images=options.images,
        output_tokens=options.output_tokens,
    )


def text(options: argparse.Namespace) -> str:
    """What was asked, and a table. Raises ValueError where nothing fits."""
    found, work = plans(options), work_of(options)
    if not found:
        raise ValueError(f"the {options.model} in {options.precision} does not fit GPUs of this kind")
    device, model = found[0].roofline.device, found[0].roofline.model
    head = [
        f"{model.name}, {options.precision}, {device.name}: {work.questions_per_s:.2f} questions/s at the peak, "
        f"{work.batch_per_s:.2f} batch requests/s over the day,",
        f"each of {work.prompt_tokens} tokens in ({work.images} image{'s' * (work.images > 1)}) and "
        f"{work.output_tokens} out. Efficiency {options.efficiency:g}, utilisation {options.utilisation:g}.",
        f"Front end: {found[0].front_end.source}.",
        "",
    ]
    return "\n".join([*head, *_table(found)])


def _table(found: Sequence[Plan]) -> list[str]:
    head = ["GPUs", "as", "cores", "full by", "a replica carries", "first token", "a token at the peak", "an answer"]
    rows = [head, ["---"] * len(head), *map(_row, found)]
    return [f"| {' | '.join(row)} |" for row in rows]


def _row(plan: Plan) -> list[str]:
    span = f"TP {plan.roofline.gpus}" if plan.roofline.gpus > 1 else "1 GPU"
    return [
        str(plan.gpus),
        f"{plan.replicas} x {span}",
        str(plan.cores),
        plan.bound_by,
        f"{plan.carried_per_s:.1f}/s",
        f"{plan.first_token_ms:.0f} ms",
        f"{plan.token_ms:.1f} ms",
        f"{plan.answer_s:.1f} s",
    ]


def _front_end(options: argparse.Namespace) -> FrontEnd:
    given = (options.server_ms, options.image_workers_ms, options.token_us)
    if None not in given:
        return FrontEnd(*given, source="as given")
    if given != (None, None, None):
        raise ValueError("--server-ms, --image-workers-ms and --token-us go together, or none of them is given")
    records = [path for path in sorted(RESULTS.glob("*-cores.json"), reverse=True) if _is_complete(path)]
    if not records:
        raise ValueError("no record of `make bench-full`: give --server-ms, --image-workers-ms and --token-us")
    return FrontEnd.of(records[0])


def _is_complete(record: Path) -> bool:
    try:
        FrontEnd.of(record)
    except (KeyError, ValueError):
        return False
    return True


def _median(runs: Sequence[dict[str, Any]], workload: str, figure: str) -> float:
    taken = [run[figure] for run in runs if (run["side"], run["workload"]) == ("ours", workload) and run["concurrency"]]
    if not taken:
        raise ValueError(f"the record has no run of {workload}")
    return float(median(taken))


def _positive(kind: type[int] | type[float]) -> Callable[[str], float]:
    """What argparse takes as a type: more than 0."""

    def positive(word: str) -> float:
        value = kind(word)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"{word} is not more than 0")
        return value

    return positive


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line's."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.sizing", description=__doc__)
    parser.add_argument("--model", choices=MODELS, default="7b")
    parser.add_argument("--gpu", choices=DEVICES, default="h200")
    parser.add_argument("--precision", choices=("bf16", "fp8"), default="bf16")
    parser.add_argument("--clinicians", type=int, default=0)
    parser.add_argument("--questions", type=float, default=40, metavar="N", help="of a clinician a day")
    parser.add_argument("--hours", type=_positive(float), default=10, metavar="N", help="in which they are asked")
    parser.add_argument("--peak", type=float, default=3, metavar="N", help="the busiest minutes, times the mean")
    parser.add_argument("--batch-images", type=int, default=0, metavar="N", help="a day, of no hurry")
    parser.add_argument("--images", type=_positive(int), default=1, metavar="N", help="in one request")
    parser.add_argument("--output-tokens", type=int, default=FILM_TOKENS, metavar="N", help="of an answer")
    parser.add_argument(
        "--efficiency", type=float, default=0.6, metavar="SHARE", help="that is reached of the roofline"
    )
    parser.add_argument("--utilisation", type=float, default=0.7, metavar="SHARE", help="of that, at the peak")
    parser.add_argument("--server-ms", type=float, metavar="MS", help="of the server process, a request with a picture")
    parser.add_argument("--image-workers-ms", type=float, metavar="MS", help="of the image workers, a picture")
    parser.add_argument("--token-us", type=float, metavar="US", help="of the front end, a streamed token")
    return parser.parse_args(arguments)


def main() -> int:
    """Exit 2 where the question cannot be answered."""
    try:
        print(text(options_of(sys.argv[1:])))
    except ValueError as error:
        print(f"sizing: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
