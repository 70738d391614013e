"""Raw connections, for what more than one client has to see and for each byte of a reply."""

import socket
import struct
import time

from minikv_core.decode import decode

from minikv import ReplyError


def until(condition):
    """Wait until a condition holds."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


class Connection:
    """A client that reads one reply (or push) at a time; error replies are returned, not raised.

    place   a port of 127.0.0.1, an (address, port), or the path of a Unix socket
    """

    def __init__(self, place, protocol=2):
        if isinstance(place, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(20)
            self.socket.connect(place)
        else:
            address = ("127.0.0.1", place) if isinstance(place, int) else place
            self.socket = socket.create_connection(address, timeout=20)
        self.received = b""
        self.protocol = protocol
        if protocol == 3:
            self.cmd("HELLO", 3)

    @property
    def address(self):
        """Address and port of this end."""
        return "{}:{}".format(*self.socket.getsockname())

    @property
    def server_address(self):
        """The same of the server's end."""
        return "{}:{}".format(*self.socket.getpeername())

    def send(self, *words):
        """Send a command, given as text, bytes or numbers."""
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words))

    def more(self, most=1 << 20):
        """Wait for more bytes; EOFError when the server has closed."""
        try:
            more = self.socket.recv(most)
        except ConnectionResetError:
            more = b""
        if not more:
            raise EOFError("the server has closed the connection")
        return more

    def receive(self):
        """Add what comes next to what was received."""
        self.received += self.more()

    def read(self):
        """The next reply."""
        while True:
            try:
                reply, end = decode(self.received, ReplyError)
            except EOFError:
                self.receive()
            else:
                self.received = self.received[end:]
                return reply

    def raw(self, n):
        """The next n bytes as they came."""
        raw, self.received = bytearray(self.received[:n]), self.received[n:]
        while len(raw) < n:
            raw += self.more(min(n - len(raw), 1 << 20))
        return bytes(raw)

    def cmd(self, *words):
        self.send(*words)
        return self.read()

    def error(self, *words):
        """The text of the error reply to a command."""
        reply = self.cmd(*words)
        assert isinstance(reply, ReplyError), reply
        return str(reply)

    def exchange(self, *words, mark=b"<end>"):
        """The bytes that a command is answered with: all up to the reply of an ECHO behind it."""
        self.send(*words)
        self.send("ECHO", mark)
        end = b"$%d\r\n%b\r\n" % (len(mark), mark)
        while not self.received.endswith(end):
            self.receive()
        return self.raw(len(self.received))[: -len(end)]

    def all(self, *commands):
        """The replies to commands that are sent together, each a line of words."""
        for command in commands:
            self.send(*command.split())
        return [self.read() for _ in commands]

    def is_silent(self):
        """Whether nothing but what is asked for arrives."""
        reply = self.cmd("PING", "anything else?")
        return reply in (b"anything else?", [b"pong", b"anything else?"])

    def is_closed(self):
        """Whether the server closes the connection, now or soon; what it still sends is dropped."""
        try:
            while True:
                self.receive()
        except EOFError:
            return True

    def reset(self):
        """Break the connection off: the server gets an RST instead of an end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
