"""Socket options that are settings, as the server's end of a connection has them, in every model."""

import ctypes
import errno
import os
import socket
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from connections import Connection, until
from processes import ServerProcess

from minikv.models import MODELS

PIDFD_GETFD = 438  # the system call's number, on every architecture
SETTINGS = {"nginx": {"worker_processes": 2}}


@pytest.fixture(scope="module", params=MODELS)
def server(request):
    with ServerProcess(io=request.param, **SETTINGS.get(request.param, {})) as server:
        server.model = request.param
        yield server


@pytest.fixture
def client(server, opened):
    return opened(Connection(server.port))


def end_of(server, client):
    """The server's end of a connection, borrowed from the process that has it."""
    libc = ctypes.CDLL(None, use_errno=True)
    workers = (server.proc / f"task/{server.pid}/children").read_text().split()
    for pid in (*map(int, workers), server.pid):
        pidfd = os.pidfd_open(pid)
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            fd = libc.syscall(PIDFD_GETFD, pidfd, int(entry.name), 0)
            if fd < 0 and ctypes.get_errno() in (errno.EPERM, errno.ENOSYS):
                pytest.skip("this system lends no descriptors")
            if fd < 0:  # closed meanwhile
                continue
            try:
                sock = socket.socket(fileno=fd)
            except OSError:
                os.close(fd)
                continue
            with suppress(OSError):
                if sock.getpeername() == client.socket.getsockname():
                    os.close(pidfd)
                    return sock
            sock.close()
        os.close(pidfd)
    raise AssertionError("no process has it")


def options(server, opened):
    """What a new connection's socket has: (no delay, seconds to the first probe, linger)."""
    client = opened(Connection(server.port))
    client.cmd("PING")
    sock = opened(end_of(server, client))
    probes = sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    return (
        bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)),
        sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) if probes else 0,
        struct.unpack("ii", sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)),
    )


def test_options_of_accepted_sockets(server, client, opened):
    assert options(server, opened) == (True, 300, (0, 0))
    client.cmd("CONFIG", "SET", "tcp-nodelay", "no", "tcp-keepalive", 77, "so-linger", 0)
    until(lambda: options(server, opened) == (False, 77, (1, 0)))
    client.cmd("CONFIG", "SET", "tcp-nodelay", "yes", "tcp-keepalive", 0, "so-linger", -1)
    until(lambda: options(server, opened) == (True, 0, (0, 0)))


@pytest.mark.parametrize("linger", [-1, 0])
def test_linger(server, client, opened, linger):
    """A killed client that has not read all: what is on its way goes on without the server, or is dropped."""
    client.cmd("SET", "k", "v" * 8_000_000)
    client.cmd("CONFIG", "SET", "so-linger", linger)
    until(lambda: options(server, opened)[2] == (int(linger == 0), 0))
    slow = opened(Connection(server.port))
    slow.send("GET", "k")
    assert slow.socket.recv(1) == b"$"
    assert client.cmd("CLIENT", "KILL", "ADDR", slow.address) == 1
    until(lambda: slow.address.encode() not in client.cmd("CLIENT", "LIST"))
    ports = f":{server.port:04X} 0100007F:{slow.socket.getsockname()[1]:04X} "

    def is_left():
        return ports in Path("/proc/net/tcp").read_text()

    if linger == 0:
        until(lambda: not is_left())
    else:
        assert is_left()
    client.cmd("CONFIG", "SET", "so-linger", -1)


def test_quick_acknowledgements(server, client, opened):
    """Each request is acknowledged by a segment of its own, ahead of the reply's."""

    def segments():
        before = segments_in(client)
        for _ in range(100):
            client.cmd("PING")
        return segments_in(client) - before

    segments()
    assert segments() < 150
    client.cmd("CONFIG", "SET", "tcp-quickack", "yes")
    assert segments() >= 195
    client.cmd("CONFIG", "SET", "tcp-quickack", "no")


def segments_in(client):
    """How many segments have come (tcpi_segs_in)."""
    return struct.unpack_from("I", client.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232), 140)[0]
