"""The least time that a GPU can take: what must be computed over its rate, what must be read over its bandwidth.

No version of the software is faster than the larger of the two. With tensor parallelism the work is divided by the
number of GPUs and nothing is added for their talk to each other, so that these stay bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Precision = Literal["bf16", "fp8"]

PATCHES = 576
"""Of CLIP-L/14-336, and so tokens an image: (336 / 14) squared. CLIP itself has one position more."""


@dataclass(frozen=True, slots=True)
class Device:
    """One GPU. Operations a second are of dense matrix products, a multiplication and an addition being two.

    fp8_flops: 0 where it has no such units. bytes_per_s: of its memory, read and written.
    """

    name: str
    bf16_flops: float
    fp8_flops: float
    bytes_per_s: float
    memory_bytes: float

    def flops(self, precision: Precision) -> float:
        """Raises ValueError where the device has no units for it."""
        rate = self.bf16_flops if precision == "bf16" else self.fp8_flops
        if not rate:
            raise ValueError(f"{self.name} has no matrix units for {precision}")
        return rate


MATRIX_SHARE, MEMORY_SHARE = 0.80, 0.90
"""What one H200 gave of its data sheet's 989 TFLOP/s and 4.8 TB/s: 790 (a bf16 product of 8192 cubed) and 4.3."""


def _from_data_sheet(name: str, tflops: float, fp8_tflops: float, tb_per_s: float, memory_gb: float) -> Device:
    matrices, memory = MATRIX_SHARE * 1e12, MEMORY_SHARE * 1e12
    return Device(name, tflops * matrices, fp8_tflops * matrices, tb_per_s * memory, memory_gb * 1e9)


DEVICES = {
    # Measured, but for FP8, which is taken for twice as fast. The memory is the driver's 143,771 MiB.
    "h200": Device("H200", 790e12, 2 * 790e12, 4.3e12, 143_771 * 2**20),
    # NVIDIA's data sheets, dense rates of the SXM parts, at the shares that the H200 gave.
    "h100": _from_data_sheet("H100 80 GB", 989, 1979, 3.35, 80),
    "a100": _from_data_sheet("A100 80 GB", 312, 0, 2.039, 80),
    "l40s": _from_data_sheet("L40S", 362, 733, 0.864, 48),
}


@dataclass(frozen=True, slots=True)
class Decoder:
    """The language model's sizes, by their names in config.json. biased: q, k and v have biases."""

    num_hidden_layers: int
    hidden_size: int
    intermediate_size: int
    num_attention_heads: int
    num_key_value_heads: int
    vocab_size: int
    biased: bool = False

    @property
    def key_value_width(self) -> int:
        """Of the keys, or the values, of one token in one layer."""
        return self.hidden_size // self.num_attention_heads * self.num_key_value_heads

    @property
    def layer_parameters(self) -> int:
        """Of the matrices of all layers: what every token is multiplied with, lm_head apart."""
        attention = 2 * self.hidden_size * (self.hidden_size + self.key_value_width)
        return self.num_hidden_layers * (attention + 3 * self.hidden_size * self.intermediate_size)

    @property
    def head_parameters(self) -> int:
        """Of lm_head, and as many again of the embeddings."""
        return self.vocab_size * self.hidden_size

    @property
    def small_parameters(self) -> int:
        """Of the norms and biases."""
        biases = self.hidden_size + 2 * self.key_value_width if self.biased else 0
        return self.num_hidden_layers * (2 * self.hidden_size + biases) + self.hidden_size

    @property
    def kv_bytes_per_token(self) -> int:
        """Keys and values of all layers, 16 bits each."""
        return 2 * 2 * self.num_hidden_layers * self.key_value_width

    def attention_flops(self, context_tokens: float) -> float:
        """Of one token that looks at so many: its products with their keys and values, in all layers."""
        return 4.0 * self.num_hidden_layers * self.hidden_size * context_tokens


@dataclass(frozen=True, slots=True)
class Tower:
    """CLIP, as far as it is computed: 23 of CLIP-L's 24 layers, since the last but one is read."""

    num_layers: int = 23
    hidden_size: int = 1024
    intermediate_size: int = 4096
    patch_size: int = 14
    positions: int = PATCHES + 1

    @property
    def layer_parameters(self) -> int:
        """Of the matrices of all layers."""
        return self.num_layers * (4 * self.hidden_size**2 + 2 * self.hidden_size * self.intermediate_size)

    @property
    def small_parameters(self) -> int:
        """Of the patch and position embeddings, the norms and the biases."""
        layer = 9 * self.hidden_size + self.intermediate_size
        embeddings = self.hidden_size * (3 * self.patch_size**2 + self.positions + 1)
        return self.num_layers * layer + embeddings + 2 * self.hidden_size

    @property
    def flops(self) -> float:
        """Of one image."""
        patches = 2.0 * 3 * self.patch_size**2 * self.hidden_size * (self.positions - 1)
        attention = 4.0 * self.num_layers * self.hidden_size * self.positions**2
        return patches + attention + 2.0 * self.layer_parameters * self.positions


@dataclass(frozen=True, slots=True)
class Model:
    """A HuatuoGPT-Vision checkpoint: decoder, CLIP and the two-layer projector between them."""

    name: str
    decoder: Decoder
    tower: Tower = Tower()

    @property
    def projector_parameters(self) -> int:
        """Of its two matrices."""
        return self.decoder.hidden_size * (self.tower.hidden_size + self.decoder.hidden_size)

    @property
    def parameters(self) -> int:
        """All that are loaded."""
        decoder, tower = self.decoder, self.tower
        matrices = decoder.layer_parameters + 2 * decoder.head_parameters + tower.layer_parameters
        rest = decoder.small_parameters + tower.small_parameters + 2 * decoder.hidden_size
        return matrices + self.projector_parameters + rest

    def weight_bytes(self, precision: Precision) -> int:
        """In the GPU's memory. FP8 takes the matrices of layers and projector; lm_head and embeddings stay 16 bits."""
        halved = self.decoder.layer_parameters + self.tower.layer_parameters + self.projector_parameters
        return 2 * self.parameters - (halved if precision == "fp8" else 0)

    def image_flops(self) -> float:
        """Of one image, before the decoder."""
        return self.tower.flops + 2.0 * self.projector_parameters * (self.tower.positions - 1)


MODELS = {
    "7b": Model("HuatuoGPT-Vision-7B", Decoder(28, 3584, 18944, 28, 4, 152064, biased=True)),
    "34b": Model("HuatuoGPT-Vision-34B", Decoder(60, 7168, 20480, 56, 8, 64000)),
}
"""Sizes of the published config.json files; tests hold the counts against the tensors that the plugin expects."""


@dataclass(frozen=True, slots=True)
class Roofline:
    """A model on `gpus` devices, tensor-parallel, its matrices in `precision`."""

    model: Model
    device: Device
    precision: Precision = "bf16"
    gpus: int = 1

    def decode_step_s(self, batch: int, context_tokens: float) -> float:
        """One token for each of `batch` sequences, each of which has so many before it."""
        return max(
            batch * self._token_s(context_tokens),
            self._read_s(self._bytes_of_a_step() + batch * context_tokens * self.model.decoder.kv_bytes_per_token),
        )

    def prefill_s(self, prompt_tokens: int, images: int = 0) -> float:
        """A prompt alone, its images' tokens included in prompt_tokens: to its first token."""
        return max(self._prompt_s(prompt_tokens, images), self._read_s(self._bytes_of_a_step()))

    def requests_per_s(self, prompt_tokens: int, images: int, output_tokens: int, batch: int = 256) -> float:
        """The ceiling at saturation, `batch` sequences at a time: all arithmetic and all reading overlap perfectly."""
        context = prompt_tokens + output_tokens / 2
        computed = self._prompt_s(prompt_tokens, images) + output_tokens * self._token_s(context)
        keys_and_values = context * self.model.decoder.kv_bytes_per_token
        return 1 / max(computed, output_tokens * self._read_s(self._bytes_of_a_step() / batch + keys_and_values))

    def kv_tokens(self, memory_share: float = 0.9) -> float:
        """What fits beside the weights; less than 0 where those do not fit. memory_share: `gpu_memory_utilization`."""
        memory = self.gpus * self.device.memory_bytes * memory_share
        return (memory - self.model.weight_bytes(self.precision)) / self.model.decoder.kv_bytes_per_token

    def _token_s(self, context_tokens: float) -> float:
        """Arithmetic of one token through the decoder and lm_head."""
        decoder = self.model.decoder
        narrow = 2.0 * decoder.layer_parameters / self.device.flops(self.precision)
        wide = (2.0 * decoder.head_parameters + decoder.attention_flops(context_tokens)) / self.device.bf16_flops
        return (narrow + wide) / self.gpus

    def _prompt_s(self, prompt_tokens: int, images: int) -> float:
        """Arithmetic of a prompt: lm_head for its last token alone, and on average half of it to look back at."""
        decoder = self.model.decoder
        layers = 2.0 * decoder.layer_parameters * prompt_tokens + images * self.model.image_flops()
        wide = 2.0 * decoder.head_parameters + prompt_tokens * decoder.attention_flops(prompt_tokens / 2)
        return (layers / self.device.flops(self.precision) + wide / self.device.bf16_flops) / self.gpus

    def _bytes_of_a_step(self) -> float:
        """The decoder's matrices and lm_head. Of the embeddings a step reads a row a token, of CLIP nothing."""
        decoder = self.model.decoder
        width = 2 if self.precision == "bf16" else 1
        return width * decoder.layer_parameters + 2 * decoder.head_parameters

    def _read_s(self, num_bytes: float) -> float:
        return num_bytes / (self.gpus * self.device.bytes_per_s)
