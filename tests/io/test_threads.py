"""The model `thread`; and what several threads over one store have in common, with `reactors`."""

import resource
import socket
import threading
import time

import pytest
from connections import until

MODELS = ["thread", "reactors"]


@pytest.fixture(params=MODELS)
def model(request):
    return request.param


def threads(server):
    return len(list((server.proc / "task").iterdir()))


# ---------------------------------------------------------------- thread


def test_each_connection_has_a_thread_while_it_lasts(spawn, connect):
    server = spawn(io="thread")
    before = threads(server)
    clients = [connect(server.port) for _ in range(50)]
    assert {client.cmd("PING") for client in clients} == {b"PONG"}
    assert threads(server) == before + 50
    for client in clients:
        client.close()
    until(lambda: threads(server) == before)


def test_a_client_that_sends_nothing_is_closed(serve, connect):
    port = serve(io="thread", receive_timeout=1).port
    start = time.monotonic()
    silent, half, subscriber, monitor, busy = (connect(port) for _ in range(5))
    half.socket.sendall(b"*2\r\n$3\r\nGE")
    subscriber.cmd("SUBSCRIBE", "channel")
    monitor.cmd("MONITOR")
    silent.socket.settimeout(0.1)
    while True:
        assert busy.cmd("PING") == b"PONG"
        try:
            silent.receive()
        except TimeoutError:
            assert time.monotonic() - start < 20
        except EOFError:
            break
    assert time.monotonic() - start > 0.9
    assert half.is_closed()
    assert busy.cmd("PUBLISH", "channel", "text") == 1
    assert subscriber.read() == [b"message", b"channel", b"text"]
    assert b'"PING"' in monitor.read()


def test_a_pause_is_no_silence(serve, connect):
    port = serve(io="thread", receive_timeout=1).port
    client, other = connect(port), connect(port)
    assert other.cmd("CLIENT", "PAUSE", 1500, "WRITE") == b"OK"
    assert client.cmd("SET", "k", "v") == b"OK"
    assert client.cmd("GET", "k") == b"v"


def test_a_client_that_does_not_read_is_closed(serve, connect):
    port = serve(io="thread", send_timeout=1).port
    greedy, other = connect(port), connect(port)
    other.cmd("SET", "k", "v" * 10_000_000)
    for _ in range(5):
        greedy.send("GET", "k")
    until(lambda: other.cmd("CLIENT", "LIST").count(b"\n") == 1)
    assert other.cmd("GET", "k") == b"v" * 10_000_000


def test_a_killed_client_does_not_sleep_on_in_its_calls(serve, connect):
    """One thread sleeps in recv, one in send, one in poll, one has no more than half a request."""
    port = serve(io="thread", receive_timeout=0, send_timeout=0).port
    killer = connect(port)
    killer.cmd("SET", "k", "v" * 10_000_000)
    for _ in range(5):
        victims = [connect(port) for _ in range(4)]
        ids = [victim.cmd("CLIENT", "ID") for victim in victims]
        victims[1].socket.sendall(b"GET k\r\n" * 5)
        victims[1].socket.recv(1)
        victims[2].cmd("SUBSCRIBE", "channel")
        victims[3].socket.sendall(b"*2\r\n$3\r\nGE")
        assert [killer.cmd("CLIENT", "KILL", "ID", id) for id in ids] == [1, 1, 1, 1]
        assert all(victim.is_closed() for victim in victims)
        until(lambda: killer.cmd("CLIENT", "LIST").count(b"\n") == 1)


def test_no_thread_for_a_connection(spawn, connect):
    """Who can't have a thread is told so, and those who have one are served."""
    server = spawn(io="thread")
    client = connect(server.port)
    size = int((server.proc / "statm").read_text().split()[0]) * resource.getpagesize()
    resource.prlimit(server.pid, resource.RLIMIT_AS, (size + (20 << 20), resource.RLIM_INFINITY))
    clients = [connect(server.port)]
    while True:
        assert client.cmd("PING") == b"PONG"
        clients[-1].send("PING")
        reply = clients[-1].read()
        if reply != b"PONG":
            break
        assert len(clients) < 100
        clients.append(connect(server.port))
    assert str(reply) in (
        "ERR the system makes no thread for another connection",
        "ERR no memory for another connection",
    )
    assert clients.pop().is_closed()
    resource.prlimit(server.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert connect(server.port).cmd("PING") == b"PONG"
    assert {client.cmd("PING") for client in clients} == {b"PONG"}


# ---------------------------------------------------------------- several threads


def test_messages_from_thread_to_thread(serve, connect, model):
    """Subscribers come, get everything in order, and go, again and again."""
    port = serve(io=model).port
    publisher = connect(port)
    subscribers = [connect(port, protocol) for protocol in (2, 3) * 5]
    for i in range(100):
        for subscriber in subscribers:
            assert subscriber.cmd("SUBSCRIBE", "channel") == [b"subscribe", b"channel", 1]
        for j in range(3):
            assert publisher.cmd("PUBLISH", "channel", f"{i} {j}") == len(subscribers)
        for subscriber in subscribers:
            for j in range(3):
                assert subscriber.read() == [b"message", b"channel", b"%d %d" % (i, j)]
            assert subscriber.cmd("UNSUBSCRIBE", "channel") == [b"unsubscribe", b"channel", 0]
            assert subscriber.cmd("PING") == b"PONG"


def test_monitor_sees_all_threads(serve, connect, model):
    port = serve(io=model).port
    monitor = connect(port)
    assert monitor.cmd("MONITOR") == b"OK"
    clients = [connect(port) for _ in range(8)]
    for i, client in enumerate(clients):
        assert client.cmd("SET", "k", i) == b"OK"
        assert f'{client.address}] "SET" "k" "{i}"'.encode() in monitor.read()


def test_pauses_end_on_time(serve, connect, model):
    """Though the thread with the timers sleeps while nothing happens."""
    port = serve(io=model).port
    clients = [connect(port) for _ in range(6)]
    for _ in range(3):
        start = time.monotonic()
        assert clients[0].cmd("CLIENT", "PAUSE", 100, "ALL") == b"OK"
        for client in clients[1:]:
            client.send("SET", "k", "v")
        assert [client.read() for client in clients[1:]] == [b"OK"] * 5
        assert 0.09 < time.monotonic() - start < 0.9
        assert clients[0].cmd("CLIENT", "PAUSE", 60_000, "WRITE") == b"OK"
        clients[1].send("SET", "k", "v")
        assert clients[2].cmd("GET", "k") == b"v"
        assert clients[0].cmd("CLIENT", "UNPAUSE") == b"OK"
        assert clients[1].read() == b"OK"


def test_expiry_is_told_on_time(serve, connect, model):
    """The thread that runs the timers is woken by the one that makes them due."""
    port = serve(io=model).port
    client, subscriber = connect(port), connect(port)
    client.cmd("CONFIG", "SET", "notify-keyspace-events", "Ex")
    subscriber.cmd("SUBSCRIBE", "__keyevent@0__:expired")
    time.sleep(0.3)  # the server rests
    for i in range(3):
        start = time.monotonic()
        client.cmd("SET", f"k{i}", "v", "PX", 100)
        assert subscriber.read()[2] == b"k%d" % i
        assert 0.09 < time.monotonic() - start < 0.6


def test_commands_that_sleep_do_not_meet(serve, connect, model):
    """DEBUG SLEEP gives the lock up in the middle of a command: the views that others get stay apart."""
    port = serve(io=model, sub_reactors=8, enable_debug_command="yes", hz=100).port
    clients = [connect(port) for _ in range(8)]
    for i in range(5):
        for j, client in enumerate(clients):
            client.socket.sendall(
                f"CLIENT SETNAME {i}-{j}\r\nDEBUG SLEEP 0.0{j + 1}\r\nCLIENT GETNAME\r\n".encode()
            )
        for j, client in enumerate(clients):
            assert [client.read() for _ in range(3)] == [b"OK", b"OK", b"%d-%d" % (i, j)]


def test_transactions_of_many_threads(serve, connect, model):
    """Each EXEC that is not refused counts once, and nothing else does."""
    port = serve(io=model).port

    def work(client, done):
        for _ in range(100):
            client.cmd("WATCH", "n")
            n = int(client.cmd("GET", "n") or 0)
            replies = client.all("MULTI", f"SET n {n + 1}", "INCR m", "EXEC")
            done.append(replies[-1] is not None)

    clients, done = [connect(port) for _ in range(6)], []
    workers = [threading.Thread(target=work, args=(client, done)) for client in clients]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert len(done) == 600
    assert clients[0].cmd("MGET", "n", "m") == [b"%d" % sum(done)] * 2
    assert clients[0].cmd("EXISTS", "n") == 1


@pytest.mark.parametrize("end", ["SHUTDOWN", "SIGTERM", "stop"])
def test_the_end_reaches_every_thread(spawn, serve, connect, model, end):
    server = serve(io=model) if end == "stop" else spawn(io=model)
    clients = [connect(server.port) for _ in range(20)]
    for client in clients[1:10]:
        client.cmd("SUBSCRIBE", "channel")
    for client in clients[10:]:
        assert client.cmd("SET", "k", "v") == b"OK"
    start = time.monotonic()
    if end == "SHUTDOWN":
        clients[0].send("SHUTDOWN", "NOSAVE")
    elif end == "SIGTERM":
        server.terminate()
    else:
        server.stop()
    assert all(client.is_closed() for client in clients)
    if end != "stop":
        assert server.wait(10) == 0
    assert time.monotonic() - start < 5


def test_the_port_changes_while_all_threads_serve(serve, connect, model):
    server = serve(io=model)
    clients = [connect(server.port) for _ in range(5)]
    assert {client.cmd("PING") for client in clients} == {b"PONG"}  # all are accepted
    before = server.port
    for client in clients:
        with socket.create_server(("127.0.0.1", 0)) as other:
            free = other.getsockname()[1]
        assert client.cmd("CONFIG", "SET", "port", free) == b"OK"
        assert connect(free).cmd("PING") == b"PONG"
        assert client.cmd("CONFIG", "SET", "port", before) == b"OK"
        assert connect(before).cmd("PING") == b"PONG"
    assert {client.cmd("PING") for client in clients} == {b"PONG"}
