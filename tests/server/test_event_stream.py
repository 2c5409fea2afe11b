"""An answer's events reach the client, however it reads: all of them, in order, and each as soon as it can."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from starlette.types import Message

from huatuo_server.answer_text import Piece, RunAnswers, TakePiece
from huatuo_server.call import Call
from huatuo_server.caller import ANONYMOUS
from huatuo_server.errors import DeadlineExceeded, EngineRequestError, RequestError
from huatuo_server.metrics import Metrics
from huatuo_server.outlet import OUTLET
from huatuo_server.responses.chat import ChatStream
from huatuo_server.responses.heading import Heading
from huatuo_server.routes import event_stream
from huatuo_server.routes.event_stream import MAX_HELD, send_events
from huatuo_server.routes.hangup import ClientHungUp

PATIENCE_S = 5.0


class Events:
    """Writes `index:text;` for each piece that has text. pieces: what it was given."""

    def __init__(self) -> None:
        self.pieces: list[tuple[int, Piece]] = []

    def events(self, index: int, piece: Piece) -> bytes:
        self.pieces.append((index, piece))
        return f"{index}:{piece.text};".encode() if piece.text else b""

    def last(self) -> bytes:
        return b"end"

    def failure(self, error: RequestError) -> bytes:
        return f"failure {error.code}".encode()


class Unlimited:
    """A call's use of no quota."""

    def headers(self) -> dict[str, str]:
        return {}


class Scene:
    """A stream on its way to a client who reads while `reads` is set. body: the pieces of the body as they went out,
    by either way; at_once: those of the short one. outlet: whether there is one.
    """

    def __init__(self, *, outlet: bool = True) -> None:
        self.events: Any = Events()
        self.call = Call("1", "1-a", "/", ANONYMOUS, Metrics(CollectorRegistry()).request("/"), Unlimited())  # type: ignore[arg-type]
        self.reads = asyncio.Event()
        self.reads.set()
        self.head: Message | None = None
        self.body: list[bytes] = []
        self.at_once: list[bytes] = []
        self.take: TakePiece = _nobody
        self.begun = asyncio.Event()
        self.ends: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.aborted = False
        self._scope: dict[str, Any] = {"extensions": {OUTLET: self}} if outlet else {}
        self._sending: asyncio.Task[bytes] | None = None

    # As an Outlet.

    @property
    def is_open(self) -> bool:
        return self.head is not None and self.reads.is_set()

    def write(self, piece: bytes) -> None:
        assert self.is_open
        self.at_once.append(piece)
        self.body.append(piece)

    # As what runs the answers: `take` is the engine's from then on, until `ends`.

    async def run(self, take: TakePiece) -> None:
        self.take = take
        self.begun.set()
        try:
            await self.ends
        except asyncio.CancelledError:
            self.aborted = True
            raise

    async def _send(self, message: Message) -> None:
        """As uvicorn's: it waits while more is written than goes out."""
        await self.reads.wait()
        if message["type"] == "http.response.start":
            self.head = message
        else:
            assert self.head is not None
            assert message["more_body"]
            self.body.append(message["body"])

    # What a test does.

    async def begin(self, run: RunAnswers | None = None) -> None:
        """Begin to send, up to where the answers are under way."""
        self._sending = asyncio.create_task(self._send_events(run or self.run))
        if run is None:
            await asyncio.wait_for(self.begun.wait(), PATIENCE_S)

    async def _send_events(self, run: RunAnswers) -> bytes:
        async with self.call.interruption:
            return await send_events(self.events, run, self._scope, self._send, self.call)

    async def flowing(self) -> None:
        """Give the first piece, and wait until it is out."""
        self.take(0, Piece("first", (0,)))
        await self.until(lambda: self.body == [b"0:first;"])
        # Its sender has one step more to make.
        await asyncio.sleep(0)
        self.body.clear()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - a deadline on a condition that nobody signals
                await asyncio.sleep(0)

    async def last(self) -> bytes:
        assert self._sending is not None
        return await asyncio.wait_for(self._sending, PATIENCE_S)

    async def end(self) -> bytes:
        """The answers come to their end."""
        self.ends.set_result(None)
        return await self.last()

    def said(self, index: int) -> str:
        """What came of a choice."""
        events = b"".join(self.body).decode().split(";")
        return "".join(one.partition(":")[2] for one in events if one.startswith(f"{index}:"))


def _nobody(_index: int, _piece: Piece) -> None:
    raise AssertionError("the answers have not begun")


def play(scene: Callable[[], Any]) -> Any:
    return asyncio.run(scene())


# ---------------------------------------------------------------- a client that reads


def test_the_head_waits_for_the_first_piece() -> None:
    """Until then a failure can have a status."""

    async def scene() -> None:
        stream = Scene()
        await stream.begin()
        for _ in range(10):
            await asyncio.sleep(0)
        assert stream.head is None
        stream.take(0, Piece("", (1,)))
        await stream.until(lambda: stream.head is not None)
        assert await stream.end() == b"end"

    play(scene)


def test_a_piece_is_out_in_the_call_that_takes_it() -> None:
    """No task wakes for it: while the client reads, the event is written when `take` returns."""

    async def scene() -> None:
        stream = Scene()
        await stream.begin()
        await stream.flowing()
        for number in range(100):
            stream.take(number % 3, Piece(f"{number}", (number,)))
            assert stream.at_once[-1] == stream.body[-1] == f"{number % 3}:{number};".encode()
        assert len(stream.at_once) == 100
        assert await stream.end() == b"end"
        assert len(stream.body) == 100

    play(scene)


def test_a_piece_that_adds_nothing_writes_nothing() -> None:
    """An empty chunk would end the body (RFC 9112, 7.1)."""

    async def scene() -> None:
        stream = Scene()
        await stream.begin()
        await stream.flowing()
        stream.take(0, Piece("", (1,)))
        await stream.end()
        assert stream.body == []

    play(scene)


@pytest.mark.parametrize("outlet", [True, False], ids=["by an outlet", "by ASGI alone"])
@pytest.mark.parametrize("seed", range(5))
def test_the_body_is_the_same_by_either_way(outlet: bool, seed: int) -> None:
    """Joined, it is what each choice said, whenever the client reads and whenever the sender has its turn."""
    random, said = Random(seed), ["first", "", ""]

    async def scene() -> Scene:
        stream = Scene(outlet=outlet)
        await stream.begin()
        stream.take(0, Piece("first", (0,)))
        for number in range(3000):
            match random.randrange(12):
                case 0:
                    await asyncio.sleep(0)
                case 1:
                    stream.reads.clear()
                case 2 | 3:
                    stream.reads.set()
                case _:
                    index = random.randrange(3)
                    said[index] += f"{number} "
                    stream.take(index, Piece(f"{number} ", (number,)))
        stream.reads.set()
        assert await stream.end() == b"end"
        return stream

    stream = play(scene)
    assert [stream.said(index) for index in range(3)] == said
    assert bool(stream.at_once) == outlet


@pytest.mark.parametrize("outlet", [True, False], ids=["by an outlet", "by ASGI alone"])
def test_a_chat_stream_is_the_same_bytes_by_either_way(outlet: bool) -> None:
    """For a client that reads: the very events, in the very order."""
    heading = Heading("1", created=1, model="m", system_fingerprint="fp", prompt_tokens=3, n=2, include_usage=True)
    pieces = [(number % 2, Piece(f"词 {number}", (number,))) for number in range(20)]
    pieces += [(0, Piece("", (2,), "stop")), (1, Piece(".", (2,), "length"))]

    async def scene() -> bytes:
        stream = Scene(outlet=outlet)
        stream.events = ChatStream(heading)
        await stream.begin()
        for index, piece in pieces:
            stream.take(index, piece)
            for _ in range(5):
                await asyncio.sleep(0)
        last = await stream.end()
        return b"".join(stream.body) + last

    expected = ChatStream(heading)
    assert play(scene) == b"".join(expected.events(*one) for one in pieces) + expected.last()


# ---------------------------------------------------------------- a client that does not read


def test_what_a_client_does_not_read_is_held_and_joined() -> None:
    """Nothing is lost or doubled, each choice is in order, and when it reads again all of it comes at once."""

    async def scene() -> Scene:
        stream = Scene()
        await stream.begin()
        await stream.flowing()
        stream.reads.clear()
        # One is on its way when the client stops: its sender waits with it.
        stream.take(0, Piece("0 ", (0,)))
        await asyncio.sleep(0)
        for number in range(1, 3000):
            stream.take(number % 3, Piece(f"{number} ", (number,), None, number))
            if not number % 100:
                await asyncio.sleep(0)
        assert stream.body == []
        stream.reads.set()
        await stream.end()
        return stream

    stream = play(scene)
    for index in range(3):
        assert stream.said(index) == "".join(f"{number} " for number in range(index, 3000, 3))
    told = stream.events.pieces[1:]
    assert sorted(id_ for _, piece in told for id_ in piece.token_ids) == list(range(3000))
    assert max(piece.num_cached_tokens for _, piece in told) == 2999
    assert len(told) <= 1 + 3000 / event_stream.MAX_JOINED + 3
    assert max(len(piece.token_ids) for _, piece in told) <= event_stream.MAX_JOINED


def test_events_flow_at_once_again_when_the_client_reads_again() -> None:
    """What was held goes first; whatever comes before that is out waits behind it."""

    async def scene() -> None:
        stream = Scene()
        await stream.begin()
        await stream.flowing()
        stream.reads.clear()
        stream.take(0, Piece("held", (1,)))
        await asyncio.sleep(0)
        stream.take(0, Piece("behind", (2,)))
        stream.reads.set()
        stream.take(0, Piece("also behind", (3,)))
        assert stream.body == []
        await stream.until(lambda: len(stream.body) == 2)
        await asyncio.sleep(0)
        assert stream.body == [b"0:held;", b"0:behindalso behind;"]
        stream.take(0, Piece("at once", (4,)))
        assert stream.at_once == stream.body[2:] == [b"0:at once;"]
        await stream.end()

    play(scene)


@pytest.mark.parametrize("num_choices", [1, 3, 8])
def test_few_pieces_are_held_however_many_come(num_choices: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most MAX_HELD and one for each choice."""
    streams: list[Any] = []
    real = event_stream._EventStream

    def watched(*args: Any) -> Any:
        streams.append(real(*args))
        return streams[-1]

    monkeypatch.setattr(event_stream, "_EventStream", watched)

    async def scene() -> int:
        stream = Scene()
        await stream.begin()
        await stream.flowing()
        stream.reads.clear()
        most = 0
        for number in range(2000):
            stream.take(number % num_choices, Piece("x", (number,)))
            most = max(most, len(streams[0]._held))
        stream.reads.set()
        await stream.end()
        return most

    assert 0 < play(scene) <= MAX_HELD + num_choices


def test_the_engine_is_done_before_a_slow_reader_is() -> None:
    """It never waits for a client: the answers come to their end while nothing is read, and are all sent later."""

    async def scene() -> None:
        stream = Scene()
        ended = asyncio.Event()

        async def run(take: TakePiece) -> None:
            for number in range(1000):
                await asyncio.sleep(0)
                take(0, Piece(f"{number} ", (number,)))
            ended.set()

        stream.reads.clear()
        await stream.begin(run)
        await asyncio.wait_for(ended.wait(), PATIENCE_S)
        assert stream.head is None
        stream.reads.set()
        assert await stream.last() == b"end"
        assert stream.said(0) == "".join(f"{number} " for number in range(1000))

    play(scene)


# ---------------------------------------------------------------- how it ends


@pytest.mark.parametrize("error", [EngineRequestError("broken"), ValueError("a secret")])
def test_a_failure_before_the_first_piece_is_raised(error: Exception) -> None:
    """Nothing is out yet, so that it has a status."""

    async def scene() -> None:
        stream = Scene()
        await stream.begin()
        stream.ends.set_exception(error)
        with pytest.raises(type(error)) as caught:
            await stream.last()
        assert caught.value is error
        assert (stream.head, stream.body, stream.call.failed) == (None, [], None)

    play(scene)


@pytest.mark.parametrize("reads", [True, False], ids=["reads", "does not read"])
@pytest.mark.parametrize("outlet", [True, False], ids=["by an outlet", "by ASGI alone"])
@pytest.mark.parametrize(
    ("error", "code"), [(EngineRequestError("broken"), "engine_error"), (ValueError("a secret"), "internal_error")]
)
def test_a_failure_after_it_comes_behind_all_pieces(reads: bool, outlet: bool, error: Exception, code: str) -> None:
    """The status is out: a client sees what there was, and then how it failed."""

    async def scene() -> None:
        stream = Scene(outlet=outlet)
        await stream.begin()
        await stream.flowing()
        if not reads:
            stream.reads.clear()
        for number in range(5):
            stream.take(0, Piece(f"{number} ", (number,)))
        stream.ends.set_exception(error)
        for _ in range(10):
            await asyncio.sleep(0)
        stream.reads.set()
        assert await stream.last() == f"failure {code}".encode()
        assert stream.said(0) == "0 1 2 3 4 "
        assert stream.call.failed is not None
        assert stream.call.failed.code == code

    play(scene)


def test_a_failure_with_the_first_piece_comes_behind_it() -> None:
    """Both may be there before the sender has had its turn; what was said is sent."""

    async def scene() -> None:
        stream = Scene()
        await stream.begin()
        stream.take(0, Piece("all there was", (1,)))
        stream.ends.set_exception(EngineRequestError("broken"))
        assert await stream.last() == b"failure engine_error"
        assert stream.body == [b"0:all there was;"]

    play(scene)


@pytest.mark.parametrize("reads", [True, False], ids=["reads", "does not read"])
def test_an_interruption_ends_the_stream_and_the_answers(reads: bool) -> None:
    """The time is over: the client is told by an event, the answers are aborted, and nothing comes after it."""

    async def scene() -> None:
        stream = Scene()
        await stream.begin()
        await stream.flowing()
        if not reads:
            stream.reads.clear()
            stream.take(0, Piece("never read", (1,)))
            await asyncio.sleep(0)
        stream.call.interruption.interrupt(DeadlineExceeded("late"))
        assert (await stream.last()).startswith(b"failure ")
        assert stream.aborted
        stream.take(0, Piece("too late", (2,)))
        await asyncio.sleep(0)
        assert stream.body == []

    play(scene)


@pytest.mark.parametrize("begun", [True, False], ids=["in the middle", "before the first piece"])
def test_a_client_that_leaves_ends_the_answers(begun: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Before the stream is gone itself, and without a trace of what they may have ended of meanwhile."""

    async def scene() -> None:
        stream = Scene()
        await stream.begin()
        if begun:
            await stream.flowing()
        stream.call.interruption.interrupt(ClientHungUp())
        with pytest.raises(ClientHungUp):
            await stream.last()
        assert stream.aborted

    play(scene)

    assert caplog.text == ""


def test_a_failure_that_nobody_waits_for_any_more_leaves_no_trace(caplog: pytest.LogCaptureFixture) -> None:
    """asyncio would log an exception that nobody asked for, with its text."""

    async def scene() -> None:
        stream = Scene()

        async def run(take: TakePiece) -> None:
            try:
                await stream.run(take)
            finally:
                raise ValueError("a secret")

        stream._sending = asyncio.create_task(stream._send_events(run))
        await asyncio.wait_for(stream.begun.wait(), PATIENCE_S)
        stream.call.interruption.interrupt(ClientHungUp())
        with pytest.raises(ClientHungUp):
            await stream.last()

    play(scene)

    assert "secret" not in caplog.text


@pytest.mark.parametrize("reads", [True, False], ids=["reads", "does not read"])
def test_an_event_that_cannot_be_written_ends_the_answers(reads: bool) -> None:
    """A defect of ours is told as one; whoever makes the answers is not left at work."""

    class Failing(Events):
        def events(self, index: int, piece: Piece) -> bytes:
            if piece.text.endswith("bad"):
                raise ZeroDivisionError
            return super().events(index, piece)

    async def scene() -> None:
        stream = Scene()
        stream.events = Failing()
        await stream.begin()
        await stream.flowing()
        if not reads:
            stream.reads.clear()
        try:
            stream.take(0, Piece("bad", (1,)))
        except ZeroDivisionError as error:
            # As an engine does with an error of whoever takes.
            stream.ends.set_exception(error)
        stream.reads.set()
        assert await stream.last() == b"failure internal_error"
        assert stream.aborted or stream.ends.done()

    play(scene)


def test_a_long_answer_that_nobody_reads_is_seldom_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """More of it stay than MAX_HELD pieces, and yet a token costs no more: what is held doubles from time to time."""
    looked_at: list[int] = []
    real = event_stream._joined

    def watched(held: list[tuple[int, Piece]]) -> list[tuple[int, Piece]]:
        looked_at.append(len(held))
        return real(held)

    monkeypatch.setattr(event_stream, "_joined", watched)

    async def scene() -> tuple[int, str]:
        stream = Scene()
        await stream.begin()
        await stream.flowing()
        stream.reads.clear()
        for number in range(4 * 10_000):
            stream.take(number % 4, Piece("x", (number,)))
        while_held = sum(looked_at)
        stream.reads.set()
        await stream.end()
        return while_held, stream.said(3)

    while_held, said = play(scene)
    assert while_held < 4 * 4 * 10_000
    assert said == "x" * 10_000
