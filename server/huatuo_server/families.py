"""One frozen record per family of checkpoints: what differs between the 7B and the 34B, and their defaults.

Figures are the reference's (`cli.py` of FreedomIntelligence/HuatuoGPT-Vision) or the published config.json.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SamplingDefaults:
    """What the reference's `gen_kwargs`, and Hugging Face's `generate` beneath them, do when nothing is said."""

    temperature: float = 0.2
    top_p: float = 1.0
    top_k: int = 50
    repetition_penalty: float = 1.2
    max_tokens: int = 512
    min_tokens: int = 1


@dataclass(frozen=True, slots=True)
class PicturePolicy:
    """How an upright RGB image becomes the square that CLIP sees.

    size_pixels: side of the square. pad_rgb: CLIP's mean colour, `int(mean * 255)` a channel.
    """

    size_pixels: int = 336
    pad_rgb: tuple[int, int, int] = (122, 116, 104)


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of checkpoint that we serve.

    name: for people. prompt_format: the name `check` prints.
    released_architecture: the architecture and model_type of the authors' own checkpoint.
    text_model_type: the language model's model_type, by which an -hf conversion is told.
    default_max_model_len: tokens; 4608 holds the reference's 4096-token prompt and 512 new tokens.
    """

    name: str
    released_architecture: str
    released_model_type: str
    text_model_type: str
    default_max_model_len: int
    prompt_format: str = "huatuo (<|user|> / <|assistant|>, no system role, no BOS)"
    picture: PicturePolicy = field(default_factory=PicturePolicy)
    sampling: SamplingDefaults = field(default_factory=SamplingDefaults)


HUATUO_7B = Family(
    name="HuatuoGPT-Vision-7B",
    released_architecture="LlavaQwen2ForCausalLM",
    released_model_type="llava_qwen2",
    text_model_type="qwen2",
    default_max_model_len=4608,
)

HUATUO_34B = Family(
    name="HuatuoGPT-Vision-34B",
    released_architecture="LlavaLlamaForCausalLM",
    released_model_type="llava_llama",
    text_model_type="llama",
    default_max_model_len=4096,
)

FAMILIES = (HUATUO_7B, HUATUO_34B)

HF_ARCHITECTURE = "LlavaForConditionalGeneration"
"""The architecture of the -hf conversions; their text_config's model_type tells the family."""
