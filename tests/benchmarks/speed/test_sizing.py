"""Sizing: the arithmetic says what a person would compute, and grows where it must."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.speed import sizing
from benchmarks.speed.sizing import FrontEnd, Plan, Work, options_of, plans, text, work_of

GIVEN = ["--server-ms", "12", "--image-workers-ms", "6", "--token-us", "40"]
"""A front end, so that no record is needed."""


def _plans(*words: str) -> list[Plan]:
    return plans(options_of([*words, *GIVEN]))


def _work(*words: str) -> Work:
    return work_of(options_of(list(words)))


def test_clinicians_become_questions_a_second_at_the_peak() -> None:
    """900 clinicians of 40 questions in 10 hours are 1 a second on average in those, and 3 at the peak."""
    work = _work("--clinicians", "900")
    assert work.questions_per_s == pytest.approx(3.0)
    assert work.mean_questions_per_s == pytest.approx(36_000 / 86_400)


def test_a_batch_is_spread_over_the_day() -> None:
    """86,400 images a day are one a second; in requests of three, a third of one."""
    assert _work("--batch-images", "86400").batch_per_s == pytest.approx(1.0)
    assert _work("--batch-images", "86400", "--images", "3").batch_per_s == pytest.approx(1 / 3)


def test_a_batch_waits_at_the_peak_and_adds_to_the_day() -> None:
    """What has to be carried is the larger of the peak without the batch and the day with it."""
    small, large = _work("--clinicians", "900", "--batch-images", "86400"), _work("--batch-images", "864000")
    assert small.most_per_s == pytest.approx(3.0)
    assert large.most_per_s == pytest.approx(10.0)


@pytest.mark.parametrize("model", ["7b", "34b"])
def test_what_is_planned_carries_what_is_asked(model: str) -> None:
    """And one replica fewer would not."""
    for plan in _plans("--clinicians", "60000", "--model", model):
        assert plan.replicas * plan.carried_per_s >= plan.work.most_per_s
        assert (plan.replicas - 1) * plan.carried_per_s < plan.work.most_per_s
        assert plan.gpus == plan.replicas * plan.roofline.gpus


def test_more_clinicians_never_need_less() -> None:
    """Neither GPUs nor cores."""
    found = [_plans("--clinicians", str(number))[0] for number in (100, 5_000, 50_000, 500_000)]
    assert [plan.gpus for plan in found] == sorted(plan.gpus for plan in found)
    assert [plan.cores for plan in found] == sorted(plan.cores for plan in found)


def test_a_model_that_does_not_fit_one_gpu_takes_two() -> None:
    """The 34B in 16 bits leaves an H100 no room for a batch; in FP8 it does."""
    assert {plan.roofline.gpus for plan in _plans("--model", "34b", "--gpu", "h100")} == {2, 4, 8}
    assert 1 in {plan.roofline.gpus for plan in _plans("--model", "34b", "--gpu", "h100", "--precision", "fp8")}


def test_an_engine_never_spans_more_gpus_than_its_heads_divide() -> None:
    """The 7B has four heads of keys and values."""
    assert {plan.roofline.gpus for plan in _plans()} == {1, 2, 4}


def test_tensor_parallelism_buys_time_and_not_throughput() -> None:
    """The tokens come faster; the GPUs are as many or more."""
    one, *others = sorted(_plans("--clinicians", "20000", "--model", "34b"), key=lambda plan: plan.roofline.gpus)
    for other in others:
        assert other.token_ms < one.token_ms
        assert other.gpus >= one.gpus


def test_a_slow_front_end_asks_for_replicas() -> None:
    """Where the server process is full before the GPU, it is what bounds a replica, and the table says so."""
    slow = [*GIVEN[:-1], "2000"]
    (plan, *_) = plans(options_of(["--clinicians", "50000", *slow]))
    assert plan.bound_by == "server process"
    assert plan.carried_per_s == pytest.approx(0.7 / plan.front_end.server_s(plan.work))
    assert plan.replicas > _plans("--clinicians", "50000")[0].replicas


def test_the_front_ends_time_follows_pictures_and_tokens() -> None:
    """With the measured picture and answer it is the measured time; longer answers and more pictures add theirs."""
    front_end = FrontEnd(server_ms=12, image_workers_ms=6, token_us=40, source="")
    work = Work(1.0, 0.0, 1.0)
    assert front_end.server_s(work) == pytest.approx(0.012)
    assert front_end.server_s(Work(1.0, 0.0, 1.0, output_tokens=300)) == pytest.approx(0.016)
    assert front_end.server_s(Work(1.0, 0.0, 1.0, images=2)) == pytest.approx(0.016)
    assert front_end.image_workers_s(Work(1.0, 0.0, 1.0, images=3)) == pytest.approx(0.018)


def _run(workload: str, side: str = "ours", **figures: float) -> dict[str, Any]:
    return {"workload": workload, "side": side, "concurrency": 64, **figures}


def test_the_front_end_is_read_from_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest one that holds both workloads, our side of it, the median of its pairs."""
    film = {"server_ms_per_request": 12.0, "image_workers_ms_per_request": 6.0}
    runs = [_run("film-long", "ours", **film), _run("film-long", "stock", **dict.fromkeys(film, 99.0))]
    texts = [_run("text", front_end_us_per_token=us) for us in (30.0, 40.0, 90.0)]
    (tmp_path / "2026-01-01-2-cores.json").write_text(json.dumps({"runs": runs + texts}))
    (tmp_path / "2026-02-01-2-cores.json").write_text(json.dumps({"runs": runs}))
    monkeypatch.setattr(sizing, "RESULTS", tmp_path)
    (plan, *_) = plans(options_of([]))
    assert plan.front_end == FrontEnd(12.0, 6.0, 40.0, "2026-01-01-2-cores.json")


def test_without_a_record_the_figures_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is made up."""
    monkeypatch.setattr(sizing, "RESULTS", tmp_path)
    with pytest.raises(ValueError, match="give --server-ms, --image-workers-ms and --token-us"):
        plans(options_of([]))


def test_a_model_that_fits_nowhere_is_said_to() -> None:
    """FP8 on a GPU without such units is no plan either."""
    with pytest.raises(ValueError, match="A100 80 GB has no matrix units for fp8"):
        text(options_of(["--gpu", "a100", "--precision", "fp8", *GIVEN]))
