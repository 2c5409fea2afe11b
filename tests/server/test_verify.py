"""`verify` passes an engine that answers as the reference does, and fails every other one."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from huatuo_server.checkpoint import Checkpoint
from huatuo_server.demo.label import TRAINED
from huatuo_server.engine.base import EngineFacts, Phase, Prompt, PromptImage, Sampling, Take, TokenDelta
from huatuo_server.errors import CheckpointError, SettingsError
from huatuo_server.reference import Reference, from_pixels
from huatuo_server.verify import ran_on, resolve_dtype
from huatuo_server.verify.answers import Answer, Position, answer, answer_in_child
from huatuo_server.verify.comparison import compare, judge
from huatuo_server.verify.questions import Question, Turn, built_in, checkerboard, gradient, noise
from huatuo_server.verify.report import Divergence, Thresholds, VerifyReport
from tests.golden import CHECKPOINT

FLOAT32 = Thresholds.of("float32", [])
ASKED = [built_in()[number] for number in (1, 4, 6)]
"""Text with the penalty, a picture with the penalty, a second turn about a picture."""
HELLO = Question("hello", (Turn("hello"),))


@dataclass
class ReferenceEngine:
    """An engine that answers what the reference answers. The classes below each spoil one thing."""

    reference: Reference
    answers: Sequence[Answer]
    rows: dict[str, torch.Tensor] = field(default_factory=dict)
    phase: Phase = "ready"

    @property
    def facts(self) -> EngineFacts:
        return EngineFacts(
            max_model_len=4096,
            vocab_size=4096,
            tokens_per_image=576,
            max_num_seqs=256,
            kv_tokens=1_000_000,
            kv_block_tokens=16,
        )

    @property
    def last_progress(self) -> float:
        return 0.0

    async def start(self) -> None:
        pass

    async def check(self) -> None:
        pass

    async def stop(self, *, grace_s: float = 3.0) -> None:
        pass

    async def generate(
        self, prompt: Prompt, sampling: Sampling, request_id: str, take: Take, *, priority: int = 0
    ) -> None:
        prompt = self.read(prompt)
        if sampling.logprobs is None:
            take(TokenDelta(tuple(self.choose(prompt, sampling)), "length"))
            return
        asked = next(answer for answer in self.answers if answer.question.name in request_id)
        best = self.row(prompt, asked).topk(sampling.logprobs)
        found = dict(zip(best.indices.tolist(), best.values.tolist(), strict=True))
        take(TokenDelta((best.indices[0].item(),), "length", (found,)))  # type: ignore[arg-type]

    def row(self, prompt: Prompt, asked: Answer) -> torch.Tensor:
        """The log-probabilities after a prompt, which is a question and the beginning of its answer."""
        if asked.question.name not in self.rows:
            self.rows[asked.question.name] = self.reference.log_probs(
                asked.input_ids, [from_pixels(image.pixels) for image in prompt.images], asked.token_ids
            )
        return self.rows[asked.question.name][len(prompt.token_ids) - len(asked.input_ids)]

    def choose(self, prompt: Prompt, sampling: Sampling) -> list[int]:
        return self.reference.greedy(
            prompt.token_ids,
            [from_pixels(image.pixels) for image in prompt.images],
            max_new_tokens=sampling.max_tokens,
            repetition_penalty=sampling.repetition_penalty,
        )

    def read(self, prompt: Prompt) -> Prompt:
        return prompt


class SwapsNeighbours(ReferenceEngine):
    """As with rows of the output head in another order."""

    def row(self, prompt: Prompt, asked: Answer) -> torch.Tensor:
        return super().row(prompt, asked).view(-1, 2).flip(1).flatten()


class SeesNoImages(ReferenceEngine):
    """As with an image tower whose weights did not load."""

    def read(self, prompt: Prompt) -> Prompt:
        grey = tuple(PromptImage(np.full_like(image.pixels, 128), "grey") for image in prompt.images)
        return replace(prompt, images=grey)


class SeesTheMiddle(ReferenceEngine):
    """As vLLM's own LLaVA, which crops the picture's sides."""

    def read(self, prompt: Prompt) -> Prompt:
        middles = [image.pixels[56:-56, 56:-56].repeat(3, 0).repeat(3, 1)[::2, ::2] for image in prompt.images]
        return replace(prompt, images=tuple(PromptImage(middle, "middle") for middle in middles))


class IsNoisy(ReferenceEngine):
    """Half a natural-log unit up or down, by token."""

    def row(self, prompt: Prompt, asked: Answer) -> torch.Tensor:
        signs = torch.randint(0, 2, (4096,), generator=torch.Generator().manual_seed(len(prompt.token_ids))) * 2 - 1
        return super().row(prompt, asked) + 0.5 * signs


class IsNotANumber(ReferenceEngine):
    """As with an overflow of float16."""

    def row(self, prompt: Prompt, asked: Answer) -> torch.Tensor:
        return torch.full_like(super().row(prompt, asked), torch.nan)


class SaysNothing(ReferenceEngine):
    """Reports no log-probabilities."""

    async def generate(
        self, prompt: Prompt, sampling: Sampling, request_id: str, take: Take, *, priority: int = 0
    ) -> None:
        await super().generate(prompt, sampling, request_id, lambda delta: take(delta._replace(logprobs=())))


class ForgetsThePenalty(ReferenceEngine):
    """As with a logits processor that was not loaded: the forced log-probabilities cannot show it."""

    def choose(self, prompt: Prompt, sampling: Sampling) -> list[int]:
        return super().choose(prompt, replace(sampling, repetition_penalty=1.0))


WRONG = [SwapsNeighbours, SeesNoImages, SeesTheMiddle, IsNoisy, IsNotANumber, SaysNothing, ForgetsThePenalty]


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference.load(CHECKPOINT)


@pytest.fixture(scope="module")
def answers(reference: Reference) -> list[Answer]:
    return [answer(reference, question) for question in ASKED]


@pytest.fixture(scope="module")
def rounded() -> Reference:
    return Reference.load(CHECKPOINT, dtype="bfloat16")


@pytest.fixture(scope="module")
def rounded_answers(rounded: Reference) -> list[Answer]:
    return [answer(rounded, question) for question in ASKED]


def verified(engine: ReferenceEngine, thresholds: Thresholds) -> VerifyReport:
    return asyncio.run(compare(engine, Checkpoint.open(CHECKPOINT), engine.answers, thresholds))


def position(token_id: int, log_prob: float = -0.1, gap: float = 2.0, **other: float | bool) -> Position:
    """A clear choice of one token."""
    values = {"noise": 0.0, "best_stays": True} | other
    shortfalls = {token_id: 0.0, token_id + 1: gap}
    return Position(token_id, log_prob, token_id, gap, shortfalls, **values)  # type: ignore[arg-type]


def test_the_reference_as_an_engine_passes(reference: Reference, answers: list[Answer]) -> None:
    """An engine that gives the reference's own log-probabilities differs nowhere."""
    report = verified(ReferenceEngine(reference, answers), FLOAT32)

    assert report.ok
    assert (report.max_difference, report.agreement) == (0.0, 1.0)
    assert "passed" in report.lines()[-1]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_engine_fails(reference: Reference, answers: list[Answer], wrong: type[ReferenceEngine]) -> None:
    """Every spoilt engine is found out in float32."""
    report = verified(wrong(reference, answers), FLOAT32)

    assert not report.ok
    assert "FAILED" in report.lines()[-1]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_engine_fails_in_16_bits_too(
    rounded: Reference, rounded_answers: list[Answer], wrong: type[ReferenceEngine]
) -> None:
    """The thresholds of bfloat16 let rounding through, on a checkpoint that rounding shakes, and no spoilt engine."""
    thresholds = Thresholds.of("bfloat16", rounded_answers)

    assert verified(ReferenceEngine(rounded, rounded_answers), thresholds).ok
    assert not verified(wrong(rounded, rounded_answers), thresholds).ok


def test_a_token_that_the_engine_does_not_report_counts_by_the_last_one_it_does() -> None:
    """Its log-probability is at most the least reported one; where the reference's is lower still, nothing is known."""
    asked = Answer(HELLO, (1,), (position(7, log_prob=-1.0), position(8, log_prob=-9.0)))
    reported = {1: -0.5, 2: -4.0}

    report = judge(asked, (1,), [reported, reported], (7, 8))

    assert report.differences == (3.0,)


def test_another_prompt_fails() -> None:
    """A prompt that is not the reference's fails, and the place is said, whatever the log-probabilities."""
    asked = Answer(HELLO, (1, 2, 3), (position(7),))

    report = VerifyReport((judge(asked, (1, 2, 4), [{7: -0.1}], (7,)),), FLOAT32)

    assert not report.ok
    assert "the prompt differs at token 2" in report.lines()[1]


def test_an_answer_that_goes_on_past_the_end_fails() -> None:
    """Where the reference stopped and the engine did not, the answers part without a doubt."""
    asked = Answer(HELLO, (1,), (position(7),))

    report = judge(asked, (1,), [{7: -0.1}], (7, 8))

    assert report.parting == Divergence(1, math.inf)


def test_a_near_tie_may_fall_either_way() -> None:
    """Where the reference's two first choices are closer than 0.1, either is a fair answer; the place is still said."""
    asked = Answer(HELLO, (1,), (position(7, log_prob=-0.1, gap=0.05),))

    report = VerifyReport((judge(asked, (1,), [{8: -0.0999, 7: -0.1}], (8,)),), FLOAT32)

    assert report.ok
    assert report.questions[0].divergence == report.questions[0].parting == Divergence(0, 0.05)


def test_nothing_to_compare_is_no_proof() -> None:
    """A report without a single comparison fails."""
    assert not VerifyReport((), FLOAT32).ok


def test_thresholds_of_16_bits_follow_the_rounding() -> None:
    """Twice what rounding does to the reference itself, and never narrower than the documented floor."""
    calm = [Answer(HELLO, (1,), (position(7),))]
    shaken = [Answer(HELLO, (1,), (*(position(7, noise=0.1),) * 19, position(7, noise=0.5, best_stays=False)))]

    assert Thresholds.of("float16", calm) == Thresholds(math.inf, 0.05, 0.97, 0.5)
    found = Thresholds.of("bfloat16", shaken)
    assert (found.mean_difference, found.agreement, found.parting_gap) == pytest.approx((0.24, 0.9, 1.0))


@pytest.mark.parametrize(
    ("said", "config", "meant"),
    [
        ("auto", {"torch_dtype": "float16"}, "float16"),
        ("auto", {"text_config": {"dtype": "bfloat16"}}, "bfloat16"),
        ("auto", {"torch_dtype": "float32"}, "bfloat16"),
        ("auto", {}, "bfloat16"),
        ("half", {}, "float16"),
        ("float32", {"torch_dtype": "bfloat16"}, "float32"),
    ],
)
def test_both_compute_in_the_dtype_that_vllm_would_choose(said: str, config: dict[str, object], meant: str) -> None:
    """`auto` is the checkpoint's, and 16 bits where that is float32."""
    assert resolve_dtype(said, config) == meant


def test_an_unknown_dtype_is_named() -> None:
    """A dtype that cannot be verified stops before anything is loaded."""
    with pytest.raises(SettingsError, match="int4"):
        resolve_dtype("int4", {})


@pytest.mark.parametrize("demo", [None, TRAINED])
def test_the_report_says_that_a_demo_checkpoint_is_one(demo: str | None) -> None:
    """Beside what ran where, so that nobody takes the proof for one about the released weights."""
    checkpoint = replace(Checkpoint.open(CHECKPOINT), demo=demo)

    said = ran_on(checkpoint, "float32", "cpu", {"vllm": "0.32", "device": "cpu", "transformers": "5"})

    assert said.startswith("HuatuoGPT-Vision-34B in float32: vLLM 0.32 on cpu")
    assert said.endswith(f"; this is {TRAINED}" if demo else "with transformers 5")


def test_the_questions_are_the_same_everywhere() -> None:
    """Pictures are computed, uint8, of several shapes; both languages and penalties and an earlier turn occur."""
    pictures = [picture for question in built_in() for turn in question.turns for picture in turn.pictures]

    assert all(picture.dtype == np.uint8 and picture.shape[2] == 3 for picture in pictures)
    assert len({picture.shape for picture in pictures}) >= 4
    assert {question.repetition_penalty for question in built_in()} == {1.0, 1.2}
    assert np.array_equal(noise(8), noise(8))
    assert checkerboard(50, 50)[0, 0].tolist() != checkerboard(50, 50)[0, 49].tolist()
    assert gradient(4, 3)[0, 3].tolist() == [255, 0, 128]


def test_the_reference_answers_in_a_process_of_its_own(reference: Reference) -> None:
    """The child's answers are those of this process."""
    question = built_in()[0]

    device, (found,) = answer_in_child(CHECKPOINT, [question], "float32", "cpu")

    assert device == "cpu"
    here = answer(reference, question)
    assert (found.input_ids, found.token_ids) == (here.input_ids, here.token_ids)


def test_a_failure_of_the_child_is_told(tmp_path: Path) -> None:
    """What the reference refuses is refused with its own message."""
    (tmp_path / "config.json").write_text('{"model_type": "mistral"}')

    with pytest.raises(CheckpointError, match="mistral"):
        answer_in_child(tmp_path, built_in()[:1], "float32", "cpu")
