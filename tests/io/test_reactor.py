"""Connections as they come, hang, break and end."""

import signal
import socket
import subprocess
import sys
import time

import pytest
from connections import Connection

import minikv

SERVE = """
import minikv, sys
server = minikv.Server(port=0, unixsocket=sys.argv[1])
print(server.port, flush=True)
sys.exit(server.run())
"""


@pytest.fixture(scope="module")
def server():
    with minikv.Server(port=0, bind="127.0.0.1 -::1") as server:
        yield server


def test_each_turn_reads_the_clock(server):
    with Connection(server.port) as client:
        for _ in range(20):
            client.cmd("SET", "short", "v", "PX", 1)
            time.sleep(0.003)
            assert client.cmd("GET", "short") is None


def test_half_closed_peer_gets_what_it_is_owed(server):
    with Connection(server.port) as client:
        client.cmd("SET", "half", "x" * 100_000)
        for _ in range(100):
            client.send("GET", "half")
        client.socket.shutdown(socket.SHUT_WR)
        assert [client.read() for _ in range(100)] == [b"x" * 100_000] * 100
        assert client.is_closed()


def test_slow_reader_of_a_large_value(server):
    value = bytes(range(250)) * 200_000
    with Connection(server.port) as client, Connection(server.port) as other:
        client.cmd("SET", "large", value)
        client.send("GET", "large")
        assert other.cmd("PING") == b"PONG"
        assert other.cmd("SET", "large", "short") == b"OK"
        reply = bytearray()
        while len(reply) < len(value) + 13:
            reply += client.socket.recv(1 << 20)
        assert reply == b"$%d\r\n%b\r\n" % (len(value), value)


def test_peer_that_resets(server):
    with Connection(server.port) as other:
        for _ in range(50):
            client = Connection(server.port)
            client.send("GET", "none")
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
            assert other.cmd("PING") == b"PONG"


def test_maxclients():
    with (
        minikv.Server(port=0, maxclients=2) as server,
        Connection(server.port) as one,
        Connection(server.port) as two,
    ):
        assert one.cmd("PING") == two.cmd("PING") == b"PONG"
        with Connection(server.port) as third:
            assert third.is_closed()
            assert third.received == b"-ERR max number of clients reached\r\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_when_all_is_answered(tmp_path, number):
    path = tmp_path / "socket"
    with subprocess.Popen([sys.executable, "-c", SERVE, path], stdout=subprocess.PIPE) as process:
        try:
            with Connection(int(process.stdout.readline())) as client:
                assert client.cmd("SET", "k", "v" * 3_000_000) == b"OK"
                client.send("GET", "k")
                client.socket.recv(1, socket.MSG_PEEK)
                assert path.exists()
                process.send_signal(number)
                assert client.read() == b"v" * 3_000_000
                assert client.is_closed()
            assert process.wait(20) == 0
            assert not path.exists()
        finally:
            process.kill()


def test_many_servers():
    servers = [minikv.Server(port=0).start() for _ in range(8)]
    try:
        for server in servers:
            with Connection(server.port) as client:
                assert client.cmd("DBSIZE") == 0
                assert client.cmd("SET", "port", server.port) == b"OK"
        for server in servers:
            with Connection(server.port) as client:
                assert client.cmd("GET", "port") == b"%d" % server.port
    finally:
        for server in servers:
            server.stop()
