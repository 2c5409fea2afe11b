"""The demo model's weights under the names of the released 7B's."""

from __future__ import annotations

from torch import Tensor, nn

from benchmarks.accuracy.demo_training.model import ClipLayer, DecoderLayer, Demo


def tensors(demo: Demo) -> dict[str, Tensor]:
    """Everything under the released checkpoint's names, float32; with a CLIP layer and a norm that nobody reads."""
    found = {f"model.vision_tower.vision_tower.vision_model.{name}": value for name, value in _clip(demo).items()}
    for number, layer in enumerate(demo.layers):
        assert isinstance(layer, DecoderLayer)
        found |= {f"model.layers.{number}.{name}": value for name, value in _decoder_layer(layer).items()}
    found["model.embed_tokens.weight"] = demo.embed.weight
    found["model.norm.weight"] = demo.norm.weight
    found["lm_head.weight"] = demo.head.weight
    for number in (0, 2):
        part = demo.projector[number]
        assert isinstance(part, nn.Linear)
        found |= {f"model.mm_projector.{number}.weight": part.weight, f"model.mm_projector.{number}.bias": part.bias}
    return {name: value.detach().contiguous() for name, value in found.items()}


def _clip(demo: Demo) -> dict[str, Tensor]:
    tower = demo.tower
    width = demo.sizes.clip_width
    found: dict[str, Tensor] = {
        "embeddings.class_embedding": tower.class_embedding,
        "embeddings.patch_embedding.weight": tower.patch.weight.view(width, 3, 14, 14),
        "embeddings.position_embedding.weight": tower.position,
    }
    norms = {"pre_layrnorm": tower.pre_norm, "post_layernorm": nn.LayerNorm(width)}
    for number, layer in enumerate([*tower.layers, ClipLayer(demo.sizes)]):
        assert isinstance(layer, ClipLayer)
        prefix = f"encoder.layers.{number}"
        norms |= {f"{prefix}.layer_norm1": layer.layer_norm1, f"{prefix}.layer_norm2": layer.layer_norm2}
        parts = {"self_attn.out_proj": layer.out, "mlp.fc1": layer.fc1, "mlp.fc2": layer.fc2}
        for name, part in parts.items():
            found |= {f"{prefix}.{name}.weight": part.weight, f"{prefix}.{name}.bias": part.bias}
        for name, weight, bias in zip("qkv", layer.qkv.weight.chunk(3), layer.qkv.bias.chunk(3), strict=True):
            found |= {f"{prefix}.self_attn.{name}_proj.weight": weight, f"{prefix}.self_attn.{name}_proj.bias": bias}
    for name, norm in norms.items():
        found |= {f"{name}.weight": norm.weight, f"{name}.bias": norm.bias}
    return found


def _decoder_layer(layer: DecoderLayer) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {
        "input_layernorm.weight": layer.input_norm.weight,
        "post_attention_layernorm.weight": layer.post_norm.weight,
        "self_attn.o_proj.weight": layer.o.weight,
        "mlp.gate_proj.weight": layer.gate.weight,
        "mlp.up_proj.weight": layer.up.weight,
        "mlp.down_proj.weight": layer.down.weight,
    }
    for name, part in {"q": layer.q, "k": layer.k, "v": layer.v}.items():
        found |= {f"self_attn.{name}_proj.weight": part.weight, f"self_attn.{name}_proj.bias": part.bias}
    return found
