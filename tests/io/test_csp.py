"""The model `csp`: coroutines in a thread of their own, and a library that may be missing."""

import asyncio
import subprocess
import sys

import pytest
import redis.asyncio
from connections import until

import minikv

pytest.importorskip("trio")


def test_without_the_library():
    """One line that says what to install."""
    program = """
import sys
sys.modules["trio"] = None
import minikv
try:
    minikv.Server(port=0, io="csp")
except minikv.StartError as error:
    print(error)
"""
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert out.stdout == "the I/O model csp needs trio: pip install 'minikv[csp]'\n"


def test_beside_another_event_loop():
    """The program's own loop is asyncio's; the server's runs in another thread."""

    async def use(port):
        async with redis.asyncio.Redis(port=port) as client:
            async with client.pubsub() as listener:
                await listener.subscribe("channel")
                await listener.get_message(timeout=5)
                await asyncio.gather(*(client.set(f"k{i}", i) for i in range(50)))
                assert await client.publish("channel", "text") == 1
                message = await listener.get_message(ignore_subscribe_messages=True, timeout=5)
                assert message["data"] == b"text"
            return await client.mget(f"k{i}" for i in range(50))

    with minikv.Server(port=0, io="csp") as server:
        assert asyncio.run(use(server.port)) == [b"%d" % i for i in range(50)]


def test_servers_of_several_threads(serve, connect):
    servers = [serve(io="csp") for _ in range(4)]
    for server in servers:
        assert connect(server.port).cmd("SET", "port", server.port) == b"OK"
    for server in servers:
        assert connect(server.port).cmd("GET", "port") == b"%d" % server.port


def test_clients_are_forgotten(serve, connect):
    server = serve(io="csp")
    admin = connect(server.port)
    admin.cmd("SET", "k", "v" * 3_000_000)
    for way in ("close", "reset", "kill", "quit", "kill while it does not read"):
        client = connect(server.port)
        id = client.cmd("CLIENT", "ID")
        if "read" in way:
            for _ in range(5):
                client.send("GET", "k")
            client.socket.recv(1)
        if "kill" in way:
            assert admin.cmd("CLIENT", "KILL", "ID", id) == 1
        elif way == "quit":
            client.send("QUIT")
        else:
            getattr(client, way)()
        until(lambda: len(server._runner.clients) == 1)
        assert b"connected_clients:1\r\n" in admin.cmd("INFO", "clients")


def test_bytes_stay_what_they_are(serve, connect):
    """The engine unquotes requests where they lie; Python has but one object for each single byte."""
    client = connect(serve(io="csp").port)
    for byte in b'ECHO "a\\tb"\r\n' * 3:
        client.socket.sendall(bytes([byte]))
    assert [client.read() for _ in range(3)] == [b"a\tb"] * 3
    assert [ord(bytes([i])) for i in range(256)] == list(range(256))
