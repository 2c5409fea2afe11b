"""What the requests of a batch have generated, as one tensor on the device; Model Runner V1 has it in Python lists."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from operator import itemgetter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

FIRST_COLUMNS = 256
"""Tokens that a row has room for at first; the table doubles when an answer grows longer."""

UNKNOWN = -1
"""vLLM's stand-in for a token that is sampled and not yet known to the host. None but UNKNOWN follow it."""


class GeneratedIds:
    """A table with a row for each request, its slot, that follows the lists as vLLM extends them.

    What lies past a row's last token repeats its first, so that rows of any length are read as one rectangle and hold
    nothing but generated tokens. A step that gives each request one token, as nearly all do, is followed without a
    loop in Python and with one copy to the device.
    """

    def __init__(self, num_slots: int, device: torch.device, *, pins_memory: bool = False) -> None:
        self.num_tokens = np.zeros(num_slots, dtype=np.int64)
        """Of each slot, how many are in its row. 0: the row means nothing."""
        self._table = torch.zeros((num_slots, FIRST_COLUMNS), dtype=torch.int64, device=device)
        self._pins_memory = pins_memory

    def forget(self, slot: int) -> None:
        """Another request has it from now on."""
        self.num_tokens[slot] = 0

    def follow(self, slots: NDArray[np.int64], output_ids: Sequence[list[int]]) -> None:
        """Bring the rows of `slots` to what their requests' lists say now."""
        before = self.num_tokens[slots]
        now = np.fromiter(map(len, output_ids), np.int64, len(output_ids))
        has_one_more = (now == before + 1) & (before > 0)
        for index in np.flatnonzero((now != before) & ~has_one_more):
            self._follow_one(int(slots[index]), output_ids[index])
        last = np.fromiter(map(itemgetter(-1), compress(output_ids, has_one_more.tolist())), np.int64)
        is_known = last != UNKNOWN
        self._append(slots[has_one_more][is_known], before[has_one_more][is_known], last[is_known])

    def rows(self, slots: torch.Tensor, num_columns: int) -> torch.Tensor:
        """A copy of these rows' first columns, int64. slots: on the device. Enough columns hold all that is known."""
        return self._table[:, :num_columns].index_select(0, slots)

    def on_device(self, values: NDArray[Any]) -> torch.Tensor:
        """A copy that waits for nothing that the device has still to do, where memory can be pinned."""
        held = torch.from_numpy(values)
        return (held.pin_memory() if self._pins_memory else held).to(self._table.device, non_blocking=True)

    def _append(self, slots: NDArray[np.int64], columns: NDArray[np.int64], ids: NDArray[np.int64]) -> None:
        if not ids.size:
            return
        self._make_room(int(columns.max()) + 1)
        slots_on_device, columns_on_device, ids_on_device = self.on_device(np.stack([slots, columns, ids]))
        self._table[slots_on_device, columns_on_device] = ids_on_device
        self.num_tokens[slots] = columns + 1

    def _follow_one(self, slot: int, output_ids: list[int]) -> None:
        """A request's first tokens, several at once, or fewer than before (vLLM takes them back: a failed KV transfer).

        Its row is written anew.
        """
        known = output_ids[: output_ids.index(UNKNOWN)] if UNKNOWN in output_ids else output_ids
        self.num_tokens[slot] = len(known)
        if known:
            self._make_room(len(known))
            self._table[slot] = known[0]
            self._table[slot, : len(known)] = self.on_device(np.array(known, dtype=np.int64))

    def _make_room(self, num_columns: int) -> None:
        while num_columns > self._table.shape[1]:
            self._table = torch.cat([self._table, self._table[:, :1].expand_as(self._table)], dim=1)
