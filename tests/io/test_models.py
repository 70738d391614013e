"""What every I/O model must do, with the same bytes on the wire: one suite, a server of each."""

import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest
import redis
from connections import Connection, until
from processes import RUNNING, ServerProcess

from minikv.models import MODELS

REFUSED = {name for name, model in MODELS.items() if model.no_push}


@pytest.fixture(scope="module", params=RUNNING)
def server(request, tmp_path_factory):
    """One server of each model for all tests of this file."""
    path = tmp_path_factory.mktemp("s") / "s"
    settings = {"bind": ["127.0.0.1", "-::1"], "unixsocket": str(path), "enable_debug_command": "yes"}
    with ServerProcess(io=request.param, **settings) as server:
        server.model = request.param
        server.path = str(path)
        yield server


@pytest.fixture
def client(server, opened):
    client = opened(Connection(server.port))
    client.cmd("FLUSHALL")
    return client


@pytest.fixture
def other(server, opened):
    return opened(Connection(server.port))


# ---------------------------------------------------------------- requests and replies


@pytest.mark.parametrize("protocol", [2, 3])
def test_commands(server, opened, protocol):
    client = opened(Connection(server.port, protocol))
    client.cmd("FLUSHALL")
    assert client.cmd("SET", "k", "v") == b"OK"
    assert client.cmd("GET", "k") == b"v"
    assert client.cmd("GET", "none") is None
    assert client.cmd("INCRBY", "n", 41) == 41
    assert client.error("INCR", "k") == "ERR value is not an integer or out of range"
    assert client.cmd("MGET", "k", "none", "n") == [b"v", None, b"41"]
    assert client.error("NOSUCH") == "ERR unknown command 'NOSUCH', with args beginning with: "


def test_one_store_for_all_connections(client, server, opened):
    for i in range(8):
        opened(Connection(server.port)).cmd("APPEND", "k", i)
    assert client.cmd("GET", "k") == b"01234567"


def test_pipeline(client):
    count = 5000
    client.socket.sendall(b"".join(b"SET k%d v%d\r\nGET k%d\r\n" % (i, i, i) for i in range(count)))
    for i in range(count):
        assert client.read() == b"OK"
        assert client.read() == b"v%d" % i


@pytest.mark.parametrize("size", [0, 1, 16_383, 65_537, 3_000_000])
def test_values_of_any_size(client, size):
    value = os.urandom(size)
    assert client.cmd("SET", "k", value) == b"OK"
    assert client.cmd("GET", "k") == value


def test_frames_cut_at_every_byte(client):
    request = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nab\r\nc\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
    for at in range(1, len(request)):
        client.socket.sendall(request[:at])
        time.sleep(0.001)  # lets the first part arrive alone
        client.socket.sendall(request[at:])
        assert client.read() == b"OK"
        assert client.read() == b"ab\r\nc"


def test_inline_and_protocol_errors(client):
    client.socket.sendall(b"PING\r\n\r\nECHO 'a b'\r\n*1\r\n+x\r\n")
    assert client.read() == b"PONG"
    assert client.read() == b"a b"
    assert str(client.read()) == "ERR Protocol error: expected '$', got '+'"
    assert client.is_closed()


def test_transaction_and_watch(client, other):
    client.cmd("SET", "k", 1)
    client.cmd("WATCH", "k")
    client.cmd("MULTI")
    client.cmd("INCR", "k")
    other.cmd("SET", "k", 5)
    assert client.cmd("EXEC") is None
    client.cmd("WATCH", "k")
    client.cmd("MULTI")
    client.cmd("INCR", "k")
    assert client.cmd("EXEC") == [6]


def test_expiry(client):
    client.cmd("SET", "short", "v", "PX", 30)
    client.cmd("SET", "long", "v", "EX", 1000)
    until(lambda: client.cmd("DBSIZE") == 1)  # though nobody asks for it
    assert client.cmd("GET", "short") is None
    assert client.cmd("TTL", "long") in (999, 1000)


def test_eviction(client):
    client.cmd("CONFIG", "SET", "maxmemory", "12mb", "maxmemory-policy", "allkeys-lru")
    for i in range(600):
        assert client.cmd("SET", f"k{i}", "x" * 50_000) == b"OK"
    assert 100 < client.cmd("DBSIZE") < 600
    client.cmd("CONFIG", "SET", "maxmemory", "0")


def test_unix_socket(server, opened):
    client = opened(Connection(server.path))
    assert client.cmd("SET", "u", "x" * 100_000) == b"OK"
    assert client.cmd("GET", "u") == b"x" * 100_000


def test_ipv6(server):
    try:
        s = socket.create_connection(("::1", server.port), 20)
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with s:
        s.sendall(b"PING\r\n")
        assert s.recv(100) == b"+PONG\r\n"


# ---------------------------------------------------------------- the whole server


def test_client_list_and_info_speak_for_the_whole_server(client, server, opened):
    others = [opened(Connection(server.port)) for _ in range(5)]
    for i, other in enumerate(others):
        other.cmd("CLIENT", "SETNAME", f"other{i}")
    lines = client.cmd("CLIENT", "LIST").decode().splitlines()
    names = {line.partition(" name=")[2].partition(" ")[0] for line in lines}
    assert {f"other{i}" for i in range(5)} <= names
    assert len({line.split()[0] for line in lines}) == len(lines)  # no id twice
    rows = info(client, "clients") | info(client, "stats")
    assert int(rows["connected_clients"]) == len(lines)
    before = int(rows["total_commands_processed"])
    for other in others:
        other.cmd("PING")
    assert int(info(client, "stats")["total_commands_processed"]) >= before + 5


def test_client_kill(client, server, opened):
    victims = [opened(Connection(server.port)) for _ in range(3)]
    for victim in victims:
        assert client.cmd("CLIENT", "KILL", "ID", victim.cmd("CLIENT", "ID")) == 1
    for victim in victims:
        assert victim.is_closed()
    assert client.cmd("PING") == b"PONG"


def test_settings_are_everyones(client, server, opened):
    client.cmd("CONFIG", "SET", "maxmemory-policy", "allkeys-random", "slowlog-log-slower-than", "12345")
    for _ in range(4):
        other = opened(Connection(server.port))
        assert other.cmd("CONFIG", "GET", "maxmemory-policy")[1] == b"allkeys-random"
        assert other.cmd("CONFIG", "GET", "slowlog-log-slower-than")[1] == b"12345"
    client.cmd("CONFIG", "SET", "maxmemory-policy", "noeviction", "slowlog-log-slower-than", "10000")


def test_pause_holds_everyone(client, server, opened):
    others = [opened(Connection(server.port)) for _ in range(3)]
    client.cmd("CLIENT", "PAUSE", 60_000, "WRITE")
    for i, other in enumerate(others):
        other.send("SET", f"p{i}", i)
    time.sleep(0.05)
    assert client.cmd("DBSIZE") == 0
    client.cmd("CLIENT", "UNPAUSE")
    for other in others:
        assert other.read() == b"OK"


def test_messages(client, server, opened):
    if server.model in REFUSED:
        for words in (("SUBSCRIBE", "c"), ("PSUBSCRIBE", "*"), ("SSUBSCRIBE", "c"), ("MONITOR",)):
            error = client.error(*words)
            assert (
                error
                == f"ERR {words[0]} is not available with io {server.model}: {MODELS[server.model].no_push}"
            )
        assert client.cmd("PUBLISH", "c", "m") == 0
        return
    listeners = [opened(Connection(server.port)) for _ in range(3)]
    for listener in listeners:
        assert listener.cmd("SUBSCRIBE", "c") == [b"subscribe", b"c", 1]
    monitor = opened(Connection(server.port))
    monitor.cmd("MONITOR")
    for i in range(100):
        assert client.cmd("PUBLISH", "c", i) == 3
    for listener in listeners:
        assert [listener.read()[2] for _ in range(100)] == [b"%d" % i for i in range(100)]
    assert b'"PUBLISH" "c" "0"' in monitor.read()


# ---------------------------------------------------------------- clients that wait


def wait_for_blocked(client, count):
    until(lambda: int(info(client, "clients")["blocked_clients"]) == count)


def test_blocking_pop_is_served_by_another(client, server, opened):
    waiting = [opened(Connection(server.port)) for _ in range(4)]
    client.cmd("RPUSH", "there", "v")
    assert waiting[0].cmd("BLPOP", "there", 0) == [b"there", b"v"]  # at once, in any model
    if server.model in REFUSED:
        reason = MODELS[server.model].no_push
        assert client.error("BLPOP", "k", 0) == f"ERR BLPOP can't wait with io {server.model}: {reason}"
        return
    for i, other in enumerate(waiting):
        other.send("BLPOP", "none", "k", 0)
        other.send("ECHO", f"behind {i}")
        wait_for_blocked(client, i + 1)
    for i, other in enumerate(waiting):
        client.cmd("RPUSH", "k", i)
        assert other.read() == [b"k", b"%d" % i]  # in order of arrival, whoever serves it
        assert other.read() == b"behind %d" % i
    wait_for_blocked(client, 0)
    assert client.cmd("EXISTS", "k") == 0


def test_waiting_clients_block_nobody(client, server, opened):
    if server.model in REFUSED:
        pytest.skip("nobody can wait")
    waiting = [opened(Connection(server.port)) for _ in range(30)]
    for i, other in enumerate(waiting):
        other.send("BLMOVE", f"k{i % 3}", "to", "LEFT", "RIGHT", 0)
    wait_for_blocked(client, 30)
    for i in range(100):
        assert client.cmd("INCR", "n") == i + 1
    client.cmd("RPUSH", "k1", *range(10))
    assert {waiting[i].read() for i in range(1, 30, 3)} == {b"%d" % i for i in range(10)}
    assert client.cmd("LRANGE", "to", 0, -1) == [b"%d" % i for i in range(10)]
    for i in (0, 2, 3, 5):
        waiting[i].close()
    wait_for_blocked(client, 16)


def test_replies_keep_their_order(client, server, opened):
    """What a client says while another serves it is answered behind what it has waited for."""
    if server.model in REFUSED:
        pytest.skip("nobody can wait")
    other = opened(Connection(server.port))
    for i in range(300):
        other.send("BLPOP", "k", 0)
        client.send("RPUSH", "k", i)
        other.send("ECHO", i)
        assert other.read() == [b"k", b"%d" % i]
        assert other.read() == b"%d" % i
        client.read()


def test_chain_of_waiting_clients(client, server, opened):
    """Who is served serves the next, on whichever thread."""
    if server.model in REFUSED:
        pytest.skip("nobody can wait")
    links = [opened(Connection(server.port)) for _ in range(8)]
    for i, link in enumerate(links):
        link.send("BLMOVE", f"k{i}", f"k{i + 1}", "LEFT", "LEFT", 0)
        wait_for_blocked(client, i + 1)
    for _ in range(3):
        client.cmd("RPUSH", "k0", "v" * 50_000)
        for i, link in enumerate(links):
            assert link.read() == b"v" * 50_000
            link.send("BLMOVE", f"k{i}", f"k{i + 1}", "LEFT", "LEFT", 0)
        wait_for_blocked(client, 8)
    assert client.cmd("LLEN", "k8") == 3


def test_blocking_timeout(client, server, opened):
    if server.model in REFUSED:
        pytest.skip("nobody can wait")
    waiting = {seconds: opened(Connection(server.port)) for seconds in ("0.05", "0.2", "1000")}
    start = time.monotonic()
    for seconds, other in waiting.items():
        other.send("BLPOP", "k", seconds)
        other.send("PING")
    for seconds in ("0.05", "0.2"):
        assert waiting[seconds].read() is None
        assert time.monotonic() - start >= float(seconds) - 0.001
        assert waiting[seconds].read() == b"PONG"
    client.cmd("RPUSH", "k", "v")
    assert waiting["1000"].read() == [b"k", b"v"]


def test_blocked_client_is_unblocked_and_killed(client, server, opened):
    if server.model in REFUSED:
        pytest.skip("nobody can wait")
    other = opened(Connection(server.port))
    number = other.cmd("CLIENT", "ID")
    other.send("BLPOP", "k", 0)
    wait_for_blocked(client, 1)
    assert client.cmd("CLIENT", "UNBLOCK", number, "ERROR") == 1
    assert str(other.read()).startswith("UNBLOCKED")
    other.send("BLPOP", "k", 0)
    wait_for_blocked(client, 1)
    assert client.cmd("CLIENT", "KILL", "ID", number) == 1
    assert other.is_closed()
    wait_for_blocked(client, 0)
    client.cmd("RPUSH", "k", "v")
    assert client.cmd("LPOP", "k") == b"v"


def test_tracking(client, server, opened):
    reader, other = opened(Connection(server.port, 3)), opened(Connection(server.port, 3))
    if server.model in REFUSED:
        reason = MODELS[server.model].no_push
        refused = f"ERR CLIENT TRACKING is not available with io {server.model}: {reason}"
        assert reader.error("CLIENT", "TRACKING", "ON") == refused
        return
    reader.cmd("CLIENT", "TRACKING", "ON")
    other.cmd("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "k")
    for i in range(50):
        reader.cmd("GET", "k")
        client.cmd("SET", "k", i)
        assert reader.read() == other.read() == [b"invalidate", [b"k"]]
    reader.cmd("GET", "k")
    assert reader.cmd("SET", "k", 1) == b"OK"
    assert reader.read() == other.read() == [b"invalidate", [b"k"]]


# ---------------------------------------------------------------- peers that go, or are slow


def test_half_closed_peer_gets_what_it_is_owed(client, server):
    client.cmd("SET", "k", "v" * 1000)
    client.socket.sendall(b"GET k\r\n" * 1000)
    client.socket.shutdown(socket.SHUT_WR)
    for _ in range(1000):
        assert client.read() == b"v" * 1000
    assert client.is_closed()


def test_frame_cut_by_a_close(client, server):
    for cut in (b"*2\r\n$3\r\nSET", b"SET k", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\nabc"):
        with socket.create_connection(("127.0.0.1", server.port), 20) as s:
            s.sendall(cut)
    assert client.cmd("DBSIZE") == 0


def test_reset_peers(client, server):
    """Peers that vanish with a reset, with replies owed, harm nobody."""
    client.cmd("SET", "k", "v" * 100_000)
    for _ in range(10):
        s = socket.create_connection(("127.0.0.1", server.port), 20)
        s.sendall(b"GET k\r\n" * 50)
        s.recv(10)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    assert client.cmd("PING") == b"PONG"
    until(lambda: int(info(client, "clients")["connected_clients"]) == 1)


def test_peer_that_never_reads(client, server):
    """Everybody else is served, and nothing is lost when it reads at last."""
    client.cmd("SET", "k", "v" * 100_000)
    with socket.create_connection(("127.0.0.1", server.port), 20) as slow:
        slow.sendall(b"GET k\r\n" * 200)
        for i in range(50):
            assert client.cmd("INCR", "n") == i + 1
        wanted = 200 * len(b"$100000\r\n" + b"v" * 100_000 + b"\r\n")
        got = 0
        while got < wanted:
            got += len(slow.recv(1 << 20))
        assert got == wanted


def test_many_connections_at_once(server, opened):
    """Each asks in a thread of its own; all get their own answers."""
    errors = []

    def ask(i):
        try:
            with Connection(server.port) as c:
                for j in range(50):
                    assert c.cmd("SET", f"m{i}", j) == b"OK"
                    assert c.cmd("GET", f"m{i}") == b"%d" % j
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []


# ---------------------------------------------------------------- clients that people use


def test_redis_py(server):
    client = redis.Redis(port=server.port)
    pipe = client.pipeline()
    pipe.set("a", 1).incr("a").get("a")
    assert pipe.execute() == [True, 2, b"2"]
    assert client.info()["multiplexing_api"] == server.model
    client.close()


@pytest.mark.skipif(not shutil.which("redis-benchmark"), reason="redis-benchmark is not installed")
@pytest.mark.parametrize("pipeline", [1, 16])
def test_redis_benchmark(server, pipeline):
    words = f"redis-benchmark -p {server.port} -q -t set,get,incr -n 2000 -c 20 -P {pipeline} -r 100"
    done = subprocess.run(words.split(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stdout.count("requests per second") == 3


# ---------------------------------------------------------------- ending


@pytest.mark.parametrize("end", ["SIGTERM", "SIGINT", "SHUTDOWN"])
@pytest.mark.parametrize("model", RUNNING)
def test_it_ends(opened, model, end):
    server = opened(ServerProcess(io=model))
    client = opened(Connection(server.port))
    client.cmd("SET", "k", "v")
    idle = opened(Connection(server.port))
    idle.cmd("PING")
    waiting = opened(Connection(server.port))
    waiting.send("BLPOP", "none", 0)
    if end == "SHUTDOWN":
        client.send("SHUTDOWN", "NOSAVE")
    else:
        server.send_signal(getattr(signal, end))
    assert server.wait(20) == 0
    assert client.is_closed()
    assert idle.is_closed()
    assert waiting.is_closed()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), 20)


@pytest.mark.parametrize("model", RUNNING)
def test_port_can_be_bound_at_once_after_a_crash(opened, model):
    server = opened(ServerProcess(io=model))
    client = opened(Connection(server.port))
    client.cmd("PING")
    server.kill()
    server.wait(20)
    assert client.is_closed()
    again = opened(ServerProcess(server.port, io=model))
    assert opened(Connection(again.port)).cmd("PING") == b"PONG"


def info(client, section):
    """A section of INFO, as a dict."""
    lines = client.cmd("INFO", section).decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)
