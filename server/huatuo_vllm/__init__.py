"""What vLLM needs to load the released HuatuoGPT-Vision checkpoints in place.

vLLM finds `register` through the entry point group `vllm.general_plugins` and calls it in every process it starts.
Nothing here knows of the server; nothing heavy is imported until vLLM asks for the model.
"""

from __future__ import annotations

ARCHITECTURES = ("LlavaQwen2ForCausalLM", "LlavaLlamaForCausalLM", "HuatuoLlavaForConditionalGeneration")
"""The released 7B's, the released 34B's, and the name under which the server loads the -hf conversions.

`LlavaForConditionalGeneration` itself stays vLLM's own: other people's LLaVA checkpoints carry it too.
"""


def register() -> None:
    """Teach transformers the two released model_types and vLLM the architectures. Safe to call more than once."""
    from transformers import AutoConfig
    from vllm import ModelRegistry

    from huatuo_vllm import embedded, grammars
    from huatuo_vllm.config import RELEASED_CONFIGS

    embedded.behave()
    if embedded.is_asked_for():
        grammars.mend()
    for config_class in RELEASED_CONFIGS:
        AutoConfig.register(config_class.model_type, config_class, exist_ok=True)
    registered = ModelRegistry.get_supported_archs()
    for architecture in ARCHITECTURES:
        if architecture not in registered:
            # A string, so that torch and the model's layers are imported where the model runs and nowhere else.
            ModelRegistry.register_model(architecture, "huatuo_vllm.model:HuatuoVisionForConditionalGeneration")
