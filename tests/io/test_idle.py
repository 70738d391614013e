"""Connections that do nothing, and a server that has nothing to do."""

import time

from connections import until


def test_timeout_closes_idle_clients_alone(serve, connect):
    port = serve(hz=100).port
    idle, subscriber, monitor, busy = (connect(port) for _ in range(4))
    subscriber.cmd("SUBSCRIBE", "channel")
    monitor.cmd("MONITOR")
    busy.cmd("CONFIG", "SET", "timeout", 1)
    start = time.monotonic()
    idle.cmd("SET", "k", "v")
    idle.socket.settimeout(0.1)
    while True:
        assert busy.cmd("GET", "k") == b"v"
        try:
            idle.receive()
        except TimeoutError:
            assert time.monotonic() - start < 20
        except EOFError:
            break
    assert time.monotonic() - start > 0.9
    assert idle.received == b""
    assert busy.cmd("PUBLISH", "channel", "text") == 1
    assert subscriber.read() == [b"message", b"channel", b"text"]
    until(lambda: b'"PUBLISH"' in monitor.read())


def test_idle_servers_sleep(spawn, connect):
    """With a connection the timer ticks, hz times a second at most; without one nothing is left to do."""
    alone, visited = spawn(hz=10), spawn(hz=10)
    client = connect(visited.port)
    connect(alone.port).close()
    assert client.cmd("SET", "k", "v") == b"OK"
    time.sleep(1.2)  # the ticks that follow activity
    before = alone.wakeups(), visited.wakeups()
    time.sleep(2)
    assert alone.wakeups() - before[0] <= 3
    assert visited.wakeups() - before[1] <= 2 * 10 + 3
    assert client.cmd("GET", "k") == b"v"
    assert connect(alone.port).cmd("PING") == b"PONG"


def test_expiry_wakes_an_idle_server(serve, connect):
    port = serve().port
    with connect(port) as client:
        subscriber = connect(port)
        client.cmd("CONFIG", "SET", "notify-keyspace-events", "Ex")
        subscriber.cmd("SUBSCRIBE", "__keyevent@0__:expired")
        client.cmd("SET", "k", "v", "PX", 50)
    assert subscriber.read() == [b"message", b"__keyevent@0__:expired", b"k"]


def test_each_turn_reads_the_clock(serve, connect):
    client = connect(serve().port)
    for _ in range(20):
        client.cmd("SET", "short", "v", "PX", 1)
        time.sleep(0.003)
        assert client.cmd("GET", "short") is None
