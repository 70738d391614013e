"""minikv/compare/wire.py: requests built in bulk, replies counted."""

import socket
from collections.abc import Iterator

import pytest

from minikv.compare import wire
from minikv.compare.errors import MeasurementError


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(10)
        yield ours, theirs


def test_template_has_the_lengths_of_what_it_becomes() -> None:
    request = wire.template(b"SET", wire.KEY, b"%07d", b"EX", b"100")
    expected = wire.encode(b"SET", b"key:000000000042", b"1000042", b"EX", b"100")
    assert request % (42, 1000042) == expected


def test_batches_keep_order_and_the_rest() -> None:
    request = wire.template(b"GET", wire.KEY)
    taken = list(wire.batches(request, range(5), 2))
    assert [count for _, count in taken] == [2, 2, 1]
    assert b"".join(text for text, _ in taken) == b"".join(request % number for number in range(5))
    assert list(wire.batches(request, range(0), 2)) == []


def test_exchange_waits_for_every_reply(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.sendall(b"+OK\r\n:1\r\n")
    assert wire.exchange(ours, b"x", 2) == b"+OK\r\n:1\r\n"


def test_exchange_raises_the_servers_error(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.sendall(b"+OK\r\n-ERR no such thing\r\n")
    with pytest.raises(MeasurementError, match=r"^-ERR no such thing$"):
        wire.exchange(ours, b"x", 2)


def test_exchange_tells_of_a_closed_connection(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.sendall(b"+OK\r\n")
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(MeasurementError, match="closed"):
        wire.exchange(ours, b"x", 2)
