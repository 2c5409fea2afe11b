"""From matches to ratings, means and the file."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import sqrt
from pathlib import Path

import pytest

from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.jama_score import Mean, Ratings, mean, ratings, save, score, summary, table
from benchmarks.accuracy.rubric import Matches

COUNTLESS = json.dumps(
    {
        "judge": "some-judge",
        "settings": {},
        "prompts_sha256": "0" * 64,
        **dict.fromkeys(("n", "num_failed", "num_unanswered"), "<b>"),
        **{name: asdict(Mean(1, None, None)) for name in ("key_points", "inference", "evidence", "overall")},
    }
)

LOW, HIGH = Ratings(0.5, 0.0, 1.0), Ratings(2.5, 1.0, 4.0)


@pytest.mark.parametrize(("matched", "rating"), [(0, 0.0), (1, 0.5), (9, 4.5), (10, 5.0), (12, 5.0)])
def test_an_entry_is_half_a_point(matched: int, rating: float) -> None:
    """And 5 is the most."""
    entries = tuple(range(1, matched + 1))

    assert ratings(Matches((), entries, ())) == Ratings(0.0, rating, 0.0)


def test_the_overall_rating_is_the_mean_of_the_three() -> None:
    """None weighs more."""
    assert HIGH.overall == 2.5


def test_a_mean_has_a_normal_interval() -> None:
    """1.96 standard errors to each side, by the sample's deviation: here exactly 1."""
    reach = 1.959963984540054 / sqrt(3)

    found = mean([1.0, 2.0, 3.0])

    assert [found.mean, found.low, found.high] == pytest.approx([2.0, 2.0 - reach, 2.0 + reach])


def test_an_interval_stays_on_the_scale() -> None:
    """No rating is below 0 or above 5."""
    assert mean([0.0, 0.0, 1.0]).low == 0.0
    assert mean([5.0, 5.0, 4.0]).high == 5.0


def test_one_answer_has_no_interval() -> None:
    """One value has no deviation."""
    assert mean([2.0]) == Mean(2.0, None, None)


def test_a_score_is_read_as_it_was_saved(tmp_path: Path) -> None:
    """With the judge, its settings, the prompts' digest and what is not in the means."""
    made = score("some-judge", [LOW, HIGH], num_failed=3, num_unanswered=4)

    save(made, tmp_path)

    found = json.loads((tmp_path / "jama.json").read_text())
    assert summary(tmp_path) == made
    assert [path.name for path in tmp_path.iterdir()] == ["jama.json"]
    assert found["settings"] == {"temperature": 0, "max_tokens": 4096}
    assert len(found["prompts_sha256"]) == 64
    assert [found[name] for name in ("judge", "n", "num_failed", "num_unanswered")] == ["some-judge", 2, 3, 4]
    assert [found[name]["mean"] for name in ("key_points", "inference", "evidence", "overall")] == [1.5, 0.5, 2.5, 1.5]


def test_a_run_that_was_not_judged_has_no_score(tmp_path: Path) -> None:
    """The report leaves it out."""
    assert summary(tmp_path) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"key_points": {"mean": 1}}', "\xff", COUNTLESS])
def test_a_file_that_is_no_score_is_named(tmp_path: Path, content: str) -> None:
    """Never a score of its own making."""
    (tmp_path / "jama.json").write_bytes(content.encode("latin-1"))

    with pytest.raises(RunError, match=r"jama\.json"):
        summary(tmp_path)


def test_there_is_no_score_of_nothing() -> None:
    """Means of no answer would be made up."""
    with pytest.raises(RunError, match="3 failed"):
        score("some-judge", [], num_failed=3, num_unanswered=0)


def test_the_table_shows_means_intervals_and_what_is_missing() -> None:
    """And by whom it was judged."""
    lines = table(score("some-judge", [LOW, HIGH], num_failed=3, num_unanswered=4)).splitlines()

    assert lines[2:] == [
        "| key points | 1.50 | 0.00 to 3.46 |",
        "| inference | 0.50 | 0.00 to 1.48 |",
        "| evidence | 2.50 | 0.00 to 5.00 |",
        "| mean of the three | 1.50 | 0.00 to 3.46 |",
        "",
        "Judge: some-judge. Answers: 2 judged, 3 failed to be judged, 4 without an answer.",
    ]
