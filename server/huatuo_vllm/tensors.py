"""Which tensors a checkpoint must hold, under which names and in which shapes, and which ones nobody reads.

vllm#7984 served "!!!!" because weights did not match their names and nobody said so. So every tensor is accounted
for: loaded, never read by the reference (a closed list), or an error that names it.

Canonical names are those of the vLLM module tree (`language_model.*`, `vision_tower.vision_model.*`,
`multi_modal_projector.linear_{1,2}.*`); three published layouts map onto them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Shape = tuple[int, ...]

RENAMES: tuple[tuple[str, str], ...] = (
    # The first prefix that matches decides, so the longer ones stand first.
    # As released (LLaVA's own module tree).
    ("model.vision_tower.vision_tower.", "vision_tower."),
    ("model.mm_projector.0.", "multi_modal_projector.linear_1."),
    ("model.mm_projector.2.", "multi_modal_projector.linear_2."),
    # -hf, as saved by transformers 4.52 and later.
    ("model.language_model.", "language_model.model."),
    ("model.vision_tower.", "vision_tower."),
    ("model.multi_modal_projector.", "multi_modal_projector."),
    # -hf, as saved before: already canonical.
    ("language_model.", "language_model."),
    ("vision_tower.", "vision_tower."),
    ("multi_modal_projector.", "multi_modal_projector."),
    # What remains is the language model's, as released.
    ("model.", "language_model.model."),
    ("lm_head.", "language_model.lm_head."),
)

_CLIP_ROOTS = ("embeddings.", "encoder.", "pre_layrnorm.", "post_layernorm.")


def canonical(name: str) -> str:
    """The module-tree name of a tensor of the main checkpoint; an unknown name comes back as it is."""
    for old, new in RENAMES:
        if name.startswith(old):
            return _with_vision_model(new + name.removeprefix(old))
    return name


def canonical_vit(name: str) -> str:
    """The module-tree name of a tensor of the `vit/` folder (CLIPVisionModel or a whole CLIPModel)."""
    return _with_vision_model("vision_tower." + name)


def _with_vision_model(name: str) -> str:
    """transformers 5 can save a CLIPVisionModel without its `vision_model.` level."""
    rest = name.removeprefix("vision_tower.")
    if rest != name and rest.startswith(_CLIP_ROOTS):
        return "vision_tower.vision_model." + rest
    return name


_NEVER_READ: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"vision_tower\.vision_model\.post_layernorm\.(weight|bias)"), "CLIP post_layernorm"),
    (re.compile(r"vision_tower\.text_model\..+"), "CLIP text model"),
    (re.compile(r"vision_tower\.logit_scale"), "CLIP logit_scale"),
    (re.compile(r"vision_tower\.(visual|text)_projection\.weight"), "CLIP projections"),
    (re.compile(r"vision_tower\.vision_model\.embeddings\.position_ids"), "CLIP position_ids"),
    (re.compile(r"language_model\.model\.(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq"), "rotary_emb.inv_freq"),
)
"""The closed list, by canonical name. CLIP layers past `mm_vision_select_layer` join it per checkpoint."""

_CLIP_LAYER = re.compile(r"vision_tower\.vision_model\.encoder\.layers\.(\d+)\..+")


def never_read(name: str, clip_layers: int) -> str | None:
    """Why the reference never reads this tensor, or None.

    name: canonical. clip_layers: how many CLIP layers are computed; the ones from this index on are not.
    """
    layer = _CLIP_LAYER.fullmatch(name)
    if layer:
        return "CLIP layers past mm_vision_select_layer" if int(layer[1]) >= clip_layers else None
    return next((why for pattern, why in _NEVER_READ if pattern.fullmatch(name)), None)


def computed_clip_layers(num_hidden_layers: int, select_layer: int) -> int:
    """How many encoder layers produce `hidden_states[select_layer]`, whose index 0 is the embeddings."""
    return num_hidden_layers + select_layer + 1 if select_layer < 0 else select_layer


def expected(config: Any) -> dict[str, Shape]:
    """Canonical name and shape of every tensor that the model computes with.

    config: a LLaVA-like configuration with `text_config`, `vision_config` and `vision_feature_layer`.
    """
    text, vision = config.text_config, config.vision_config
    return {
        **_language_model(text),
        **_clip(vision, computed_clip_layers(vision.num_hidden_layers, config.vision_feature_layer)),
        **_projector(vision.hidden_size, text.hidden_size),
    }


def _language_model(text: Any) -> dict[str, Shape]:
    hidden, vocabulary = text.hidden_size, text.vocab_size
    shapes: dict[str, Shape] = {
        "language_model.model.embed_tokens.weight": (vocabulary, hidden),
        "language_model.model.norm.weight": (hidden,),
    }
    if not getattr(text, "tie_word_embeddings", False):
        shapes["language_model.lm_head.weight"] = (vocabulary, hidden)
    layer = _decoder_layer(text)
    for index in range(text.num_hidden_layers):
        shapes |= {f"language_model.model.layers.{index}.{name}": shape for name, shape in layer.items()}
    return shapes


def _decoder_layer(text: Any) -> dict[str, Shape]:
    hidden, inner = text.hidden_size, text.intermediate_size
    head = getattr(text, "head_dim", None) or hidden // text.num_attention_heads
    queries, keys = text.num_attention_heads * head, text.num_key_value_heads * head
    shapes: dict[str, Shape] = {
        "input_layernorm.weight": (hidden,),
        "post_attention_layernorm.weight": (hidden,),
        "self_attn.q_proj.weight": (queries, hidden),
        "self_attn.k_proj.weight": (keys, hidden),
        "self_attn.v_proj.weight": (keys, hidden),
        "self_attn.o_proj.weight": (hidden, queries),
        "mlp.gate_proj.weight": (inner, hidden),
        "mlp.up_proj.weight": (inner, hidden),
        "mlp.down_proj.weight": (hidden, inner),
    }
    # Qwen2 has biases on q, k and v whatever its config says; Llama on all four where `attention_bias` is set.
    biased: tuple[str, ...] = ("q", "k", "v") if text.model_type == "qwen2" else ()
    if text.model_type == "llama" and getattr(text, "attention_bias", False):
        biased = ("q", "k", "v", "o")
    for projection in biased:
        weight = shapes[f"self_attn.{projection}_proj.weight"]
        shapes[f"self_attn.{projection}_proj.bias"] = weight[:1]
    return shapes


def _clip(vision: Any, layers: int) -> dict[str, Shape]:
    width, patch = vision.hidden_size, vision.patch_size
    positions = (vision.image_size // patch) ** 2 + 1
    root = "vision_tower.vision_model."
    shapes: dict[str, Shape] = {
        f"{root}embeddings.class_embedding": (width,),
        f"{root}embeddings.patch_embedding.weight": (width, vision.num_channels, patch, patch),
        f"{root}embeddings.position_embedding.weight": (positions, width),
        f"{root}pre_layrnorm.weight": (width,),
        f"{root}pre_layrnorm.bias": (width,),
    }
    layer = _clip_layer(width, vision.intermediate_size)
    for index in range(layers):
        shapes |= {f"{root}encoder.layers.{index}.{name}": shape for name, shape in layer.items()}
    return shapes


def _clip_layer(width: int, inner: int) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {
        "mlp.fc1.weight": (inner, width),
        "mlp.fc1.bias": (inner,),
        "mlp.fc2.weight": (width, inner),
        "mlp.fc2.bias": (width,),
    }
    for norm in ("layer_norm1", "layer_norm2"):
        shapes |= {f"{norm}.weight": (width,), f"{norm}.bias": (width,)}
    for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
        shapes |= {f"self_attn.{projection}.weight": (width, width), f"self_attn.{projection}.bias": (width,)}
    return shapes


def _projector(width: int, hidden: int) -> dict[str, Shape]:
    root = "multi_modal_projector."
    return {
        f"{root}linear_1.weight": (hidden, width),
        f"{root}linear_1.bias": (hidden,),
        f"{root}linear_2.weight": (hidden, hidden),
        f"{root}linear_2.bias": (hidden,),
    }


@dataclass(frozen=True, slots=True)
class Accounting:
    """Where every tensor of a checkpoint went.

    loaded: tensors that the model computes with, from the main checkpoint; from_vit: from the `vit/` folder.
    never_read: why -> how many, of the closed list. The last three hold one line for each tensor that is wrong.
    """

    loaded: int = 0
    from_vit: int = 0
    never_read: Mapping[str, int] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    left_over: tuple[str, ...] = ()
    misshapen: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """True when nothing is missing, left over or misshapen."""
        return not (self.missing or self.left_over or self.misshapen)

    def lines(self) -> list[str]:
        """The account, for people, a line each."""
        lines = [f"{self.loaded} tensors loaded from the main checkpoint, {self.from_vit} from its vit folder"]
        lines += [f"{count} never read: {why}" for why, count in sorted(self.never_read.items())]
        lines += [f"missing: {line}" for line in self.missing]
        lines += [f"left over: {line}" for line in self.left_over]
        lines += [f"wrong shape: {line}" for line in self.misshapen]
        return lines

    def problem(self, most: int = 5) -> str:
        """One line that names the first `most` tensors of each kind of trouble; empty when all is well."""
        kinds = (("missing", self.missing), ("left over", self.left_over), ("wrong shape", self.misshapen))
        return "; ".join(f"{len(names)} {kind}: {_first(names, most)}" for kind, names in kinds if names)


def _first(names: tuple[str, ...], most: int) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def account(
    config: Any, main: Mapping[str, Shape], vit: Mapping[str, Shape], *, quantised: bool | None = None
) -> Accounting:
    """Account for every tensor of a checkpoint, by name and shape alone.

    config: as for `expected`. main, vit: checkpoint name -> shape. Tensors of `main` win; `vit` is looked at only
    where the main checkpoint lacks CLIP tensors. In a quantised checkpoint the decoder layers' tensors have other
    names and shapes, which the quantisation method itself checks, so they are counted as loaded.
    """
    wanted = expected(config)
    clip_layers = computed_clip_layers(config.vision_config.num_hidden_layers, config.vision_feature_layer)
    if quantised is None:
        quantised = bool(getattr(config, "quantization_config", None))
    if quantised:
        wanted = {name: shape for name, shape in wanted.items() if not name.startswith(_LAYERS)}
    ledger = _Ledger(wanted, clip_layers, quantised)
    for name, shape in main.items():
        ledger.enter(name, canonical(name), shape)
    loaded = len(ledger.seen)
    if any(name.startswith("vision_tower.") for name in ledger.missing()):
        for name, shape in vit.items():
            if canonical_vit(name) not in ledger.seen:
                ledger.enter(f"{name} (vit)", canonical_vit(name), shape)
    return Accounting(
        loaded=loaded,
        from_vit=len(ledger.seen) - loaded,
        never_read=ledger.never_read,
        missing=tuple(ledger.missing()),
        left_over=tuple(ledger.left_over),
        misshapen=tuple(ledger.misshapen),
    )


_LAYERS = "language_model.model.layers."


class _Ledger:
    """Enters tensors one by one against what is wanted."""

    def __init__(self, wanted: Mapping[str, Shape], clip_layers: int, quantised: bool) -> None:
        self.wanted = wanted
        self.clip_layers = clip_layers
        self.quantised = quantised
        self.seen: set[str] = set()
        self.never_read: dict[str, int] = {}
        self.left_over: list[str] = []
        self.misshapen: list[str] = []

    def enter(self, name: str, known_as: str, shape: Shape) -> None:
        """Put one tensor where it belongs. name: the checkpoint's, for messages; known_as: the canonical one."""
        why = never_read(known_as, self.clip_layers)
        if why:
            self.never_read[why] = self.never_read.get(why, 0) + 1
        elif self.quantised and known_as.startswith((_LAYERS, "language_model.lm_head.")):
            self.seen.add(known_as)
        elif known_as not in self.wanted or known_as in self.seen:
            self.left_over.append(name)
        else:
            self.seen.add(known_as)
            if tuple(shape) != self.wanted[known_as]:
                self.misshapen.append(f"{name} is {_show(shape)}, should be {_show(self.wanted[known_as])}")

    def missing(self) -> Iterable[str]:
        return sorted(self.wanted.keys() - self.seen)


def _show(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "a scalar"
