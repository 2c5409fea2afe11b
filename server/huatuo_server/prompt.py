"""Messages -> prompt, piece by piece as the reference does it (`cli.py`, `preprocess_huatuo`).

    an earlier round    tok("<|user|>\\n{user}\\n") + tok("<|assistant|>\\n{answer} \\n")      note the space
    the last round      tok("<|user|>\\n{user}\\n<|assistant|>\\n")

`user` is "<image>\\n" once per image of the round and then the text, stripped as a whole; the string is cut at the
images and every part tokenised on its own. The models know no system role, so the text of system and developer
messages stands, followed by a blank line, at the head of the first user turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from huatuo_server.engine.base import IMAGE_SENTINEL, Prompt, PromptImage
from huatuo_server.errors import InvalidRequest
from huatuo_server.tokenizer import Tokenizer

DELETED_FROM_USER_TEXT = ("<image>", "<s>", "</s>")
"""The reference's `input_moderation`, in its order; once each, so what then forms anew stays as plain text."""

Role = Literal["system", "developer", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its text parts joined by a newline, its images in order."""

    role: Role
    text: str
    images: tuple[PromptImage, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """Consecutive messages of one side, merged: texts joined by a newline, images in order."""

    role: Literal["user", "assistant"]
    text: str
    images: tuple[PromptImage, ...]


def render(messages: Sequence[Message], tokenizer: Tokenizer) -> Prompt:
    """Write the prompt of a conversation: one IMAGE_SENTINEL an image, in the order of the images.

    Raises InvalidRequest when the conversation does not begin and end with a user message.
    """
    turns = _turns(messages)
    token_ids: list[int] = []
    for turn in turns[:-1]:
        token_ids += _user_ids(turn, "\n", tokenizer) if turn.role == "user" else _answer_ids(turn, tokenizer)
    token_ids += _user_ids(turns[-1], "\n<|assistant|>\n", tokenizer)
    return Prompt(token_ids=tuple(token_ids), images=tuple(image for turn in turns for image in turn.images))


def prompt_length(prompt: Prompt, tokens_per_image: int) -> int:
    """Positions that the prompt takes in the context, its images included."""
    return len(prompt.token_ids) + len(prompt.images) * (tokens_per_image - 1)


def _turns(messages: Sequence[Message]) -> list[Turn]:
    """The rounds' user and assistant turns in alternation, the system texts at the head of the first."""
    spoken = [(index, message) for index, message in enumerate(messages) if message.role in ("user", "assistant")]
    if spoken and spoken[0][1].role == "assistant":
        raise InvalidRequest(
            "The conversation must begin with a user message; only system and developer messages may precede it.",
            param=f"messages.{spoken[0][0]}.role",
        )
    if not spoken or messages[-1].role != "user":
        raise InvalidRequest("The last message must be a user message.", param=f"messages.{len(messages) - 1}.role")
    first, *others = (_merged(list(side)) for _, side in groupby(spoken, key=lambda pair: pair[1].role))
    instructions = [message.text for message in messages if message.role in ("system", "developer")]
    head = "".join(f"{text}\n\n" for text in instructions if text.strip())
    return [Turn("user", head + first.text, first.images), *others]


def _merged(spoken: Sequence[tuple[int, Message]]) -> Turn:
    messages = [message for _, message in spoken]
    return Turn(
        role="assistant" if messages[0].role == "assistant" else "user",
        text="\n".join(message.text for message in messages),
        images=tuple(image for message in messages for image in message.images),
    )


def _user_ids(turn: Turn, tail: str, tokenizer: Tokenizer) -> Iterable[int]:
    """Ids of one user turn. `strip` is the whole turn's, images included: after an image only the end is stripped."""
    text = _without_markers(turn.text)
    if not turn.images:
        return tokenizer.encode(f"<|user|>\n{text.strip()}{tail}")
    token_ids = tokenizer.encode("<|user|>\n")
    for _ in turn.images[1:]:
        token_ids += [IMAGE_SENTINEL, *tokenizer.encode("\n")]
    last = f"\n{text}".rstrip()
    return [*token_ids, IMAGE_SENTINEL, *tokenizer.encode(f"{last}{tail}")]


def _answer_ids(turn: Turn, tokenizer: Tokenizer) -> list[int]:
    return tokenizer.encode(f"<|assistant|>\n{turn.text} \n")


def _without_markers(text: str) -> str:
    for marker in DELETED_FROM_USER_TEXT:
        text = text.replace(marker, "")
    return text
