"""Connections as they come: by all kinds of sockets, in great number, and more than there is room for."""

import os
import resource
import select
import socket
import time

import pytest
from connections import Connection, until

import minikv

VALUE = os.urandom(5_000_000)


def test_maxclients(serve, connect):
    server = serve(maxclients=2)
    one, two = connect(server.port), connect(server.port)
    assert one.cmd("PING") == two.cmd("PING") == b"PONG"
    third = connect(server.port)
    assert third.is_closed()
    assert third.received == b"-ERR max number of clients reached\r\n"
    two.close()
    until(lambda: b"connected_clients:1\r\n" in one.cmd("INFO", "clients"))
    assert connect(server.port).cmd("PING") == b"PONG"


def test_no_descriptor_left(spawn, connect):
    """Those who are served go on, the others wait in the backlog, and the server does not spin."""
    server = spawn(spare=10)  # some models open a few more as they start
    old = connect(server.port)
    assert old.cmd("SET", "n", 0) == b"OK"
    limit, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    room = limit - len(server.descriptors())
    crowd = [connect(server.port) for _ in range(room + 5)]
    for client in crowd:
        client.send("INCR", "n")
    assert sorted(client.read() for client in crowd[:room]) == list(range(1, room + 1))
    assert len(server.descriptors()) == limit

    cpu, end = server.cpu_seconds(), time.monotonic() + 1
    while time.monotonic() < end:
        assert old.cmd("PING") == b"PONG"
        time.sleep(0.05)
    assert server.cpu_seconds() - cpu < 0.1
    waiting = [client.socket for client in crowd[room:]]
    assert select.select(waiting, [], [], 0)[0] == []

    crowd[0].close()
    assert crowd[room].read() == room + 1
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (hard, hard))
    assert sorted(client.read() for client in crowd[room + 1 :]) == list(range(room + 2, room + 6))
    assert old.cmd("GET", "n") == b"%d" % (room + 5)


@pytest.fixture
def many_descriptors():
    """Room for both ends of 2,000 connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"the hard limit of open files is {hard}; this needs {wanted}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_two_thousand_connections(many_descriptors, serve, connect):
    port = serve(maxclients=2200).port
    clients = []
    for i in range(2000):
        clients.append(connect(port))
        assert clients[i].cmd("SET", i, f"value-{i}") == b"OK"
    for _ in range(2):
        for i, client in enumerate(clients):
            client.send("GET", i)
        for i, client in enumerate(reversed(clients)):
            assert client.read() == b"value-%d" % (1999 - i)
    for client in clients[::2]:
        client.close()
    rest = clients[1::2]
    until(lambda: b"connected_clients:1000\r\n" in rest[0].cmd("INFO", "clients"))
    assert all(client.cmd("PING") == b"PONG" for client in rest)


def large_values_pass(client):
    client.send("SET", "large", VALUE)
    client.send("APPEND", "large", VALUE)
    client.send("GET", "large")
    head = b"+OK\r\n:10000000\r\n$10000000\r\n"
    reply = client.raw(len(head) + 10_000_000 + 2)
    return reply.startswith(head) and reply[len(head) :] == VALUE + VALUE + b"\r\n"


def test_unix_socket(tmp_path, serve, connect):
    path = str(tmp_path / "socket")
    server = serve(unixsocket=path)
    client = connect(path)
    assert large_values_pass(client)
    assert client.cmd("SET", "small", "v") == connect(server.port).cmd("SET", "other", "v") == b"OK"
    assert connect(path).cmd("DBSIZE") == 3


def test_unix_socket_alone(tmp_path, connect):
    path = str(tmp_path / "socket")
    with minikv.Server(port=None, unixsocket=path):
        assert large_values_pass(connect(path))
    assert not os.path.exists(path)


def test_ipv6(serve, connect):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    server = serve(bind="127.0.0.1 ::1")
    client = connect(("::1", server.port))
    assert large_values_pass(client)
    assert b" addr=[::1]:%d " % client.socket.getsockname()[1] in client.cmd("CLIENT", "INFO")
    assert connect(server.port).cmd("STRLEN", "large") == 10_000_000


def test_many_servers(serve):
    servers = [serve() for _ in range(8)]
    for server in servers:
        with Connection(server.port) as client:
            assert client.cmd("DBSIZE") == 0
            assert client.cmd("SET", "port", server.port) == b"OK"
    for server in servers:
        with Connection(server.port) as client:
            assert client.cmd("GET", "port") == b"%d" % server.port
