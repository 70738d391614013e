"""The model `prefork`: the rules of its pool, which are php-fpm's."""

import os
import signal
import socket
import time

import pytest
from connections import until

STATIC = {"io": "prefork", "pm": "static", "enable_debug_command": "yes"}


def workers(client):
    """INFO workers: its figures, and the process numbers of the workers that have begun."""
    lines = client.cmd("INFO", "workers").decode().splitlines()[1:]
    rows = dict(line.split(":", 1) for line in lines)
    pids = {int(v.partition("pid=")[2].partition(",")[0]) for k, v in rows.items() if v.startswith("pid=")}
    return rows, pids - {0}


def test_static_keeps_its_number(spawn, connect):
    client = connect(spawn(**STATIC, **{"pm.max_children": 3}).port)
    until(lambda: len(workers(client)[1]) == 3)
    _, before = workers(client)
    own = client.cmd("CLIENT", "ID")
    victim = next(pid for pid in before if state(client, pid) == "idle")
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(workers(client)[1]) == 3 and victim not in workers(client)[1])
    assert client.cmd("CLIENT", "ID") == own


def state(client, pid):
    rows, _ = workers(client)
    return next(v for v in rows.values() if v.startswith(f"pid={pid},")).split(",")[1].removeprefix("state=")


def test_a_client_waits_for_a_free_worker(spawn, connect):
    server = spawn(**STATIC, **{"pm.max_children": 2})
    first, second = connect(server.port), connect(server.port)
    assert first.cmd("PING") == second.cmd("PING") == b"PONG"
    third = connect(server.port)  # the kernel accepts it, and nobody else
    third.send("PING")
    third.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        third.read()
    until(lambda: int(workers(first)[0]["listen_queue"]) == 1)
    rows, _ = workers(first)
    assert rows["active_processes"] == rows["max_active_processes"] == "2"
    second.close()
    third.socket.settimeout(20)
    assert third.read() == b"PONG"


def test_dynamic_keeps_spare_workers(spawn, connect):
    pool = {"pm": "dynamic", "pm.start_servers": 2, "pm.min_spare_servers": 2, "pm.max_spare_servers": 3}
    server = spawn(io="prefork", **pool, **{"pm.max_children": 8})
    clients = [connect(server.port) for _ in range(4)]
    for client in clients:
        assert client.cmd("PING") == b"PONG"  # two of them, after more workers were made
    until(lambda: int(workers(clients[0])[0]["idle_processes"]) >= 2)
    for client in clients[1:]:
        client.close()
    until(lambda: int(workers(clients[0])[0]["total_processes"]) <= 4)  # one is active, three are spare


def test_no_more_than_max_children(spawn, connect):
    server = spawn(io="prefork", **{"pm.max_children": 2, "pm.start_servers": 1, "pm.min_spare_servers": 1})
    first, second = connect(server.port), connect(server.port)
    assert first.cmd("PING") == second.cmd("PING") == b"PONG"
    until(lambda: int(workers(first)[0]["max_children_reached"]) >= 1)
    assert workers(first)[0]["total_processes"] == "2"


def test_ondemand(spawn, connect):
    server = spawn(io="prefork", pm="ondemand", **{"pm.process_idle_timeout": 1})
    time.sleep(0.2)
    assert children(server) == []
    client = connect(server.port)
    assert client.cmd("PING") == b"PONG"
    assert len(children(server)) == 1
    client.close()
    until(lambda: children(server) == [])
    assert connect(server.port).cmd("PING") == b"PONG"


def children(server):
    return (server.proc / f"task/{server.pid}/children").read_text().split()


def test_max_requests(spawn, connect):
    server = spawn(**STATIC, **{"pm.max_children": 1, "pm.max_requests": 3})
    pids = []
    for _ in range(7):
        client = connect(server.port)
        pids.append(next(iter(workers(client)[1])))
        client.close()
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]


def test_a_request_that_blocks(spawn, connect):
    """It blocks its worker alone, is counted as slow, and ends with its worker when it takes far too long."""
    server = spawn(**STATIC, **{"pm.max_children": 3}, request_slowlog_timeout=1, request_terminate_timeout=2)
    client, sleeper = connect(server.port), connect(server.port)
    client.cmd("SET", "k", "v")
    sleeper.send("DEBUG", "SLEEP", 30)
    began = time.monotonic()
    for _ in range(20):
        assert client.cmd("GET", "k") == b"v"
    assert time.monotonic() - began < 1
    until(lambda: workers(client)[0]["slow_requests"] == "1")
    assert sleeper.is_closed()
    assert 1.5 < time.monotonic() - began < 15
    assert client.cmd("GET", "k") == b"v"
    until(lambda: len(workers(client)[1]) == 3)


def test_a_silent_client_gives_its_worker_up(spawn, connect):
    server = spawn(**STATIC, **{"pm.max_children": 1}, receive_timeout=1)
    silent = connect(server.port)
    silent.cmd("PING")
    other = connect(server.port)
    assert other.cmd("PING") == b"PONG"
    assert silent.is_closed()


def test_reload(spawn, connect):
    """SIGUSR2: new workers, the old ones end when their client is answered; nothing is lost."""
    server = spawn(**STATIC, **{"pm.max_children": 3})
    client = connect(server.port)
    client.cmd("SET", "k", "v")
    _, old = workers(client)
    os.kill(server.pid, signal.SIGUSR2)
    assert client.is_closed()

    def renewed():
        fresh = connect(server.port)
        try:
            _, found = workers(fresh)
        except EOFError:  # an old worker had taken it and was told to end before it was asked anything
            return False
        fresh.socket.close()
        return len(found) == 3 and not found & old

    until(renewed)
    assert connect(server.port).cmd("GET", "k") == b"v"


def test_graceful_stop(spawn, connect):
    server = spawn(**STATIC)
    client = connect(server.port)
    client.socket.sendall(b"SET k v\r\nGET k\r\n")
    assert client.read() == b"OK"
    os.kill(server.pid, signal.SIGQUIT)
    assert client.read() == b"v"
    assert client.is_closed()
    assert server.wait(20) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), 20)


def test_a_dead_master_leaves_no_worker(spawn, connect):
    server = spawn(**STATIC, **{"pm.max_children": 3})
    client = connect(server.port)
    until(lambda: len(workers(client)[1]) == 3)
    _, pids = workers(client)
    server.kill()
    until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids))
