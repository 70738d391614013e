"""A server for the whole run, and clients of it."""

import pytest
from connections import Connection

import minikv


@pytest.fixture(scope="session")
def server():
    with minikv.Server(port=0, enable_debug_command="yes") as server:
        yield server


class Client(Connection):
    """A client whose store and settings are fresh."""

    def __init__(self, port, protocol):
        super().__init__(port, protocol)
        self.cmd("FLUSHALL")
        self.cmd("CONFIG", "SET", "notify-keyspace-events", "")

    def raw(self, data):
        """The bytes that requests, given as bytes, are answered with."""
        self.socket.sendall(data)
        self.send("ECHO", "<end>")
        while not self.received.endswith(b"$5\r\n<end>\r\n"):
            self.receive()
        answer, self.received = self.received[: -len(b"$5\r\n<end>\r\n")], b""
        return answer


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def protocol(request):
    return request.param


@pytest.fixture
def client(server, protocol):
    """A client in each protocol, on an empty store."""
    with Client(server.port, protocol) as client:
        yield client


class Subscriber(Connection):
    """A client that listens."""

    def subscribe(self, pattern):
        self.cmd("PSUBSCRIBE", pattern)

    def next(self, timeout=5):
        """The next message's (channel, payload); None if none comes in time."""
        self.socket.settimeout(timeout)
        try:
            _, _, channel, payload = self.read()
        except TimeoutError:
            return None
        finally:
            self.socket.settimeout(20)
        return channel, payload


@pytest.fixture
def subscriber(server):
    with Subscriber(server.port) as subscriber:
        yield subscriber
