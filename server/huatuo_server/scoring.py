"""Options -> how probable each is as the answer, token by token; the prompt is read once for all of them.

An option is tokenised on its own and stands right after the prompt, where an answer begins. The tokens of all options
make a tree. One question to the engine, which reads the prompt, tells the first tokens of all of them; wherever an
option goes on is one more, over the prompt that the engine then has in its cache.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from huatuo_server.engine.base import TokenDelta
from huatuo_server.errors import ContextLengthExceeded, EngineRequestError, InvalidRequest
from huatuo_server.sampling import Room
from huatuo_server.tokenizer import Tokenizer

AT_ONCE = 8
"""Questions of one request that the engine gets side by side."""

MAX_TOKENS = 1024
"""Of all options of a request: each may be a question to the engine, of up to 10 ms where there are six images."""


@dataclass(frozen=True, slots=True)
class Option:
    """token_ids: of its text alone, without an end-of-sequence token."""

    text: str
    token_ids: tuple[int, ...]


@dataclass(slots=True, eq=False)
class Fork:
    """Where options go on, after the first `length` tokens of `option`. following: each next token, and what it leads
    to: another fork, or an option's end, which has nothing following.
    """

    option: Option
    length: int
    following: dict[int, Fork] = field(default_factory=dict)

    @property
    def prefix(self) -> tuple[int, ...]:
        """The tokens up to here. Made anew each time: all prefixes of long options together would be large."""
        return self.option.token_ids[: self.length]

    @property
    def next_ids(self) -> tuple[int, ...]:
        """The tokens that follow, each once."""
        return tuple(self.following)


@dataclass(frozen=True, slots=True)
class ScoredOption:
    """logprobs: of each token, natural, raw."""

    option: Option
    logprobs: tuple[float, ...]

    @property
    def logprob_sum(self) -> float:
        """Of the whole option."""
        return math.fsum(self.logprobs)

    @property
    def logprob_mean(self) -> float:
        """A token."""
        return self.logprob_sum / len(self.logprobs)


@dataclass(frozen=True, slots=True)
class Scores:
    """options: in their order. num_cached_tokens: of the prompt, read from the prefix cache when it was first asked
    about.
    """

    options: tuple[ScoredOption, ...]
    num_cached_tokens: int

    @property
    def num_tokens(self) -> int:
        """Of all options."""
        return sum(len(one.logprobs) for one in self.options)


@dataclass(frozen=True, slots=True)
class NextLogprobs:
    """What the engine says of a fork: each next token's log-probability. num_cached_tokens: of what it had to read."""

    logprobs: Mapping[int, float]
    num_cached_tokens: int = 0


Ask = Callable[[Fork], Awaitable[NextLogprobs]]
"""A question to the engine."""


def tokenised(texts: Iterable[str], tokenizer: Tokenizer) -> tuple[Option, ...]:
    """Raises InvalidRequest where two texts are the same to the model, one is nothing to it, or all are too much."""
    options = tuple(Option(text, tuple(tokenizer.encode(text))) for text in texts)
    seen: dict[tuple[int, ...], int] = {}
    for index, option in enumerate(options):
        param = f"choices.{index}"
        if not option.token_ids:
            raise InvalidRequest(f"{param} holds nothing that the model could say.", param=param)
        first = seen.setdefault(option.token_ids, index)
        if first != index:
            raise InvalidRequest(
                f"{param} is the same tokens as choices.{first}: the model cannot tell them apart.", param=param
            )
    if num_tokens(options) > MAX_TOKENS:
        raise InvalidRequest(f"choices hold more than {MAX_TOKENS} tokens together: shorten them.", param="choices")
    return options


def require_room(options: Sequence[Option], room: Room) -> None:
    """Raises ContextLengthExceeded where the prompt and the longest option do not fit together."""
    longest = max(len(option.token_ids) for option in options)
    if longest > room.left:
        raise ContextLengthExceeded(
            f"The prompt has {room.prompt} tokens and the longest choice {longest}, and the model's context holds "
            f"{room.context} tokens of both together: shorten the choices or the messages.",
            param="choices",
        )


def num_tokens(options: Iterable[Option]) -> int:
    """Of all of them."""
    return sum(len(option.token_ids) for option in options)


def forks(options: Sequence[Option]) -> list[Fork]:
    """Where options go on; the first one is right after the prompt, and the others come by their length."""
    root = Fork(options[0], 0)
    for option in options:
        fork = root
        for length, token_id in enumerate(option.token_ids, start=1):
            fork = fork.following.setdefault(token_id, Fork(option, length))
    found, level = list[Fork](), [root]
    while level:
        found += level
        level = [behind for fork in level for behind in fork.following.values() if behind.following]
    return found


async def scored(options: Sequence[Option], ask: Ask, *, at_once: int = AT_ONCE) -> Scores:
    """Each option with its log-probabilities. The first fork is asked alone, so that the prompt is read once.

    Raises what `ask` raises; whatever else is being asked then is given up.
    """
    root, *others = forks(options)
    first = await ask(root)
    found = {root: first.logprobs}
    await _ask_all(others, ask, at_once, found)
    of_options = tuple(ScoredOption(option, tuple(_logprobs(option, root, found))) for option in options)
    return Scores(of_options, first.num_cached_tokens)


def _logprobs(option: Option, root: Fork, found: Mapping[Fork, Mapping[int, float]]) -> Iterator[float]:
    fork = root
    for token_id in option.token_ids:
        yield found[fork][token_id]
        fork = fork.following[token_id]


async def _ask_all(others: Sequence[Fork], ask: Ask, at_once: int, found: dict[Fork, Mapping[int, float]]) -> None:
    left = iter(others)

    async def ask_on() -> None:
        for fork in left:
            found[fork] = (await ask(fork)).logprobs

    tasks = [asyncio.create_task(ask_on()) for _ in range(min(at_once, len(others)))]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    finally:
        # An error that knows the tasks which know the error would keep the prompt until the collector comes.
        del tasks


def next_logprobs(deltas: Sequence[TokenDelta], fork: Fork) -> NextLogprobs:
    """What a generation of one token says of a fork. Raises EngineRequestError where that is not all, or no number."""
    steps = [step for delta in deltas for step in delta.logprobs]
    if len(steps) != 1 or not all(math.isfinite(steps[0].get(token_id, math.nan)) for token_id in fork.next_ids):
        raise EngineRequestError("The engine did not tell the log-probability of every choice.")
    found = {token_id: steps[0][token_id] for token_id in fork.next_ids}
    return NextLogprobs(found, max(delta.num_cached_tokens for delta in deltas))


def softmax(logs: Sequence[float]) -> list[float]:
    """Numbers that add up to 1, in proportion to the exponentials of `logs`."""
    highest = max(logs)
    weights = [math.exp(log - highest) for log in logs]
    total = math.fsum(weights)
    return [weight / total for weight in weights]
