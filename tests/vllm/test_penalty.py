"""Both penalty classes equal Hugging Face's processor fed with generated tokens only."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import RepetitionPenaltyLogitsProcessor
from vllm import SamplingParams
from vllm.v1.sample.logits_processor import BatchUpdate, MoveDirectionality

from huatuo_vllm.generated import FIRST_COLUMNS
from huatuo_vllm.penalty import EXTRA_ARG, OutputRepetitionPenalty, OutputRepetitionPenaltyV2, requested_penalty

VOCABULARY = 97
CPU = torch.device("cpu")


def wanting(penalty: float | None) -> SamplingParams:
    return SamplingParams(extra_args=None if penalty is None else {EXTRA_ARG: penalty})


def hugging_face(logits: torch.Tensor, generated: list[int], penalty: float) -> torch.Tensor:
    """One row, as `generate(inputs_embeds=...)` calls the processor: the prompt is not among the ids."""
    if not generated or penalty == 1.0:
        return logits
    processor = RepetitionPenaltyLogitsProcessor(penalty=penalty)
    return processor(torch.tensor([generated]), logits.clone().unsqueeze(0))[0]  # type: ignore[no-any-return]


def v1() -> OutputRepetitionPenalty:
    # No vocabulary: nothing that is kept for a request has its size.
    config: Any = SimpleNamespace(scheduler_config=SimpleNamespace(max_num_seqs=8))
    return OutputRepetitionPenalty(config, CPU, False)


def update(size: int, *, added: Any = (), removed: Any = (), moved: Any = ()) -> BatchUpdate:
    return BatchUpdate(batch_size=size, removed=removed, added=added, moved=moved)


def check_v1(processor: OutputRepetitionPenalty, batch: list[tuple[float, list[int]]]) -> None:
    logits = torch.randn(len(batch), VOCABULARY)
    wanted = torch.stack([hugging_face(row, ids, p) for row, (p, ids) in zip(logits, batch, strict=True)])
    assert torch.equal(processor.apply(logits.clone()), wanted)


def test_v1_follows_a_batch_whose_requests_come_go_move_and_swap() -> None:
    """Whatever vLLM does to its batch, every row is penalised for its own generated tokens and no other's."""
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    processor = v1()
    batch: list[tuple[float, list[int]]] = []
    for step in range(200):
        added, removed, moved = [], [], []
        event = random.integers(5)
        if event <= 1 and len(batch) < 8:
            # A request may come back after a preemption with what it has generated already.
            ids = [int(i) for i in random.integers(VOCABULARY, size=random.integers(4))]
            penalty = float(random.choice([1.0, 1.2, 0.7, 2.0]))
            added = [(len(batch), wanting(penalty), [1, 2, 3], ids)]
            batch.append((penalty, ids))
        elif event == 2 and len(batch) > 1:
            gone, last = int(random.integers(len(batch) - 1)), len(batch) - 1
            removed, moved = [gone], [(last, gone, MoveDirectionality.UNIDIRECTIONAL)]
            batch[gone] = batch.pop()
        elif event == 3 and len(batch) > 1:
            moved = [(0, len(batch) - 1, MoveDirectionality.SWAP)]
            batch[0], batch[-1] = batch[-1], batch[0]
        elif event == 4 and batch:
            removed = [len(batch) - 1]
            batch.pop()
        changed = added or removed or moved
        processor.update_state(update(len(batch), added=added, removed=removed, moved=moved) if changed else None)
        if batch:
            check_v1(processor, batch)
        for _, ids in batch:
            ids.append(int(random.integers(VOCABULARY)))
        assert len(processor.free_slots) + len(processor.rows) == 8, f"a mask row leaked at step {step}"


def test_v1_forgets_tokens_that_vllm_takes_back() -> None:
    """A shortened output (a failed KV transfer) leaves no mark behind."""
    processor, ids = v1(), [5, 6, 7]
    processor.update_state(update(1, added=[(0, wanting(1.2), [1], ids)]))
    check_v1(processor, [(1.2, ids)])

    del ids[1:]

    check_v1(processor, [(1.2, ids)])


def test_v1_waits_for_a_token_that_vllm_does_not_know_yet() -> None:
    """vLLM writes -1 for a token that is sampled but not yet copied; it is marked when its id is there."""
    processor, ids = v1(), [5, -1]
    processor.update_state(update(1, added=[(0, wanting(1.2), [1], ids)]))
    check_v1(processor, [(1.2, [5])])

    ids[1] = 6

    check_v1(processor, [(1.2, ids)])


def test_v1_penalises_an_answer_of_any_length() -> None:
    """Token by token past the table's first columns, beside one that has just begun and one that has not."""
    random = np.random.default_rng(3)
    processor, long, begun, waiting = v1(), [0], [1], list[int]()
    lists = [long, begun, waiting]
    added = [(index, wanting(1.2 + index), [1], ids) for index, ids in enumerate(lists)]
    processor.update_state(update(3, added=added))
    for _ in range(2 * FIRST_COLUMNS + 2):
        check_v1(processor, [(1.2 + index, ids) for index, ids in enumerate(lists)])
        long.append(int(random.integers(VOCABULARY)))

    waiting.append(5)

    check_v1(processor, [(1.2 + index, ids) for index, ids in enumerate(lists)])


def test_v1_leaves_a_batch_alone_that_asked_for_nothing() -> None:
    """Requests without the argument pay nothing and change nothing."""
    processor, logits = v1(), torch.randn(2, VOCABULARY)
    processor.update_state(update(2, added=[(0, wanting(None), [1], [4]), (1, wanting(1.0), [1], [4])]))

    assert processor.apply(logits) is logits
    assert not processor.rows


def v2_state(prompts: list[int], outputs: list[list[int]], slots: int = 70) -> Any:
    """A hand-made request state in the shape of vLLM's, its slots holding rubbish where nothing was written."""
    length = 64
    ids = torch.randint(0, VOCABULARY, (slots, length), dtype=torch.int32)
    prompt_len, total_len = torch.zeros(slots, dtype=torch.int32), torch.zeros(slots, dtype=torch.int32)
    for slot, (prompt, output) in enumerate(zip(prompts, outputs, strict=True)):
        ids[slot, prompt : prompt + len(output)] = torch.tensor(output, dtype=torch.int32)
        prompt_len[slot], total_len[slot] = prompt, prompt + len(output)
    return SimpleNamespace(
        device=CPU,
        max_num_reqs=slots,
        vocab_size=VOCABULARY,
        all_token_ids=SimpleNamespace(gpu=ids),
        prompt_len=SimpleNamespace(gpu=prompt_len, np=prompt_len.numpy()),
        total_len=SimpleNamespace(gpu=total_len),
    )


def v2_context(state: Any, order: list[int]) -> Any:
    slots = torch.tensor(order)
    return SimpleNamespace(
        expanded_idx_mapping=slots,
        idx_mapping_np=slots.numpy(),
        # As for a CUDA graph of a few requests more than there are.
        seq_lens_upper_bound_np=np.concatenate([state.total_len.gpu[slots].numpy(), np.zeros(3, np.int32)]),
    )


def test_v2_equals_hugging_face_on_64_rows_in_any_order() -> None:
    """Rows are request slots in another order every step; prompts and stale tokens do not count."""
    torch.manual_seed(1)
    random = np.random.default_rng(1)
    prompts = [int(n) for n in random.integers(1, 20, size=64)]
    outputs = [[int(i) for i in random.integers(VOCABULARY, size=random.integers(0, 40))] for _ in range(64)]
    penalties = [float(random.choice([1.0, 1.2, 0.7, 2.0])) for _ in range(64)]
    state = v2_state(prompts, outputs)
    processor = OutputRepetitionPenaltyV2(None, state)
    asked = [processor.add_request(slot, wanting(penalty)) for slot, penalty in enumerate(penalties)]
    processor.apply_staged_writes()
    order = [int(slot) for slot in random.permutation(64)]
    logits = torch.randn(64, VOCABULARY)

    penalised = processor.apply(logits.clone(), v2_context(state, order))

    wanted = [hugging_face(row, outputs[slot], penalties[slot]) for row, slot in zip(logits, order, strict=True)]
    assert torch.equal(penalised, torch.stack(wanted))
    assert asked == [penalty != 1.0 for penalty in penalties]


def test_v2_leaves_rows_alone_that_have_generated_nothing() -> None:
    """The first token of an answer is chosen as if there were no penalty, beside one that is long."""
    torch.manual_seed(2)
    state = v2_state([3, 5, 0], [[], [7, 7, 8, 0], []])
    processor = OutputRepetitionPenaltyV2(None, state)
    for slot in range(3):
        processor.add_request(slot, wanting(1.5))
    processor.apply_staged_writes()
    logits = torch.randn(3, VOCABULARY)

    penalised = processor.apply(logits.clone(), v2_context(state, [0, 1, 2]))

    assert torch.equal(penalised[[0, 2]], logits[[0, 2]])
    assert torch.equal(penalised[1], hugging_face(logits[1], [7, 7, 8, 0], 1.5))


def test_v2_changes_a_slot_s_penalty_with_its_request() -> None:
    """A slot's next request has the penalty that it asked for, not the last one's."""
    state = v2_state([3], [[1, 2, 3]])
    processor = OutputRepetitionPenaltyV2(None, state)
    logits = torch.randn(1, VOCABULARY)
    for penalty in (1.5, 2.0):
        processor.add_request(0, wanting(penalty))
        processor.apply_staged_writes()

        penalised = processor.apply(logits.clone(), v2_context(state, [0]))

        assert torch.equal(penalised[0], hugging_face(logits[0], [1, 2, 3], penalty))


def test_what_v2_reads_is_what_vllm_s_second_runner_has() -> None:
    """The hand-made state above has the field names of vLLM's own, which an upgrade may change."""
    interface = pytest.importorskip(
        "vllm.v1.worker.gpu.sample.logits_processor.interface", reason="this vLLM has no custom processors on V2"
    )

    state = {field.name for field in dataclasses.fields(interface.LogitsProcRequestState)}
    context = {field.name for field in dataclasses.fields(interface.LogitsContext)}

    assert vars(v2_state([1], [[]])).keys() <= state
    assert vars(v2_context(v2_state([1], [[]]), [0])).keys() <= context


def test_v2_reuses_a_slot_without_the_last_request_s_penalty() -> None:
    """A slot's next request starts from its own wish."""
    state = v2_state([3], [[1, 2, 3]])
    processor = OutputRepetitionPenaltyV2(None, state)
    processor.add_request(0, wanting(1.5))
    processor.add_request(0, wanting(None))
    processor.apply_staged_writes()
    logits = torch.randn(1, VOCABULARY)

    assert processor.apply(logits, v2_context(state, [0])) is logits


@pytest.mark.parametrize("penalty", [0, -1.0, float("nan"), float("inf"), "1.2", True])
def test_a_penalty_that_is_no_positive_number_is_refused_at_admission(penalty: Any) -> None:
    """Both classes refuse it before it reaches a sampler that other requests share."""
    for kind in (OutputRepetitionPenalty, OutputRepetitionPenaltyV2):
        with pytest.raises(ValueError, match=EXTRA_ARG):
            kind.validate_params(wanting(penalty))


def test_silence_is_no_penalty() -> None:
    """A request without the argument asks for 1.0."""
    assert requested_penalty(SamplingParams()) == 1.0
