"""Raw connections for tests that need several, or care about each byte."""

import socket

from minikv_core.decode import decode

from minikv.errors import ReplyError


class Connection:
    """A client's end of a connection to a server on this machine."""

    def __init__(self, port, protocol=2):
        self._buffer = b""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        if protocol == 3:
            self.hello = self.cmd("HELLO", 3)

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

    def read(self):
        """The next reply; an error as a ReplyError, not raised; EOFError when the server has closed."""
        while True:
            if self._buffer:
                try:
                    value, end = decode(self._buffer, ReplyError)
                except EOFError:
                    pass
                else:
                    self._buffer = self._buffer[end:]
                    return value
            self._receive()

    def _receive(self):
        try:
            received = self.socket.recv(1 << 16)
        except ConnectionResetError:
            received = b""
        if not received:
            raise EOFError("the server has closed the connection")
        self._buffer += received

    def cmd(self, *words):
        self.send(*words)
        return self.read()

    def error(self, *words):
        """The text of the error that a command is answered with."""
        reply = self.cmd(*words)
        assert isinstance(reply, ReplyError), reply
        return str(reply)

    def exchange(self, *words, mark=b"<end>"):
        """The bytes that a command is answered with, up to the reply of an ECHO behind it."""
        self.send(*words)
        self.send("ECHO", mark)
        end = b"$%d\r\n%b\r\n" % (len(mark), mark)
        while not self._buffer.endswith(end):
            self._receive()
        received, self._buffer = self._buffer[: -len(end)], b""
        return received

    def is_closed(self):
        """Whether the server closes the connection, now or soon; what it still sends is dropped."""
        try:
            while True:
                self._receive()
        except EOFError:
            return True

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def fields(line):
    """A line of CLIENT LIST as a dictionary."""
    return dict(word.split("=", 1) for word in line.strip().split(" "))
