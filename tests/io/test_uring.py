"""What is uring's own: shared buffers, batches of sends, operations in flight when a connection ends."""

import errno
import gc
import os
import re
import socket
import subprocess
import sys
import time

import pytest
from connections import Connection, until
from processes import has_uring

import minikv
from minikv.models import NO_URING

FORBID = """
import ctypes, struct, sys
from minikv.cli import main
fail = 0x50000 | int(sys.argv[1])
code = [(0x20, 0, 0, 0), (0x15, 0, 1, 425), (0x06, 0, 0, fail), (0x06, 0, 0, 0x7FFF0000)]
program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
filter = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(program)))
prctl = ctypes.CDLL(None, use_errno=True).prctl
assert prctl(38, 1, 0, 0, 0) == 0  # no new privileges
assert prctl(22, 2, filter, 0, 0) == 0, ctypes.get_errno()  # from now on io_uring_setup fails
sys.exit(main(["--io", "uring", "--port", "0", "--unixsocket", sys.argv[2], "--loglevel", "warning"]))
"""


@pytest.mark.parametrize("reason", [errno.ENOSYS, errno.EPERM, errno.EINVAL])
def test_a_system_without_it(tmp_path, reason):
    words = [sys.executable, "-c", FORBID, str(reason), str(tmp_path / "socket")]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    lines = [line for line in (ended.stdout + ended.stderr).splitlines() if "uring" in line]
    assert len(lines) == 1
    assert lines[0].endswith(f"The I/O model uring can't be used: {NO_URING[reason]}")
    assert not (tmp_path / "socket").exists()


@pytest.fixture
def allowed():
    if not has_uring():
        pytest.skip("no io_uring here")


@pytest.fixture
def server(allowed, serve):
    return serve(io="uring", enable_debug_command="yes")


@pytest.fixture
def other(server, connect):
    return connect(server.port)


def figure(client, section, name):
    return int(re.search(rf"{name}:(\d+)".encode(), client.cmd("INFO", section))[1])


def bulk(value):
    return b"$%d\r\n%b\r\n" % (len(value), value)


@pytest.fixture
def asleep(other):
    """Lets all that is sent inside arrive while the server is busy."""

    class Asleep:
        def __enter__(self):
            other.send("DEBUG", "SLEEP", 0.5)
            time.sleep(0.05)

        def __exit__(self, *exc):
            assert other.read() == b"OK"

    return Asleep()


def test_all_that_came_is_served_in_one_turn(server, connect, other, asleep):
    clients = [connect(server.port) for _ in range(300)]
    assert all(client.cmd("INCR", "n") == i + 1 for i, client in enumerate(clients))
    before = figure(other, "stats", "eventloop_cycles")
    with asleep:
        for client in clients:
            client.send("INCR", "n")
    assert sorted(client.read() for client in clients) == list(range(301, 601))
    assert figure(other, "stats", "eventloop_cycles") - before < 50


def test_more_at_once_than_all_buffers_hold(server, connect, other, asleep):
    """16 MB lie in the sockets when the server looks; its buffers are 4 MiB."""
    clients = [connect(server.port) for _ in range(160)]
    other.cmd("CONFIG", "RESETSTAT")
    with asleep:
        for i, client in enumerate(clients):
            client.socket.sendall(
                b"".join(b"SET k%d-%d %b\r\n" % (i, j, b"%d" % j * 400) for j in range(100, 184))
            )
    for client in clients:
        assert client.raw(5 * 84) == b"+OK\r\n" * 84
    assert other.cmd("DBSIZE") == 160 * 84
    assert other.cmd("GET", "k159-183") == b"183" * 400
    assert figure(other, "stats", "total_net_input_bytes") > 16_000_000


@pytest.mark.parametrize("size", [1, 3000, 16_000])
def test_more_replies_in_a_turn_than_the_scratch_buffer_holds(server, connect, other, asleep, size):
    """What is sent from it is never overwritten before it is sent."""
    clients = [connect(server.port) for _ in range(200)]
    values = [bytes([97 + i % 26]) * (size + i) for i in range(200)]
    for i, value in enumerate(values):
        assert other.cmd("SET", i, value) == b"OK"
    with asleep:
        for i, client in enumerate(clients):
            client.socket.sendall(b"GET %d\r\n" % i * 10)
    for client, value in zip(clients, values, strict=True):
        assert client.raw(len(bulk(value)) * 10) == bulk(value) * 10


def test_more_pieces_than_one_submission_takes(server, connect, other, asleep):
    """20 clients are owed 2,000 pieces each; a submission takes 4,096."""
    values = [bytes([97 + i]) * (20_000 + i) for i in range(10)]
    for i, value in enumerate(values):
        assert other.cmd("SET", i, value) == b"OK"
    clients = [connect(server.port) for _ in range(20)]
    keys = [i % 10 for i in range(1000)]
    with asleep:
        for client in clients:
            client.send("MGET", *keys)
    expected = b"".join(map(bulk, values))
    for client in clients:
        assert client.raw(7) == b"*1000\r\n"
        assert all(client.raw(len(expected)) == expected for _ in range(100))


def test_slow_readers_and_quick_ones(server, connect, other):
    """Sends that stop in the middle go on where they stopped, whatever runs meanwhile."""
    value = os.urandom(3_000_000)
    other.cmd("SET", "large", value)
    slow = [connect(server.port) for _ in range(10)]
    for i, client in enumerate(slow):
        for _ in range(3):
            client.send("GET", "large")
            client.send("ECHO", f"client {i}")
    for i in range(500):
        assert other.cmd("ECHO", f"text {i}") == b"text %d" % i
    for i, client in enumerate(slow):
        expected = bulk(value) + bulk(b"client %d" % i)
        assert all(client.raw(len(expected)) == expected for _ in range(3))
        assert client.cmd("PING") == b"PONG"


@pytest.mark.parametrize("end", ["kill", "reset", "close"])
def test_ending_with_operations_in_flight(server, connect, other, end):
    """A receive, a poll and unsent replies are there when the connection ends."""
    other.cmd("SET", "large", bytes(8_000_000))
    memory = figure(other, "memory", "used_memory")
    for _ in range(20):
        clients = [connect(server.port) for _ in range(5)]
        for client in clients:
            client.send("GET", "large")
        ids = [re.search(rb"id=(\d+)", line)[1] for line in other.cmd("CLIENT", "LIST").splitlines()]
        for client, id in zip(clients, ids[1:], strict=False):
            if end == "kill":
                assert other.cmd("CLIENT", "KILL", "ID", id) in (0, 1)
                assert client.is_closed()
            else:
                client.send("GET", "large")
                getattr(client, end)()
        until(lambda: figure(other, "clients", "connected_clients") == 1)
    until(lambda: figure(other, "memory", "used_memory") < memory + 1_000_000)


def test_messages_to_many(server, connect, other):
    subscribers = [connect(server.port, 2 + i % 2) for i in range(200)]
    for subscriber in subscribers:
        subscriber.cmd("SUBSCRIBE", "channel")
    for size in (1, 1000, 100_000):
        assert other.cmd("PUBLISH", "channel", "x" * size) == 200
        assert all(s.read() == [b"message", b"channel", b"x" * size] for s in subscribers)


def test_an_address_is_free_as_soon_as_it_is_left(server, connect, other):
    old = server.port
    with socket.create_server(("127.0.0.1", 0)) as free:
        new = free.getsockname()[1]
    assert other.cmd("CONFIG", "SET", "port", new) == b"OK"
    socket.create_server(("127.0.0.1", old)).close()
    assert connect(new).cmd("PING") == other.cmd("PING") == b"PONG"
    assert other.cmd("CONFIG", "SET", "port", old) == b"OK"
    assert connect(old).cmd("PING") == b"PONG"


def test_servers_come_and_go(allowed):
    """On one port, with connections that are owed something; nothing stays open."""
    gc.collect()
    before = set(os.listdir("/proc/self/fd"))
    port = 0
    for _ in range(10):
        with minikv.Server(port=port, io="uring") as server, Connection(server.port) as client:
            port = server.port
            client.cmd("SET", "k", "v" * 1_000_000)
            client.send("GET", "k")
            server.stop()
            assert client.raw(10) == b"$1000000\r\n"
            assert client.raw(1_000_002).endswith(b"v\r\n")
            assert client.is_closed()
        del server
        gc.collect()
    assert set(os.listdir("/proc/self/fd")) == before
