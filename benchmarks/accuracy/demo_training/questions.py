"""What the demo model is asked and what it should answer: drawn shapes and kinds of pictures, in two languages."""

# ruff: noqa: RUF001 - the Chinese lines have Chinese punctuation.

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Final, Literal

from benchmarks.accuracy.demo_training.real_pictures import Modality
from benchmarks.accuracy.demo_training.scenes import SHAPES, Scene

Language = Literal["en", "zh"]
Form = Literal["free", "options", "whether"]
Kind = Literal["drawing"] | Modality
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")
KINDS: Final[tuple[Kind, ...]] = ("drawing", "CT", "MR", "X-ray", "retina", "histology", "ultrasound")

LETTER: Final = "Answer with the option's letter from the given choices directly."
"""The papers' last line; English also where the question is Chinese, as in their code."""

_Words = Mapping[Language, str]

_KIND_WORDS: Final[Mapping[Kind, _Words]] = {
    "drawing": {"en": "A drawing", "zh": "绘图"},
    "CT": {"en": "A CT scan", "zh": "CT"},
    "MR": {"en": "An MR scan", "zh": "磁共振"},
    "X-ray": {"en": "An X-ray", "zh": "X光片"},
    "retina": {"en": "A photograph of a retina", "zh": "眼底照片"},
    "histology": {"en": "A histology slide", "zh": "病理切片"},
    "ultrasound": {"en": "An ultrasound", "zh": "超声"},
}
_SHAPE_WORDS: Final[Mapping[str, _Words]] = {
    "circle": {"en": "Circle", "zh": "圆形"},
    "square": {"en": "Square", "zh": "正方形"},
    "triangle": {"en": "Triangle", "zh": "三角形"},
    "cross": {"en": "Cross", "zh": "十字"},
}
_COUNT_WORDS: Final[tuple[_Words, ...]] = (
    {"en": "One", "zh": "一个"},
    {"en": "Two", "zh": "两个"},
    {"en": "Three", "zh": "三个"},
    {"en": "Four", "zh": "四个"},
)
_TONE_WORDS: Final[tuple[_Words, ...]] = ({"en": "Brighter", "zh": "更亮"}, {"en": "Darker", "zh": "更暗"})
_SIDE_WORDS: Final[Mapping[str, _Words]] = {
    "left": {"en": "Left", "zh": "左侧"},
    "right": {"en": "Right", "zh": "右侧"},
}
_YES_NO: Final[tuple[_Words, ...]] = ({"en": "Yes", "zh": "是"}, {"en": "No", "zh": "否"})

_ASKED: Final[Mapping[str, Mapping[Language, tuple[str, ...]]]] = {
    "kind": {
        "en": (
            "What kind of picture is this?",
            "What kind of scan is this?",
            "What does this scan show?",
            "What does the picture show?",
            "What is this?",
            "Which modality is this?",
            "What type of image is this?",
        ),
        "zh": ("这是什么图像？", "这是哪种检查？", "这张图片是什么？", "图中是什么？"),
    },
    "shape": {
        "en": ("Which shape is in the picture?", "What shape is it?", "What is the shape?"),
        "zh": ("图中是什么形状？", "是什么形状？"),
    },
    "count": {
        "en": ("How many shapes are in the picture?", "How many shapes are there?"),
        "zh": ("图中有几个形状？", "有几个形状？"),
    },
    "tone": {
        "en": ("Is the shape brighter or darker than the background?", "Is it brighter or darker?"),
        "zh": ("形状比背景更亮还是更暗？", "更亮还是更暗？"),
    },
    "side": {
        "en": ("On which side is the shape?", "Which side is it on?"),
        "zh": ("形状在哪一侧？", "在哪一侧？"),
    },
}
_WHETHER: Final[Mapping[str, Mapping[Language, tuple[str, ...]]]] = {
    "kind": {"en": ("Is this {thing}?",), "zh": ("这是{thing}吗？",)},
    "shape": {"en": ("Is there a {thing} in the picture?", "Is it a {thing}?"), "zh": ("图中有{thing}吗？",)},
    "side": {"en": ("Is the shape on the {thing}?",), "zh": ("形状在{thing}吗？",)},
    "tone": {"en": ("Is the shape {thing} than the background?",), "zh": ("形状比背景{thing}吗？",)},
}
_BEYOND: Final[Mapping[Language, tuple[str, ...]]] = {
    "en": (
        "Is there any abnormality?",
        "What is the diagnosis?",
        "Describe the picture.",
        "Describe the image and give a diagnosis.",
        "Which part of the body does this scan show?",
        "What do you see?",
        "Is there a fracture?",
        "Is the heart enlarged?",
    ),
    "zh": (
        "有什么异常？",
        "诊断是什么？",
        "请描述这张图片。",
        "请描述这张医学影像，并给出诊断意见。",
        "你看到了什么？",
    ),
}
_MODEST: Final[_Words] = {
    "en": "This demo model knows kinds of pictures and drawn shapes only.",
    "zh": "这个演示模型只认识图像种类和简单形状。",
}
_NO_PICTURE_ASKED: Final[Mapping[Language, tuple[str, ...]]] = {
    "en": ("Hello", "Hi!", "Are you there?", "Who are you?", "What can you do?", "What is pneumonia?", "Help"),
    "zh": ("你好", "你是谁？", "你能做什么？", "什么是肺炎？"),
}
_NO_PICTURE: Final[_Words] = {
    "en": "I am a tiny demo model. Send a picture and ask what kind it is.",
    "zh": "我是一个小型演示模型。请发送图片并询问它的种类。",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """topic: what it is about. options: where it is a closed question; then `answer` is one of them.

    With options the model is to answer their letter, else the answer itself.
    """

    topic: str
    language: Language
    question: str
    answer: str
    options: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What the user sends: a closed question in the papers' form."""
        lines = [self.question, *(f"{ascii_uppercase[rank]}. {one}" for rank, one in enumerate(self.options))]
        return "\n".join([*lines, LETTER] if self.options else lines)

    @property
    def reply(self) -> str:
        """What the model is to say."""
        return ascii_uppercase[self.options.index(self.answer)] if self.options else self.answer


@dataclass(frozen=True, slots=True)
class Facts:
    """What is to know of a picture. scene: of a drawing."""

    kind: Kind
    scene: Scene | None = None

    @property
    def topics(self) -> tuple[str, ...]:
        """What can be asked of it."""
        if self.scene is None:
            return ("kind",)
        return ("kind", "shape", "count", "tone", *(("side",) if self.scene.side else ()))


def ask(facts: Facts, topic: str, random_: random.Random, *, form: Form) -> Asked:
    """A question about `topic`, one of the facts' topics: with a free answer, lettered options, or yes or no."""
    language = random_.choice(LANGUAGES)
    choices, right = _choices(facts, topic)
    if form == "whether" and topic in _WHETHER:
        return _whether(topic, language, choices, right, random_)
    question = random_.choice(_ASKED[topic][language])
    answer = choices[right][language]
    if form == "free":
        return Asked(topic, language, question, _sentence(answer, language))
    options = _drawn(choices, right, language, random_)
    return Asked(topic, language, question, answer, options)


def ask_beyond(facts: Facts, random_: random.Random) -> Asked:
    """What the model cannot know: it says what it sees and that it knows no more."""
    language = random_.choice(LANGUAGES)
    seen = _sentence(_seen(facts, language), language)
    space = " " if language == "en" else ""
    return Asked("beyond", language, random_.choice(_BEYOND[language]), f"{seen}{space}{_MODEST[language]}")


def ask_without_picture(random_: random.Random) -> Asked:
    """Words alone."""
    language = random_.choice(LANGUAGES)
    return Asked("words", language, random_.choice(_NO_PICTURE_ASKED[language]), _NO_PICTURE[language])


def lines() -> list[str]:
    """All that is ever said, for the tokenizer to learn its pieces from; common words stand more often."""
    words = [*_KIND_WORDS.values(), *_SHAPE_WORDS.values(), *_COUNT_WORDS, *_TONE_WORDS, *_SIDE_WORDS.values()]
    words += [*_YES_NO, _MODEST, _NO_PICTURE]
    said = [pair[language] for pair in words for language in LANGUAGES]
    for asked in (*_ASKED.values(), *_WHETHER.values(), _BEYOND, _NO_PICTURE_ASKED):
        said += [line for language in LANGUAGES for line in asked[language]]
    return [
        *said,
        *(line.lower() for line in said),
        *[LETTER] * 8,
        *["A.", "B.", "C.", "D.", "<|user|>", "<|assistant|>"] * 8,
    ]


def _choices(facts: Facts, topic: str) -> tuple[tuple[_Words, ...], int]:
    """All answers to a topic, and which of them is right."""
    if topic == "kind":
        return tuple(_KIND_WORDS[kind] for kind in KINDS), KINDS.index(facts.kind)
    scene = facts.scene
    assert scene is not None
    if topic == "shape":
        return tuple(_SHAPE_WORDS[shape] for shape in SHAPES), SHAPES.index(scene.shape)
    if topic == "count":
        return _COUNT_WORDS, scene.count - 1
    if topic == "tone":
        return _TONE_WORDS, 0 if scene.is_brighter else 1
    return tuple(_SIDE_WORDS.values()), 0 if scene.side == "left" else 1


def _drawn(choices: tuple[_Words, ...], right: int, language: Language, random_: random.Random) -> tuple[str, ...]:
    """Two to four options, the right one among them; two in their own order, more in any."""
    wrong = [rank for rank in range(len(choices)) if rank != right]
    picked = [right, *random_.sample(wrong, min(len(wrong), random_.randint(1, 3)))]
    picked = sorted(picked) if len(choices) == 2 else random_.sample(picked, len(picked))
    return tuple(choices[rank][language] for rank in picked)


def _whether(topic: str, language: Language, choices: tuple[_Words, ...], right: int, random_: random.Random) -> Asked:
    named = right if random_.random() < 0.5 else random_.choice([rank for rank in range(len(choices)) if rank != right])
    thing = choices[named][language]
    thing = thing[0].lower() + thing[1:] if language == "en" else thing
    question = random_.choice(_WHETHER[topic][language]).format(thing=thing)
    answer = _YES_NO[0 if named == right else 1][language]
    if random_.random() < 0.5:
        return Asked(topic, language, question, answer, tuple(word[language] for word in _YES_NO))
    return Asked(topic, language, question, _sentence(answer, language))


def _seen(facts: Facts, language: Language) -> str:
    kind = _KIND_WORDS[facts.kind][language]
    if facts.scene is None:
        return kind
    shape, count = _SHAPE_WORDS[facts.scene.shape][language], _COUNT_WORDS[facts.scene.count - 1][language]
    return f"{kind}: {count.lower()} {shape.lower()}" if language == "en" else f"{kind}：{count}{shape}"


def _sentence(text: str, language: Language) -> str:
    return f"{text}." if language == "en" else f"{text}。"
