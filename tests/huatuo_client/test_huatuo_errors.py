"""Errors are the server's, as classes."""

from __future__ import annotations

import inspect
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import openai
import pytest

import huatuo_server.errors as servers
from huatuo_client import HuatuoClient, Question, Retrying, errors
from huatuo_server.engine.scripted import Completion
from tests.clients.answers import TEXT, Keys, saying
from tests.service.served import SMALLEST_CONTEXT, scripted_engine, served

ONCE = Retrying(max_retries=0, patience_s=0)


def of_server() -> dict[str, tuple[str, int]]:
    """Each of the server's errors that an answer may have: code and status by the class's name."""
    found = inspect.getmembers(servers, inspect.isclass)
    wire = {name: one for name, one in found if issubclass(one, servers.RequestError)}
    del wire["RequestError"], wire["TryLater"]
    return {name: (one.code, one.status) for name, one in wire.items()}


def test_every_error_of_the_server_has_a_class_of_its_name() -> None:
    """With its code and status; there is none that the server does not have."""
    ours = {kind.__name__: (kind.code, kind.own_status) for kind in errors.BY_CODE.values()}

    assert ours == of_server()


def test_the_list_of_errors_is_the_classes() -> None:
    """What the module says at its head is what is in it."""
    listed = {line.split()[0] for line in (errors.__doc__ or "").splitlines() if line.startswith("  ") and line.strip()}
    classes = {name for name, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, Exception)}

    assert listed == classes


def test_an_error_tells_what_the_server_told() -> None:
    """Status, code, type, param, message and the id in its log."""
    with saying(TEXT) as server, pytest.raises(errors.InvalidRequest) as caught:
        HuatuoClient(server.base_url).ask("What is this?", temperature=9.0)

    error = caught.value
    assert (error.status, error.code, error.type, error.param) == (
        400,
        "invalid_request_error",
        "invalid_request_error",
        "temperature",
    )
    assert error.message
    assert error.request_id


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        (Question("What is this?", images=[b"nothing"]), errors.InvalidImage),
        (Question("What is this?", images=[b"%PDF-1.7 " + b" " * 200]), errors.UnsupportedImageFormat),
        (Question("word " * 2000), errors.ContextLengthExceeded),
    ],
    ids=lambda one: one.__name__ if inspect.isclass(one) else "question",
)
def test_a_failure_is_of_its_class(question: Question, kind: type[errors.ServerError]) -> None:
    """Branch on it."""
    with served(scripted_engine(max_model_len=SMALLEST_CONTEXT)) as server, pytest.raises(kind):
        HuatuoClient(server.base_url).ask(question)


def test_another_model_is_not_found() -> None:
    """It is not guessed which was meant."""
    with saying(TEXT) as server, pytest.raises(errors.ModelNotFound):
        HuatuoClient(server.base_url, model="gpt-5").ask("What is this?")


def test_keys_are_sent_and_refusals_told(keys: Keys) -> None:
    """401 and 403 are classes too."""
    good, metrics = keys.add(), keys.add(scopes=frozenset({"metrics"}))
    with served(keys_file=keys.path) as server:
        assert HuatuoClient(server.base_url, api_key=good).ask("What is this?").text
        with pytest.raises(errors.Unauthorized):
            HuatuoClient(server.base_url).ask("What is this?")
        with pytest.raises(errors.Forbidden):
            HuatuoClient(server.base_url, api_key=metrics).ask("What is this?")


@pytest.fixture
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """No keys yet."""
    return Keys(tmp_path_factory.mktemp("keys"))


def test_a_stream_that_fails_raises_in_the_middle() -> None:
    """What came before was read, and is not asked for again."""
    with served(scripted_engine(Completion(text=TEXT, fail_after=6))) as server:
        stream = HuatuoClient(server.base_url).stream("What is this?")
        with pytest.raises(errors.EngineRequestError):
            list(stream)
        begun = len([one for one in server.engine.generations if not one.request_id.startswith("warm-up")])

    assert stream.text
    assert TEXT.startswith(stream.text)
    assert begun == 1


def test_nobody_there_is_unreachable() -> None:
    """With the reason, and without an address in it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(errors.Unreachable) as caught:
        HuatuoClient(f"http://127.0.0.1:{port}", retrying=ONCE).ask("What is this?")

    assert "cannot be reached" in caught.value.message


@contextmanager
def saying_bytes(answer: bytes) -> Iterator[str]:
    """Something that answers each connection so and closes it; yields its base URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(30)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
    thread.join()


CHUNK = b'data: {"model": "m", "choices": [{"index": 0, "delta": {"content": "half"}, "finish_reason": null}]}\n\n'


def test_a_stream_that_ends_before_its_end_is_broken() -> None:
    """Whatever stood between may have closed it politely."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    with saying_bytes(head + CHUNK) as base_url:
        stream = HuatuoClient(base_url, model="m").stream("What is this?")
        with pytest.raises(errors.AnswerBroken):
            list(stream)

    assert stream.text == "half"


def test_another_server_is_told_apart() -> None:
    """A page instead of JSON is an error that says so."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\nConnection: close\r\n\r\n<p/>"
    with saying_bytes(head) as base_url, pytest.raises(errors.AnswerBroken, match="huatuo-server"):
        HuatuoClient(base_url, model="m").ask("What is this?")


@pytest.mark.parametrize(
    "body",
    [
        b'{"choices": []}',
        b'{"model": "m", "choices": [{"message": {"content": null}, "finish_reason": "stop"}]}',
        b'{"model": "m", "choices": [{"message": {"content": "Half"}, "finish_reason": null}]}',
        b'{"model": "m", "choices": [{"message": {"content": "A"}, "finish_reason": "stop"}], "usage": {"tokens": 1}}',
        b'{"data": 3}',
    ],
)
def test_an_answer_of_another_shape_is_broken(body: bytes) -> None:
    """Rather than a KeyError; in a stream, in a batch and of the models too."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nConnection: close\r\n\r\n"
    with saying_bytes(head % b"application/json" + body) as base_url:
        client = HuatuoClient(base_url, model="m")
        with pytest.raises(errors.AnswerBroken, match="huatuo-server"):
            client.ask("What is this?")
        with pytest.raises(errors.AnswerBroken, match="huatuo-server"):
            client.models()
        (outcome,) = client.map([Question("What is this?")])
    chunk = b"data: " + body + b"\n\n"
    with saying_bytes(head % b"text/event-stream" + chunk) as base_url, pytest.raises(errors.AnswerBroken):
        list(HuatuoClient(base_url, model="m").stream("What is this?"))

    assert isinstance(outcome.error, errors.AnswerBroken)


@pytest.mark.parametrize(
    ("location", "place"),
    [
        (b"Location: https://films.example:8443/login?next=secret\r\n", "to https://films.example:8443,"),
        (b"Location: https://user:secret@films.example/\r\n", "to https://films.example,"),
        (b"Location: /v2/\r\n", "to http://127.0.0.1"),
        (b"", "elsewhere"),
    ],
    ids=["elsewhere", "with a password", "the same server", "nowhere"],
)
@pytest.mark.parametrize("status", [301, 307])
def test_a_redirect_is_not_followed(status: int, location: bytes, place: str) -> None:
    """Images go to the server that was named; the error says where that one points, and no more of it."""
    head = b"HTTP/1.1 %d Elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n" % status
    with saying_bytes(head + location + b"\r\n") as base_url:
        client = HuatuoClient(base_url, model="m", retrying=ONCE)
        with pytest.raises(errors.ServerError) as caught:
            client.ask("What is this?")
        (outcome,) = client.map([Question("What is this?")])

    assert caught.value.status == status
    assert place in caught.value.message
    assert "secret" not in caught.value.message
    assert str(outcome.error) == caught.value.message


def test_what_cannot_be_sent_is_not_quoted() -> None:
    """A header's value may be the key."""
    sdk = HuatuoClient("http://127.0.0.1:1").sdk.with_options(api_key="sk-secret\n")
    with pytest.raises(openai.APIConnectionError) as caught:
        sdk.models.list()

    assert "secret" not in errors.of(caught.value).message


def test_a_proxys_error_is_a_server_error() -> None:
    """Of no known class, with its status."""
    head = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with saying_bytes(head) as base_url, pytest.raises(errors.ServerError) as caught:
        HuatuoClient(base_url, model="m", retrying=ONCE).ask("What is this?")

    assert type(caught.value) is errors.ServerError
    assert caught.value.status == 502
