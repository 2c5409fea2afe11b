"""vLLM's multimodal processor for the released checkpoints: one placeholder id a picture, uint8 pixels to the model.

The server hands over pictures that are prepared already, and they pass through untouched. For stock vLLM, which hands
over whatever a client sent, the reference's padding and resizing happen here.

This file and `penalty.py` are where vLLM 0.26 and 0.32 differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import BatchFeature, LlavaConfig
from vllm.multimodal.inputs import MultiModalFieldConfig
from vllm.multimodal.processing import (
    BaseDummyInputsBuilder,
    BaseMultiModalProcessor,
    BaseProcessingInfo,
    PromptReplacement,
    PromptUpdate,
)

try:
    from vllm.multimodal.processing import ProcessorInputs
except ImportError:
    from vllm.multimodal.processing.inputs import ProcessorInputs

from huatuo_vllm.normalisation import CLIP_MEAN

PLACEHOLDER_TEXT = "<image>"
"""What LLaVA writes where an image stands. For stock vLLM, whose chat templates can only write text."""


class HuatuoProcessingInfo(BaseProcessingInfo):
    """What vLLM asks about a checkpoint before it has a model."""

    def get_hf_config(self) -> LlavaConfig:
        """The nested configuration (`huatuo_vllm.config`), or a -hf conversion's own."""
        return self.ctx.get_hf_config(LlavaConfig)

    def get_supported_mm_limits(self) -> Mapping[str, int | None]:
        """As many images as the context holds."""
        return {"image": None}

    def get_mm_max_tokens_per_item(self, seq_len: int, mm_counts: Mapping[str, int]) -> Mapping[str, int]:
        """Every image takes the same number of positions: 576 for CLIP-L/14-336."""
        return {"image": self.num_image_tokens}

    @property
    def side(self) -> int:
        """Pixels along a side of CLIP's square."""
        vision: Any = self.get_hf_config().vision_config
        return int(vision.image_size)

    @property
    def num_image_tokens(self) -> int:
        """Patches of a picture; the class token is dropped (`mm_vision_select_feature: patch`)."""
        vision: Any = self.get_hf_config().vision_config
        return int((vision.image_size // vision.patch_size) ** 2)


class HuatuoDummyInputs(BaseDummyInputsBuilder[HuatuoProcessingInfo]):
    """The largest input there is, for vLLM's memory profile: grey pictures, as token ids and not as text."""

    def get_dummy_text(self, mm_counts: Mapping[str, int]) -> str:
        """vLLM 0.26 tokenises this beside the pictures and throws the ids away."""
        return ""

    def get_dummy_mm_data(self, seq_len: int, mm_counts: Mapping[str, int], mm_options: Any = None) -> dict[str, Any]:
        """`mm_counts["image"]` grey pictures of CLIP's size."""
        side = self.info.side
        return {"image": [Image.new("RGB", (side, side), "grey")] * mm_counts.get("image", 0)}

    def get_dummy_processor_inputs(
        self, seq_len: int, mm_counts: Mapping[str, int], mm_options: Any = None
    ) -> ProcessorInputs:
        """Placeholder ids and their pictures (vLLM 0.26 asks here, 0.32 asks the processor)."""
        data = self.info.parse_mm_data(self.get_dummy_mm_data(seq_len, mm_counts, mm_options), validate=False)
        ids = [self.info.get_hf_config().image_token_index] * mm_counts.get("image", 0)
        return ProcessorInputs(prompt=ids, mm_data_items=data)


class HuatuoMultiModalProcessor(BaseMultiModalProcessor[HuatuoProcessingInfo]):
    """Pictures to `pixel_values` (uint8), placeholders to as many positions as a picture takes."""

    dummy_inputs: HuatuoDummyInputs

    def get_dummy_inputs(self, seq_len: int, mm_counts: Mapping[str, int], mm_options: Any = None) -> ProcessorInputs:
        """As the builder's (vLLM 0.32 asks here)."""
        return self.dummy_inputs.get_dummy_processor_inputs(seq_len, mm_counts, mm_options)

    def _call_hf_processor(self, *args: Any, **kwargs: Any) -> BatchFeature:
        """0.32 passes (hf_data, hf_kwargs); 0.26 (prompt, mm_data, mm_kwargs, tok_kwargs) and wants token ids back."""
        named = dict(zip(("prompt", "mm_data", "mm_kwargs", "tok_kwargs"), args, strict=False)) | kwargs
        older = isinstance(named.get("prompt"), str)
        images = (named["mm_data"] if older else named.get("hf_data", args[0] if args else {})).get("images", [])
        features: dict[str, Any] = {}
        if images:
            features["pixel_values"] = _pixel_values(images, self.info.side)
        if older:
            tokenizer = self.info.get_tokenizer()
            features["input_ids"] = [tokenizer.encode(named["prompt"], add_special_tokens=False)]
        return BatchFeature(features)

    def _hf_processor_applies_updates(self, *args: Any, **kwargs: Any) -> bool:
        """Only 0.26 asks: `_call_hf_processor` leaves the placeholders as they are."""
        return False

    def _get_mm_fields_config(self, *args: Any, **kwargs: Any) -> Mapping[str, MultiModalFieldConfig]:
        return {"pixel_values": MultiModalFieldConfig.batched("image")}

    def _get_prompt_updates(self, *args: Any, **kwargs: Any) -> Sequence[PromptUpdate]:
        config = self.info.get_hf_config()
        placeholder = [config.image_token_index]
        positions = placeholder * self.info.num_image_tokens
        updates = [PromptReplacement(modality="image", target=placeholder, replacement=positions)]
        # The server turns this off: its prompts are token ids, and text that spells the word must stay text.
        if getattr(config, "huatuo_text_placeholder", False):
            spelt = self.info.get_tokenizer().encode(PLACEHOLDER_TEXT, add_special_tokens=False)
            updates.append(PromptReplacement(modality="image", target=spelt, replacement=positions))
        return updates


def _pixel_values(images: Sequence[Image.Image | NDArray[np.uint8]], side: int) -> torch.Tensor:
    """uint8, shape (images, 3, side, side): padded to a square and resized as the reference does, unless they are.

    images: PIL's, or arrays of shape (height, width, 3).
    """
    values = np.empty((len(images), 3, side, side), np.uint8)
    for value, image in zip(values, images, strict=True):
        value[:] = _square(image, side).transpose(2, 0, 1)
    return torch.from_numpy(values)


def _square(image: Image.Image | NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Of shape (side, side, 3). What the server has prepared is taken as it is: half of the work on a picture here."""
    if isinstance(image, np.ndarray):
        if image.shape == (side, side, 3) and image.dtype == np.uint8:
            return image
        image = Image.fromarray(image)
    picture = image.convert("RGB")
    if picture.size != (side, side):
        picture = _padded(picture).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(picture)


def _padded(image: Image.Image) -> Image.Image:
    """On a square of CLIP's mean colour, centred by integer division (the reference's `expand2square`)."""
    width, height = image.size
    longest = max(width, height)
    red, green, blue = (int(mean * 255) for mean in CLIP_MEAN)
    square = Image.new("RGB", (longest, longest), (red, green, blue))
    square.paste(image, ((longest - width) // 2, (longest - height) // 2))
    return square
