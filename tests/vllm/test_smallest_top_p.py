"""What stands for a top_p of 0 does what 0 says, in vLLM's own sampler."""

from __future__ import annotations

import torch
from vllm import SamplingParams
from vllm.v1.sample.ops.topk_topp_sampler import apply_top_k_top_p

from huatuo_server.sampling import SMALLEST_TOP_P

VOCABULARY = 152_064
"""Of the 7B's head; the larger it is, the less probable its likeliest token can be."""


def test_the_likeliest_token_alone_is_left() -> None:
    """Also where all are as good as equal, with top_k and without."""
    level = torch.zeros(VOCABULARY)
    level[77] = 1e-3
    logits = torch.stack([level, torch.randn(VOCABULARY, generator=torch.Generator().manual_seed(0))])
    top_p = torch.full((2,), SamplingParams(top_p=SMALLEST_TOP_P).top_p)

    for top_k in (None, torch.full((2,), 50)):
        left = apply_top_k_top_p(logits.clone(), top_k, top_p)
        assert torch.isfinite(left).sum(dim=1).tolist() == [1, 1]
        assert torch.equal(left.argmax(dim=1), logits.argmax(dim=1))
