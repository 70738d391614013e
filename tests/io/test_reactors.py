"""The model `reactors`: connections are dealt out in turn, and stay where they are."""

import re

import pytest
from connections import until


def threads(server):
    return {int(path.name) for path in (server.proc / "task").iterdir()}


@pytest.mark.parametrize("poller", ["epoll", "poll"])
def test_each_sub_reactor_serves_its_share(spawn, connect, poller):
    """Each thread but the main one and those of others waits as often as its clients ask."""
    server = spawn(io="reactors", sub_reactors=3, sub_poller=poller)
    clients = [connect(server.port) for _ in range(6)]
    assert {client.cmd("PING") for client in clients} == {b"PONG"}

    def switches():
        waits = {}
        for thread in threads(server):
            lines = (server.proc / f"task/{thread}/status").read_text()
            waits[thread] = int(lines.partition("voluntary_ctxt_switches:")[2].split()[0])
        return waits

    for pair in ((0, 3), (1, 4), (2, 5)):
        before = switches()
        for _ in range(100):
            for i in pair:
                assert clients[i].cmd("PING") == b"PONG"
        after = switches()
        woken = [thread for thread in after if after[thread] - before[thread] > 50]
        assert len(woken) == 1
        assert server.pid not in woken


def test_sub_reactors_are_as_many_as_asked_for(spawn):
    few, many = spawn(io="reactors", sub_reactors=1), spawn(io="reactors", sub_reactors=20)
    until(lambda: len(threads(many)) == len(threads(few)) + 19)


def test_connections_that_end_before_they_are_served(serve, connect):
    """A client may be killed, or go, between the reactor that accepts it and the one that serves it."""
    port = serve(io="reactors", sub_reactors=4, hz=100).port
    admin = connect(port)
    for _ in range(20):
        clients = [connect(port) for _ in range(20)]
        admin.send("CLIENT", "KILL", "TYPE", "normal")
        for client in clients[::2]:
            client.reset()
        admin.read()
        for client in clients[1::2]:
            client.close()
    until(lambda: admin.cmd("CLIENT", "LIST").count(b"\n") == 1)
    assert admin.cmd("PING") == b"PONG"


def test_maxclients_counts_the_connections_of_all(serve, connect):
    port = serve(io="reactors", sub_reactors=4, maxclients=10).port
    clients = [connect(port) for _ in range(10)]
    assert {client.cmd("PING") for client in clients} == {b"PONG"}
    assert str(connect(port).read()) == "ERR max number of clients reached"
    clients[0].close()
    until(lambda: clients[1].cmd("CLIENT", "LIST").count(b"\n") == 9)
    assert connect(port).cmd("PING") == b"PONG"


def test_eviction_of_clients_of_other_threads(serve, connect):
    """Who holds most goes, whichever thread serves it."""
    port = serve(io="reactors", sub_reactors=4).port
    admin, *large = (connect(port) for _ in range(9))
    for client in large:
        client.socket.sendall(b"*2\r\n$3\r\nGET\r\n$3000000\r\n" + b"x" * 1_000_000)
    until(lambda: len(re.findall(rb"tot-mem=\d{7}", admin.cmd("CLIENT", "LIST"))) == 8)
    assert admin.cmd("CONFIG", "SET", "maxmemory-clients", "4mb") == b"OK"
    until(lambda: 2 <= admin.cmd("CLIENT", "LIST").count(b"\n") <= 5)
    assert admin.cmd("PING") == b"PONG"
