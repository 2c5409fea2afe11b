"""The reference against what the authors' own code answered, and against damaged checkpoints."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from huatuo_server.demo.checkpoint import write_demo_checkpoint
from huatuo_server.errors import CheckpointError
from huatuo_server.reference import Reference, Round, best_device, from_pixels, pixel_values
from huatuo_server.tokenizer import Tokenizer
from huatuo_server.verify.questions import noise
from tests.conversions import VIT, to_hf, vit_tensors
from tests.golden import CHECKPOINT, IMAGES, Case, cases, pixel_digests

BY_NAME = {case.name: case for case in cases()}
RELEASED_CLIP = "model.vision_tower.vision_tower."
SwitchTo = Callable[[str], Reference]


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference.load(CHECKPOINT)


@pytest.fixture
def switched(reference: Reference) -> Iterator[SwitchTo]:
    """The reference with another attention, for one test."""

    def switch(attention: str) -> Reference:
        reference.use_attention("eager" if attention == "eager" else "sdpa")
        return reference

    yield switch
    reference.use_attention("sdpa")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the golden checkpoint, to be changed."""
    return Path(shutil.copytree(CHECKPOINT, tmp_path / "checkpoint"))


def images(case: Case) -> list[Image.Image]:
    return [Image.open(IMAGES / name) for name in case.images]


def rounds(case: Case) -> list[Round]:
    """A conversation's images stand in its first round."""
    earlier = [Round(turn.text, answer=turn.answer) for turn in case.history]
    first, *later = [*earlier, Round(case.text)]
    return [Round(first.text, len(case.images), first.answer), *later]


def rewrite(shard: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    tensors = load_file(shard)
    change(tensors)
    save_file(tensors, shard, metadata={"format": "pt"})


def first_log_probs(path: Path) -> torch.Tensor:
    """Of a question with a picture, after the prompt and after one more token."""
    reference = Reference.load(path)
    prompt = reference.input_ids([Round("What does the picture show?", num_images=1)])
    return reference.log_probs(prompt, [from_pixels(noise(336))], [5, 6])


@pytest.mark.parametrize("name", BY_NAME)
def test_prompts_are_the_golden_ones(reference: Reference, name: str) -> None:
    """Every golden conversation becomes the same token ids."""
    case = BY_NAME[name]

    assert tuple(reference.input_ids(rounds(case))) == case.input_ids


@pytest.mark.parametrize("name", BY_NAME)
def test_answers_are_the_golden_ones(reference: Reference, name: str) -> None:
    """Every golden question gets the same answer, token by token, with and without the penalty."""
    case = BY_NAME[name]

    answer = reference.greedy(
        case.input_ids, images(case), max_new_tokens=case.max_tokens, repetition_penalty=case.penalty
    )

    assert tuple(answer) == case.output_ids


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", list(BY_NAME)[::5])
def test_log_probabilities_are_the_golden_ones(attention: str, name: str, switched: SwitchTo) -> None:
    """Forced on the golden answers, both attentions give the golden log-probabilities (2e-4: float32, other order)."""
    case = BY_NAME[name]

    found = switched(attention).log_probs(case.input_ids, images(case), case.output_ids)

    forced = [row[token_id].item() for row, token_id in zip(found, case.output_ids, strict=True)]
    assert forced == pytest.approx(case.raw["token_raw_logprobs"], abs=2e-4)
    ids, log_probs = zip(*case.raw["first_raw_top10"], strict=True)
    assert found[0, list(ids)].tolist() == pytest.approx(log_probs, abs=2e-4)


def test_an_options_log_probabilities_are_those_of_its_tokens(reference: Reference) -> None:
    """Tokenised on its own, as the server does, and forced right after the prompt."""
    case = next(case for case in cases() if case.images and case.finish_reason == "length")
    option = "a fracture"

    found = reference.option_log_probs(case.input_ids, images(case), option)

    ids = [token_id for token_id, _ in found]
    forced = reference.log_probs(case.input_ids, images(case), ids)
    assert ids == Tokenizer.load(CHECKPOINT).encode(option)
    assert [log_prob for _, log_prob in found] == [row[one].item() for row, one in zip(forced, ids, strict=True)]


def test_gaps_are_the_golden_ones(reference: Reference) -> None:
    """A step's gap is that of the scores after the penalty."""
    case = next(case for case in cases() if case.penalty == 1.2 and case.images)

    steps = reference.greedy_steps(case.input_ids, images(case), max_new_tokens=40, repetition_penalty=1.2)

    assert [step.gap for step in steps] == pytest.approx(case.raw["step_gap"], abs=5e-4)


@pytest.mark.parametrize("name", pixel_digests())
def test_pictures_are_the_golden_ones(name: str) -> None:
    """Every golden picture becomes the same pixel tensor, bit for bit."""
    found = pixel_values(Image.open(IMAGES / name))

    assert hashlib.sha256(found.tobytes()).hexdigest() == pixel_digests()[name]


@pytest.mark.parametrize("since_4_52", [False, True])
@pytest.mark.parametrize("layout", ["7b", "34b"])
def test_a_conversion_gives_the_same(tmp_path: Path, layout: str, since_4_52: bool) -> None:
    """The -hf conversions, under old and new names, give the log-probabilities of the released layout."""
    released = tmp_path / "released"
    write_demo_checkpoint(released, "7b" if layout == "7b" else "34b")
    converted = to_hf(released, tmp_path / "hf", image_token=1, since_4_52=since_4_52)

    assert torch.equal(first_log_probs(converted), first_log_probs(released))


def test_clip_in_the_shards_wins(folder: Path) -> None:
    """Where the shards hold CLIP, what the vit folder holds does not matter."""
    clip = {RELEASED_CLIP + name: tensor.clone() for name, tensor in vit_tensors(folder).items()}
    rewrite(folder / "model-00002-of-00002.safetensors", lambda tensors: tensors.update(clip))
    zeros = {name: torch.zeros_like(tensor) for name, tensor in vit_tensors(folder).items()}
    torch.save(zeros, folder / VIT / "pytorch_model.bin")

    assert torch.equal(first_log_probs(folder), first_log_probs(CHECKPOINT))


def test_a_vit_folder_of_safetensors_serves_as_well(folder: Path) -> None:
    """The vit folder may hold safetensors, and a whole CLIPModel's."""
    whole = vit_tensors(folder) | {"logit_scale": torch.ones(()), "text_model.final_layer_norm.bias": torch.ones(4)}
    save_file(whole, folder / VIT / "model.safetensors")
    (folder / VIT / "pytorch_model.bin").unlink()

    assert torch.equal(first_log_probs(folder), first_log_probs(CHECKPOINT))


def test_shards_of_bin_files_serve_as_well(folder: Path) -> None:
    """The language model may lie in pytorch_model-*.bin with their index."""
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    for shard in folder.glob("*.safetensors"):
        torch.save(load_file(shard), shard.with_suffix(".bin"))
        shard.unlink()
    index["weight_map"] = {name: Path(shard).stem + ".bin" for name, shard in index["weight_map"].items()}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    (folder / "model.safetensors.index.json").unlink()

    assert torch.equal(first_log_probs(folder), first_log_probs(CHECKPOINT))


def test_what_is_never_read_may_be_missing(folder: Path) -> None:
    """CLIP's last layer and post_layernorm, behind the selected layer, are not needed."""
    needed = {name: t for name, t in vit_tensors(folder).items() if "layers.3." not in name and "post_" not in name}
    torch.save(needed, folder / VIT / "pytorch_model.bin")

    assert torch.equal(first_log_probs(folder), first_log_probs(CHECKPOINT))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda tensors: tensors.pop("model.norm.weight"), "norm.weight"),
        (lambda tensors: tensors.update({"model.extra.weight": torch.ones(2)}), "model.extra.weight"),
        (lambda tensors: tensors.update({"lm_head.weight": torch.ones(2, 256)}), "lm_head.weight"),
        (lambda tensors: tensors.pop("model.mm_projector.2.bias"), "2.bias"),
        (lambda tensors: tensors.update({RELEASED_CLIP + "vision_model.odd": torch.ones(2)}), "odd"),
    ],
    ids=["missing", "left over", "misshapen", "projector", "CLIP"],
)
def test_a_damaged_checkpoint_is_refused(
    folder: Path, change: Callable[[dict[str, torch.Tensor]], None], named: str
) -> None:
    """A tensor that is missing, left over or of another shape stops the load and is named."""
    rewrite(folder / "model-00002-of-00002.safetensors", change)

    with pytest.raises(CheckpointError, match=named):
        Reference.load(folder)


def test_another_model_is_refused(folder: Path) -> None:
    """A config.json of another model_type is named, not guessed at."""
    config = json.loads((folder / "config.json").read_text()) | {"model_type": "mistral"}
    (folder / "config.json").write_text(json.dumps(config))

    with pytest.raises(CheckpointError, match="mistral"):
        Reference.load(folder)


def test_markers_are_deleted_from_text(reference: Reference) -> None:
    """Text that spells an image or a sentence mark asks the same as text without."""
    assert reference.input_ids([Round("a<image><s></s>b")]) == reference.input_ids([Round("ab")])


def test_16_bits_round_as_16_bits() -> None:
    """A dtype reaches the arithmetic: bfloat16 gives the same to its precision, and not the same."""
    full, rounded = Reference.load(CHECKPOINT), Reference.load(CHECKPOINT, dtype="bfloat16", device="cpu")
    prompt = full.input_ids([Round("What does the picture show?")])

    exact, found = full.log_probs(prompt, (), [5])[0], rounded.log_probs(prompt, (), [5])[0]

    assert 1e-3 < (exact - found).abs().max() < 1.5


def test_the_best_device_is_there() -> None:
    """The device chosen by default can hold a tensor."""
    assert torch.zeros(1, device=best_device()).item() == 0
