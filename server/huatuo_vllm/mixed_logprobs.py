"""Log-probabilities of given ids beside those of the most likely ones, in one batch of Model Runner V1.

V1's sampler gathers either for a whole batch: as soon as one request names ids, another's most likely ones are lost,
and it gets id 0 at -inf in their place (vLLM 0.26 to 0.33). V2 gathers both.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from vllm.v1.sample.metadata import SamplingMetadata
from vllm.v1.sample.sampler import Sampler


def mend() -> None:
    """In this process. Safe to call more than once."""
    if Sampler.forward is not _forward:
        Sampler.forward = _forward


_whole_batch = Sampler.forward


def _forward(
    sampler: Sampler, logits: torch.Tensor, sampling_metadata: SamplingMetadata, *args: Any, **more: Any
) -> Any:
    return _whole_batch(sampler, logits, _with_all_named(logits, sampling_metadata), *args, **more)


def _with_all_named(logits: torch.Tensor, metadata: SamplingMetadata) -> SamplingMetadata:
    """Where a batch is mixed, the most likely ids of the requests that named none, as if they had named them.

    logits: (rows, vocabulary), before anything changes them; one row a request.
    """
    named, most = metadata.logprob_token_ids, metadata.max_num_logprobs
    if not named or not most or len(named) == len(logits):
        return metadata
    likely = dict(enumerate(logits.topk(most).indices.tolist()))
    return dataclasses.replace(metadata, logprob_token_ids=likely | named)
