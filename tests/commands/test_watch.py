"""WATCH and UNWATCH: which changes make EXEC fail."""

import time

import pytest


@pytest.fixture
def one(connect, protocol):
    return connect(protocol)


@pytest.fixture
def other(connect):
    return connect()


def succeeds(client):
    """Whether a transaction goes through."""
    reply = client.all("MULTI", "PING", "EXEC")[-1]
    assert reply in (None, [b"PONG"])
    return reply is not None


# ---------------------------------------------------------------- changes


CHANGES = [
    "SET x 2", "SET x 1", "APPEND x y", "INCR x", "DEL x", "UNLINK x", "GETDEL x", "EXPIRE x 100",
    "RENAME x y", "RENAME y x", "COPY y x REPLACE", "MOVE x 1", "FLUSHDB", "FLUSHALL", "SWAPDB 0 1",
    "SETRANGE x 0 z", "GETEX x EX 9", "EXPIRE x -1", "MSET a 1 x 2",
]  # fmt: skip
NO_CHANGES = [
    "GET x",
    "EXISTS x",
    "SET z 1",
    "DEL z",
    "TTL x",
    "PERSIST x",
    "SETNX x 2",
    "SWAPDB 2 3",
    "TOUCH x",
    "DEL",
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_a_key(one, other, change):
    other.all("SET x 1", "SET y 1")
    one.cmd("WATCH", "x")
    other.cmd(*change.split())
    assert not succeeds(one)
    assert succeeds(one)  # once


@pytest.mark.parametrize("change", NO_CHANGES)
def test_what_does_not(one, other, change):
    other.cmd("SET", "x", "1")
    one.cmd("WATCH", "x")
    other.cmd(*change.split())
    assert succeeds(one)


@pytest.mark.parametrize("change", ["SET x 1", "RENAME y x", "COPY y x", "INCR x", "SWAPDB 0 1"])
def test_a_missing_key_that_comes(one, other, change):
    other.all("SET y 1", "SELECT 1", "SET x 1", "SELECT 0")
    one.cmd("WATCH", "x")
    other.cmd(*change.split())
    assert not succeeds(one)


@pytest.mark.parametrize("change", ["DEL x", "FLUSHDB", "FLUSHALL", "SWAPDB 0 2", "SET y 2"])
def test_a_missing_key_that_stays_away(one, other, change):
    one.cmd("WATCH", "x")
    other.cmd(*change.split())
    assert succeeds(one)


def test_one_of_many(one, other):
    names = [f"k{i}" for i in range(100)]
    for changed in (names[0], names[50], names[99]):
        one.cmd("WATCH", *names)
        other.cmd("SET", changed, "1")
        assert not succeeds(one)
    one.cmd("WATCH", *names)
    other.cmd("SET", "k100", "1")
    assert succeeds(one)


def test_own_changes_before_multi_count_and_those_in_exec_do_not(one):
    assert one.all("SET x 1", "WATCH x", "MULTI", "INCR x", "INCR x", "EXEC")[-1] == [2, 3]
    one.all("WATCH x", "SET x 9")
    assert not succeeds(one)


def test_a_change_between_multi_and_exec(one, other):
    one.all("WATCH x", "MULTI", "PING")
    other.cmd("SET", "x", "1")
    assert one.cmd("EXEC") is None


def test_databases_are_told_apart(one, other):
    one.all("SELECT 5", "WATCH x", "SELECT 1")
    other.all("SELECT 1", "SET x 1")
    assert succeeds(one)
    one.all("SELECT 5", "WATCH x", "SELECT 1")
    other.all("SELECT 5", "SET x 1")
    assert not succeeds(one)


@pytest.mark.parametrize("size", [0, 1, 250, 507, 508, 509, 512, 100_000])
def test_keys_of_all_sizes(one, other, size):
    one.cmd("WATCH", "k" * size)
    other.cmd("SET", "k" * (size + 1), "1")
    assert succeeds(one)
    one.cmd("WATCH", "k" * size)
    other.cmd("SET", "k" * size, "1")
    assert not succeeds(one)


def test_several_watchers(connect, other):
    watchers = [connect(2 + i % 2) for i in range(10)]
    for watcher in watchers:
        watcher.cmd("WATCH", "x", "y")
    watchers.pop().close()
    watchers.pop().cmd("UNWATCH")
    other.cmd("SET", "x", "1")
    watchers.append(connect())
    watchers[-1].cmd("WATCH", "x")
    assert [succeeds(watcher) for watcher in watchers] == [False] * 8 + [True]


# ---------------------------------------------------------------- forgetting


def test_watching_twice_is_watching_once(one, other):
    one.all("WATCH x", "WATCH x x", "UNWATCH")
    other.cmd("SET", "x", "1")
    assert succeeds(one)
    one.all("WATCH x", "WATCH y x")
    other.cmd("SET", "x", "1")
    assert not succeeds(one)


@pytest.mark.parametrize("way", ["UNWATCH", "MULTI DISCARD", "MULTI EXEC", "RESET", "MULTI NOSUCH EXEC"])
def test_what_forgets(server, connect, way):
    client, other = connect(), connect()
    client.all("WATCH x y")
    other.cmd("SET", "x", "1")
    client.all(*way.split())
    assert succeeds(client)
    assert server.engine.facts["watched"] == 0


def test_disconnection_forgets(server, connect):
    connections = [connect() for _ in range(5)]
    for connection in connections:
        connection.cmd("WATCH", "x", "y")
    assert server.engine.facts["watched"] == 2
    for connection in connections:
        connection.send("QUIT")
        assert connection.read() == b"OK"
        with pytest.raises(EOFError):
            connection.read()
    while server.engine.facts["watched"]:
        time.sleep(0.01)


def test_nothing_watched(one):
    assert one.cmd("UNWATCH") == b"OK"
    assert one.error("WATCH") == "ERR wrong number of arguments for 'watch' command"


# ---------------------------------------------------------------- expiry


@pytest.fixture
def lazy(other):
    """A client of a server that removes expired keys only when they are looked at."""
    other.cmd("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    yield other
    other.cmd("DEBUG", "SET-ACTIVE-EXPIRE", 1)


def expired(client, name="x"):
    """Store a key that has expired and is still there."""
    client.cmd("SET", name, "1", "PX", 1)
    time.sleep(0.005)


def test_a_value_that_expires_and_is_not_removed(one, lazy):
    lazy.cmd("SET", "x", "1", "PX", 100_000)
    one.cmd("WATCH", "x")
    assert succeeds(one)
    lazy.cmd("SET", "x", "1", "PX", 300)
    one.cmd("WATCH", "x")
    time.sleep(0.31)
    assert not succeeds(one)


def test_a_value_that_expires_and_is_removed(one, other):
    other.cmd("SET", "x", "1", "PX", 300)
    one.cmd("WATCH", "x")
    while other.cmd("DBSIZE"):
        time.sleep(0.01)
    assert not succeeds(one)


@pytest.mark.parametrize("change, goes_through", [
    ("PING", True), ("EXISTS x", True), ("FLUSHDB", True), ("FLUSHALL", True), ("SWAPDB 0 1", True),
    ("DEL x", True), ("SET x 2", False), ("SWAPDB 0 2", False), ("SWAPDB 0 3", True),
])  # fmt: skip
def test_a_value_that_had_expired_before(one, lazy, change, goes_through):
    lazy.all("SELECT 2", "SET x 1", "SELECT 3")
    expired(lazy)
    lazy.cmd("SELECT", 0)
    expired(lazy)
    one.cmd("WATCH", "x")
    lazy.cmd(*change.split())
    assert succeeds(one) is goes_through


def test_a_missing_key_in_whose_place_an_expired_one_comes(one, lazy):
    lazy.cmd("SELECT", 1)
    expired(lazy)
    one.cmd("WATCH", "x")
    lazy.cmd("SWAPDB", 0, 1)
    assert succeeds(one)
    one.cmd("WATCH", "x")
    lazy.cmd("SELECT", 0)
    lazy.cmd("SET", "x", "1")
    assert not succeeds(one)


def test_the_watched_keys_lie_in_the_store(server, one, other):
    """Their memory is part of what the store counts, and comes back."""
    other.cmd("SET", "x", "1")
    one.cmd("WATCH", "warm", "up")
    one.cmd("UNWATCH")
    before = server.engine.memory()
    one.cmd("WATCH", *[f"some long name of a key {i}" for i in range(1000)])
    assert server.engine.memory()["arena_used"] > before["arena_used"] + 1000 * 40
    assert server.engine.memory()["clients"] > before["clients"] + 1000 * 50
    one.cmd("UNWATCH")
    assert server.engine.memory()["arena_used"] == before["arena_used"]
