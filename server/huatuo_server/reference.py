"""The reference's arithmetic, small and independent: a second opinion on every answer of the engine.

It follows FreedomIntelligence/HuatuoGPT-Vision (`cli.py`, `llava_arch.py`) on Hugging Face transformers and shares no
line with the path that serves: it has its own prompt, its own picture, its own names of tensors. `verify` and the
parity tests compare the two. It answers one question at a time and is not made to be fast.

Text is tokenised as the reference does it, special tokens in it included, where the server differs on purpose.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, CLIPVisionModel

from huatuo_server.errors import CheckpointError

IMAGE = -200
"""LLaVA's IMAGE_TOKEN_INDEX: stands for one image in a prompt."""

Dtype = Literal["float32", "bfloat16", "float16"]
Attention = Literal["sdpa", "eager"]

OutOfMemoryError = torch.OutOfMemoryError
"""What a device without room for the weights raises; here for modules that leave torch alone."""

_PAD_RGB = (122, 116, 104)
_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], dtype=np.float32)
_STD = np.array([0.26862954, 0.26130258, 0.27577711], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Round:
    """One question with its images, and its answer when it lies in the past (None for the last round)."""

    text: str
    num_images: int = 0
    answer: str | None = None


NUM_CANDIDATES = 20


class Step(NamedTuple):
    """One greedy choice.

    shortfalls: of the NUM_CANDIDATES best tokens, the best first: by how much a token's score (its logit after the
    penalty) lies below the best one's.
    """

    token_id: int
    shortfalls: Mapping[int, float]

    @property
    def gap(self) -> float:
        """By how much the chosen token's score exceeds the runner-up's."""
        return sorted(self.shortfalls.values())[1]


class Reference:
    """A loaded checkpoint; `load` makes one."""

    def __init__(self, model: _Model, tokenizer: Any, eos_token_ids: frozenset[int]) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._eos_token_ids = eos_token_ids

    @classmethod
    def load(cls, path: str | Path, *, dtype: Dtype = "float32", device: str = "cpu") -> Self:
        """Read a checkpoint folder, as released or -hf, strictly.

        Raises CheckpointError that names every tensor that is missing, left over or of another shape, or where the
        folder is no such checkpoint; OutOfMemoryError where the device has no room.
        """
        folder = Path(path)
        config = _read_json(folder / "config.json")
        configs = _configs(folder, config)
        model = _Model(configs, _read_checkpoint(folder, config, getattr(torch, dtype), device), device)
        # The language model's config names the tokenizer's kind: transformers knows no released model_type.
        tokenizer = AutoTokenizer.from_pretrained(folder, config=configs.text)
        return cls(model, tokenizer, _eos_token_ids(folder, config, configs.text))

    def use_attention(self, attention: Attention) -> None:
        """The same arithmetic, rounded in another order; "sdpa" after `load`, as in the reference."""
        self._model.use_attention(attention)

    def input_ids(self, rounds: Sequence[Round]) -> list[int]:
        """The prompt of a conversation, whose last round has no answer, with IMAGE where each image stands."""
        ids: list[int] = []
        for past in rounds[:-1]:
            ids += self._tokenize(f"<|user|>\n{_user(past)}\n")
            ids += self._tokenize(f"<|assistant|>\n{past.answer} \n")
        return ids + self._tokenize(f"<|user|>\n{_user(rounds[-1])}\n<|assistant|>\n")

    def _tokenize(self, piece: str) -> list[int]:
        ids: list[int] = []
        for index, text in enumerate(piece.split("<image>")):
            ids += [IMAGE] if index else []
            ids += self._tokenizer(text, add_special_tokens=False).input_ids if text else []
        return ids

    def greedy(
        self,
        input_ids: Sequence[int],
        images: Sequence[Image.Image] = (),
        *,
        max_new_tokens: int = 512,
        repetition_penalty: float = 1.0,
    ) -> list[int]:
        """The answer's token ids, eos included, as `generate(inputs_embeds=..., do_sample=False)` gives them."""
        steps = self.greedy_steps(
            input_ids, images, max_new_tokens=max_new_tokens, repetition_penalty=repetition_penalty
        )
        return [step.token_id for step in steps]

    @torch.inference_mode()
    def greedy_steps(
        self, input_ids: Sequence[int], images: Sequence[Image.Image], *, max_new_tokens: int, repetition_penalty: float
    ) -> list[Step]:
        """As `greedy`, with what stood to choose.

        The penalty sees generated tokens only; the first token is never an eos (`min_new_tokens=1`).
        """
        steps: list[Step] = []
        embeds, cache = self._model.embed(input_ids, images), None
        while len(steps) < max_new_tokens and not (steps and steps[-1].token_id in self._eos_token_ids):
            hidden, cache = self._model.read(embeds, cache)
            scores = self._model.logits(hidden[-1])
            _penalize(scores, [step.token_id for step in steps], repetition_penalty)
            if not steps:
                scores[list(self._eos_token_ids)] = -torch.inf
            steps.append(_choose(scores))
            embeds = self._model.embed([steps[-1].token_id], ())
        return steps

    @torch.inference_mode()
    def log_probs(
        self, input_ids: Sequence[int], images: Sequence[Image.Image], forced_ids: Sequence[int]
    ) -> torch.Tensor:
        """Log-softmax of the raw logits at each position of a forced answer.

        Returns float32 on the CPU, shape (len(forced_ids), vocabulary): row k follows the prompt and forced_ids[:k].
        """
        hidden, _ = self._model.read(self._model.embed([*input_ids, *forced_ids[:-1]], images), None)
        return self._model.logits(hidden[-len(forced_ids) :]).log_softmax(dim=-1).cpu()

    def option_log_probs(
        self, input_ids: Sequence[int], images: Sequence[Image.Image], option: str
    ) -> list[tuple[int, float]]:
        """Each token of an option that stands right after the prompt, and its log-probability there, raw.

        The option is tokenised on its own, without eos, and read in one forward with the prompt.
        """
        ids = self._tokenizer(option, add_special_tokens=False).input_ids
        rows = self.log_probs(input_ids, images, ids)
        return [(token_id, row[token_id].item()) for token_id, row in zip(ids, rows, strict=True)]


def best_device() -> str:
    """Where to run when nobody says: "cuda" where there is one, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def from_pixels(pixels: NDArray[np.uint8]) -> Image.Image:
    """An image for the Reference from uint8 pixels of shape (height, width, 3)."""
    return Image.fromarray(pixels)


def pixel_values(image: Image.Image, size: int = 336) -> NDArray[np.float32]:
    """What CLIP reads, float32 of shape (3, size, size): `expand2square`, then CLIPImageProcessor."""
    rgb = image.convert("RGB")
    side = max(rgb.size)
    square = Image.new("RGB", (side, side), _PAD_RGB)
    square.paste(rgb, ((side - rgb.width) // 2, (side - rgb.height) // 2))
    resized = square.resize((size, size), Image.Resampling.BICUBIC)
    scaled = (np.asarray(resized) * (1 / 255)).astype(np.float32)
    return ((scaled - _MEAN) / _STD).transpose(2, 0, 1)


def _user(turn: Round) -> str:
    text = turn.text
    for marker in ("<image>", "<s>", "</s>"):
        text = text.replace(marker, "")
    return ("<image>\n" * turn.num_images + text).strip()


def _penalize(scores: torch.Tensor, generated: Sequence[int], penalty: float) -> None:
    """Hugging Face's RepetitionPenaltyLogitsProcessor over `generated`, in place."""
    seen = sorted(set(generated))
    scores[seen] = torch.where(scores[seen] < 0, scores[seen] * penalty, scores[seen] / penalty)


def _choose(scores: torch.Tensor) -> Step:
    values, ids = scores.topk(NUM_CANDIDATES)
    return Step(int(scores.argmax()), dict(zip(ids.tolist(), (values[0] - values).tolist(), strict=True)))


class _Model:
    """CLIP, the projector and the language model, each strict about its weights."""

    def __init__(self, configs: _Configs, tensors: _Tensors, device: str) -> None:
        self._picture_size = configs.vision.image_size
        self._clip = _clip(configs.vision, tensors.clip, device)
        self._projector = _projector(configs, tensors.projector)
        self._language_model = _language_model(configs.text, tensors.text, device)

    def use_attention(self, attention: Attention) -> None:
        """Of both models."""
        for model in (self._clip, self._language_model):
            model.set_attn_implementation(attention)

    def embed(self, input_ids: Sequence[int], images: Sequence[Image.Image]) -> torch.Tensor:
        """Shape (1, positions, width); each IMAGE is replaced by its image's features."""
        table, ids = self._language_model.get_input_embeddings(), torch.tensor(input_ids)
        text = table(ids.clamp(min=0).to(table.weight.device))
        places = [*(ids == IMAGE).nonzero().flatten().tolist(), len(ids)]
        parts = [text[: places[0]]]
        for index, image in enumerate(images):
            parts += [self._features(image), text[places[index] + 1 : places[index + 1]]]
        return torch.cat(parts)[None]

    def _features(self, image: Image.Image) -> torch.Tensor:
        """An image's embeddings, shape (patches, width): CLIP's selected layer without CLS, projected."""
        weight = self._projector[0].weight
        pixels = torch.from_numpy(pixel_values(image, self._picture_size)[None]).to(weight)
        layers = self._clip(pixel_values=pixels, output_hidden_states=True).hidden_states
        projected: torch.Tensor = self._projector(layers[-1][0, 1:])
        return projected

    def read(self, embeds: torch.Tensor, cache: Any) -> tuple[torch.Tensor, Any]:
        """The last hidden states, shape (positions, width), and the key-value cache to go on with."""
        output = self._language_model.model(inputs_embeds=embeds, past_key_values=cache, use_cache=True)
        return output.last_hidden_state[0], output.past_key_values

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Raw logits in float32."""
        logits: torch.Tensor = self._language_model.lm_head(hidden).float()
        return logits


class _Configs(NamedTuple):
    """transformers' configurations of the two models; CLIP's has only the layers that are read."""

    text: Any
    vision: Any


_LANGUAGE_MODELS = {"llava_qwen2": "qwen2", "llava_llama": "llama"}

_CLIP_LARGE_336: dict[str, Any] = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
    "projection_dim": 768,
}
"""openai/clip-vit-large-patch14-336, for a checkpoint whose shards hold CLIP and that lacks the vit folder."""


def _configs(folder: Path, config: Mapping[str, Any]) -> _Configs:
    model_type = config.get("model_type")
    if model_type == "llava":
        text, clip = {"model_type": "llama", **config["text_config"]}, config["vision_config"]
        layer = config.get("vision_feature_layer", -2)
    elif model_type in _LANGUAGE_MODELS:
        text, clip = {**config, "model_type": _LANGUAGE_MODELS[model_type]}, _clip_config(folder, config)
        layer = config["mm_vision_select_layer"]
    else:
        raise CheckpointError(f"config.json: the reference knows no model_type {model_type!r}.")
    vision: Any = AutoConfig.for_model(**{**clip, "model_type": "clip_vision_model"}, attn_implementation="sdpa")
    # hidden_states[layer], whose index 0 is the embeddings, needs this many layers and nothing after them.
    vision.num_hidden_layers = vision.num_hidden_layers + 1 + layer if layer < 0 else layer
    return _Configs(AutoConfig.for_model(**text, attn_implementation="sdpa"), vision)


def _clip_config(folder: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    path = folder / config["mm_vision_tower"] / "config.json"
    clip = _read_json(path) if path.is_file() else _CLIP_LARGE_336
    vision: dict[str, Any] = clip.get("vision_config", clip)
    return vision


def _clip(config: Any, tensors: dict[str, torch.Tensor], device: str) -> Any:
    with torch.device("meta"):
        model = CLIPVisionModel(config)
    # transformers 5 dropped the level `vision_model.`.
    tower = getattr(model, "vision_model", model)
    tower.post_layernorm = torch.nn.Identity()
    _fill(
        tower, {name: tensor for name, tensor in tensors.items() if not _past(name, config.num_hidden_layers)}, "CLIP"
    )
    positions = torch.arange(tower.embeddings.num_positions, device=device)
    tower.embeddings.register_buffer("position_ids", positions.expand((1, -1)), persistent=False)
    return _complete(model)


def _past(name: str, depth: int) -> bool:
    layer = re.match(r"encoder\.layers\.(\d+)\.", name)
    return layer is not None and int(layer[1]) >= depth


def _projector(configs: _Configs, tensors: dict[str, torch.Tensor]) -> Any:
    width, hidden = configs.vision.hidden_size, configs.text.hidden_size
    with torch.device("meta"):
        layers = torch.nn.Sequential(torch.nn.Linear(width, hidden), torch.nn.GELU(), torch.nn.Linear(hidden, hidden))
    _fill(layers, tensors, "projector")
    return _complete(layers)


def _language_model(config: Any, tensors: dict[str, torch.Tensor], device: str) -> Any:
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    if config.tie_word_embeddings:
        tensors = {"lm_head.weight": tensors["model.embed_tokens.weight"], **tensors}
    _fill(model, tensors, "language model")
    with torch.device(device):
        model.model.rotary_emb = type(model.model.rotary_emb)(config)
    return _complete(model)


def _fill(module: torch.nn.Module, tensors: Mapping[str, torch.Tensor], what: str) -> None:
    try:
        module.load_state_dict(tensors, strict=True, assign=True)
    except RuntimeError as error:
        # torch's message names each missing, unexpected and misshapen key on a line of its own.
        raise CheckpointError(f"The reference cannot load the {what}: {' '.join(str(error).split())}") from error


def _complete(module: Any) -> Any:
    """The module for inference, or an error where a later transformers adds a buffer that no checkpoint holds."""
    parts = [*module.named_parameters(), *module.named_buffers()]
    empty = [name for name, tensor in parts if tensor.is_meta]
    if empty:
        raise RuntimeError(f"this version of transformers computes {', '.join(empty)}, which the reference does not")
    return module.eval()


class _Tensors(NamedTuple):
    """A checkpoint's tensors by part, under the names of transformers' module of that part."""

    text: dict[str, torch.Tensor]
    clip: dict[str, torch.Tensor]
    projector: dict[str, torch.Tensor]


_PLACES = (
    # As released.
    ("model.vision_tower.vision_tower.", "clip", ""),
    ("model.mm_projector.", "projector", ""),
    # -hf, as saved since transformers 4.52.
    ("model.vision_tower.", "clip", ""),
    ("model.multi_modal_projector.linear_1.", "projector", "0."),
    ("model.multi_modal_projector.linear_2.", "projector", "2."),
    ("model.language_model.", "text", "model."),
    # -hf, as saved before.
    ("vision_tower.", "clip", ""),
    ("multi_modal_projector.linear_1.", "projector", "0."),
    ("multi_modal_projector.linear_2.", "projector", "2."),
    ("language_model.", "text", ""),
    # The language model as released.
    ("", "text", ""),
)
"""Prefix of a tensor's name, the part it belongs to, and what its name there begins with. The first match counts."""

_NEVER_READ = re.compile(
    r"(vision_model\.)?post_layernorm\..+|(vision_model\.)?embeddings\.position_ids|text_model\..+|logit_scale"
    r"|(visual|text)_projection\.weight|.*\brotary_emb\.inv_freq"
)


def _read_checkpoint(folder: Path, config: Mapping[str, Any], dtype: torch.dtype, device: str) -> _Tensors:
    """Everything the reference computes with; CLIP from the shards wins over the vit folder."""
    tensors = _Tensors({}, {}, {})
    tower = config.get("mm_vision_tower")
    if tower and (folder / tower).is_dir():
        for name, tensor in _read_folder(folder / tower, device):
            _put(tensors.clip, name, tensor, dtype)
    for name, tensor in _read_folder(folder, device):
        prefix, part, root = next(place for place in _PLACES if name.startswith(place[0]))
        _put(getattr(tensors, part), root + name.removeprefix(prefix), tensor, dtype)
    return tensors


def _put(part: dict[str, torch.Tensor], name: str, tensor: torch.Tensor, dtype: torch.dtype) -> None:
    if not _NEVER_READ.fullmatch(name):
        part[name.removeprefix("vision_model.")] = tensor.to(dtype)


def _read_folder(folder: Path, device: str) -> Iterator[tuple[str, torch.Tensor]]:
    for file in _weight_files(folder):
        yield from _read_file(file, device).items()


def _read_file(path: Path, device: str) -> dict[str, torch.Tensor]:
    if path.suffix == ".safetensors":
        return load_file(path, device=device)
    tensors: dict[str, torch.Tensor] = torch.load(path, map_location=device, weights_only=True)
    return tensors


def _weight_files(folder: Path) -> list[Path]:
    for name in ("model.safetensors", "pytorch_model.bin"):
        index = folder / f"{name}.index.json"
        if index.is_file():
            return [folder / shard for shard in sorted(set(_read_json(index)["weight_map"].values()))]
        if (folder / name).is_file():
            return [folder / name]
    return []


def _eos_token_ids(folder: Path, config: Mapping[str, Any], text: Any) -> frozenset[int]:
    generation = folder / "generation_config.json"
    said = _read_json(generation) if generation.is_file() else {}
    for eos in (config.get("eos_token_id"), said.get("eos_token_id"), text.eos_token_id):
        if eos is not None:
            return frozenset([eos] if isinstance(eos, int) else eos)
    raise CheckpointError("config.json and generation_config.json name no eos_token_id.")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"The reference cannot read {path.name}: {error}") from error
    return found
