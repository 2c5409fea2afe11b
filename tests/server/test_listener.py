"""The listening socket."""

from __future__ import annotations

import socket

import pytest

from huatuo_server.listener import ListenError, bind, url


def test_port_zero_takes_a_free_port_and_tells_it() -> None:
    """The URL holds the port that the kernel chose, and it takes connections at once."""
    with bind("127.0.0.1", 0) as listening:
        address = listening.getsockname()
        assert url(listening) == f"http://127.0.0.1:{address[1]}"
        with socket.create_connection(address, timeout=5):
            pass


def test_a_port_in_use_is_one_clear_line() -> None:
    """The address and the cause, and no traceback to read them out of."""
    with bind("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]

        with pytest.raises(ListenError) as caught:
            bind("127.0.0.1", port)

    assert caught.value.message == f"cannot listen on http://127.0.0.1:{port}: address already in use"


def test_a_name_that_nobody_knows_is_one_clear_line() -> None:
    """A mistyped --host says so."""
    with pytest.raises(ListenError, match=r"^cannot listen on http://no-such-host\.invalid:8000: "):
        bind("no-such-host.invalid", 8000)


def test_an_answer_waits_for_no_acknowledgement() -> None:
    """Small answers on a kept connection go out at once: the option is on each connection (TCP_NODELAY, tcp(7))."""
    with bind("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
