"""The model `nginx`: workers that are replaced, reloaded, and share what they accept."""

import os
import signal

import pytest
from connections import until
from test_prefork import children


def test_a_killed_worker_is_replaced(spawn, connect):
    server = spawn(io="nginx", worker_processes=2)
    client = connect(server.port)
    client.cmd("SET", "k", "v")
    until(lambda: len(children(server)) == 2)
    before = children(server)
    for pid in before:
        os.kill(int(pid), signal.SIGKILL)
    assert client.is_closed()
    assert connect(server.port).cmd("GET", "k") == b"v"  # it waited in the listen queue
    until(lambda: len(children(server)) == 2 and not set(children(server)) & set(before))


def test_reload(spawn, connect):
    """SIGHUP: new workers take over; the old ones answer what they have read, and end."""
    server = spawn(io="nginx", worker_processes=2)
    client = connect(server.port)
    client.cmd("SET", "k", "v")
    before = children(server)
    client.socket.sendall(b"GET k\r\n" * 100)
    assert client.read() == b"v"
    os.kill(server.pid, signal.SIGHUP)
    for _ in range(99):
        assert client.read() == b"v"
    assert client.is_closed()
    assert connect(server.port).cmd("GET", "k") == b"v"
    until(lambda: len(children(server)) == 2 and not set(children(server)) & set(before))


@pytest.mark.parametrize("reuseport", ["no", "yes"])
def test_workers_share_the_connections(spawn, connect, reuseport):
    server = spawn(io="nginx", worker_processes=3, reuseport=reuseport)
    clients = [connect(server.port) for _ in range(60)]
    for client in clients:
        assert client.cmd("PING") == b"PONG"
    lines = clients[0].cmd("INFO", "workers").decode().splitlines()
    held = [int(line.partition("sessions=")[2].partition(",")[0]) for line in lines if "sessions=" in line]
    assert sum(held) == 60
    if reuseport == "yes":  # else whoever wakes first may take all that wait
        assert all(held)


def test_stop_while_reloading(spawn, connect):
    server = spawn(io="nginx", worker_processes=2)
    connect(server.port).cmd("PING")
    os.kill(server.pid, signal.SIGHUP)
    os.kill(server.pid, signal.SIGTERM)
    assert server.wait(20) == 0


def test_watches_of_a_killed_worker_go(spawn, connect):
    """Keys that only sessions of a killed worker watched are forgotten."""
    server = spawn(io="nginx", worker_processes=2)

    def clients(connection):
        lines = connection.cmd("INFO", "clients").decode().splitlines()
        return dict(line.split(":") for line in lines if ":" in line)

    watcher = connect(server.port)
    assert watcher.cmd("WATCH", "k", "l") == b"OK"
    assert clients(watcher)["total_watched_keys"] == "2"
    info = watcher.cmd("INFO", "server").decode()
    os.kill(int(info.partition("process_id:")[2].split()[0]), signal.SIGKILL)
    assert watcher.is_closed()
    until(lambda: clients(connect(server.port))["total_watched_keys"] == "0")
