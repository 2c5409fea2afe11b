"""Messages -> prompt, piece by piece as the reference does it (`cli.py`, `preprocess_huatuo`).

    an earlier round    tok("<|user|>\\n{user}\\n") + tok("<|assistant|>\\n{answer} \\n")      note the space
    the last round      tok("<|user|>\\n{user}\\n<|assistant|>\\n")

`user` is "<image>\\n" once per image of the round and then the text, stripped as a whole; the string is cut at the
images and every part tokenised on its own. The models know no system role, so the text of system and developer
messages stands, followed by a blank line, at the head of the first user turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Literal, Protocol, TypeAlias

from huatuo_server.engine.base import IMAGE_SENTINEL, Prompt, PromptImage
from huatuo_server.errors import InvalidRequest
from huatuo_server.protocol.model_object import PromptFormat
from huatuo_server.tokenizer import Tokenizer

USER_HEAD: Final = "<|user|>\n"
USER_TAIL: Final = "\n"
ANSWER_HEAD: Final = "<|assistant|>\n"
ANSWER_TAIL: Final = " \n"
AFTER_IMAGE: Final = "\n"
INSTRUCTION_TAIL: Final = "\n\n"

IMAGE_MARK: Final = "<image>"
"""Where an image stands in a prompt that is shown as text, as the reference writes it."""

DELETED_FROM_USER_TEXT = ("<image>", "<s>", "</s>")
"""The reference's `input_moderation`, in its order; once each, so what then forms anew stays as plain text."""

Role = Literal["system", "developer", "user", "assistant"]

PromptPiece: TypeAlias = str | None
"""What is tokenised on its own, or None where an image stands."""


class Said(Protocol):
    """One message: its text parts joined by a newline, its images in order."""

    @property
    def role(self) -> Role:
        """Whose it is."""
        ...

    @property
    def text(self) -> str:
        """All of it."""
        ...

    @property
    def images(self) -> Sequence[object]:
        """Only a user's message has any."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """A message with its images prepared."""

    role: Role
    text: str
    images: tuple[PromptImage, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """Consecutive messages of one side, merged: texts joined by a newline."""

    role: Literal["user", "assistant"]
    text: str
    num_images: int


def render(messages: Sequence[Message], tokenizer: Tokenizer) -> Prompt:
    """Write the prompt of a conversation: one IMAGE_SENTINEL an image, in the order of the images.

    Raises InvalidRequest when the conversation does not begin and end with a user message.
    """
    token_ids = ids_of(prompt_pieces(messages), tokenizer)
    return Prompt(token_ids, images=tuple(image for message in messages for image in message.images))


def prompt_pieces(messages: Sequence[Said]) -> tuple[PromptPiece, ...]:
    """What the prompt of a conversation is made of, in order. Raises InvalidRequest as `render` does."""
    *earlier, last = _turns(messages)
    pieces: list[PromptPiece] = []
    for turn in earlier:
        pieces += _user_pieces(turn, USER_TAIL) if turn.role == "user" else [f"{ANSWER_HEAD}{turn.text}{ANSWER_TAIL}"]
    return (*pieces, *_user_pieces(last, f"{USER_TAIL}{ANSWER_HEAD}"))


def ids_of(pieces: Sequence[PromptPiece], tokenizer: Tokenizer) -> tuple[int, ...]:
    """Their token ids, one IMAGE_SENTINEL an image."""
    return tuple(
        token_id for piece in pieces for token_id in ([IMAGE_SENTINEL] if piece is None else tokenizer.encode(piece))
    )


def text_of(pieces: Sequence[PromptPiece]) -> str:
    """For people: a user's own text may spell IMAGE_MARK as well, which the ids tell apart."""
    return "".join(IMAGE_MARK if piece is None else piece for piece in pieces)


def prompt_format() -> PromptFormat:
    """The same in words, for clients that count or compare; what is in braces is the conversation's own."""
    user = f"{USER_HEAD}{{user}}{USER_TAIL}"
    return PromptFormat(
        round=f"{user}{ANSWER_HEAD}{{assistant}}{ANSWER_TAIL}",
        last_round=f"{user}{ANSWER_HEAD}",
        image=f"{IMAGE_MARK}{AFTER_IMAGE}",
        system=f"{{system}}{INSTRUCTION_TAIL}",
    )


def max_images(tokenizer: Tokenizer, tokens_per_image: int, context: int) -> int:
    """How many images fit a context, in one message, beside a question of one token and an answer of one."""

    def length(num_images: int) -> int:
        pieces = tuple(_user_pieces(Turn("user", "?", num_images), f"{USER_TAIL}{ANSWER_HEAD}"))
        return num_positions(ids_of(pieces, tokenizer), tokens_per_image)

    first, second = length(1), length(2)
    return max(0, (context - 1 - first) // (second - first) + 1)


def num_positions(token_ids: Sequence[int], tokens_per_image: int) -> int:
    """Positions that they take in the context, images included."""
    return len(token_ids) + token_ids.count(IMAGE_SENTINEL) * (tokens_per_image - 1)


def prompt_length(prompt: Prompt, tokens_per_image: int) -> int:
    """Positions that the prompt takes in the context, its images included."""
    return num_positions(prompt.token_ids, tokens_per_image)


def _turns(messages: Sequence[Said]) -> list[Turn]:
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
    head = "".join(f"{text}{INSTRUCTION_TAIL}" for text in instructions if text.strip())
    return [Turn("user", head + first.text, first.num_images), *others]


def _merged(spoken: Sequence[tuple[int, Said]]) -> Turn:
    messages = [message for _, message in spoken]
    return Turn(
        role="assistant" if messages[0].role == "assistant" else "user",
        text="\n".join(message.text for message in messages),
        num_images=sum(len(message.images) for message in messages),
    )


def _user_pieces(turn: Turn, tail: str) -> Iterator[PromptPiece]:
    """One user turn. `strip` is the whole turn's, images included: after an image only the end is stripped."""
    text = _without_markers(turn.text)
    if not turn.num_images:
        yield f"{USER_HEAD}{text.strip()}{tail}"
        return
    yield USER_HEAD
    for _ in range(turn.num_images - 1):
        yield from (None, AFTER_IMAGE)
    yield None
    yield f"{AFTER_IMAGE}{text}".rstrip() + tail


def _without_markers(text: str) -> str:
    for marker in DELETED_FROM_USER_TEXT:
        text = text.replace(marker, "")
    return text
