"""The reference's repetition penalty: over generated tokens only, for both of vLLM's model runners.

The reference calls `generate(inputs_embeds=...)`, so Hugging Face's RepetitionPenaltyLogitsProcessor never sees the
prompt; vLLM's own `repetition_penalty` counts prompt and output. A request asks for ours by
`SamplingParams.extra_args={EXTRA_ARG: 1.2}` and leaves vLLM's at 1.0.

An answer has some hundred tokens, a vocabulary 64,000 or 152,000: both classes touch the logits of generated tokens
alone, and make nothing of the vocabulary's size.

Never register these classes under the entry point group `vllm.logits_processors`: Model Runner V2 refuses to start,
for any model on the host, when it finds a V1 class there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from vllm import SamplingParams
from vllm.v1.sample.logits_processor import BatchUpdate, LogitsProcessor, MoveDirectionality

from huatuo_vllm import embedded, mixed_logprobs, report
from huatuo_vllm.generated import GeneratedIds

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


def penalise(logits: torch.Tensor, ids: torch.Tensor, penalty: torch.Tensor) -> None:
    """Hugging Face's rule, batched and in place: a token's logit is divided by the penalty, a negative one multiplied.

    logits: (rows, vocabulary), float32. ids: (n, tokens), of the first n rows; one that is there many times is
    penalised once. penalty: (n, 1); 1 changes nothing.
    """
    chosen = logits.gather(1, ids)
    # A token that is there twice is written twice, with the same value.
    logits.scatter_(1, ids, torch.where(chosen > 0, chosen / penalty, chosen * penalty))


@dataclass(slots=True)
class _Row:
    """One request of the batch. vLLM extends `output_ids` in place. slot: its row of the generated ids."""

    penalty: float
    output_ids: list[int]
    slot: int


@dataclass(slots=True)
class _Layout:
    """The batch's rows up to the last that wants a penalty, the same until the batch changes.

    output_ids and slots: of the rows that want one. every_slot: (rows,), on the device; a row that wants none reads
    another's slot. at: which of the rows want one, (n,). penalty: (rows,); 1 where none is wanted.
    """

    output_ids: list[list[int]]
    slots: NDArray[np.int64]
    every_slot: torch.Tensor
    at: NDArray[np.int64]
    penalty: NDArray[np.float32]
    penalty_on_device: torch.Tensor


class OutputRepetitionPenalty(LogitsProcessor):
    """For Model Runner V1 (vLLM 0.26; CPU).

    A request keeps one slot among the generated ids for its life, however the batch is reordered.
    """

    def __init__(self, vllm_config: VllmConfig, device: torch.device, is_pin_memory: bool) -> None:
        num_slots = vllm_config.scheduler_config.max_num_seqs
        self.rows: dict[int, _Row] = {}
        self.free_slots = list(range(num_slots))
        self.generated = GeneratedIds(num_slots, device, pins_memory=is_pin_memory and device.type == "cuda")
        self._layout: _Layout | None = None
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
        self.generated.forget(slot)
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
        layout = self._layout or self._lay_out()
        self.generated.follow(layout.slots, layout.output_ids)
        num_tokens = self.generated.num_tokens[layout.slots]
        longest = int(num_tokens.max())
        if longest:
            ids = self.generated.rows(layout.every_slot, longest)
            penalise(logits, ids, self._penalty_now(layout, num_tokens))
        return logits

    def _penalty_now(self, layout: _Layout, num_tokens: NDArray[np.int64]) -> torch.Tensor:
        """(rows, 1). Of a request that has generated nothing, whose slot holds anything at all, it is 1."""
        if num_tokens.all():
            return layout.penalty_on_device
        penalty = layout.penalty.copy()
        penalty[layout.at[num_tokens == 0]] = 1.0
        return self.generated.on_device(penalty).unsqueeze(1)

    def _lay_out(self) -> _Layout:
        at = np.array(list(self.rows))
        slots = np.array([row.slot for row in self.rows.values()])
        every_slot, penalty = np.zeros(at.max() + 1, dtype=np.int64), np.ones(at.max() + 1, dtype=np.float32)
        every_slot[at] = slots
        penalty[at] = [row.penalty for row in self.rows.values()]
        on_device = self.generated.on_device
        output_ids = [row.output_ids for row in self.rows.values()]
        self._layout = _Layout(output_ids, slots, on_device(every_slot), at, penalty, on_device(penalty).unsqueeze(1))
        return self._layout


class OutputRepetitionPenaltyV2(LogitsProcessorV2):
    """For Model Runner V2 (vLLM 0.32 and later, CUDA), which keeps every request's tokens in one tensor.

    It holds no state but the penalties, and reads the generated tokens there, on the device.
    """

    def __init__(self, vllm_config: VllmConfig, req_states: Any) -> None:
        self.req_states = req_states
        self.penalty = np.ones(req_states.max_num_reqs, dtype=np.float32)
        self.penalty_on_device = torch.ones(req_states.max_num_reqs, 1, device=req_states.device)
        self.is_staged = False
        report.say(model_runner="V2")

    @classmethod
    def validate_params(cls, sampling_params: SamplingParams) -> None:
        """Raises ValueError, at admission, when the request's penalty is not a finite number above 0."""
        requested_penalty(sampling_params)

    def add_request(self, req_idx: int, sampling_params: SamplingParams) -> bool:
        """Note the slot's penalty; true when it changes logits."""
        penalty = requested_penalty(sampling_params)
        self.is_staged |= bool(self.penalty[req_idx] != np.float32(penalty))
        self.penalty[req_idx] = penalty
        return penalty != 1.0

    def apply_staged_writes(self) -> None:
        """Bring the penalties to the device when one has changed: once a step at most, before the forward pass."""
        if not self.is_staged:
            return
        staged = torch.from_numpy(self.penalty).unsqueeze(1)
        if self.penalty_on_device.is_cuda:
            # A copy that does not wait for the step before, from memory that no later request writes to.
            staged = staged.pin_memory()
        self.penalty_on_device.copy_(staged, non_blocking=True)
        self.is_staged = False

    def apply(self, logits: torch.Tensor, ctx: Any) -> torch.Tensor:
        """Penalise `logits` (rows, vocabulary), in place; its rows belong to the slots `ctx.expanded_idx_mapping`."""
        active = ctx.idx_mapping_np
        is_wanted = self.penalty[active] != 1.0
        if not is_wanted.any():
            return logits
        # Padded to the batch of the CUDA graph that runs.
        lengths = ctx.seq_lens_upper_bound_np[: len(active)] - self.req_states.prompt_len.np[active]
        num_columns = int(lengths[is_wanted].max())
        if num_columns > 0:
            slots = ctx.expanded_idx_mapping.long()
            penalise(logits, *self._generated(slots, num_columns))
        return logits

    def _generated(self, slots: torch.Tensor, num_columns: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Each row's generated ids, (rows, num_columns), and its penalty, (rows, 1).

        num_columns: known on the host, so that nothing waits for the device: at least as many as any penalised request
        has generated. A row with fewer ids repeats its last; a row with none has id 0 and a penalty of 1.
        """
        states = self.req_states
        begin = states.prompt_len.gpu[slots].unsqueeze(1)
        end = states.total_len.gpu[slots].unsqueeze(1)
        position = torch.minimum(begin + torch.arange(num_columns, device=slots.device), end - 1).clamp(min=0)
        has_any = end > begin
        ids = torch.where(has_any, states.all_token_ids.gpu[slots.unsqueeze(1), position].long(), 0)
        return ids, torch.where(has_any, self.penalty_on_device[slots], 1.0)


def logits_processor(use_v2: bool) -> str:
    """The name by which vLLM loads the class that fits the model runner in use."""
    return f"{__name__}:{(OutputRepetitionPenaltyV2 if use_v2 else OutputRepetitionPenalty).__name__}"
