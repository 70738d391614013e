"""Connections as they break, are killed and end, and servers that end with them."""

import itertools
import re
import signal
import socket
import threading
import time
from contextlib import suppress

import pytest
from connections import until


def figure(client, section, name):
    return int(re.search(rf"{name}:(\d+)".encode(), client.cmd("INFO", section))[1])


# ---------------------------------------------------------------- peers that go


def test_peer_that_resets(serve, connect):
    port = serve().port
    other = connect(port)
    for _ in range(50):
        client = connect(port)
        client.send("GET", "none")
        client.reset()
        assert other.cmd("PING") == b"PONG"


@pytest.mark.parametrize("way", ["reset", "end and reset", "Unix socket"])
def test_writing_to_a_peer_that_has_gone(spawn, connect, tmp_path, way):
    """It is an error of that connection's; a SIGPIPE would end the process."""
    path = str(tmp_path / "socket")
    server = spawn(unixsocket=path)
    other = connect(server.port)
    other.cmd("SET", "k", "v" * 8_000_000)
    for _ in range(10):
        reader, subscriber = (connect(path if way == "Unix socket" else server.port) for _ in range(2))
        assert subscriber.cmd("SUBSCRIBE", "channel") == [b"subscribe", b"channel", 1]
        for _ in range(5):
            reader.send("GET", "k")
        assert reader.socket.recv(1) == b"$"  # the rest does not fit into the socket
        for client in (reader, subscriber):
            if way == "end and reset":
                client.socket.shutdown(socket.SHUT_WR)
            if way == "Unix socket":
                client.close()
            else:
                client.reset()
        for _ in range(5):
            other.cmd("PUBLISH", "channel", "text")
    until(lambda: figure(other, "clients", "connected_clients") == 1)
    assert other.cmd("PUBLISH", "channel", "text") == 0
    assert server.poll() is None


LONG = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\n" + b"x" * 1_000_000 + b"\r\n"


@pytest.mark.parametrize("end", ["reset", "close"])
def test_peer_that_goes_in_the_middle_of_a_request(serve, connect, end):
    port = serve(hz=100).port
    other = connect(port)
    before = figure(other, "memory", "used_memory")
    for length in (1, 4, 9, 20, 30, 31, 32, 1000, 40_000, 900_000, len(LONG) - 2, len(LONG) - 1):
        for ahead in (b"", b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n"):
            client = connect(port)
            client.socket.sendall(ahead + LONG[:length])
            if ahead:
                assert client.read() >= 1
            getattr(client, end)()
    until(lambda: figure(other, "clients", "connected_clients") == 1)
    assert other.cmd("GET", "n") == b"12"
    assert other.cmd("EXISTS", "k") == 0
    until(lambda: figure(other, "memory", "used_memory") < before + 100_000)


# ---------------------------------------------------------------- CLIENT KILL


@pytest.mark.parametrize("first", ["killer", "victim"])
def test_kill_meets_requests_of_its_victim(serve, connect, first):
    """Both arrive while the server is busy. What the victim has sent runs before the kill, or never."""
    port = serve(enable_debug_command="yes").port
    sleeper, killer = connect(port), connect(port)
    for i in range(5):
        victim = connect(port)
        id = victim.cmd("CLIENT", "ID")
        key = f"count-{i}"

        def kill(id=id, key=key):
            killer.send("CLIENT", "KILL", "ID", id)
            killer.send("GET", key)

        def count(victim=victim, key=key):
            victim.socket.sendall(b"INCR %b\r\n" % key.encode() * 1000)

        sleeper.send("DEBUG", "SLEEP", 0.05)
        time.sleep(0.01)
        for act in (kill, count) if first == "killer" else (count, kill):
            with suppress(ConnectionError):  # on a busy machine the victim may be dead before it speaks
                act()
        assert sleeper.read() == b"OK"
        assert killer.read() == 1
        counted = killer.read()
        assert victim.is_closed()
        assert killer.cmd("GET", key) == counted


def test_kill_of_many_at_once(serve, connect):
    """Some owe input, some are owed output, some listen, some are in the middle of something."""
    port = serve().port
    killer = connect(port)
    killer.cmd("SET", "large", "v" * 1_000_000)
    kinds = itertools.cycle(
        [
            b"",
            b"PING\r\n" * 500,
            b"GET large\r\n" * 5,
            b"SUBSCRIBE channel\r\n",
            b"MONITOR\r\n",
            b"WATCH k\r\nMULTI\r\nSET k v\r\n",
            LONG[:500_000],
            b"*2\r\n$3\r\nGE",
            b"QUIT\r\nPING\r\n",
        ]
    )
    for _ in range(3):
        victims = [connect(port) for _ in range(180)]
        ids = [victim.cmd("CLIENT", "ID") for victim in victims]
        for victim, kind in zip(victims, kinds, strict=False):
            victim.socket.sendall(kind)
        for id in ids:
            killer.send("CLIENT", "KILL", "ID", id)
            killer.send("PUBLISH", "channel", "text")
        killed = [(killer.read(), killer.read())[0] for _ in ids]
        assert set(killed) <= {0, 1}  # those that QUIT may have gone
        assert sum(killed) >= 160
        assert all(victim.is_closed() for victim in victims)
        until(lambda: figure(killer, "clients", "connected_clients") == 1)
        assert killer.cmd("PUBLISH", "channel", "text") == 0


def test_kill_of_everybody_while_all_send(serve, connect):
    """Kills fall into turns in which the victims' events are pending too."""
    port = serve().port
    killer = connect(port)

    def send_until_closed(victim):
        with suppress(EOFError, ConnectionError):
            while True:
                victim.socket.sendall(b"PING\r\n" * 50)
                victim.raw(7 * 50)

    for _ in range(5):
        victims = [connect(port) for _ in range(20)]
        threads = [threading.Thread(target=send_until_closed, args=(victim,)) for victim in victims]
        for thread in threads:
            thread.start()
        until(lambda: figure(killer, "clients", "connected_clients") == 21)
        assert killer.cmd("CLIENT", "KILL", "TYPE", "normal") == 20
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
    assert killer.cmd("PING") == b"PONG"


@pytest.mark.parametrize("words", ["KILL ID {id} SKIPME no", "KILL {address}"])
def test_kill_of_oneself(serve, connect, words):
    """The reply still comes, and nothing behind it runs."""
    port = serve().port
    me, other = connect(port), connect(port)
    words = words.format(id=me.cmd("CLIENT", "ID"), address=me.address)
    me.socket.sendall(f"SET before 1\r\nCLIENT {words}\r\nSET behind 1\r\n".encode())
    assert me.raw(5) == b"+OK\r\n"
    assert me.read() in (1, b"OK")
    assert me.is_closed()
    assert me.received == b""
    assert other.cmd("MGET", "before", "behind") == [b"1", None]


def test_kill_of_oneself_in_a_transaction(serve, connect):
    port = serve().port
    me, other = connect(port), connect(port)
    for words in ("MULTI", f"CLIENT KILL ID {me.cmd('CLIENT', 'ID')} SKIPME no", "SET k v"):
        me.cmd(*words.split())
    me.send("EXEC")
    assert me.is_closed()
    assert me.received.startswith(b"*2\r\n:1\r\n")
    assert other.cmd("GET", "k") == b"v"


# ---------------------------------------------------------------- the end of the server


def shut_down(server, connect):
    connect(server.port).send("SHUTDOWN", "NOSAVE")


def send_signal(number):
    return lambda server, connect: server.send_signal(number)


ENDS = {
    "SIGTERM": send_signal(signal.SIGTERM),
    "SIGINT": send_signal(signal.SIGINT),
    "SHUTDOWN": shut_down,
}


@pytest.mark.parametrize("end", ENDS)
def test_it_ends_when_all_is_answered(tmp_path, spawn, connect, end):
    path = tmp_path / "socket"
    server = spawn(unixsocket=str(path))
    client, idle = connect(server.port), connect(str(path))
    assert client.cmd("SET", "k", "v" * 3_000_000) == idle.cmd("SET", "other", "v") == b"OK"
    client.socket.sendall(b"GET k\r\n" * 3)
    client.socket.recv(1, socket.MSG_PEEK)
    assert path.exists()
    ENDS[end](server, connect)
    for _ in range(3):
        assert client.raw(3_000_012) == b"$3000000\r\n" + b"v" * 3_000_000 + b"\r\n"
    assert client.is_closed()
    assert client.received == b""
    assert idle.is_closed()
    assert server.wait(20) == 0
    assert not path.exists()


@pytest.mark.parametrize("end", ["SIGTERM", "SHUTDOWN"])
def test_it_ends_though_a_peer_does_not_read(spawn, connect, end):
    server = spawn()
    client = connect(server.port)
    client.cmd("SET", "k", "v" * 10_000_000)
    client.socket.sendall(b"GET k\r\n" * 5)
    client.socket.recv(1, socket.MSG_PEEK)
    ENDS[end](server, connect)
    assert server.wait(10) == 0


def test_shutdown_answers_what_came_with_it(spawn, connect):
    """Nothing behind SHUTDOWN runs."""
    server = spawn()
    client = connect(server.port)
    client.socket.sendall(b"SET k v\r\nGET k\r\nSHUTDOWN NOSAVE\r\nPING\r\n")
    assert client.is_closed()
    assert client.received == b"+OK\r\n$1\r\nv\r\n"
    assert server.wait(10) == 0
