"""What a client may make the server hold: input, output, and all clients together."""

import re
from contextlib import suppress

import pytest
from connections import until

import minikv


@pytest.fixture
def server():
    with minikv.Server(port=0, hz=100) as server:
        yield server


def figure(client, section, name):
    return int(re.search(rf"{name}:(\d+)".encode(), client.cmd("INFO", section))[1])


def clients(client):
    return client.cmd("CLIENT", "LIST").decode()


# ---------------------------------------------------------------- input


@pytest.mark.parametrize("length, closed", [(1 << 20, True), ((1 << 20) - 100, False)])
def test_query_buffer_limit_counts_large_arguments(connect, length, closed):
    admin, client = connect(), connect()
    admin.cmd("CONFIG", "SET", "client-query-buffer-limit", 1 << 20)
    client.send("SET", "k", "v" * length)
    if closed:
        assert client.is_closed()
    else:
        assert client.read() == b"OK"
    assert figure(admin, "stats", "client_query_buffer_limit_disconnections") == closed
    assert admin.cmd("EXISTS", "k") == (not closed)


def test_room_for_an_argument_that_does_not_come_goes_back(connect):
    admin, client, other = connect(), connect(), connect()
    request = b"*5\r\n$4\r\nMSET\r\n$1\r\na\r\n$100000\r\n%b\r\n$1\r\nb\r\n$40000\r\nb" % (b"a" * 100_000)
    other.socket.sendall(request)
    until(lambda: f"tot-net-in={len(request)} " in clients(admin))
    before = figure(admin, "memory", "used_memory")
    client.socket.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\nab")
    until(lambda: figure(admin, "memory", "used_memory") > before + 1_000_000)
    until(lambda: figure(admin, "memory", "used_memory") < before + 50_000)
    client.socket.sendall(b"c" * 999_998 + b"\r\n")
    assert client.read() == b"OK"
    assert admin.cmd("GET", "k") == b"ab" + b"c" * 999_998
    other.socket.sendall(b"b" * 39_999 + b"\r\n")
    assert other.read() == b"OK"  # nothing of an earlier argument was lost
    assert admin.cmd("MGET", "a", "b") == [b"a" * 100_000, b"b" * 40_000]


# ---------------------------------------------------------------- output


def test_output_over_the_limit_is_not_sent(connect):
    admin, client = connect(), connect()
    admin.cmd("SET", "k", "v" * 200_000)
    admin.cmd("CONFIG", "SET", "client-output-buffer-limit", "normal 100000 0 0")
    client.send("GET", "k")
    with pytest.raises(EOFError):
        client.read()
    assert client.received == b""
    assert figure(admin, "stats", "client_output_buffer_limit_disconnections") == 1


def test_limit_counts_what_is_not_queued_yet(connect):
    """Replies of up to 128 KiB wait in the scratch buffer that all sessions share."""
    admin, client = connect(), connect()
    for i in range(1000):
        admin.cmd("SET", f"key-{i:096}", "v")
    admin.cmd("CONFIG", "SET", "client-output-buffer-limit", "normal 100000 0 0")
    client.send("KEYS", "*")  # a reply of about 111,000 bytes
    with pytest.raises(EOFError):
        client.read()
    assert client.received == b""


def test_small_replies_are_in_no_limit(connect):
    admin, client = connect(), connect()
    admin.cmd("SET", "k", "v" * 16_000)
    admin.cmd("CONFIG", "SET", "client-output-buffer-limit", "normal 100 0 0")
    assert client.cmd("GET", "k") == b"v" * 16_000


def test_transaction_over_the_limit_runs_to_its_end(connect):
    admin, client = connect(), connect()
    admin.cmd("SET", "k", "v" * 200_000)
    admin.cmd("CONFIG", "SET", "client-output-buffer-limit", "normal 100000 0 0")
    for command in ("MULTI", "GET k", "SET done yes"):
        client.cmd(*command.split())
    client.send("EXEC")
    assert client.is_closed()
    assert admin.cmd("GET", "done") == b"yes"


def test_subscriber_that_does_not_read(connect):
    admin, client = connect(), connect()
    client.cmd("SUBSCRIBE", "channel")
    admin.cmd("CONFIG", "SET", "client-output-buffer-limit", "pubsub 1000000 0 0")
    message = "x" * 100_000

    def closed():
        return admin.cmd("PUBLISH", "channel", message) == 0

    until(closed)
    assert figure(admin, "stats", "client_output_buffer_limit_disconnections") == 1


# ---------------------------------------------------------------- maxmemory-clients


def test_the_largest_client_is_closed(connect):
    admin, small, large = connect(), connect(), connect()
    admin.cmd("CONFIG", "SET", "maxmemory-clients", 1_600_000)
    admin.cmd("CLIENT", "NO-EVICT", "ON")
    for client, size in ((small, 100), (large, 600)):
        client.cmd("CLIENT", "SETNAME", f"holds-{size}")
        client.socket.sendall(b"*2000\r\n" + b"$1000\r\n%b\r\n" % (b"x" * 1000) * size)
    until(lambda: "holds-600" in clients(admin) and figure(admin, "memory", "mem_clients_normal") > 700_000)
    with suppress(ConnectionError):
        large.socket.sendall(b"$1000\r\n%b\r\n" % (b"x" * 1000) * 1000)
    assert large.is_closed()
    assert "holds-100" in clients(admin)
    assert "holds-600" not in clients(admin)
    assert figure(admin, "stats", "evicted_clients") == 1


def test_limit_as_a_part_of_maxmemory_applies_at_once(connect):
    admin, client = connect(), connect()
    admin.cmd("CLIENT", "NO-EVICT", "ON")
    client.socket.sendall(b"*2000\r\n" + b"$1000\r\n%b\r\n" % (b"x" * 1000) * 900)
    until(lambda: figure(admin, "memory", "mem_clients_normal") > 900_000)
    admin.cmd("CONFIG", "SET", "maxmemory", 10_000_000)
    admin.cmd("CONFIG", "SET", "maxmemory-clients", "5%")
    assert client.is_closed()


def test_a_large_argument_counts_while_it_comes(connect):
    admin, client = connect(), connect()
    admin.cmd("CLIENT", "NO-EVICT", "ON")
    admin.cmd("CONFIG", "SET", "maxmemory-clients", 2_000_000)
    client.socket.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4000000\r\n" + b"x" * 3_000_000)
    assert client.is_closed()


def test_no_evict(connect):
    admin, client = connect(), connect()
    client.cmd("CLIENT", "NO-EVICT", "ON")
    admin.cmd("CLIENT", "NO-EVICT", "ON")
    admin.cmd("CONFIG", "SET", "maxmemory-clients", 500_000)
    client.socket.sendall(b"*901\r\n$4\r\nMGET\r\n" + b"$1000\r\n%b\r\n" % (b"x" * 1000) * 900)
    assert client.read() == [None] * 900
    assert admin.cmd("PING") == b"PONG"


def test_many_clients_come_and_go_under_the_timer(connect):
    """The timer looks at some clients in each turn; the next one may be gone by then."""
    admin = connect()
    for _ in range(5):
        crowd = [connect() for _ in range(60)]
        until(lambda: figure(admin, "clients", "connected_clients") > 60)
        for client in crowd:
            client.close()
        until(lambda: figure(admin, "clients", "connected_clients") < 10)
    assert admin.cmd("PING") == b"PONG"
