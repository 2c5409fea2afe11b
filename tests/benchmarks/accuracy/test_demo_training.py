"""The demo model's training: the same arithmetic as the served one, questions that fit their pictures, and a seed."""

from __future__ import annotations

import random
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.accuracy.demo_training.exam import questions
from benchmarks.accuracy.demo_training.export import write, write_tokenizer
from benchmarks.accuracy.demo_training.model import GRID, NUM_PATCHES, Demo, Sizes
from benchmarks.accuracy.demo_training.painter import IGNORED, Painter, Seen, squared
from benchmarks.accuracy.demo_training.patches import patches, thinned
from benchmarks.accuracy.demo_training.questions import LETTER, Facts, Form, ask, ask_beyond
from benchmarks.accuracy.demo_training.real_pictures import RealPicture
from benchmarks.accuracy.demo_training.scenes import SIDE_PIXELS, draw_scene
from benchmarks.accuracy.demo_training.training import decoded
from benchmarks.accuracy.demo_training.writer import MAX_TEXT_TOKENS, Texts, Writer
from huatuo_server.check_report import check
from huatuo_server.reference import IMAGE, Reference, Round, pixel_values
from huatuo_server.tokenizer import Tokenizer

REAL = [RealPicture("CT", "made: CT", np.full((60, 50, 3), 90, np.uint8))]


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Demo, Path]:
    """A model with fresh weights, and its checkpoint."""
    folder = tmp_path_factory.mktemp("demo")
    torch.manual_seed(0)
    vocabulary, end = write_tokenizer(folder)
    demo = Demo(Sizes(), vocabulary)
    write(folder / "checkpoint", demo, vocabulary, end, folder)
    return demo, folder / "checkpoint"


def writer(checkpoint: Path, seed: int = 0) -> Writer:
    return Writer(Tokenizer.load(checkpoint), 765, random.Random(seed))


def test_what_is_trained_is_what_is_served(untrained: tuple[Demo, Path]) -> None:
    """On whole pictures the model in training has the reference's log-probabilities, but for bfloat16's rounding."""
    demo, checkpoint = untrained
    reference, tokenizer = Reference.load(checkpoint), Tokenizer.load(checkpoint)
    picture = squared(np.repeat(draw_scene(random.Random(1)).pixels[..., None], 3, 2))
    forced = tokenizer.encode("Circle.")
    question = reference.input_ids([Round("What shape is it?", 1)])
    behind = question[question.index(IMAGE) + 1 :]
    ids = torch.tensor([[*behind, *forced[:-1]] + [0] * (MAX_TEXT_TOKENS - len(behind) - len(forced) + 1)])
    offsets = torch.arange(MAX_TEXT_TOKENS)[None]
    texts = Texts(ids, torch.full_like(ids, IGNORED), torch.ones_like(ids), offsets)
    places = np.arange(NUM_PATCHES)[None]

    with torch.inference_mode():
        rounded = demo.to(torch.bfloat16).float()
        states = rounded.tower(patches(picture[None], places), torch.from_numpy(places))
        hidden = decoded(rounded, question[: question.index(IMAGE)], states, torch.from_numpy(places), texts)
        ours = rounded.head(hidden[0, len(behind) - 1 : len(behind) - 1 + len(forced)]).log_softmax(-1)
        theirs = reference.log_probs(question, [Image.fromarray(picture)], forced)

    torch.testing.assert_close(ours, theirs, atol=2e-3, rtol=0)


def test_the_checkpoint_can_be_served(untrained: tuple[Demo, Path]) -> None:
    """`check` finds nothing wrong with what training writes."""
    report = check(untrained[1])

    assert report.ok, report.lines()


def test_patches_are_what_the_reference_reads() -> None:
    """Cut and normalised as CLIP's convolution sees them."""
    pixels = np.random.default_rng(0).integers(0, 256, (336, 336, 3), np.uint8)

    cut = patches(pixels[None], np.array([[0, 25]]))

    whole = torch.from_numpy(pixel_values(Image.fromarray(pixels)))
    torch.testing.assert_close(cut[0, 0], whole[:, :14, :14].flatten())
    torch.testing.assert_close(cut[0, 1], whole[:, 14:28, 14:28].flatten())


def test_a_quarter_of_the_patches_covers_the_picture() -> None:
    """One of every two by two, in the order in which the decoder reads them."""
    places = thinned(3, np.random.default_rng(0))

    assert places.shape == (3, NUM_PATCHES // 4)
    assert (np.diff(places) > 0).all()
    assert all(len({(place // GRID // 2, place % GRID // 2) for place in row}) == NUM_PATCHES // 4 for row in places)


@pytest.mark.parametrize("form", get_args(Form))
def test_the_right_answer_is_among_the_options(form: Form) -> None:
    """A closed question is asked in the papers' words and has one right letter; an open one has none."""
    random_ = random.Random(3)
    for _ in range(50):
        facts = Facts("drawing", draw_scene(random_))
        for topic in facts.topics:
            asked = ask(facts, topic, random_, form=form)
            if asked.options:
                assert asked.text.endswith(LETTER)
                assert asked.options.count(asked.answer) == 1
                assert asked.options["ABCD".index(asked.reply)] == asked.answer
            else:
                assert LETTER not in asked.text
                assert asked.reply == asked.answer


def test_a_scene_is_as_its_facts_say() -> None:
    """A single shape lies on its side, and its grey differs from the ground's in the way that is told."""
    random_ = random.Random(5)
    for scene in (draw_scene(random_) for _ in range(100)):
        place = scene.places[0]
        assert max(scene.pixels.shape) == SIDE_PIXELS
        inside, ground = int(scene.pixels[place.y, place.x]), int(np.median(scene.pixels))
        assert (inside > ground) == scene.is_brighter
        if scene.side:
            assert (place.x < scene.pixels.shape[1] / 2) == (scene.side == "left")


def test_what_it_cannot_know_it_says() -> None:
    """A question about a disease is answered with what is seen and what the model is."""
    asked = ask_beyond(Facts("CT"), random.Random(0))

    assert "demo" in asked.reply or "演示" in asked.reply


def test_conversations_behind_a_picture_are_apart(untrained: tuple[Demo, Path]) -> None:
    """Only answers are learnt, each begins anew behind the picture, and each ends with the id that ends an answer."""
    painter = Painter(REAL, random.Random(0))
    seen: list[Seen | None] = [painter.picture(), None]

    texts = writer(untrained[1]).texts(seen)

    for row in range(2):
        used = int((texts.segments[row] > 0).sum())
        last = int(texts.segments[row].max())
        assert last > 1
        assert int((texts.targets[row] == 765).sum()) == last
        assert int((texts.offsets[row, :used] == 0).sum()) == last
        assert (texts.targets[row, used:] == IGNORED).all()


def test_one_conversation_does_not_see_another(untrained: tuple[Demo, Path]) -> None:
    """Other words in the first leave the states of the second as they are."""
    demo, checkpoint = untrained
    texts = writer(checkpoint).texts([None])
    second = texts.segments[0] == 2
    changed = texts.ids.clone()
    changed[0, texts.segments[0] == 1] = 7
    nowhere = torch.zeros(1, 0, dtype=torch.long)

    with torch.inference_mode():
        before = decoded(demo.float(), [1, 2], None, nowhere, texts)[0, second]
        after = decoded(demo, [1, 2], None, nowhere, Texts(changed, texts.targets, texts.segments, texts.offsets))[
            0, second
        ]

    torch.testing.assert_close(before, after)


def test_the_same_seed_paints_the_same() -> None:
    """Pictures and questions come from the seed alone; the exam's are the same each time."""
    first, again = (Painter(REAL, random.Random(4)).picture().pixels for _ in range(2))
    asked = [[question.asked for question in questions(3, 1)] for _ in range(2)]

    assert np.array_equal(first, again)
    assert asked[0] == asked[1]
