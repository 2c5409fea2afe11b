"""The reference's repetition penalty: over generated tokens only, for both of vLLM's model runners.

The reference calls `generate(inputs_embeds=...)`, so Hugging Face's RepetitionPenaltyLogitsProcessor never sees the
prompt; vLLM's own `repetition_penalty` counts prompt and output. A request asks for ours by
`SamplingParams.extra_args={EXTRA_ARG: 1.2}` and leaves vLLM's at 1.0.

Never register these classes under the entry point group `vllm.logits_processors`: Model Runner V2 refuses to start,
for any model on the host, when it finds a V1 class there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from vllm import SamplingParams
from vllm.v1.sample.logits_processor import BatchUpdate, LogitsProcessor, MoveDirectionality

from huatuo_vllm import embedded, mixed_logprobs, report

try:
    from vllm.v1.worker.gpu.sample.logits_processor import LogitsProcessor as LogitsProcessorV2
except ImportError:
    # vLLM 0.26: its second runner takes no custom processor and gives way to the first by itself.
    LogitsProcessorV2 = object

if TYPE_CHECKING:
    from vllm.config import VllmConfig

EXTRA_ARG = "huatuo_output_repetition_penalty"
"""The key in `SamplingParams.extra_args`."""


def requested_penalty(params: SamplingParams) -> float:
    """The penalty that a request asks for, 1.0 for none.

    Raises ValueError when it is not a finite number above 0.
    """
    penalty = (params.extra_args or {}).get(EXTRA_ARG, 1.0)
    if isinstance(penalty, bool) or not isinstance(penalty, int | float) or not 0 < penalty < math.inf:
        raise ValueError(f"{EXTRA_ARG} must be a finite number above 0")
    return float(penalty)


def penalise(logits: torch.Tensor, generated: torch.Tensor, penalty: torch.Tensor) -> torch.Tensor:
    """Hugging Face's rule, batched: a generated token's logit is divided by the penalty, a negative one multiplied.

    logits: (rows, vocabulary). generated: bool, same shape, true where the row's request has generated that token.
    penalty: (rows, 1).
    """
    return torch.where(generated, torch.where(logits > 0, logits / penalty, logits * penalty), logits)


@dataclass(slots=True)
class _Row:
    """One request of the batch. vLLM extends `output_ids` in place; the first `num_marked` of them are in the mask."""

    penalty: float
    output_ids: list[int]
    slot: int
    num_marked: int = 0


class OutputRepetitionPenalty(LogitsProcessor):
    """For Model Runner V1 (vLLM 0.26; CPU).

    A request keeps one row of a boolean (requests, vocabulary) mask for its life, however the batch is reordered, and
    each step marks only the tokens that are new: the tensor work of a step is one scatter and one `where` over the
    whole batch. V1 keeps generated ids in Python lists, so they are gathered in a loop over the requests: 0.2 ms a step
    for 256 of them on a CPU, the scatter included.
    """

    def __init__(self, vllm_config: VllmConfig, device: torch.device, is_pin_memory: bool) -> None:
        self.device = device
        self.rows: dict[int, _Row] = {}
        self.free_slots = list(range(vllm_config.scheduler_config.max_num_seqs))
        vocabulary = vllm_config.model_config.get_vocab_size()
        self.generated = torch.zeros((len(self.free_slots), vocabulary), dtype=torch.bool, device=device)
        self._layout: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None = None
        if embedded.is_asked_for():
            # Here, since this class is what vLLM builds beside the sampler, in the one process that has it.
            mixed_logprobs.mend()
        report.say(model_runner="V1")

    @classmethod
    def validate_params(cls, sampling_params: SamplingParams) -> None:
        """Raises ValueError, at admission, when the request's penalty is not a finite number above 0."""
        requested_penalty(sampling_params)

    def is_argmax_invariant(self) -> bool:
        """A penalty changes which token is the most likely."""
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        """Follow the requests that left, came and moved, in vLLM's order: removed, added, moved."""
        if batch_update is None:
            return
        self._layout = None
        for index in batch_update.removed:
            self._remove(index)
        for index, params, _, output_ids in batch_update.added:
            self._remove(index)
            penalty = requested_penalty(params)
            if penalty != 1.0:
                self.rows[index] = _Row(penalty, output_ids, self._clear_slot())
        for first, second, direction in batch_update.moved:
            self._move(first, second, swap=direction == MoveDirectionality.SWAP)

    def _clear_slot(self) -> int:
        slot = self.free_slots.pop()
        self.generated[slot] = False
        return slot

    def _remove(self, index: int) -> None:
        row = self.rows.pop(index, None)
        if row is not None:
            self.free_slots.append(row.slot)

    def _move(self, first: int, second: int, *, swap: bool) -> None:
        moving, standing = self.rows.pop(first, None), self.rows.pop(second, None)
        if moving is not None:
            self.rows[second] = moving
        if standing is not None and swap:
            self.rows[first] = standing
        elif standing is not None:
            self.free_slots.append(standing.slot)

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        """Penalise the rows of `logits` (rows, vocabulary), in place, whose requests asked for it."""
        if not self.rows:
            return logits
        self._mark_new_tokens()
        rows, slots, penalty = self._layout or self._lay_out()
        logits[rows] = penalise(logits[rows], self.generated[slots], penalty)
        return logits

    def _lay_out(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Which rows of the logits, which rows of the mask, which penalties; the same until the batch changes."""
        rows = torch.tensor(list(self.rows), device=self.device)
        slots = torch.tensor([row.slot for row in self.rows.values()], device=self.device)
        penalty = torch.tensor([[row.penalty] for row in self.rows.values()], device=self.device)
        self._layout = (rows, slots, penalty)
        return self._layout

    def _mark_new_tokens(self) -> None:
        slots: list[int] = []
        ids: list[int] = []
        for row in self.rows.values():
            if len(row.output_ids) < row.num_marked:
                # vLLM took tokens back (a failed KV transfer): what they marked is not known any more.
                self.generated[row.slot] = False
                row.num_marked = 0
            new = row.output_ids[row.num_marked :]
            if -1 in new:
                # vLLM's stand-in for a token that is sampled and not yet known to the host.
                new = new[: new.index(-1)]
            slots += [row.slot] * len(new)
            ids += new
            row.num_marked += len(new)
        if ids:
            self.generated[torch.tensor(slots, device=self.device), torch.tensor(ids, device=self.device)] = True


class OutputRepetitionPenaltyV2(LogitsProcessorV2):
    """For Model Runner V2 (vLLM 0.32 and later, CUDA), which keeps every request's tokens in one tensor.

    It holds no state but the penalties: the mask is built anew from that tensor, on the device, without a loop.
    """

    def __init__(self, vllm_config: VllmConfig, req_states: Any) -> None:
        self.req_states = req_states
        self.penalty = torch.ones(req_states.max_num_reqs, 1)
        self.penalty_on_device = self.penalty.to(req_states.device)
        report.say(model_runner="V2")

    @classmethod
    def validate_params(cls, sampling_params: SamplingParams) -> None:
        """Raises ValueError, at admission, when the request's penalty is not a finite number above 0."""
        requested_penalty(sampling_params)

    def add_request(self, req_idx: int, sampling_params: SamplingParams) -> bool:
        """Note the slot's penalty; true when it changes logits."""
        self.penalty[req_idx] = requested_penalty(sampling_params)
        return bool(self.penalty[req_idx] != 1.0)

    def apply_staged_writes(self) -> None:
        """Bring the penalties to the device, once a step and before the forward pass."""
        self.penalty_on_device.copy_(self.penalty)

    def apply(self, logits: torch.Tensor, ctx: Any) -> torch.Tensor:
        """Penalise `logits` (rows, vocabulary), whose rows belong to the slots `ctx.expanded_idx_mapping`."""
        active = ctx.idx_mapping_np
        if not bool((self.penalty[active] != 1.0).any()):
            return logits
        slots = ctx.expanded_idx_mapping.long()
        first = int(self.req_states.prompt_len.np[active].min())
        last = int(ctx.seq_lens_upper_bound_np.max())
        generated = self._generated(logits, slots, first, max(first, last))
        return penalise(logits, generated, self.penalty_on_device[slots])

    def _generated(self, logits: torch.Tensor, slots: torch.Tensor, first: int, last: int) -> torch.Tensor:
        """Which tokens each row's request has generated: those between the end of its prompt and its length.

        first, last: bounds over the batch, known on the host, so that only the columns in use are read.
        """
        ids = self.req_states.all_token_ids.gpu[slots, first:last].long()
        column = torch.arange(first, last, device=logits.device)
        is_output = column >= self.req_states.prompt_len.gpu[slots].unsqueeze(1)
        is_output &= column < self.req_states.total_len.gpu[slots].unsqueeze(1)
        # Whatever is not a generated token is marked in a column past the vocabulary, which is cut off.
        rows, vocabulary = logits.shape
        marked = torch.zeros((rows, vocabulary + 1), dtype=torch.bool, device=logits.device)
        marked.scatter_(1, torch.where(is_output, ids, vocabulary), True)
        return marked[:, :vocabulary]


def logits_processor(use_v2: bool) -> str:
    """The name by which vLLM loads the class that fits the model runner in use."""
    return f"{__name__}:{(OutputRepetitionPenaltyV2 if use_v2 else OutputRepetitionPenalty).__name__}"
