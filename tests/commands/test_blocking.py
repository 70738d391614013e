"""Blocking commands: who waits, who is served in which order, and what ends a wait."""

import time

import pytest
from client_list import fields
from connections import until

import minikv

UNBLOCKED = "UNBLOCKED client unblocked via CLIENT UNBLOCK"


@pytest.fixture(scope="module")
def server():
    """A server that no other test file sees."""
    with minikv.Server(port=0, enable_debug_command="yes") as server:
        yield server


@pytest.fixture
def other(connect):
    """Who does something while others wait."""
    return connect()


@pytest.fixture
def blocked(connect, other):
    """Makes connections that wait: blocked(command, protocol=2)."""
    count = 0

    def blocked(command, protocol=2, then=()):
        nonlocal count
        connection = connect(protocol)
        connection.send(*command.split())
        for follow in then:
            connection.send(*follow.split())
        count += 1
        wait_for_blocked(other, count)
        return connection

    return blocked


def clients(connection):
    lines = connection.cmd("INFO", "clients").decode().splitlines()
    return {name: int(value) for name, _, value in (line.partition(":") for line in lines) if value}


def line_of(connection, other):
    """The line of another connection in CLIENT LIST."""
    lines = [fields(line) for line in connection.cmd("CLIENT", "LIST").decode().splitlines()]
    return next(line for line in lines if line["addr"] == other.address)


def wait_for_blocked(connection, count):
    until(lambda: clients(connection)["blocked_clients"] == count)


# ---------------------------------------------------------------- being served


def test_served_by_another(blocked, other, protocol):
    c = blocked("BLPOP k 0", protocol)
    assert other.cmd("RPUSH", "k", "v", "w") == 2
    assert c.read() == [b"k", b"v"]
    assert other.cmd("LRANGE", "k", 0, -1) == [b"w"]
    assert clients(other)["blocked_clients"] == 0
    assert c.cmd("PING") == b"PONG"


def test_order_of_arrival(blocked, other):
    waiting = [blocked("BLPOP k 0") for _ in range(10)]
    for i in range(10):
        other.cmd("RPUSH", "k", i)
        assert waiting[i].read() == [b"k", b"%d" % i]


def test_one_push_serves_many(connect, blocked, other):
    waiting = [blocked(f"{pop} k 0") for pop in ("BLPOP", "BRPOP", "BLPOP")]
    other.cmd("RPUSH", "k", 1, 2, 3, 4)
    assert [c.read()[1] for c in waiting] == [b"1", b"4", b"2"]
    assert other.cmd("LRANGE", "k", 0, -1) == [b"3"]


def test_several_keys(blocked, other):
    first, second = blocked("BLPOP a b c 0"), blocked("BRPOP c b 0")
    other.cmd("RPUSH", "b", 1)
    other.cmd("RPUSH", "b", 2)
    assert first.read() == [b"b", b"1"]
    assert second.read() == [b"b", b"2"]
    assert clients(other)["blocked_clients"] == clients(other)["total_blocking_keys"] == 0


def test_the_first_key_that_has_something(blocked, other):
    c = blocked("BLPOP a b 0")
    other.all("MULTI", "RPUSH b 1", "RPUSH a 2", "EXEC")
    assert c.read() == [b"a", b"2"]


def test_one_key_twice(blocked, other):
    c = blocked("BLPOP a b b a 0")
    assert clients(other)["total_blocking_keys"] == 2
    other.cmd("RPUSH", "b", 1, 2)
    assert c.read() == [b"b", b"1"]
    assert clients(other)["total_blocking_keys"] == 0
    assert c.cmd("BLPOP", "a", "b", "b", 0) == [b"b", b"2"]


def test_at_once_if_there_is_something(connect):
    c = connect()
    c.cmd("RPUSH", "b", 1)
    assert c.cmd("BLPOP", "a", "b", 0) == [b"b", b"1"]
    c.cmd("RPUSH", "b", 1)
    assert c.cmd("BLMOVE", "b", "c", "LEFT", "RIGHT", 0) == b"1"
    assert c.cmd("BLMPOP", 0, 2, "b", "c", "LEFT") == [b"c", [b"1"]]


def test_databases_are_apart(connect, blocked, other):
    c = blocked("BLPOP k 0")
    other.cmd("SELECT", 1)
    other.cmd("RPUSH", "k", "elsewhere")
    assert clients(other)["blocked_clients"] == 1
    other.cmd("SELECT", 0)
    other.cmd("RPUSH", "k", "here")
    assert c.read() == [b"k", b"here"]


def test_chains(blocked, other):
    """Who is served may serve the next."""
    waiting = [blocked(f"BLMOVE k{i} k{i + 1} LEFT RIGHT 0") for i in range(5)]
    last = blocked("BLPOP k5 0")
    other.cmd("RPUSH", "k0", "v")
    assert [c.read() for c in waiting] == [b"v"] * 5
    assert last.read() == [b"k5", b"v"]
    assert other.cmd("DBSIZE") == 0


def test_a_circle(blocked, other):
    a, b = blocked("BLMOVE a b LEFT LEFT 0"), blocked("BLMOVE b a LEFT LEFT 0")
    other.cmd("RPUSH", "a", "v")
    assert (a.read(), b.read()) == (b"v", b"v")
    assert other.cmd("LRANGE", "a", 0, -1) == [b"v"]
    c = blocked_again(other, a, "BLMOVE x x LEFT RIGHT 0")
    other.cmd("RPUSH", "x", "v")
    assert c.read() == b"v"


def blocked_again(other, connection, command):
    connection.send(*command.split())
    wait_for_blocked(other, 1)
    return connection


@pytest.mark.parametrize(
    "commands",
    [
        ["RPUSH x v", "RENAME x k"],
        ["RPUSH x v", "RENAMENX x k"],
        ["RPUSH x v", "COPY x k"],
        ["RPUSH x v", "LMOVE x k LEFT LEFT"],
        ["RPUSH x v", "RPOPLPUSH x k"],
        ["SELECT 1", "RPUSH k v", "MOVE k 0"],
        ["SELECT 1", "RPUSH k v", "SWAPDB 0 1"],
        ["SET k string", "DEL k", "RPUSH k v"],
        ["SET k string", "RPUSH x v", "RENAME x k"],
        ["SET k string", "RPUSH x v", "COPY x k REPLACE"],
        ["MULTI", "RPUSH k v", "EXEC"],
        ["MULTI", "RPUSH k w", "DEL k", "RPUSH k v", "EXEC"],
    ],
    ids=" ".join,
)
def test_all_ways_to_come_to_a_key(blocked, other, commands):
    c = blocked("BLPOP k 0")
    other.all(*commands)
    assert c.read() == [b"k", b"v"]


def test_push_and_pop_in_one_transaction(blocked, other):
    c = blocked("BLPOP k 0")
    other.all("MULTI", "RPUSH k v", "LPOP k", "EXEC")
    other.all("MULTI", "RPUSH k v", "DEL k", "SET k string", "EXEC")
    assert clients(other)["blocked_clients"] == 1
    other.all("DEL k", "RPUSH k w")
    assert c.read() == [b"k", b"w"]


def test_a_transaction_is_over_before_anybody_is_served(blocked, other):
    c = blocked("BLPOP k 0")
    assert other.all("MULTI", "LPUSH k a", "LPUSH k b", "LRANGE k 0 -1", "EXEC")[-1] == [1, 2, [b"b", b"a"]]
    assert c.read() == [b"k", b"b"]


def test_wrong_types(blocked, other):
    c = blocked("BLPOP k 0")
    other.cmd("SET", "k", "string")
    assert clients(other)["blocked_clients"] == 1
    other.all("DEL k", "RPUSH k v")
    assert c.read() == [b"k", b"v"]
    other.cmd("SET", "to", "string")
    c = blocked_again(other, c, "BLMOVE k to LEFT LEFT 0")
    other.cmd("RPUSH", "k", "v")
    assert str(c.read()).startswith("WRONGTYPE")
    assert other.cmd("LRANGE", "k", 0, -1) == [b"v"]
    assert c.error("BLPOP", "none", "to", 0).startswith("WRONGTYPE")


def test_who_can_not_take_it_lets_the_next_have_it(blocked, other):
    other.cmd("SET", "bad", "string")
    first, second = blocked("BLMOVE k bad LEFT LEFT 0"), blocked("BLMOVE k good LEFT LEFT 0")
    other.cmd("RPUSH", "k", "v")
    assert str(first.read()).startswith("WRONGTYPE")
    assert second.read() == b"v"


def test_large_replies(blocked, other):
    """One is a block of the store, one is larger than the room it is written to."""
    first, second = blocked("BLPOP k 0"), blocked("BLMPOP 0 1 k LEFT COUNT 5000")
    other.cmd("RPUSH", "k", "x" * 100_000, *(f"element {i}" for i in range(4000)))
    assert first.read() == [b"k", b"x" * 100_000]
    assert second.read() == [b"k", [b"element %d" % i for i in range(4000)]]


def test_key_that_has_expired_when_it_is_served(blocked, other):
    other.cmd("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    c = blocked("BLPOP k 0")
    other.all("MULTI", "RPUSH k v", "PEXPIRE k 1", "DEBUG SLEEP 0.01", "EXEC")
    assert clients(other)["blocked_clients"] == 1
    other.cmd("DEBUG", "SET-ACTIVE-EXPIRE", 1)
    other.cmd("RPUSH", "k", "w")
    assert c.read() == [b"k", b"w"]


# ---------------------------------------------------------------- requests behind one that waits


def test_pipelined_requests_wait_too(blocked, other):
    c = blocked("BLPOP k 0", then=["SET behind 1", "BLPOP l 0", "ECHO end"])
    assert other.cmd("EXISTS", "behind") == 0
    c.send("ECHO", "later")
    other.cmd("RPUSH", "k", "v")
    assert c.read() == [b"k", b"v"]
    assert c.read() == b"OK"
    wait_for_blocked(other, 1)
    other.cmd("RPUSH", "l", "w")
    assert [c.read() for _ in range(3)] == [[b"l", b"w"], b"end", b"later"]


def test_replies_of_the_same_turn_are_not_lost(connect, other):
    """What came before in the pipeline may not have been sent yet when another serves the client."""
    for _ in range(50):
        c, pusher = connect(), connect()
        c.socket.sendall(b"ECHO before\r\nBLPOP k 0\r\nECHO behind\r\n")
        pusher.cmd("RPUSH", "k", "v")
        assert [c.read() for _ in range(3)] == [b"before", [b"k", b"v"], b"behind"]
        c.close()
        pusher.close()


def test_nobody_is_overtaken_by_a_pipeline(blocked, connect, other):
    first = blocked("BLPOP k 0")
    pusher = connect()
    pusher.socket.sendall(b"LPUSH k 1\r\nBLPOP k 0\r\n")
    assert first.read() == [b"k", b"1"]
    assert pusher.read() == 1
    wait_for_blocked(other, 1)
    other.cmd("LPUSH", "k", 2)
    assert pusher.read() == [b"k", b"2"]


def test_large_requests_behind(blocked, other):
    c = blocked("BLPOP k 0")
    value = b"x" * 200_000
    c.send("SET", "big", value)
    c.send("STRLEN", "big")
    other.cmd("RPUSH", "k", "v")
    assert [c.read() for _ in range(3)] == [[b"k", b"v"], b"OK", 200_000]


def test_protocol_error_behind(connect, other):
    c = connect()
    c.socket.sendall(b"BLPOP k 0\r\n*1\r\n+x\r\n")
    wait_for_blocked(other, 1)
    other.cmd("RPUSH", "k", "v")
    assert c.read() == [b"k", b"v"]
    assert str(c.read()).startswith("ERR Protocol error")
    assert c.is_closed()


# ---------------------------------------------------------------- timeouts


@pytest.mark.parametrize("command", ["BLPOP k 0.02", "BLMOVE k l LEFT LEFT 0.02", "BLMPOP 0.02 1 k LEFT"])
def test_timeout(connect, protocol, command):
    c = connect(protocol)
    start = time.monotonic()
    assert c.exchange(*command.split()) == (b"*-1\r\n" if protocol == 2 else b"_\r\n")
    assert time.monotonic() - start >= 0.019
    assert clients(c)["blocked_clients"] == clients(c)["total_blocking_keys"] == 0


def test_timeouts_in_their_order(connect, other):
    """The heap of deadlines: those that end, and those that go before."""
    waiting = {i: connect() for i in (5, 1, 4, 2, 3, 9, 7, 6, 8)}
    for i, c in waiting.items():
        c.send("BLPOP", "none", f"k{i}", f"{i * 0.05}" if i != 4 else "0")
    wait_for_blocked(other, 9)
    other.cmd("RPUSH", "k2", "v")
    assert waiting[2].read() == [b"k2", b"v"]
    waiting.pop(7).close()
    ended = {}
    for i in (1, 3, 5, 6, 8, 9):
        assert waiting[i].read() is None
        ended[i] = time.monotonic()
    assert sorted(ended, key=ended.get) == [1, 3, 5, 6, 8, 9]
    assert clients(other)["blocked_clients"] == 1
    other.cmd("RPUSH", "k4", "v")
    assert waiting[4].read() == [b"k4", b"v"]


@pytest.mark.parametrize(
    ("timeout", "text"),
    [
        ("-1", "ERR timeout is negative"),
        ("-inf", "ERR timeout is negative"),
        ("x", "ERR timeout is not a float or out of range"),
        ("", "ERR timeout is not a float or out of range"),
        ("nan", "ERR timeout is not a float or out of range"),
        (" 1", "ERR timeout is not a float or out of range"),
        ("inf", "ERR timeout is out of range"),
        ("1e300", "ERR timeout is out of range"),
        ("0x7FFFFFFFFFFFFF", "ERR timeout is out of range"),
        ("9223372036854775", "ERR timeout is out of range"),
    ],
)
def test_refused_timeouts(connect, timeout, text):
    c = connect()
    assert c.error("BLPOP", "k", timeout) == text
    assert c.error("BLMPOP", timeout, 1, "k", "LEFT") == text
    assert c.error("BLMOVE", "k", "l", "LEFT", "LEFT", timeout) == text


@pytest.mark.parametrize("timeout", ["0.0001", "1e-3", "0x0.01"])
def test_short_timeouts(connect, timeout):
    assert connect().cmd("BLPOP", "k", timeout) is None


def test_idle_timeout_is_not_for_those_who_wait(blocked, other):
    c = blocked("BLPOP k 0")
    other.cmd("CONFIG", "SET", "timeout", 1)
    until(lambda: int(line_of(other, c)["idle"]) >= 3)
    other.cmd("RPUSH", "k", "v")
    assert c.read() == [b"k", b"v"]
    other.cmd("CONFIG", "SET", "timeout", 0)


# ---------------------------------------------------------------- where nobody can wait


def test_inside_a_transaction(connect, protocol):
    c = connect(protocol)
    c.all("RPUSH k v", "MULTI", "BLPOP k 0", "BLPOP k 0", "BLMPOP 0 1 k LEFT", "BLMOVE k l LEFT LEFT 0")
    null, null_array = (b"$-1\r\n", b"*-1\r\n") if protocol == 2 else (b"_\r\n", b"_\r\n")
    assert c.exchange("EXEC") == b"*4\r\n*2\r\n$1\r\nk\r\n$1\r\nv\r\n" + null_array * 2 + null


def test_inside_a_call():
    with minikv.Store() as store:
        assert store.execute("BLPOP", "k", 0) is None
        store.execute("RPUSH", "k", "v")
        assert store.execute("BLPOP", "k", 0) == [b"k", b"v"]


# ---------------------------------------------------------------- what ends a wait


def test_disconnect(blocked, other):
    first, second = blocked("BLPOP a b 0"), blocked("BLPOP a 0")
    first.close()
    wait_for_blocked(other, 1)
    assert clients(other)["total_blocking_keys"] == 1
    other.cmd("RPUSH", "a", "v")
    assert second.read() == [b"a", b"v"]


def test_nothing_is_given_to_those_who_have_gone(connect, other):
    for _ in range(50):
        c = connect()
        c.send("BLPOP", "k", 0)
        wait_for_blocked(other, 1)
        c.close()
        other.cmd("PING")
        wait_for_blocked(other, 0)
        other.cmd("RPUSH", "k", "v")
        assert other.cmd("LPOP", "k") == b"v"


def test_kill_and_push_in_one_go(blocked, other):
    c = blocked("BLPOP k 0")
    number = line_of(other, c)["id"]
    replies = other.all("MULTI", f"CLIENT KILL ID {number}", "RPUSH k v", "EXEC")
    assert replies[-1] == [1, 1]
    assert c.is_closed()
    assert other.cmd("LRANGE", "k", 0, -1) == [b"v"]


def test_client_unblock(connect, other, protocol):
    c = connect(protocol)
    number = c.cmd("CLIENT", "ID")
    for words, reply in (((), None), (("TIMEOUT",), None), (("ERROR",), UNBLOCKED)):
        c.send("BLPOP", "k", 0)
        wait_for_blocked(other, 1)
        assert other.cmd("CLIENT", "UNBLOCK", number, *words) == 1
        assert other.cmd("CLIENT", "UNBLOCK", number, *words) == 0
        answer = c.read()
        assert (str(answer) if answer else answer) == reply
    c.send("BLPOP", "k", 0)
    wait_for_blocked(other, 1)
    other.cmd("RPUSH", "k", "v")
    assert c.read() == [b"k", b"v"]


def test_pause_holds_back_who_would_be_served(blocked, other):
    c = blocked("BLPOP k 0")
    assert other.all("MULTI", "CLIENT PAUSE 100000 WRITE", "RPUSH k v", "EXEC")[-1] == [b"OK", 1]
    assert other.cmd("LRANGE", "k", 0, -1) == [b"v"]
    other.cmd("CLIENT", "UNPAUSE")
    assert c.read() == [b"k", b"v"]
    blocked_again(other, c, "BLPOP k 0")
    other.all("MULTI", "CLIENT PAUSE 50 WRITE", "RPUSH k v", "EXEC")
    assert c.read() == [b"k", b"v"]  # the end of the pause comes by itself


def test_timeout_during_a_pause(blocked, other):
    c = blocked("BLPOP k 0.05")
    other.cmd("CLIENT", "PAUSE", 100_000, "WRITE")
    assert c.read() is None
    other.cmd("CLIENT", "UNPAUSE")


@pytest.mark.parametrize("mode", ["OFF", "SKIP"])
def test_client_reply(connect, other, mode):
    c = connect()
    c.send("CLIENT", "REPLY", mode)
    c.send("BLPOP", "k", 0)
    wait_for_blocked(other, 1)
    other.cmd("RPUSH", "k", "v")
    wait_for_blocked(other, 0)
    c.send("CLIENT", "REPLY", "ON")
    assert c.read() == b"OK"
    assert c.cmd("PING") == b"PONG"


# ---------------------------------------------------------------- what is told of it


def test_client_list_and_info(blocked, other):
    c = blocked("BLPOP a b 0")
    line = line_of(other, c)
    assert (line["flags"], line["cmd"]) == ("b", "blpop")
    assert clients(other)["total_blocking_keys"] == 2
    used = int(line["tot-mem"])
    other.cmd("RPUSH", "a", "v")
    assert line_of(other, c)["flags"] == "N"
    assert int(line_of(other, c)["tot-mem"]) < used


def test_command_stats(connect, other):
    c = connect()
    number = c.cmd("CLIENT", "ID")
    other.cmd("CONFIG", "RESETSTAT")
    for words in (("RPUSH", "k", "v"), ("CLIENT", "UNBLOCK", number), ("CLIENT", "UNBLOCK", number, "ERROR")):
        c.send("BLPOP", "k", 0)
        wait_for_blocked(other, 1)
        other.cmd(*words)
        c.read()
    lines = other.cmd("INFO", "commandstats").decode().splitlines()
    line = next(line for line in lines if line.startswith("cmdstat_blpop:")).removeprefix("cmdstat_blpop:")
    stats = fields(line.replace(",", " "))
    assert (stats["calls"], stats["rejected_calls"], stats["failed_calls"]) == ("3", "0", "1")
    assert b"errorstat_UNBLOCKED:count=1" in other.cmd("INFO", "errorstats")


def test_slowlog_has_it_once(blocked, other):
    other.cmd("CONFIG", "SET", "slowlog-log-slower-than", 0)
    other.cmd("SLOWLOG", "RESET")
    c = blocked("BLPOP k 0")
    assert [entry for entry in other.cmd("SLOWLOG", "GET", -1) if entry[3][0] == b"BLPOP"] == []
    other.cmd("RPUSH", "k", "v")
    c.read()
    (entry,) = [entry for entry in other.cmd("SLOWLOG", "GET", -1) if entry[3][0] == b"BLPOP"]
    assert (entry[3], entry[4]) == ([b"BLPOP", b"k", b"0"], c.address.encode())
    other.cmd("CONFIG", "SET", "slowlog-log-slower-than", 10_000)


def test_monitor_shows_it_when_it_is_said(connect, blocked, other):
    monitor = connect()
    monitor.cmd("MONITOR")
    blocked("BLPOP k 0")
    other.cmd("RPUSH", "k", "v")
    other.cmd("ECHO", "end")
    seen = []
    while b'"ECHO" "end"' not in seen:
        seen.append(monitor.read().split(b"] ")[1])
    seen = [line for line in seen if b"INFO" not in line]
    assert seen == [b'"BLPOP" "k" "0"', b'"RPUSH" "k" "v"', b'"ECHO" "end"']


def test_events_and_watches(connect, blocked, other, subscriber):
    watcher = connect()
    watcher.all("WATCH k", "MULTI", "PING")
    c = blocked("BLPOP k 0")
    other.cmd("CONFIG", "SET", "notify-keyspace-events", "KEl")
    subscriber.subscribe("__keyevent@0__:*")
    other.cmd("RPUSH", "k", "v")
    assert c.read() == [b"k", b"v"]
    assert [subscriber.next()[0].rpartition(b":")[2] for _ in range(2)] == [b"rpush", b"lpop"]
    other.cmd("CONFIG", "SET", "notify-keyspace-events", "")
    assert watcher.cmd("EXEC") is None


def test_own_invalidation_follows_the_reply(connect, other):
    c = connect(3)
    c.all("RPUSH to v", "CLIENT TRACKING ON", "LRANGE to 0 -1")
    c.send("BLMOVE", "from", "to", "LEFT", "LEFT", 0)
    wait_for_blocked(other, 1)
    other.cmd("RPUSH", "from", "w")
    assert c.read() == b"w"
    assert c.read() == [b"invalidate", [b"to"]]
