"""One step of a sampler's work for a batch in which each sequence has just got one more token.

The penalty alone, as each model runner's class does it and as vLLM's own does, and vLLM's greedy sampler, which works
in every step, for scale.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from vllm import SamplingParams
from vllm.v1.sample.logits_processor import BatchUpdate
from vllm.v1.sample.ops.penalties import apply_all_penalties
from vllm.v1.sample.sampler import Sampler

from benchmarks.penalty.size import PENALTY, Size, asked
from huatuo_vllm.penalty import OutputRepetitionPenalty, OutputRepetitionPenaltyV2

Step = Callable[[], object]


class Batch:
    """Sequences with random tokens, which grow by one when told to, and logits for them."""

    def __init__(self, size: Size) -> None:
        random = np.random.default_rng(0)
        self.size = size
        self.logits = torch.from_numpy(random.standard_normal((size.num_seqs, size.vocabulary), np.float32))
        self.prompts = random.integers(size.vocabulary, size=(size.num_seqs, size.prompt_tokens))
        answers = random.integers(size.vocabulary, size=(size.num_seqs, size.answer_tokens))
        self.answers: list[list[int]] = answers.tolist()
        self._random = random

    def grow(self) -> None:
        """Every sequence gets one token."""
        for answer, token_id in zip(self.answers, self._next(), strict=True):
            answer.append(token_id)

    def _next(self) -> list[int]:
        return list(map(int, self._random.integers(self.size.vocabulary, size=self.size.num_seqs)))


def steps(batch: Batch) -> dict[str, Step]:
    """What is measured, by the name it has in the table; each changes the logits in place, or leaves them."""
    return {
        "vLLM's greedy sampler": lambda: Sampler.greedy_sample(batch.logits),
        "ours, V1": _v1(batch),
        "ours, V2": _v2(batch),
        "vLLM's own": _vllms(batch),
    }


def measure_ms(step: Step) -> float:
    """Milliseconds of processor time, all threads."""
    began = time.process_time()
    step()
    return (time.process_time() - began) * 1e3


def _v1(batch: Batch) -> Step:
    size = batch.size
    config: Any = SimpleNamespace(scheduler_config=SimpleNamespace(max_num_seqs=size.num_seqs))
    processor = OutputRepetitionPenalty(config, torch.device("cpu"), False)
    params = SamplingParams(**asked("ours"))
    added: Any = [(index, params, [], answer) for index, answer in enumerate(batch.answers)]
    processor.update_state(BatchUpdate(batch_size=size.num_seqs, removed=[], added=added, moved=[]))
    # The first step reads whole answers, as after a preemption; every later one a token each.
    processor.apply(batch.logits)
    return lambda: processor.apply(batch.logits)


def _v2(batch: Batch) -> Step:
    size = batch.size
    prompt = torch.full((size.num_seqs,), size.prompt_tokens, dtype=torch.int32)
    total = prompt + size.answer_tokens
    ids = torch.from_numpy(np.hstack([batch.prompts, np.array(batch.answers)]).astype(np.int32))
    states = SimpleNamespace(
        device=torch.device("cpu"),
        max_num_reqs=size.num_seqs,
        all_token_ids=SimpleNamespace(gpu=ids),
        prompt_len=SimpleNamespace(gpu=prompt, np=prompt.numpy()),
        total_len=SimpleNamespace(gpu=total),
    )
    rows = torch.arange(size.num_seqs)
    context = SimpleNamespace(
        expanded_idx_mapping=rows, idx_mapping_np=rows.numpy(), seq_lens_upper_bound_np=total.numpy()
    )
    processor = OutputRepetitionPenaltyV2(SimpleNamespace(), states)
    for slot in range(size.num_seqs):
        processor.add_request(slot, SamplingParams(**asked("ours")))
    processor.apply_staged_writes()
    return lambda: processor.apply(batch.logits, context)


def _vllms(batch: Batch) -> Step:
    none, penalty = torch.zeros(batch.size.num_seqs), torch.full((batch.size.num_seqs,), PENALTY)
    prompts = torch.from_numpy(batch.prompts)
    return lambda: apply_all_penalties(batch.logits, prompts, none, none, penalty, batch.answers)
