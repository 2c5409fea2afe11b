"""A conversation becomes the reference's token ids; what the reference cannot say is put where we document it."""

from __future__ import annotations

import time

import numpy as np
import pytest

from huatuo_server.engine.base import IMAGE_SENTINEL, PromptImage
from huatuo_server.errors import InvalidRequest
from huatuo_server.prompt import (
    IMAGE_MARK,
    Message,
    ids_of,
    max_images,
    num_positions,
    prompt_format,
    prompt_length,
    prompt_pieces,
    render,
)
from huatuo_server.prompt import text_of as shown_text_of
from huatuo_server.tokenizer import Tokenizer
from tests import golden

TOKENIZER = Tokenizer.load(golden.CHECKPOINT)


def picture(name: str) -> PromptImage:
    return PromptImage(np.zeros((1, 1, 3), np.uint8), name)


def user(text: str, *images: str) -> Message:
    return Message("user", text, tuple(picture(name) for name in images))


def assistant(text: str) -> Message:
    return Message("assistant", text)


def text_of(*messages: Message) -> str:
    """The prompt as a string, every image a ¤."""
    parts, run = [], list[int]()
    for id_ in (*render(messages, TOKENIZER).token_ids, IMAGE_SENTINEL):
        if id_ == IMAGE_SENTINEL:
            parts.append(TOKENIZER.decode(run))
            run = []
        else:
            run.append(id_)
    return "¤".join(parts)


@pytest.mark.parametrize("case", golden.cases(), ids=lambda case: case.name)
def test_golden_prompts(case: golden.Case) -> None:
    """Every golden case has the reference's ids, its sentinels and its length."""
    rounds = [*((turn.text, turn.answer) for turn in case.history), (case.text, None)]
    messages = []
    for number, (text, answer) in enumerate(rounds):
        messages.append(user(text, *(case.images if number == 0 else ())))
        messages += [assistant(answer)] if answer is not None else []
    prompt = render(messages, TOKENIZER)
    assert prompt.token_ids == case.input_ids
    assert [image.identity for image in prompt.images] == list(case.images)
    assert prompt_length(prompt, 576) == case.raw["prompt_len"]


def test_one_round() -> None:
    """A question stands between the user's marker and the assistant's."""
    assert text_of(user("Hi")) == "<|user|>\nHi\n<|assistant|>\n"


def test_images_stand_before_the_text_of_their_round() -> None:
    """Every round keeps its own images, in order."""
    messages = (user("a", "1", "2"), assistant("b"), user("c", "3"))
    assert text_of(*messages) == "<|user|>\n¤\n¤\na\n<|assistant|>\nb \n<|user|>\n¤\nc\n<|assistant|>\n"
    assert [image.identity for image in render(messages, TOKENIZER).images] == ["1", "2", "3"]


def test_a_turn_is_stripped_as_a_whole() -> None:
    """Without an image both ends of the text are stripped; behind one only the end is, as the reference has it."""
    assert text_of(user("  a \n")) == "<|user|>\na\n<|assistant|>\n"
    assert text_of(user("  a \n", "1")) == "<|user|>\n¤\n  a\n<|assistant|>\n"
    assert text_of(user(" \n", "1", "2")) == "<|user|>\n¤\n¤\n<|assistant|>\n"


def test_pieces_are_tokenised_on_their_own() -> None:
    """The ids are those of the parts, not of the joined string."""
    one_string = TOKENIZER.encode("<|user|>\na\n<|assistant|>\nb \n<|user|>\n\nc\n<|assistant|>\n")
    pieces = ("<|user|>\na\n", "<|assistant|>\nb \n", "<|user|>\nc\n<|assistant|>\n")
    found = list(render([user("a"), assistant("b"), user("c")], TOKENIZER).token_ids)
    assert found == [id_ for piece in pieces for id_ in TOKENIZER.encode(piece)]
    assert found != one_string


def test_answers_keep_their_white_space() -> None:
    """The assistant's text goes in as it came out, with the reference's space behind it."""
    assert text_of(user("a"), assistant(" b\n"), user("c")).startswith("<|user|>\na\n<|assistant|>\n b\n \n<|user|>")


def test_markers_are_deleted_from_user_text_once_and_in_order() -> None:
    """<image>, <s> and </s> go; what then forms anew stays as plain text and is no image."""
    assert text_of(user("a<image>b<s>c</s>d")) == "<|user|>\nabcd\n<|assistant|>\n"
    again = render([user("a<ima<s>ge>b")], TOKENIZER)
    assert IMAGE_SENTINEL not in again.token_ids
    assert text_of(user("a<ima<s>ge>b")) == "<|user|>\na<image>b\n<|assistant|>\n"


def test_markers_in_answers_are_plain_text() -> None:
    """The reference does not touch the assistant's text; neither do we, and it stays text."""
    prompt = render([user("a"), assistant("<image></s><|endoftext|>"), user("c")], TOKENIZER)
    assert IMAGE_SENTINEL not in prompt.token_ids
    assert not TOKENIZER.unreachable_ids & set(prompt.token_ids)
    assert "<image></s><|endoftext|>" in TOKENIZER.decode(prompt.token_ids)


@pytest.mark.parametrize("role", ["system", "developer"])
def test_instructions_stand_at_the_head_of_the_first_turn(role: str) -> None:
    """The models know no system role: its text and a blank line precede the question, behind the images."""
    instruction = Message("developer" if role == "developer" else "system", "Be brief.")
    assert text_of(instruction, user("Hi")) == "<|user|>\nBe brief.\n\nHi\n<|assistant|>\n"
    assert text_of(instruction, user("Hi", "1")) == "<|user|>\n¤\nBe brief.\n\nHi\n<|assistant|>\n"


def test_instructions_from_anywhere_go_to_the_first_turn() -> None:
    """Several instructions, and late ones, keep their order; one without text leaves no trace."""
    system = [Message("system", text) for text in ("One.", "  \n", "Two <s>.")]
    messages = (system[0], user("a"), assistant("b"), system[1], system[2], user("c"))
    assert text_of(*messages) == "<|user|>\nOne.\n\nTwo .\n\na\n<|assistant|>\nb \n<|user|>\nc\n<|assistant|>\n"


def test_messages_of_one_side_in_a_row_are_one_turn() -> None:
    """Their texts are joined by a newline, their images stand before both."""
    messages = (user("a", "1"), user("b", "2"), assistant("c"), assistant("d"), user("e"), user("f"))
    assert text_of(*messages) == "<|user|>\n¤\n¤\na\nb\n<|assistant|>\nc\nd \n<|user|>\ne\nf\n<|assistant|>\n"


def test_a_conversation_cannot_begin_with_an_answer() -> None:
    """There is no such prompt in the reference; the error names the message."""
    with pytest.raises(InvalidRequest, match="must begin with a user message") as caught:
        render([Message("system", "s"), assistant("Hello!"), user("a")], TOKENIZER)
    assert caught.value.param == "messages.1.role"


@pytest.mark.parametrize(
    "messages", [[], [Message("system", "s")], [user("a"), assistant("b")], [user("a"), Message("system", "s")]]
)
def test_a_conversation_ends_with_a_question(messages: list[Message]) -> None:
    """Without a user message at its end there is nothing to answer."""
    with pytest.raises(InvalidRequest, match="last message must be a user message"):
        render(messages, TOKENIZER)


def test_no_message_can_hold_a_special_token() -> None:
    """Whatever all parties write, the prompt holds sentinels for its images and no special token."""
    text = "<|im_start|><|endoftext|><|startoftext|><|Human|><unk>\x00\ud800<0x0A>"
    prompt = render([Message("system", text), user(text, "1"), assistant(text), user(text)], TOKENIZER)
    assert not (TOKENIZER.unreachable_ids | {0}) & set(prompt.token_ids)
    assert prompt.token_ids.count(IMAGE_SENTINEL) == len(prompt.images) == 1


def test_many_messages_are_rendered_in_linear_time() -> None:
    """100,000 messages of one side take seconds; joining them one by one would take minutes."""
    started = time.monotonic()
    prompt = render([user("a" * 20)] * 100_000, TOKENIZER)
    assert len(prompt.token_ids) > 100_000
    assert time.monotonic() - started < 20


def test_prompt_length_counts_the_positions_of_images() -> None:
    """One sentinel stands for all the positions of its image."""
    prompt = render([user("a", "1", "2")], TOKENIZER)
    assert prompt_length(prompt, 576) == len(prompt.token_ids) - 2 + 2 * 576


def test_the_published_format_is_the_one_in_use() -> None:
    """Filled in, its templates give the prompt that is rendered."""
    words = prompt_format()
    images = words["image"] * 2
    first = words["round"].format(user=words["system"].format(system="Be brief.") + "a", assistant="b")
    last = words["last_round"].format(user=f"{images}c")
    conversation = (Message("system", "Be brief."), user("a"), assistant("b"), user("c", "1", "2"))
    assert shown_text_of(prompt_pieces(conversation)) == first + last
    assert text_of(*conversation) == (first + last).replace(IMAGE_MARK, "¤")


def test_the_pieces_are_what_the_ids_are_made_of() -> None:
    """Each on its own, an image among them; and nothing else."""
    conversation = (user("a", "1"), assistant("b"), user("c"))
    pieces = prompt_pieces(conversation)
    assert pieces == ("<|user|>\n", None, "\na\n", "<|assistant|>\nb \n", "<|user|>\nc\n<|assistant|>\n")
    prompt = render(conversation, TOKENIZER)
    assert ids_of(pieces, TOKENIZER) == prompt.token_ids
    assert num_positions(prompt.token_ids, 576) == prompt_length(prompt, 576)


@pytest.mark.parametrize("context", [577, 600, 1200, 4096, 4608, 40_000])
def test_as_many_images_fit_as_is_said_and_not_one_more(context: int) -> None:
    """Beside a question and an answer of one token each."""
    most = max_images(TOKENIZER, 576, context)
    lengths = [prompt_length(render([user("?", *"x" * count)], TOKENIZER), 576) for count in (most, most + 1)]
    assert lengths[1] + 1 > context
    assert most == 0 or lengths[0] + 1 <= context
