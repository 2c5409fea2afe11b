"""One connection, over a real socket, on both event loops: what a client may do to it, and for how long."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from huatuo_server.connections import STALLED_S
from tests.server.http_probe import LIMIT_S, LOOPS, Client, Probe, probe, seconds

GET = b"GET /count HTTP/1.1\r\nHost: localhost\r\n\r\n"
HELD = b"GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n"
UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"

SLACK_S = 2.0
"""For a busy machine."""


def post(path: str, body: bytes, **headers: str) -> bytes:
    """A whole request."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    length = "" if "Transfer_Encoding" in headers else f"Content-Length: {len(body)}\r\n"
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{length}{lines}\r\n".encode() + body


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> str:
    """Servers have uvloop where it is installed."""
    name: str = request.param
    return name


@pytest.fixture(params=LOOPS, scope="module")
def patient(request: pytest.FixtureRequest) -> Iterator[Probe]:
    """With the default limits: nothing times out within a test."""
    with probe(request.param) as running:
        yield running


# ---------------------------------------------------------------- ordinary requests


def test_requests_follow_each_other_on_one_connection(patient: Probe) -> None:
    """Keep-alive, with bodies of a length and in chunks."""
    with Client(patient.port) as client:
        client.send(GET)
        assert client.answer()[2] == b"0"
        client.send(post("/count", b"a" * 200_000))
        assert client.answer()[2] == b"200000"
        client.send(post("/count", b"3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", Transfer_Encoding="chunked"))
        assert client.answer()[2] == b"4"


def test_pipelined_requests_are_answered_in_turn(patient: Probe) -> None:
    """Several at once, in one packet, and each gets its own answer."""
    with Client(patient.port) as client:
        client.send(GET + post("/count", b"ab") + GET)

        assert [client.answer()[2] for _ in range(3)] == [b"0", b"2", b"0"]


def test_connection_close_is_the_last_request(patient: Probe) -> None:
    """What follows it is dropped: a proxy in front would not have meant it as a request."""
    with Client(patient.port) as client:
        client.send(post("/count", b"", Connection="close") + GET)

        assert client.answer()[1]["connection"] == "close"
        assert client.rest() == b""


def test_an_upgrade_is_not_taken(patient: Probe) -> None:
    """curl --http2 asks for one, and is answered in HTTP/1.1, again and again."""
    with Client(patient.port) as client:
        for _ in range(2):
            client.send(GET[:-2] + UPGRADE)
            assert client.answer()[0] == 200


def test_a_body_never_becomes_the_next_request(loop: str) -> None:
    """The parser would see one in what follows an Upgrade: a way past a proxy in front."""
    with probe(loop) as running, Client(running.port) as client:
        client.send(post("/count", b"").replace(b"Length: 0", b"Length: %d" % len(GET))[:-2] + UPGRADE + GET)

        assert client.error() == (400, "invalid_http")

    assert running.begun.empty()


def test_trailers_are_no_headers(patient: Probe) -> None:
    """What comes after a chunked body is dropped, and the connection goes on."""
    with Client(patient.port) as client:
        client.send(
            post("/count", b"1\r\na\r\n0\r\nAuthorization: Bearer x\r\n\r\n", Transfer_Encoding="chunked") + GET
        )

        assert [client.answer()[2] for _ in range(2)] == [b"1", b"0"]


# ---------------------------------------------------------------- what is no request


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"HELLO\r\n\r\n",
        b"GET /count HTTP/9.9\r\n\r\n",
        b"GET count HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"CONNECT localhost:80 HTTP/1.1\r\n\r\n",
        b"GET /count HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST /count HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
        b"POST /count HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na",
        b"POST /count HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_no_http_is_told_so(patient: Probe, garbage: bytes) -> None:
    """A 400 in the API's own shape, and the end of the connection."""
    _forget(patient.refused)
    with Client(patient.port) as client:
        client.send(garbage)

        assert client.error() == (400, "invalid_http")
        assert patient.refused.get(timeout=LIMIT_S) == "invalid_http"


def test_garbage_after_a_request_waits_for_its_answer(patient: Probe) -> None:
    """The answer comes whole, then the 400; the request is not disturbed."""
    with Client(patient.port) as client:
        client.send(post("/count", b"abc") + b"\x00garbage")

        assert client.answer()[2] == b"3"
        assert client.error() == (400, "invalid_http")


def test_a_broken_body_ends_its_request(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads the body sees the client gone, and the client is told what was wrong."""
    # The end of the connection would tell as well, later.
    monkeypatch.setattr("huatuo_server.transport.LINGER_S", 2 * LIMIT_S)
    with probe(loop) as running, Client(running.port) as client:
        client.send(post("/count", b"3\r\nabc\r\nnonsense\r\n", Transfer_Encoding="chunked"))

        assert client.error() == (400, "invalid_http")
        assert running.ended.get(timeout=LIMIT_S) == ("/count", "left")


def test_a_broken_second_body_leaves_the_first_request_alone(loop: str) -> None:
    """A pipelined request that will never be whole is not even begun."""
    with probe(loop) as running, Client(running.port) as client:
        client.send(GET + post("/count", b"nonsense\r\n", Transfer_Encoding="chunked"))

        assert client.answer()[2] == b"0"
        assert client.error() == (400, "invalid_http")
        assert running.ended.get(timeout=LIMIT_S) == ("/count", "answered")

    assert running.begun.qsize() == 1


def test_more_pipelined_requests_than_a_few_are_refused(patient: Probe) -> None:
    """One packet of thousands of requests costs the memory of sixteen."""
    with Client(patient.port) as client:
        client.send(GET * 5000)

        assert [client.answer()[0] for _ in range(17)] == [200] * 17
        assert client.error() == (400, "invalid_http")


# ---------------------------------------------------------------- how large a head may be


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /count HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"GET /count HTTP/1.1\r\n" + b"X: %b\r\n" % (b"a" * 1000) * 70 + b"\r\n",
        b"GET /count HTTP/1.1\r\n" + b"X: a\r\n" * 300 + b"\r\n",
    ],
    ids=["url", "one header", "all headers", "number of headers"],
)
def test_a_large_head_is_refused(patient: Probe, head: bytes) -> None:
    """431, whether it comes at once or not."""
    with Client(patient.port) as client:
        client.send(head)

        assert client.error() == (431, "head_too_large")


def test_a_header_without_end_is_refused_while_it_comes(patient: Probe) -> None:
    """The parser keeps an unfinished header to itself, so its bytes are counted before they get there."""
    with Client(patient.port) as client:
        client.send(b"GET /count HTTP/1.1\r\nX: ")
        for _ in range(8):
            client.send(b"a" * 10_000)
            time.sleep(0.01)

        assert client.error() == (431, "head_too_large")


@pytest.mark.parametrize("endless", [b"1;" + b"a" * 200_000, b"0\r\nX: " + b"a" * 200_000], ids=["chunk", "trailer"])
def test_framing_larger_than_the_content_is_refused(patient: Probe, endless: bytes) -> None:
    """Extensions of chunks and trailers have no limit of their own."""
    with Client(patient.port) as client:
        client.send(post("/count", b"", Transfer_Encoding="chunked"))
        for at in range(0, len(endless), 20_000):
            client.send(endless[at : at + 20_000])
            time.sleep(0.01)

        assert client.error() == (400, "invalid_http")


def test_a_head_just_within_the_limit_is_taken(patient: Probe) -> None:
    """60 KB of headers in pieces."""
    with Client(patient.port) as client:
        for piece in (b"GET /count HTTP/1.1\r\n", *[b"X: %b\r\n" % (b"a" * 1000)] * 60, b"\r\n"):
            client.send(piece)

        assert client.answer()[0] == 200


# ---------------------------------------------------------------- how long a head may take


def test_a_connection_that_says_nothing_is_closed_in_silence(loop: str) -> None:
    """There is nobody to tell: a client that has not asked would take an answer for that to its next question."""
    with probe(loop, header_timeout_s=0.3) as running, Client(running.port) as client:
        waited = seconds(lambda: client.rest() == b"" or pytest.fail("something was said"))

        assert 0.25 < waited < 0.3 + SLACK_S
        assert running.refused.empty()


def test_a_slow_head_is_a_408(loop: str) -> None:
    """A byte now and then does not make the time longer."""
    with probe(loop, header_timeout_s=0.5) as running, Client(running.port) as client:
        began = time.monotonic()
        for byte in b"GET /co":
            client.send(bytes([byte]))
            time.sleep(0.05)

        assert client.error() == (408, "header_timeout")
        assert 0.45 < time.monotonic() - began < 0.5 + SLACK_S
        assert running.refused.get(timeout=LIMIT_S) == "header_timeout"


def test_a_second_head_has_the_same_time(loop: str) -> None:
    """Also where its first bytes came with the request before."""
    with probe(loop, header_timeout_s=0.3) as running:
        for pieces in ([GET, b"GET /"], [GET + b"GET /"]):
            with Client(running.port) as client:
                client.send(pieces[0])
                assert client.answer()[0] == 200
                for piece in pieces[1:]:
                    client.send(piece)

                assert client.error() == (408, "header_timeout")


def test_an_idle_connection_is_closed(loop: str) -> None:
    """After the idle timeout, in silence; empty lines are no sign of life."""
    with probe(loop, idle_timeout_s=0.4) as running, Client(running.port) as client:
        client.send(GET)
        assert client.answer()[0] == 200
        client.send(b"\r\n")

        assert 0.35 < seconds(client.rest) < 0.4 + SLACK_S


def test_a_request_may_take_longer_than_all_timeouts(loop: str) -> None:
    """They are for clients; an answer takes what it takes."""
    limits = {"header_timeout_s": 0.2, "idle_timeout_s": 0.2, "send_timeout_s": 0.2}
    with probe(loop, **limits) as running, Client(running.port) as client:
        client.send(HELD)
        time.sleep(0.6)
        running.release.set()

        assert client.answer()[2] == b"released"


# ---------------------------------------------------------------- an answer before the body


def test_an_answer_reaches_a_client_that_is_still_sending(patient: Probe) -> None:
    """A 401 in the middle of 20 MB: the client gets it, and not a reset."""
    with Client(patient.port) as client:
        client.send(post("/early", b"")[:-4].replace(b"Length: 0", b"Length: 20000000") + b"\r\n\r\n")
        for _ in range(20):
            client.send(b"a" * 1_000_000)

        status, headers, _ = client.answer()
        assert (status, headers["connection"]) == (401, "close")
        assert client.rest() == b""


def test_a_client_that_waits_for_100_continue_gets_the_answer_instead(patient: Probe) -> None:
    """And the end of the connection, since nobody knows whether it sends the body now."""
    with Client(patient.port) as client:
        client.send(post("/early", b"", Expect="100-continue").replace(b"Length: 0", b"Length: 10"))

        status, headers, _ = client.answer()
        assert (status, headers["connection"]) == (401, "close")
        assert client.rest() == b""


def test_a_small_body_may_come_after_its_answer(patient: Probe) -> None:
    """Clients send head and body in two packets: that costs them no connection."""
    with Client(patient.port) as client:
        client.send(post("/early", b"").replace(b"Length: 0", b"Length: 3"))
        assert client.answer()[0] == 401
        client.send(b"abc" + GET)

        assert client.answer()[2] == b"0"


def test_a_body_that_never_comes_ends_the_connection(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an early answer the rest is waited for, briefly: whether the connection might go on or not."""
    monkeypatch.setattr("huatuo_server.transport.LINGER_S", 0.3)
    for length in (b"100", b"1000000"):
        with probe(loop) as running, Client(running.port) as client:
            client.send(post("/early", b"").replace(b"Length: 0", b"Length: " + length))
            assert client.answer()[0] == 401
            client.send(b"a")

            assert seconds(client.is_reset) < 0.3 + SLACK_S
            _until_empty(running)


# ---------------------------------------------------------------- clients that do not read


@pytest.mark.parametrize("path", ["/stream", "/large"])
def test_a_client_that_does_not_read_is_aborted(loop: str, path: str) -> None:
    """In the middle of an answer, and at the end of one that is written but not sent."""
    with probe(loop, send_timeout_s=0.5) as running, Client(running.port, receive_bytes=4096) as client:
        client.send(post(path, b""))

        began = time.monotonic()
        assert running.refused.get(timeout=LIMIT_S) == "send_timeout"
        assert 0.4 < time.monotonic() - began < 0.5 + SLACK_S
        assert running.ended.get(timeout=LIMIT_S)[0] == path
        _until_empty(running)


def test_a_last_answer_that_is_not_read_is_aborted_too(loop: str) -> None:
    """A connection that only waits to be closed is watched as any other."""
    with probe(loop, send_timeout_s=0.5) as running, Client(running.port, receive_bytes=4096) as client:
        client.send(post("/large", b"", Connection="close"))

        assert running.refused.get(timeout=LIMIT_S) == "send_timeout"
        _until_empty(running)


def test_a_client_that_reads_slowly_is_not_aborted(loop: str) -> None:
    """What goes out in time may take as long as it likes altogether."""
    with probe(loop, send_timeout_s=5.0) as running, Client(running.port, receive_bytes=65536) as client:
        client.send(post("/large", b"", Connection="close"))
        time.sleep(0.5)
        client.answer()

        assert running.refused.empty()


def test_the_watch_over_one_answer_does_not_end_the_next(loop: str) -> None:
    """The last bytes of an answer are watched until they are out, and no longer."""
    with probe(loop, send_timeout_s=2.0) as running, Client(running.port, receive_bytes=65536) as client:
        client.send(post("/large", b""))
        client.answer()
        time.sleep(1.1)
        client.send(post("/large", b""))
        # The time of the first one's watch is over while this one waits to be read.
        time.sleep(1.1)
        client.answer()

        assert running.refused.empty()


# ---------------------------------------------------------------- clients that leave


@pytest.mark.parametrize("behind", [GET, b"GET /"], ids=["whole", "begun"])
def test_a_client_that_leaves_is_noticed_by_every_request(loop: str, behind: bytes) -> None:
    """Also by the one that is at work while another waits behind it."""
    with probe(loop) as running:
        with Client(running.port) as client:
            client.send(HELD + behind)
            assert running.begun.get(timeout=LIMIT_S) == "/held"

        assert running.ended.get(timeout=LIMIT_S) == ("/held", "left")


# ---------------------------------------------------------------- how many


def test_at_the_limit_the_longest_idle_connection_makes_room(loop: str) -> None:
    """Whoever asked last stays; whoever never asked, or long ago, goes."""
    with probe(loop, max_connections=3) as running, ExitStack() as stack:
        clients = [stack.enter_context(Client(running.port)) for _ in range(3)]
        for client in (clients[2], clients[0]):
            client.send(GET)
            client.answer()

        newcomer = stack.enter_context(Client(running.port))
        newcomer.send(GET)

        assert newcomer.answer()[0] == 200
        assert clients[1].rest() == b""
        clients[2].send(GET)
        assert clients[2].answer()[0] == 200
        assert len(running.connections) == 3


def test_where_all_are_at_work_one_more_is_a_503(loop: str) -> None:
    """With Retry-After; and no running request pays for it."""
    with probe(loop, max_connections=2) as running, ExitStack() as stack:
        clients = [stack.enter_context(Client(running.port)) for _ in range(2)]
        for client in clients:
            client.send(HELD)
            assert running.begun.get(timeout=LIMIT_S) == "/held"
        one_more = stack.enter_context(Client(running.port))
        one_more.send(GET)

        status, headers, body = one_more.answer()
        assert (status, headers["retry-after"]) == (503, "1")
        assert b"too_many_connections" in body
        running.release.set()
        assert [client.answer()[2] for client in clients] == [b"released"] * 2


def test_many_more_than_the_limit_are_just_closed(loop: str) -> None:
    """Telling them costs connections as well."""
    with probe(loop, max_connections=1) as running, ExitStack() as stack:
        held = stack.enter_context(Client(running.port))
        held.send(HELD)
        assert running.begun.get(timeout=LIMIT_S) == "/held"
        others = [stack.enter_context(Client(running.port)) for _ in range(100)]

        def told() -> int:
            return sum(1 for other in others if not other.is_reset())

        assert told() >= 64
        running.release.set()
        assert held.answer()[2] == b"released"


def test_while_the_server_drains_every_answer_is_the_last(patient: Probe) -> None:
    """The client's next request goes to a server that stays."""
    patient.connections.draining = True
    try:
        with Client(patient.port) as client:
            client.send(GET)

            assert client.answer()[1]["connection"] == "close"
            assert client.rest() == b""
    finally:
        patient.connections.draining = False


# ---------------------------------------------------------------- who makes room


def test_at_the_limit_answered_requests_make_room(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger who is told 401 and goes on sending keeps no one out, and is counted."""
    monkeypatch.setattr("huatuo_server.transport.LINGER_S", 2 * LIMIT_S)
    with probe(loop, max_connections=2) as running, ExitStack() as stack:
        for _ in range(2):
            stranger = stack.enter_context(Client(running.port))
            stranger.send(post("/early", b"").replace(b"Length: 0", b"Length: 9999999"))
            assert stranger.answer()[0] == 401
        newcomer = stack.enter_context(Client(running.port))
        newcomer.send(GET)

        assert newcomer.answer()[0] == 200
        assert running.refused.get(timeout=LIMIT_S) == "evicted"
        assert len(running.connections) == 2


@pytest.mark.parametrize(
    "unread", [post("/stream", b""), post("/large", b"", Connection="close")], ids=["running", "complete"]
)
def test_at_the_limit_unread_answers_make_room(loop: str, unread: bytes) -> None:
    """Long before the send timeout, but not at once: a client that reads makes pauses."""
    with probe(loop, max_connections=2, send_timeout_s=2 * LIMIT_S) as running, ExitStack() as stack:
        began = time.monotonic()
        for _ in range(2):
            stack.enter_context(Client(running.port, receive_bytes=4096)).send(unread)
            running.begun.get(timeout=LIMIT_S)

        def taken() -> bool:
            with Client(running.port) as newcomer:
                newcomer.send(GET)
                return newcomer.answer()[0] == 200

        while not taken():
            assert time.monotonic() < began + LIMIT_S, "the strangers stayed"
            time.sleep(0.1)
        waited = time.monotonic() - began

        print(f"room after {waited:.2f} s")
        assert STALLED_S <= waited < STALLED_S + SLACK_S


def test_idle_connections_make_room_before_an_answer_that_still_goes_out(
    loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is complete for the server is not yet for its client."""
    monkeypatch.setattr("huatuo_server.connections.STALLED_S", 2 * LIMIT_S)
    with probe(loop, max_connections=3) as running, ExitStack() as stack:
        reader = stack.enter_context(Client(running.port, receive_bytes=65536))
        reader.send(post("/large", b""))
        assert running.ended.get(timeout=LIMIT_S) == ("/large", "answered")
        idle = [stack.enter_context(Client(running.port)) for _ in range(4)]

        assert idle[0].rest() == b""
        assert len(reader.answer()[2]) == 64 * 65536


def test_an_answer_that_stays_unread_makes_room_before_newcomers(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise they would push each other out before they could ask."""
    monkeypatch.setattr("huatuo_server.connections.STALLED_S", 0.0)
    with probe(loop, max_connections=2) as running, ExitStack() as stack:
        stack.enter_context(Client(running.port, receive_bytes=4096)).send(post("/large", b"", Connection="close"))
        assert running.ended.get(timeout=LIMIT_S) == ("/large", "answered")
        newcomers = [stack.enter_context(Client(running.port)) for _ in range(2)]
        for newcomer in newcomers:
            newcomer.send(GET)

        assert [newcomer.answer()[0] for newcomer in newcomers] == [200, 200]


# ---------------------------------------------------------------- requests that wait behind another


def test_a_client_that_asks_again_and_leaves_is_noticed(loop: str) -> None:
    """Also where the second request comes while the first is already at work."""
    with probe(loop) as running:
        with Client(running.port) as client:
            client.send(HELD)
            assert running.begun.get(timeout=LIMIT_S) == "/held"
            # By the time this is answered, the first one waits for its client to leave.
            with Client(running.port) as other:
                other.send(GET)
                other.answer()
            client.send(GET)

        assert running.begun.get(timeout=LIMIT_S) == "/count"
        assert running.ended.get(timeout=LIMIT_S) == ("/count", "answered")
        assert running.ended.get(timeout=LIMIT_S) == ("/held", "left")


@pytest.mark.parametrize(
    ("waiting", "answer"),
    [(post("/count", b"a" * 40_000), b"40000"), (post("/count", b"", X="a" * 40_000), b"0")],
    ids=["bodies", "heads"],
)
def test_large_requests_do_not_wait_behind_another(loop: str, waiting: bytes, answer: bytes) -> None:
    """A connection on which nothing is answered costs little memory: beyond it there is a 400, in its turn."""
    with probe(loop) as running, Client(running.port) as client:
        client.send(HELD + waiting * 4)
        assert running.refused.get(timeout=LIMIT_S) == "invalid_http"
        running.release.set()

        assert client.answer()[2] == b"released"
        assert client.answer()[2] == answer
        assert client.error() == (400, "invalid_http")


def _forget(entries: queue.SimpleQueue[str]) -> None:
    while not entries.empty():
        entries.get()


def _until_empty(running: Probe) -> None:
    deadline = time.monotonic() + LIMIT_S
    while len(running.connections):
        assert time.monotonic() < deadline, "the connection stayed"
        time.sleep(0.01)
