"""However the bytes of requests are cut, the replies are the same, in both protocols."""

from itertools import pairwise

import pytest
from connections import Connection

import minikv

REQUESTS = (
    b"*1\r\n$4\r\nPING\r\n"
    b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nval\r\n\r\n"
    b"GET k\r\n"
    b"\r\n"
    b"SET \"a b\" 'c d'\n"
    b"*0\r\n"
    b"*2\r\n$3\r\nGET\r\n$3\r\na b\r\n"
    b"*3\r\n$6\r\nINCRBY\r\n$1\r\nk\r\n$1\r\n1\r\n"
    b"*2\r\n$4\r\nMGET\r\n$0\r\n\r\n"
    b"*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n*1\r\n$4\r\nEXEC\r\n"
    b"*3\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n$2\r\nhz\r\n"
    b"*1\r\n$7\r\nUNKNOWN\r\n"
    b"*1\r\n$8\r\nFLUSHALL\r\n"
)
BROKEN = [
    b"*1\r\n!4\r\nPING\r\n",
    b"*2000000000000\r\n",
    b"*1\r\n$-5\r\n",
    b"*1\r\n$99999999999999\r\n",
    b'GET "a\r\n',
]


def answer(server, protocol, *pieces):
    """All that the server sends for pieces, with a turn of the server between them."""
    with Connection(server.port) as watcher, Connection(server.port, protocol) as client:
        for piece in pieces[:-1]:
            client.socket.sendall(piece)
            watcher.cmd("PING")
        client.socket.sendall(pieces[-1] + b"QUIT\r\n")
        assert client.is_closed()
        return client.received


@pytest.fixture(scope="module")
def server():
    with minikv.Server(port=0) as server:
        yield server


def test_each_cut(server, protocol):
    whole = answer(server, protocol, REQUESTS)
    assert whole.count(b"\r\n") > 15
    assert (b"%1\r\n$2\r\nhz\r\n" in whole) == (b"*1\r\n_\r\n" in whole) == (protocol == 3)
    for at in range(1, len(REQUESTS)):
        assert answer(server, protocol, REQUESTS[:at], REQUESTS[at:]) == whole, at


def test_byte_at_a_time(server, protocol):
    whole = answer(server, protocol, REQUESTS)
    assert answer(server, protocol, *(REQUESTS[i : i + 1] for i in range(len(REQUESTS)))) == whole


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_requests(server, protocol, broken):
    """What came before is answered, then the error, then the connection ends."""
    with Connection(server.port, protocol) as client:
        client.socket.sendall(b"PING\r\n" + broken)
        assert client.is_closed()
        assert client.received.startswith(b"+PONG\r\n-ERR Protocol error"), client.received
        whole = client.received
    with Connection(server.port, protocol) as client, Connection(server.port) as watcher:
        client.socket.sendall(b"PING\r\n" + broken[:3])
        watcher.cmd("PING")
        client.socket.sendall(broken[3:])
        assert client.is_closed()
        assert client.received == whole


def test_large_values_through_cuts(server, protocol):
    for length in (100_000, 5_000_000):
        value = bytes(range(256)) * (length // 256)
        request = b"*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$%d\r\n%b\r\n" % (len(value), value)
        with Connection(server.port, protocol) as client:
            cuts = [0, 1, 22, 33_000, len(request) - 1, len(request)]
            for start, end in pairwise(cuts):
                client.socket.sendall(request[start:end])
            assert client.read() == b"OK"
            assert client.cmd("GET", "b") == value
