"""From settings to a model that is ready to start: finds the checkpoint, reads its card, builds the engine."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from pathlib import Path

from huatuo_server.checkpoint import Checkpoint, resolve
from huatuo_server.digest import digest, tokenizer_digest
from huatuo_server.errors import SettingsError
from huatuo_server.model_card import ModelCard
from huatuo_server.served_model import ServedModel
from huatuo_server.settings import Settings
from huatuo_server.startup import Report
from huatuo_server.tokenizer import Tokenizer

log = logging.getLogger(__name__)


async def open_model(settings: Settings, report: Report) -> ServedModel:
    """Off the event loop, since a hub model may be downloaded first. Raises CheckpointError or SettingsError."""
    return await asyncio.to_thread(_open, settings, report)


def _open(settings: Settings, report: Report) -> ServedModel:
    if settings.scripted is not None:
        return _open_scripted(settings, settings.scripted, report)
    if settings.model is None:
        raise SettingsError("no model is named")
    if not Path(settings.model).exists():
        report(f"fetching {settings.model} from the Hugging Face hub, where it is not here already")
    return _open_vllm(settings, Checkpoint.open(resolve(settings.model, settings.revision)), report)


def _open_vllm(settings: Settings, checkpoint: Checkpoint, report: Report) -> ServedModel:
    # vLLM's own message advises a variable that lets positions past the last one kill the engine.
    if (settings.max_model_len or 0) > checkpoint.max_position_embeddings:
        raise SettingsError(
            f"--max-model-len {settings.max_model_len}: the model has positions for "
            f"{checkpoint.max_position_embeddings} tokens"
        )
    card = _card(checkpoint, report)

    # Both load torch, for seconds in which HTTP must answer already.
    from huatuo_server.engine.vllm_engine import VllmEngine
    from huatuo_server.placeholder import image_token_id

    engine = VllmEngine(
        checkpoint,
        image_token_id=image_token_id(checkpoint, card.tokenizer),
        dtype=settings.dtype,
        tensor_parallel_size=settings.tensor_parallel_size,
        max_model_len=settings.max_model_len,
        enforce_eager=settings.enforce_eager,
        max_images_per_request=settings.max_images_per_request,
        served_model_name=settings.public_name,
        drain_s=settings.drain_s,
        engine_args=settings.engine,
    )
    return ServedModel(engine, card)


def _open_scripted(settings: Settings, script: Path, report: Report) -> ServedModel:
    """The twin with the card of --model's checkpoint or, where none is named, of a demo checkpoint."""
    if settings.model is not None:
        return _script_over(Checkpoint.open(resolve(settings.model, settings.revision)), settings, script, report)

    from huatuo_server.demo.checkpoint import write_demo_checkpoint

    with tempfile.TemporaryDirectory(prefix="huatuo-") as folder:
        write_demo_checkpoint(Path(folder), "34b")
        return _script_over(Checkpoint.open(Path(folder)), settings, script, report)


def _script_over(checkpoint: Checkpoint, settings: Settings, script: Path, report: Report) -> ServedModel:
    from huatuo_server.engine.scripted import Script, ScriptedEngine

    card = _card(checkpoint, report)
    context = min(checkpoint.family.default_max_model_len, checkpoint.max_position_embeddings)
    try:
        engine = ScriptedEngine(
            Script.read(script),
            max_model_len=settings.max_model_len or context,
            vocab_size=card.vocab_size,
            tokens_per_image=card.tokens_per_image,
            eos_token_ids=card.eos_token_ids,
            encode=card.tokenizer.encode,
        )
    except ValueError as error:
        raise SettingsError(f"--scripted {script}: {error}") from None
    return ServedModel(engine, card)


def _card(checkpoint: Checkpoint, report: Report) -> ModelCard:
    if checkpoint.demo is not None:
        log.warning("this is %s", checkpoint.demo)
    return ModelCard(
        family=checkpoint.family,
        tokenizer=Tokenizer.load(checkpoint.path),
        eos_token_ids=checkpoint.eos_token_ids,
        tokens_per_image=checkpoint.tokens_per_image,
        vocab_size=checkpoint.vocab_size,
        digest=digest(checkpoint, report),
        tokenizer_digest=tokenizer_digest(checkpoint),
        demo=checkpoint.demo,
    )
