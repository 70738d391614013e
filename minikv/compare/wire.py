"""Just enough RESP to fill a server from one socket: requests built in bulk, replies only counted."""

import re
import socket
from collections.abc import Iterable, Iterator

from minikv.compare.errors import MeasurementError

KEY = b"key:%012d"  # 16 bytes, the keys that redis-benchmark uses for SET and GET
COUNTER = b"counter:%012d"  # the keys that it uses for INCR
FIELD = re.compile(rb"%0(\d+)d")
REQUESTS_PER_WRITE = 1000
TIMEOUT = 60.0  # seconds that any single read or write may take


def encode(*arguments: bytes) -> bytes:
    """One request as a RESP array of bulk strings."""
    parts = [b"*%d\r\n" % len(arguments)]
    parts += [b"$%d\r\n%b\r\n" % (len(argument), argument) for argument in arguments]
    return b"".join(parts)


def template(*arguments: bytes) -> bytes:
    """A request to be filled in with %: each %0Nd in it stands for a number of N digits."""
    text = b"*%d\r\n" % len(arguments)
    for argument in arguments:
        filled_in = FIELD.sub(lambda field: bytes(int(field[1])), argument)
        text += b"$%d\r\n%b\r\n" % (len(filled_in), argument)
    return text


def batches(
    request: bytes, numbers: Iterable[int | tuple[int, ...]], size: int
) -> Iterator[tuple[bytes, int]]:
    """The template filled in with each number, joined by `size`: pairs of (bytes, requests in them)."""
    chunk: list[bytes] = []
    for number in numbers:
        chunk.append(request % number)
        if len(chunk) == size:
            yield b"".join(chunk), size
            chunk.clear()
    if chunk:
        yield b"".join(chunk), len(chunk)


def connect(port: int, timeout: float = TIMEOUT) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def exchange(connection: socket.socket, requests: bytes, replies: int) -> bytes:
    """Send requests and read as many lines of replies; an error reply raises."""
    connection.sendall(requests)
    received = b""
    while (missing := replies - received.count(b"\n")) > 0:
        chunk = connection.recv(max(65536, missing * 8))
        if not chunk:
            raise MeasurementError("the server closed the connection")
        received += chunk
    if received.startswith(b"-") or b"\n-" in received:
        start = 0 if received.startswith(b"-") else received.index(b"\n-") + 1
        raise MeasurementError(received[start : start + 120].split(b"\r\n")[0].decode(errors="replace"))
    return received


def fill(
    port: int,
    request: bytes,
    numbers: Iterable[int | tuple[int, ...]],
    timeout: float = TIMEOUT,
    reply_lines: int = 1,
) -> None:
    """Run the template once per number, pipelined; every reply has `reply_lines` lines."""
    with connect(port, timeout) as connection:
        for requests, count in batches(request, numbers, REQUESTS_PER_WRITE):
            exchange(connection, requests, count * reply_lines)


def command(port: int, *arguments: bytes, timeout: float = TIMEOUT) -> bytes:
    """Run one command; returns a simple string with its sign, or the body of a bulk string."""
    with connect(port, timeout) as connection, connection.makefile("rb") as stream:
        connection.sendall(encode(*arguments))
        line = stream.readline().rstrip()
        if line.startswith(b"-"):
            raise MeasurementError(line.decode(errors="replace"))
        return stream.read(int(line[1:])) if line.startswith(b"$") else line


def used_memory(port: int) -> int:
    """The server's own account of the memory it uses."""
    for line in command(port, b"INFO", b"memory").splitlines():
        if line.startswith(b"used_memory:"):
            return int(line.partition(b":")[2])
    raise MeasurementError("INFO memory has no used_memory")
