"""Connections of a test's own, for what more than one client has to see."""

import socket

import pytest
from minikv_core.decode import decode

from minikv import ReplyError


class Connection:
    """A client that reads one reply (or push) at a time; error replies are returned."""

    def __init__(self, port, protocol=2):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.received = b""
        self.protocol = protocol
        if protocol == 3:
            self.cmd("HELLO", 3)

    def send(self, *words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words))

    def read(self):
        while True:
            try:
                reply, end = decode(self.received, ReplyError)
            except EOFError:
                more = self.socket.recv(1 << 20)
                if not more:
                    raise
                self.received += more
            else:
                self.received = self.received[end:]
                return reply

    def raw(self, n):
        """The next n bytes as they came."""
        while len(self.received) < n:
            more = self.socket.recv(1 << 20)
            if not more:
                break
            self.received += more
        raw, self.received = self.received[:n], self.received[n:]
        return raw

    def cmd(self, *words):
        self.send(*words)
        return self.read()

    def error(self, *words):
        """The text of the error reply to a command."""
        reply = self.cmd(*words)
        assert isinstance(reply, ReplyError), reply
        return str(reply)

    def all(self, *commands):
        """The replies to commands that are sent together, each a line of words."""
        for command in commands:
            self.send(*command.split())
        return [self.read() for _ in commands]

    def is_silent(self):
        """Whether nothing but what is asked for arrives."""
        reply = self.cmd("PING", "anything else?")
        return reply in (b"anything else?", [b"pong", b"anything else?"])

    def close(self):
        self.socket.close()


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def protocol(request):
    return request.param


@pytest.fixture
def connect(server):
    """Makes connections to the server, whose store is emptied first: connect() or connect(protocol)."""
    opened = []

    def connect(protocol=2):
        opened.append(Connection(server.port, protocol))
        return opened[-1]

    connect().cmd("FLUSHALL")
    yield connect
    for connection in opened:
        connection.close()
