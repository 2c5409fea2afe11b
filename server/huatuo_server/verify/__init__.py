"""The proof that the engine answers as the reference does, on the user's own weights, dtype and device.

The reference (`huatuo_server.reference`) answers the built-in questions greedily. Its answers are then forced on the
engine, token by token, and the log-probabilities compared; and the engine answers by itself, which is where its
decoding, its key-value cache and its repetition penalty take part. Both compute in the same dtype.

It fails where the prompt differs at all, and

    in float32           where a log-probability differs by more than 1e-3, where a first choice differs whose gap
                         exceeds 0.1, or where the engine's own answer takes a token 0.1 or more below the reference's;
    in bfloat16, float16 where the mean difference exceeds 0.05, where first choices with a gap over 0.1 agree at less
                         than 97 %, or where the engine's own answer takes a token 0.5 or more below the reference's;
                         each wider where rounding alone does more than half of that to the reference itself.

Where the numbers come from (vLLM 0.32 and transformers 5.19 on a CPU; golden: the tests' checkpoint, 7B and 34B: the
demo checkpoints of seed 0; one run each):

                          max and mean difference   agreement   thresholds of that run
    golden, float32       0.00011   0.000013        100 %       0.001 max, 100 %
    7B, float32           0.00001   0.000002        100 %       0.001 max, 100 %
    golden, float16       0.079     0.012           100 %       0.05 mean, 97 %
    7B, bfloat16          0.086     0.019           100 %       0.05 mean, 97 %
    34B, bfloat16         0.071     0.018           100 %       0.05 mean, 97 %
    golden, bfloat16      0.51      0.080           94.4 %      0.24 mean, 82 %

The 16-bit thresholds were set with such runs in view: fixed ones of 0.05 and 97 % fail the last row, whose engine is
right by its float32 row. No trained weights have been seen, so on them the 16-bit verdict is a judgement, not yet a
measured one. An engine without its pictures, with cropped ones, with rows of the head exchanged or with noise of 0.5
has a mean difference of 0.5 to 5 (tests/server/test_verify.py); a subtler fault can pass where the limits are wide.

97 % and not 100 %, because bfloat16 logits above 16 are 0.125 apart, so that a gap just over 0.1 is a single step. How
far rounding shakes a checkpoint is its own property: the golden one, random and made to be sensitive, moves by 0.12 on
average from float32 to bfloat16. So the reference measures it on itself, with its attention computed in another order
in the same dtype, which gave 0.12 there too; an engine that rounds in its own order may differ twice as much. The
measure is the reference's alone: a wrong engine cannot widen its limits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huatuo_server.checkpoint import Checkpoint
from huatuo_server.errors import SettingsError
from huatuo_server.placeholder import image_token_id
from huatuo_server.reference import Dtype
from huatuo_server.tokenizer import Tokenizer
from huatuo_server.verify.answers import answer_in_child
from huatuo_server.verify.comparison import compare
from huatuo_server.verify.questions import built_in
from huatuo_server.verify.report import Thresholds, VerifyReport

if TYPE_CHECKING:
    from huatuo_server.engine.vllm_engine import VllmEngine

__all__ = ["VerifyReport", "resolve_dtype", "verify"]

_NAMES: Mapping[str, Dtype] = {
    "float32": "float32",
    "float": "float32",
    "bfloat16": "bfloat16",
    "float16": "float16",
    "half": "float16",
}


def verify(
    path: Path,
    *,
    dtype: str = "auto",
    tensor_parallel_size: int = 1,
    enforce_eager: bool = False,
    engine_args: Mapping[str, Any] | None = None,
    reference_device: str = "auto",
    say: Callable[[str], None] = lambda line: None,
) -> VerifyReport:
    """Compare vLLM with the reference on a checkpoint folder.

    Both load the weights, one after the other. reference_device: "auto" takes CUDA where there is one; a model that
    needs several GPUs does not fit the one that the reference uses and takes "cpu", which is slow. say: is told, in a
    line each, what happens next.

    Raises CheckpointError, EngineStartError and SettingsError.
    """
    checkpoint = Checkpoint.open(path)
    resolved = resolve_dtype(dtype, checkpoint.config)

    from huatuo_server.engine.vllm_engine import VllmEngine

    # Made first, since it refuses a wrong engine argument before minutes are spent on the reference.
    engine = VllmEngine(
        checkpoint,
        image_token_id=image_token_id(checkpoint, Tokenizer.load(path)),
        dtype=resolved,
        tensor_parallel_size=tensor_parallel_size,
        enforce_eager=enforce_eager,
        engine_args=engine_args,
    )
    return asyncio.run(_run(engine, checkpoint, resolved, reference_device, say))


async def _run(
    engine: VllmEngine, checkpoint: Checkpoint, dtype: Dtype, reference_device: str, say: Callable[[str], None]
) -> VerifyReport:
    questions = built_in()
    try:
        say(f"the reference answers {len(questions)} questions in {dtype}")
        device, answers = await asyncio.to_thread(answer_in_child, checkpoint.path, questions, dtype, reference_device)
        say("the engine starts")
        await engine.start()
        say("the engine reads the reference's answers and gives its own")
        report = await compare(engine, checkpoint, answers, Thresholds.of(dtype, answers))
        return replace(report, ran_on=ran_on(checkpoint, dtype, device, engine.facts.details))
    finally:
        await engine.stop()


def ran_on(checkpoint: Checkpoint, dtype: Dtype, device: str, details: Mapping[str, object]) -> str:
    """What was compared, for people. device: the reference's. details: of the engine's facts."""
    said = (
        f"{checkpoint.family.name} in {dtype}: vLLM {details['vllm']} on {details['device']}, "
        f"the reference on {device} with transformers {details['transformers']}"
    )
    return said if checkpoint.demo is None else f"{said}; this is {checkpoint.demo}"


def resolve_dtype(dtype: str, config: Mapping[str, Any]) -> Dtype:
    """The dtype that both compute in. "auto" is what vLLM makes of it: config.json's, but bfloat16 for float32.

    Raises SettingsError for a name that is none.
    """
    if dtype == "auto":
        text = config.get("text_config") or {}
        named = (config.get("dtype"), config.get("torch_dtype"), text.get("dtype"), text.get("torch_dtype"))
        said = next((name for name in named if name), "float32")
        return "bfloat16" if said == "float32" else resolve_dtype(said, config)
    if dtype not in _NAMES:
        raise SettingsError(f"--dtype {dtype}: verify knows auto, bfloat16, float16 and float32")
    return _NAMES[dtype]
