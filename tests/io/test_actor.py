"""The model `actor`: threads that come and go with their connections, and messages that are bounded."""

import os
import resource
import select
import socket
import time

import pytest
from client_list import fields
from connections import until
from processes import SANITIZED, status_number


def threads(server):
    return len(os.listdir(server.proc / "task"))


def waiting_bytes(admin, id):
    """What is owed to a client, of CLIENT LIST."""
    return int(fields(admin.cmd("CLIENT", "LIST", "ID", id).decode())["omem"])


def test_two_threads_a_connection(spawn, connect):
    server = spawn(io="actor")
    connect(server.port).cmd("PING")
    before = threads(server)
    clients = [connect(server.port) for _ in range(20)]
    for client in clients:
        assert client.cmd("PING") == b"PONG"
    assert threads(server) == before + 40
    for i, client in enumerate(clients):
        if i % 3 == 0:
            client.close()
        elif i % 3 == 1:
            client.reset()
        else:
            client.send("QUIT")
    until(lambda: threads(server) == before)


@pytest.mark.parametrize("way", ["TCP", "Unix socket"])
def test_threads_of_a_client_that_is_killed_while_it_does_not_read(spawn, connect, tmp_path, way):
    """Its writer is in send(), its reader waits for the store or in recv()."""
    path = str(tmp_path / "socket")
    server = spawn(io="actor", unixsocket=path)
    admin = connect(server.port)
    admin.cmd("SET", "k", "v" * 3_000_000)
    before = threads(server)
    for _ in range(5):
        victim = connect(server.port if way == "TCP" else path)
        id = victim.cmd("CLIENT", "ID")
        for _ in range(10):
            victim.send("GET", "k")
        until(lambda id=id: waiting_bytes(admin, id) > 1_000_000)
        assert admin.cmd("CLIENT", "KILL", "ID", id) == 1
        until(lambda: threads(server) == before)
        assert victim.is_closed()


@pytest.mark.skipif(SANITIZED, reason="the sanitizer's own memory counts")
def test_connections_leave_no_memory_behind(spawn, connect):
    server = spawn(io="actor")
    admin = connect(server.port)

    def come_and_go(times):
        for i in range(times):
            with connect(server.port) as client:
                assert client.cmd("SET", i % 10, "v") == b"OK"
                client.send("GET", i % 10)
        until(lambda: b"connected_clients:1\r\n" in admin.cmd("INFO", "clients"))
        return status_number(server.proc / "status", "VmData") * 1024

    before = come_and_go(300)
    assert come_and_go(1000) < before + 20_000_000  # a connection has 64 KiB of buffers


def test_a_flood_waits_until_the_store_has_taken_it(spawn, connect, tmp_path):
    path = str(tmp_path / "socket")
    server = spawn(io="actor", unixsocket=path, enable_debug_command="yes")
    sleeper, client = connect(server.port), connect(path)
    assert client.cmd("PING") == b"PONG"
    flood = b"SET k vvvvvvvvvvvvvvvvvvvv\r\n" * 100_000
    sleeper.send("DEBUG", "SLEEP", 4)
    time.sleep(0.1)
    client.socket.setblocking(False)
    sent = 0
    while select.select([], [client.socket], [], 0.5)[1]:
        sent += client.socket.send(flood[sent : sent + 10_000])
        assert sent < 1_500_000  # the two buffers, and what the kernel holds
    client.socket.settimeout(20)
    assert sleeper.read() == b"OK"
    client.socket.sendall(flood[sent:])
    assert client.raw(500_000) == b"+OK\r\n" * 100_000


@pytest.mark.skipif(SANITIZED, reason="the sanitizer's own memory counts")
@pytest.mark.parametrize("stacks", [0, 1])
def test_no_thread_left(spawn, connect, stacks):
    """Whoever gets no threads is told so; the others go on."""
    server = spawn(io="actor")
    old = connect(server.port)
    assert old.cmd("SET", "k", "v") == b"OK"
    limits = resource.prlimit(server.pid, resource.RLIMIT_AS)
    size = status_number(server.proc / "status", "VmSize") * 1024
    before = threads(server)
    resource.prlimit(server.pid, resource.RLIMIT_AS, (size + stacks * 100_000, limits[1]))
    for _ in range(3):
        refused = connect(server.port)
        assert refused.is_closed()
        assert refused.received == b"-ERR no thread left for another client\r\n"
        assert old.cmd("GET", "k") == b"v"
    assert b"connected_clients:1\r\n" in old.cmd("INFO", "clients")
    resource.prlimit(server.pid, resource.RLIMIT_AS, limits)
    assert connect(server.port).cmd("GET", "k") == b"v"
    until(lambda: threads(server) <= before + 2)


@pytest.mark.parametrize("io", ["actor", "csp"])
def test_ports_change(serve, connect, io):
    """The old one is closed when the new one is told of, though others accept than those who change it."""
    server = serve(io=io)
    admin = connect(server.port)
    for _ in range(30):
        free = socket.create_server(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        old = server.port
        assert admin.cmd("CONFIG", "SET", "port", port) == b"OK"
        assert connect(port).cmd("PING") == b"PONG"
        with pytest.raises(ConnectionRefusedError):
            connect(old)
    assert admin.cmd("CONFIG", "SET", "port", 0) == b"OK"
    assert admin.cmd("PING") == b"PONG"


@pytest.mark.parametrize("io", ["actor", "csp"])
def test_the_last_reply_arrives_though_the_peer_still_speaks(serve, connect, io):
    """The server goes on reading, and drops it; bytes that a closed socket gets are answered with a reset."""
    port = serve(io=io).port
    for _ in range(10):
        client = connect(port)
        client.send("QUIT")
        for _ in range(20):
            client.socket.sendall(b"PING\r\n" * 5000)
        assert client.socket.recv(100) == b"+OK\r\n"
        assert client.socket.recv(100) == b""


@pytest.mark.parametrize("io", ["actor", "csp"])
def test_a_peer_that_never_closes(spawn, connect, io):
    """It is waited for a second."""
    server = spawn(io=io)
    other = connect(server.port)
    other.cmd("PING")
    before = server.descriptors()
    client = connect(server.port)
    client.send("QUIT")
    assert client.is_closed()
    assert b"connected_clients:1\r\n" in other.cmd("INFO", "clients")
    until(lambda: server.descriptors() == before)
