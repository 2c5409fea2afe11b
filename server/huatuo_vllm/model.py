"""The released model as vLLM runs it: CLIP, a two-layer projector, a Qwen2 or Llama decoder.

Runs in vLLM's worker processes. Layers are vLLM's own, so tensor parallelism, quantisation and compilation are too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import torch
from safetensors.torch import load_file
from torch import nn
from vllm.config import VllmConfig
from vllm.model_executor.layers.linear import ColumnParallelLinear, RowParallelLinear
from vllm.model_executor.models.clip import CLIPVisionModel
from vllm.model_executor.models.interfaces import SupportsMultiModal, SupportsPP
from vllm.model_executor.models.utils import (
    AutoWeightsLoader,
    WeightsMapper,
    init_vllm_registered_model,
    maybe_prefix,
)
from vllm.multimodal import MULTIMODAL_REGISTRY
from vllm.sequence import IntermediateTensors

from huatuo_vllm import report, tensors
from huatuo_vllm.computed import TOWER_WEIGHTS
from huatuo_vllm.config import tower_file
from huatuo_vllm.normalisation import normalisation_table
from huatuo_vllm.processor import HuatuoDummyInputs, HuatuoMultiModalProcessor, HuatuoProcessingInfo

_DECODERS = {"qwen2": "Qwen2ForCausalLM", "llama": "LlamaForCausalLM"}


class Projector(nn.Module):
    """LLaVA's `mlp2x_gelu`: linear, exact GELU, linear; (..., CLIP width) to (..., decoder width)."""

    def __init__(self, width: int, hidden: int, quant_config: Any, prefix: str) -> None:
        super().__init__()
        self.linear_1 = ColumnParallelLinear(
            width, hidden, bias=True, quant_config=quant_config, prefix=f"{prefix}.linear_1"
        )
        self.linear_2 = RowParallelLinear(
            hidden, hidden, bias=True, quant_config=quant_config, prefix=f"{prefix}.linear_2"
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Project CLIP's patch features."""
        features, _ = self.linear_1(features)
        features, _ = self.linear_2(nn.functional.gelu(features))
        return features


@MULTIMODAL_REGISTRY.register_processor(
    HuatuoMultiModalProcessor, info=HuatuoProcessingInfo, dummy_inputs=HuatuoDummyInputs
)
class HuatuoVisionForConditionalGeneration(nn.Module, SupportsMultiModal, SupportsPP):
    """HuatuoGPT-Vision 7B and 34B, as released or as their -hf conversions."""

    packed_modules_mapping: ClassVar[dict[str, list[str]]] = {
        "qkv_proj": ["q_proj", "k_proj", "v_proj"],
        "gate_up_proj": ["gate_proj", "up_proj"],
    }
    # For quantisation configs that name modules as the checkpoint does; `load_weights` renames on its own.
    hf_to_vllm_mapper = WeightsMapper(orig_to_new_prefix=dict(tensors.RENAMES))

    normalisation: torch.Tensor
    # Inherited from vLLM's protocols, whose types differ between its versions.
    configure_mm_token_handling: Any
    _mark_tower_model: Any
    _mark_language_model: Any

    @classmethod
    def get_placeholder_str(cls, modality: str, i: int) -> str | None:
        """Where stock vLLM's chat templates put an image."""
        return "<image>" if modality.startswith("image") else None

    def __init__(self, *, vllm_config: VllmConfig, prefix: str = "") -> None:
        super().__init__()
        report.say(phase="loading weights")
        config = vllm_config.model_config.hf_config
        self.config = config
        self.source = (vllm_config.model_config.model, vllm_config.model_config.revision)
        self.eager = bool(vllm_config.model_config.enforce_eager)
        self.quantised = bool(getattr(config, "quantization_config", None))
        self.configure_mm_token_handling(
            vocab_size=config.text_config.vocab_size, mm_token_ids=[config.image_token_index]
        )
        with self._mark_tower_model(vllm_config, "image"):
            self.vision_tower = CLIPVisionModel(
                config.vision_config,
                quant_config=vllm_config.quant_config,
                num_hidden_layers_override=tensors.computed_clip_layers(
                    config.vision_config.num_hidden_layers, config.vision_feature_layer
                ),
                require_post_norm=False,
                prefix=maybe_prefix(prefix, "vision_tower"),
            )
            self.multi_modal_projector = Projector(
                config.vision_config.hidden_size,
                config.text_config.hidden_size,
                vllm_config.quant_config,
                maybe_prefix(prefix, "multi_modal_projector"),
            )
        with self._mark_language_model(vllm_config):
            self.language_model = init_vllm_registered_model(
                vllm_config=vllm_config,
                hf_config=config.text_config,
                prefix=maybe_prefix(prefix, "language_model"),
                architectures=[_DECODERS[config.text_config.model_type]],
            )
        self.make_empty_intermediate_tensors = self.language_model.make_empty_intermediate_tensors
        self.register_buffer("normalisation", torch.from_numpy(normalisation_table()), persistent=False)

    def embed_multimodal(self, *, pixel_values: torch.Tensor | None = None, **kwargs: Any) -> Any:
        """Pictures, uint8 (n, 3, side, side), to features (n, tokens an image, decoder width)."""
        if pixel_values is None:
            return []
        features = self.vision_tower(self._normalised(pixel_values), feature_select_strategy="default")
        return self.multi_modal_projector(features)

    def _normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        """Look every byte up, in float32, then round to the model's dtype: as the reference's `.to(dtype)` does."""
        table = self.normalisation.to(device=pixels.device)
        channel = torch.arange(3, device=pixels.device).view(1, 3, 1, 1)
        return table[channel, pixels.long()].to(self.vision_tower.dtype)

    def forward(
        self,
        input_ids: torch.Tensor | None,
        positions: torch.Tensor,
        intermediate_tensors: IntermediateTensors | None = None,
        inputs_embeds: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> torch.Tensor | IntermediateTensors:
        """One step of the decoder over a flattened batch; image features stand in `inputs_embeds` already."""
        if intermediate_tensors is not None:
            inputs_embeds = None
        return self.language_model.model(input_ids, positions, intermediate_tensors, inputs_embeds=inputs_embeds)

    def compute_logits(self, hidden_states: torch.Tensor) -> torch.Tensor | None:
        """(tokens, decoder width) to (tokens, vocabulary)."""
        return self.language_model.compute_logits(hidden_states)

    def load_weights(self, weights: Iterable[tuple[str, torch.Tensor]]) -> set[str]:
        """Load the main checkpoint's tensors, then what CLIP still lacks from its folder, and account for every one.

        Raises ValueError, naming them, when a tensor is missing, left over or of another shape.
        """
        shapes = _Shapes()
        loaded = AutoWeightsLoader(self).load_weights(self._renamed(weights, shapes))
        account = tensors.account(self.config, shapes.main, shapes.vit, quantised=self.quantised)
        if not account.ok:
            problem = f"the checkpoint does not match its config.json: {account.problem()}"
            report.say(error=problem)
            raise ValueError(problem)
        report.say(
            phase="warming up" if self.eager else "compiling",
            weights={"loaded": account.loaded, "from_vit": account.from_vit, "never_read": dict(account.never_read)},
        )
        return loaded

    def _renamed(
        self, weights: Iterable[tuple[str, torch.Tensor]], shapes: _Shapes
    ) -> Iterator[tuple[str, torch.Tensor]]:
        """The tensors that fit, by canonical name. Every shape is noted, so that the account can name the rest."""
        wanted = tensors.expected(self.config)
        lacking = {name for name in wanted if name.startswith("vision_tower.")}
        for name, tensor in weights:
            shapes.main[name] = tuple(tensor.shape)
            known_as = tensors.canonical(name)
            lacking.discard(known_as)
            if _fits(known_as, tensor, wanted) or (self.quantised and known_as.startswith("language_model.")):
                yield known_as, tensor
        if lacking:
            for name, tensor in self._vit_tensors():
                shapes.vit[name] = tuple(tensor.shape)
                known_as = tensors.canonical_vit(name)
                if known_as in lacking and _fits(known_as, tensor, wanted):
                    yield known_as, tensor

    def _vit_tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        """The second CLIP, in the folder that `mm_vision_tower` names; nothing for a -hf conversion, which has none."""
        tower = getattr(self.config, "mm_vision_tower", None)
        if tower is None:
            return
        source, revision = self.source
        files = (tower_file(source, tower, name, revision) for name in TOWER_WEIGHTS)
        path = next((file for file in files if file is not None), None)
        if path is None:
            return
        if path.suffix == ".safetensors":
            yield from load_file(path).items()
        else:
            # weights_only: a pickle may hold code, and this one comes from whoever made the checkpoint.
            yield from torch.load(path, map_location="cpu", weights_only=True).items()


class _Shapes:
    """Name -> shape of every tensor that was offered, by where it came from."""

    def __init__(self) -> None:
        self.main: dict[str, tensors.Shape] = {}
        self.vit: dict[str, tensors.Shape] = {}


def _fits(name: str, tensor: torch.Tensor, wanted: dict[str, tensors.Shape]) -> bool:
    return wanted.get(name) == tuple(tensor.shape)
