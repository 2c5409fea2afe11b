"""Who named no ids gets the most likely ones, in a batch where others named some."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

pytest.importorskip("vllm", reason="vLLM is not installed")

import torch
from vllm.v1.sample.logits_processor import LogitsProcessors
from vllm.v1.sample.metadata import SamplingMetadata
from vllm.v1.sample.sampler import Sampler

from huatuo_vllm import mixed_logprobs

VOCABULARY = 40


@pytest.fixture
def mended(monkeypatch: pytest.MonkeyPatch) -> None:
    """vLLM's sampler as in a server's worker, and afterwards as before."""
    monkeypatch.setattr(Sampler, "forward", Sampler.forward)
    mixed_logprobs.mend()


def metadata(rows: int, *, named: dict[int, list[int]] | None, most: int | None) -> SamplingMetadata:
    """Greedy; `named` and `most` are what the batch's requests asked for."""
    values: dict[str, Any] = {field.name: None for field in dataclasses.fields(SamplingMetadata)}
    values |= {
        "all_greedy": True, "all_random": False, "no_penalties": True, "generators": {}, "bad_words_token_ids": {},
        "output_token_ids": [[] for _ in range(rows)], "logitsprocs": LogitsProcessors(),
        "max_num_logprobs": most, "logprob_token_ids": named,
    }  # fmt: skip
    return SamplingMetadata(**values)


def sampled(logits: torch.Tensor, **asked: Any) -> list[dict[int, float]]:
    """One step: the ids and log-probabilities that each row gets, what is no number left out."""
    tensors = Sampler()(logits.clone(), metadata(len(logits), **asked)).logprobs_tensors
    rows = zip(tensors.logprob_token_ids.tolist(), tensors.logprobs.tolist(), strict=True)
    return [{one: value for one, value in zip(*row, strict=True) if value > float("-inf")} for row in rows]


@pytest.fixture
def logits() -> torch.Tensor:
    """Three rows."""
    return torch.randn(3, VOCABULARY, generator=torch.Generator().manual_seed(5))


@pytest.mark.usefixtures("mended")
@pytest.mark.parametrize("named", [[7], list(range(30))], ids=["fewer ids than likely ones", "more"])
def test_each_row_gets_what_it_asked_for(logits: torch.Tensor, named: list[int]) -> None:
    """The named ids for one, the most likely ones for the rest; all of the model's own distribution."""
    first, middle, last = sampled(logits, named={1: named}, most=5)

    exact = logits.log_softmax(-1)
    for row, found in ((0, first), (2, last)):
        assert set(found) == set(exact[row].topk(5).indices.tolist())
    assert set(middle) == {int(exact[1].argmax()), *named}
    for row, found in enumerate((first, middle, last)):
        assert found == pytest.approx({one: exact[row, one].item() for one in found})


@pytest.mark.usefixtures("mended")
def test_rows_that_want_the_chosen_one_alone_cost_nothing_more(logits: torch.Tensor) -> None:
    """Log-probabilities of 0 alternatives."""
    first, middle, _ = sampled(logits, named={1: [7]}, most=0)

    assert set(first) == {int(logits[0].argmax())}
    assert set(middle) == {int(logits[1].argmax()), 7}


@pytest.mark.usefixtures("mended")
@pytest.mark.parametrize(
    ("named", "most"), [(None, 4), ({0: [1], 1: [2], 2: [3]}, None), ({0: [1], 1: [2], 2: [3]}, 4), ({1: [2]}, None)]
)
def test_other_batches_are_left_as_they_are(
    logits: torch.Tensor, named: dict[int, list[int]] | None, most: int | None
) -> None:
    """Only a mixed one is looked into."""
    asked = metadata(3, named=named, most=most)

    assert mixed_logprobs._with_all_named(logits, asked) is asked
