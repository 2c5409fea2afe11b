"""`check` says what a checkpoint is and names everything that is wrong with it, without reading a weight."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from huatuo_server.check_report import check
from huatuo_server.tokenizer import Tokenizer
from tests import golden
from tests.conversions import VIT, to_hf


def copied(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return target


def changed(path: Path, change: dict[str, Any]) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


@pytest.mark.parametrize("since_4_52", [False, True])
def test_converted_checkpoints_pass_the_check(since_4_52: bool, tmp_path: Path) -> None:
    """Both namings of an -hf conversion account for every tensor."""
    folder = to_hf(golden.CHECKPOINT, tmp_path / "hf", image_token=1, since_4_52=since_4_52)
    report = check(folder)
    assert report.ok, report.lines()
    assert "hf layout" in report.lines()[0]


def test_check_says_everything(demo_7b: Path) -> None:
    """Family, tokenizer, tensors by fate, picture, prompt format, context, images that fit, dtype."""
    text = "\n".join(check(demo_7b).lines())
    for part in ("HuatuoGPT-Vision-7B", "released", "1024 ids for 1088 rows", "eos 1021", "comes back", "96 tensors"):
        assert part in text
    for part in ("never read: CLIP post_layernorm", "336 x 336", "576 tokens", "<|user|>", "4608 tokens by default"):
        assert part in text
    for part in ("an image is id 1021 inside the engine", "7 images fit, with 512 tokens", "bfloat16"):
        assert part in text


def test_check_counts_the_images_of_a_chosen_context() -> None:
    """Fewer tokens hold fewer images; more than the model's positions are refused."""
    assert any("2 images fit" in line for line in check(golden.CHECKPOINT, max_model_len=1700).lines())
    assert any("0 images fit" in line for line in check(golden.CHECKPOINT, max_model_len=600).lines())
    too_long = check(golden.CHECKPOINT, max_model_len=5000)
    assert not too_long.ok
    assert any(line.startswith("FAIL context") and "4096" in line for line in too_long.lines())


def test_check_of_no_checkpoint_is_one_line(tmp_path: Path) -> None:
    """Without a config.json there is nothing more to say."""
    report = check(tmp_path)
    assert not report.ok
    assert len(report.lines()) == 1
    assert report.lines()[0].startswith("FAIL config")


def test_check_names_each_wrong_tensor(tmp_path: Path) -> None:
    """A missing shard, a renamed tensor and a wrong vocabulary each fail and are named."""
    folder = copied(golden.CHECKPOINT, tmp_path / "bad")
    changed(folder / "config.json", {"vocab_size": 4090, "num_hidden_layers": 4})
    report = check(folder)
    lines = "\n".join(report.lines())
    assert not report.ok
    assert "missing: language_model.model.layers.3.self_attn.q_proj.weight" in lines
    assert "wrong shape: lm_head.weight is 4096x256, should be 4090x256" in lines
    assert "it has more ids than the model has rows" in lines
    (folder / "model-00002-of-00002.safetensors").unlink()
    assert any("names model-00002-of-00002.safetensors, which is missing" in line for line in check(folder).lines())


def test_check_needs_clip_from_somewhere(tmp_path: Path) -> None:
    """Where neither the shards nor `vit/` have CLIP's weights, they are missing."""
    folder = copied(golden.CHECKPOINT, tmp_path / "blind")
    (folder / VIT / "pytorch_model.bin").unlink()
    assert any("missing: vision_tower.vision_model" in line for line in check(folder).lines())


def test_check_finds_another_normalisation(tmp_path: Path) -> None:
    """A preprocessor that is not CLIP's means weights trained on other pictures."""
    folder = copied(golden.CHECKPOINT, tmp_path / "other")
    changed(folder / VIT / "preprocessor_config.json", {"image_mean": [0.5, 0.5, 0.5]})
    report = check(folder)
    assert not report.ok
    assert any("image_mean is not CLIP's" in line for line in report.lines())


def test_check_reports_a_missing_tokenizer_and_goes_on(tmp_path: Path) -> None:
    """One bad subject does not hide the others."""
    folder = copied(golden.CHECKPOINT, tmp_path / "dumb")
    (folder / "tokenizer.model").unlink()
    report = check(folder)
    assert not report.ok
    assert any(line.startswith("FAIL tokenizer") for line in report.lines())
    assert any(line.startswith("ok   tensors") for line in report.lines())


@pytest.mark.parametrize(
    ("name", "change", "finding", "said"),
    [
        ("config.json", {"hidden_size": "64"}, "config", "hidden_size must be"),
        ("config.json", {"rms_norm_eps": "q"}, "tensors", "config.json: "),
        ("config.json", {"rope_scaling": "a"}, "tensors", "config.json: "),
        ("config.json", {"torch_dtype": "floaty"}, "tensors", "floaty"),
        ("model.safetensors.index.json", {"weight_map": 1}, "tensors", "weight_map is not a JSON object"),
        ("tokenizer_config.json", {"added_tokens_decoder": []}, "tokenizer", "added_tokens_decoder is not"),
        (f"{VIT}/preprocessor_config.json", {"image_mean": "a"}, "processor", "image_mean is not CLIP's"),
        (f"{VIT}/preprocessor_config.json", {"image_std": [0.5, None, {}]}, "processor", "image_std is not CLIP's"),
        (f"{VIT}/config.json", {"vision_config": 5}, "config", "vision_config is not a JSON object"),
    ],
)
def test_a_value_of_another_kind_is_a_finding(
    name: str, change: dict[str, Any], finding: str, said: str, tmp_path: Path
) -> None:
    """Whatever the files hold, the report names the file's field under its subject, and nothing is raised."""
    folder = copied(golden.CHECKPOINT, tmp_path / "odd")
    changed(folder / name, change)
    findings = {found.subject: found for found in check(folder).findings}
    assert not findings[finding].ok
    assert said in "\n".join(findings[finding].lines)


def test_check_names_the_subject_of_what_nobody_foresaw(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a defect of ours is a finding with its kind, and the other subjects are looked at."""

    def broken(_: Path) -> dict[str, Any]:
        raise ZeroDivisionError("two\nlines")

    monkeypatch.setattr("huatuo_server.check_report.read_shapes", broken)
    lines = check(golden.CHECKPOINT).lines()
    assert "FAIL tensors    the check of it failed: ZeroDivisionError: two lines" in lines
    assert any(line.startswith("ok   dtype") for line in lines)


def test_check_reads_the_tower_as_the_loader_does(tmp_path: Path) -> None:
    """CLIP's weights under a name that is never loaded are missing, whatever they hold."""
    folder = copied(golden.CHECKPOINT, tmp_path / "renamed")
    (folder / VIT / "pytorch_model.bin").rename(folder / VIT / "pytorch_model-00001-of-00001.bin")
    assert any("missing: vision_tower.vision_model" in line for line in check(folder).lines())


def test_check_loads_the_tokenizer_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real vocabulary takes seconds, and three subjects ask for it."""
    loaded: list[Path] = []
    load = Tokenizer.load

    def counted(folder: Path) -> Tokenizer:
        loaded.append(folder)
        return load(folder)

    monkeypatch.setattr(Tokenizer, "load", counted)
    assert check(golden.CHECKPOINT).ok
    assert loaded == [golden.CHECKPOINT]
