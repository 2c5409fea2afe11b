"""The demo model in PyTorch, to be trained on few cores: CLIP's tower, the projector and Qwen2.

The arithmetic is that of transformers' CLIPVisionModel and Qwen2ForCausalLM. What differs is that the tower and the
decoder can look at some of a picture's 576 patches only, which makes a step several times cheaper. Position embeddings
and rotary positions stay those of the whole picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

GRID: Final = 24
NUM_PATCHES: Final = GRID * GRID
PATCH_VALUES: Final = 3 * 14 * 14
ROPE_THETA: Final = 1_000_000.0
NORM_EPS: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Sizes:
    """clip_layers: that are read; the checkpoint holds one more, which nobody reads, as the released ones do."""

    clip_width: int = 128
    clip_inner: int = 384
    clip_layers: int = 3
    clip_heads: int = 4
    hidden: int = 128
    inner: int = 384
    layers: int = 4
    heads: int = 4
    key_value_heads: int = 2


class ClipLayer(nn.Module):
    """One layer of CLIP's encoder."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width, self.heads = sizes.clip_width, sizes.clip_heads
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = _linear(width, 3 * width), _linear(width, width, 0.5)
        self.fc1, self.fc2 = _linear(width, sizes.clip_inner), _linear(sizes.clip_inner, width, 0.5)

    def forward(self, states: Tensor) -> Tensor:
        """states: (batch, positions, width)."""
        batch, positions, width = states.shape
        q, k, v = self.qkv(self.layer_norm1(states)).view(batch, positions, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = _attended(q, k, v).transpose(1, 2).reshape(batch, positions, width)
        states = states + self.out(mixed)
        inner = self.fc1(self.layer_norm2(states))
        changed: Tensor = states + self.fc2(inner * torch.sigmoid(1.702 * inner))
        return changed


class Tower(nn.Module):
    """CLIP's vision tower up to the layer that is read.

    Half of the width holds a patch's place at first, as sines and cosines, and the first two layers' heads look at
    the four neighbours at distance one and two: a picture is learnt in minutes, not in hours.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width = sizes.clip_width
        self.patch = nn.Linear(PATCH_VALUES, width, bias=False)
        self.class_embedding = nn.Parameter(0.5 * torch.randn(width))
        self.position = nn.Parameter(torch.zeros(NUM_PATCHES + 1, width))
        self.pre_norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(ClipLayer(sizes) for _ in range(sizes.clip_layers))
        nn.init.normal_(self.patch.weight, std=1 / math.sqrt(PATCH_VALUES))
        with torch.no_grad():
            _place(self, sizes)

    def forward(self, patches: Tensor, places: Tensor) -> Tensor:
        """patches: (batch, n, PATCH_VALUES), normalised; places: (batch, n), of NUM_PATCHES. (batch, n, width)."""
        states = self.patch(patches) + self.position[places + 1]
        first = (self.class_embedding + self.position[0]).expand(len(states), 1, -1)
        states = self.pre_norm(torch.cat([first, states], 1))
        for layer in self.layers:
            states = layer(states)
        patches_only: Tensor = states[:, 1:]
        return patches_only


class DecoderLayer(nn.Module):
    """One layer of Qwen2."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.heads, self.key_value_heads = sizes.heads, sizes.key_value_heads
        head = sizes.hidden // sizes.heads
        keys = head * sizes.key_value_heads
        self.input_norm, self.post_norm = nn.RMSNorm(sizes.hidden, NORM_EPS), nn.RMSNorm(sizes.hidden, NORM_EPS)
        self.q, self.k, self.v = (_linear(sizes.hidden, width) for width in (sizes.hidden, keys, keys))
        self.o = _linear(sizes.hidden, sizes.hidden, 0.5, bias=False)
        self.gate, self.up = (_linear(sizes.hidden, sizes.inner, bias=False) for _ in range(2))
        self.down = _linear(sizes.inner, sizes.hidden, 0.5, bias=False)

    def forward(self, states: Tensor, turns: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        """turns: cosines and sines, (batch, 1, positions, head); mask: (batch, 1, positions, positions)."""
        normed = self.input_norm(states)
        q = _turned(_split(self.q(normed), self.heads), turns)
        k = _turned(_split(self.k(normed), self.key_value_heads), turns)
        v = _split(self.v(normed), self.key_value_heads)
        groups = self.heads // self.key_value_heads
        k, v = (part.repeat_interleave(groups, 1) for part in (k, v))
        mixed = _attended(q, k, v, mask)
        states = states + self.o(mixed.transpose(1, 2).flatten(2))
        normed = self.post_norm(states)
        changed: Tensor = states + self.down(silu(self.gate(normed)) * self.up(normed))
        return changed


class Demo(nn.Module):
    """vocabulary: rows of the embeddings and of the head."""

    def __init__(self, sizes: Sizes, vocabulary: int) -> None:
        super().__init__()
        self.sizes = sizes
        self.tower = Tower(sizes)
        self.projector = nn.Sequential(
            _linear(sizes.clip_width, sizes.hidden), nn.GELU(), _linear(sizes.hidden, sizes.hidden)
        )
        self.embed = nn.Embedding(vocabulary, sizes.hidden)
        self.layers = nn.ModuleList(DecoderLayer(sizes) for _ in range(sizes.layers))
        self.norm = nn.RMSNorm(sizes.hidden, NORM_EPS)
        self.head = _linear(sizes.hidden, vocabulary, bias=False)
        nn.init.normal_(self.embed.weight, std=0.5)

    def decode(self, embeds: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """The last states, (batch, positions, hidden). mask: added to the scores, (batch, positions, positions)."""
        head = self.sizes.hidden // self.sizes.heads
        speeds = ROPE_THETA ** (-torch.arange(0, head, 2) / head)
        angles = (positions[..., None] * speeds).repeat(1, 1, 2)[:, None]
        states = embeds
        for layer in self.layers:
            states = layer(states, (angles.cos(), angles.sin()), mask[:, None])
        last: Tensor = self.norm(states)
        return last


def _linear(inputs: int, outputs: int, gain: float = 1.0, *, bias: bool = True) -> nn.Linear:
    made = nn.Linear(inputs, outputs, bias=bias)
    nn.init.normal_(made.weight, std=gain / math.sqrt(inputs))
    if bias:
        nn.init.zeros_(made.bias)
    return made


def _split(states: Tensor, heads: int) -> Tensor:
    batch, positions, _ = states.shape
    return states.view(batch, positions, heads, -1).transpose(1, 2)


def _attended(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attention written out: on few cores and short heads its way back is several times faster than the fused one's."""
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if mask is not None:
        scores = scores + mask.to(scores.dtype)
    return torch.softmax(scores, -1, dtype=scores.dtype) @ v.to(scores.dtype)


def _turned(states: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary positions, the halves of a head paired, as transformers pairs them."""
    cosines, sines = turns
    first, second = states.chunk(2, -1)
    return (states * cosines + torch.cat([-second, first], -1) * sines).to(states.dtype)


_NEIGHBOURS: Final = ((-1, 0), (1, 0), (0, -1), (0, 1))
_SHARPNESS: Final = (1.6, 1.2)
"""Of the first and the second layer's look at their neighbours."""


def _place(tower: Tower, sizes: Sizes) -> None:
    """Places as waves, and heads of two layers that begin by looking one and two patches away."""
    width = sizes.clip_width
    half, num_waves, head = width // 2, width // 8, width // sizes.clip_heads
    waves = math.pi / 2 * torch.exp(-math.log(16.0) * torch.arange(num_waves) / (num_waves - 1))
    steps = torch.arange(GRID)[:, None] * waves
    line = torch.stack([steps.cos(), steps.sin()], -1).flatten(1)
    rows, columns = torch.arange(NUM_PATCHES) // GRID, torch.arange(NUM_PATCHES) % GRID
    tower.position[1:, half:] = 1.4 * torch.cat([line[rows], line[columns]], 1)
    tower.patch.weight[half:] *= 0.1
    per_axis = head // 4
    for distance, (layer, sharpness) in enumerate(zip(tower.layers, _SHARPNESS, strict=False), start=1):
        assert isinstance(layer, ClipLayer)
        for number, neighbour in enumerate(_NEIGHBOURS):
            query, key = torch.zeros(head, width), torch.zeros(head, width)
            for axis in range(2):
                for rank in range(per_axis):
                    wave = rank * (num_waves // per_axis)
                    row, column = 2 * (axis * per_axis + rank), half + 2 * (axis * num_waves + wave)
                    angle = float(waves[wave]) * distance * neighbour[axis]
                    cosine, sine = math.cos(angle), math.sin(angle)
                    query[row : row + 2, column : column + 2] = torch.tensor([[cosine, -sine], [sine, cosine]])
                    key[row : row + 2, column : column + 2] = torch.eye(2)
            for part, looked in ((0, query), (1, key)):
                rows_ = slice(part * width + number * head, part * width + (number + 1) * head)
                layer.qkv.weight[rows_] = sharpness * looked + 0.02 * torch.randn(head, width)
