"""The gate's verdict: what tells a bug, and when the gate is not passed."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.accuracy.score import scores
from benchmarks.accuracy.smoke.figures import Figures, Report, told_by
from tests.benchmarks.accuracy.made_items import answer

NUM = 20
AGREEING = {"a picture": True, "no picture": True}


def figures(num_right: int = NUM, **parity: bool) -> Figures:
    """Of ten answers in each of two subsets; the last ones are wrong. parity: names with `_` for a blank."""
    answers = [
        answer(number, subset="first" if number < NUM // 2 else "second", text="A" if number < num_right else "B")
        for number in range(NUM)
    ]
    found = AGREEING | {name.replace("_", " "): agrees for name, agrees in parity.items()}
    return Figures(scores(answers)["official"], found)


def test_a_fallen_score_tells_a_bug_and_where() -> None:
    """The subsets with fewer right answers are named."""
    assert told_by(figures(), figures(16)) == ["score (second 10 -> 6 of 10)"]


def test_a_question_that_parted_from_the_reference_tells_a_bug() -> None:
    """By its name."""
    assert told_by(figures(), figures(a_picture=False)) == ["parity (a picture)"]


def test_both_figures_can_tell() -> None:
    """And parity that is lost everywhere is said so."""
    told = told_by(figures(), figures(8, a_picture=False, no_picture=False))

    assert told == ["score (first 10 -> 8 of 10, second 10 -> 0 of 10)", "parity (all)"]


def test_the_same_figures_tell_nothing() -> None:
    """Nor does a better score, or a question that parted from the reference without the bug as well."""
    assert told_by(figures(), figures()) == []
    assert told_by(figures(18), figures(20)) == []
    assert told_by(figures(a_picture=False), figures(a_picture=False)) == []


def test_the_gate_is_passed_where_all_bugs_are_told() -> None:
    """And nothing is wrong without one."""
    report = Report(figures(19), {"centre crop": figures(10), "wrong template": figures(19, a_picture=False)})

    assert report.failures == []


def test_a_bug_that_nothing_tells_fails_the_gate() -> None:
    """It is named."""
    report = Report(figures(), {"centre crop": figures(), "wrong template": figures(10)})

    assert report.failures == ["centre crop: not told"]


def test_a_bad_baseline_fails_the_gate() -> None:
    """Both figures are held, whatever is told of the bugs."""
    baseline = replace(figures(17), parity={"a picture": False, "no picture": True})
    report = Report(baseline, {"centre crop": figures(2, no_picture=False)})

    assert report.failures == [
        "without a bug: a picture: not the reference's answer",
        "without a bug: a score of 85.0%, not 90%",
    ]


def test_the_table_says_what_told_each_bug() -> None:
    """A row a bug."""
    report = Report(figures(), {"centre crop": figures(10), "pictures swapped": figures()})

    assert report.table().splitlines() == [
        "| bug | score | parity | told by |",
        "| --- | ---: | ---: | ---: |",
        "| centre crop | 100.0% -> 50.0% | 2/2 -> 2/2 | score (second 10 -> 0 of 10) |",
        "| pictures swapped | 100.0% -> 100.0% | 2/2 -> 2/2 | NOTHING |",
    ]
