"""redis-py with hiredis, blocking and asyncio, in both protocols."""

import asyncio
import time

import pytest
import redis
import redis.asyncio
from redis.cache import CacheConfig

hiredis = pytest.importorskip("hiredis")


@pytest.fixture
def client(server, protocol):
    with redis.Redis(port=server.port, protocol=protocol) as client:
        client.flushall()
        yield client


def test_strings(client):
    assert client.set("k", "v", ex=100, nx=True) is True
    assert client.set("k", "w", nx=True) is None
    assert client.get("k") == b"v"
    assert 0 < client.ttl("k") <= 100
    assert client.incrby("n", 5) == 5
    assert client.incrbyfloat("n", 0.5) == 5.5
    assert client.mset({"a": 1, "b": 2}) is True
    assert client.mget("a", "none", "b") == [b"1", None, b"2"]
    assert client.delete("a", "b", "c") == 2
    with pytest.raises(redis.ResponseError, match="not an integer"):
        client.incr("k")


def test_pipeline_and_transaction(client):
    with client.pipeline(transaction=False) as pipe:
        for i in range(10_000):
            pipe.set(f"k{i}", i)
        assert pipe.execute() == [True] * 10_000
    assert client.dbsize() == 10_000
    assert len(set(client.scan_iter(count=100))) == 10_000
    with client.pipeline() as pipe:
        pipe.watch("k1")
        client.set("k1", "other")
        pipe.multi()
        pipe.get("k1")
        with pytest.raises(redis.WatchError):
            pipe.execute()


def double(pipe):
    """Body of a transaction: WATCH is in force when it begins."""
    n = int(pipe.get("n"))
    pipe.multi()
    pipe.set("n", 2 * n)
    pipe.get("n")


def test_transaction_with_watch(client):
    client.set("n", 3)
    assert client.transaction(double, "n") == [True, b"6"]
    assert client.get("n") == b"6"


def test_transaction_is_tried_again(client):
    client.set("n", 3)
    seen = []

    def double_late(pipe):
        seen.append(pipe.get("n"))
        if len(seen) == 1:
            client.set("n", 50)
        double(pipe)

    assert client.transaction(double_late, "n") == [True, b"100"]
    assert seen == [b"3", b"50"]


def test_publish_and_subscribe(client):
    with client.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe("news")
        while not client.publish("news", "hello"):
            pass
        message = None
        while message is None:
            message = listener.get_message(timeout=5)
        assert (message["channel"], message["data"]) == (b"news", b"hello")


def test_what_it_parses(client):
    assert client.info()["redis_mode"] == "standalone"
    assert client.config_get("maxmemory")["maxmemory"] == "0"
    assert client.client_list()
    assert client.command_count() > 50
    assert client.client_setname("me") and client.client_getname() in ("me", b"me")


def test_asyncio(server, protocol):
    async def run():
        async with redis.asyncio.Redis(port=server.port, protocol=protocol) as client:
            await client.flushall()
            await asyncio.gather(*(client.incr("n") for _ in range(80)))
            async with client.pipeline() as pipe:
                return await pipe.get("n").strlen("n").execute()

    assert asyncio.run(run()) == [b"80", 2]


# ---------------------------------------------------------------- client-side caching


@pytest.fixture
def caching(server):
    """A client that caches what it reads, until the server says that it has changed."""
    with redis.Redis(port=server.port, protocol=3, cache_config=CacheConfig(max_size=1000)) as client:
        client.flushall()
        yield client


def commands_run(client, name):
    return client.info("commandstats").get(f"cmdstat_{name}", {"calls": 0})["calls"]


def until_known(caching, read, value):
    """Read until the client has heard of a change."""
    deadline = time.monotonic() + 5
    while read() != value:
        assert time.monotonic() < deadline, f"it still reads {read()}"


def test_cache_answers_until_the_key_changes(caching, client):
    client.set("k", "old")
    client.config_resetstat()
    assert [caching.get("k") for _ in range(100)] == [b"old"] * 100
    assert commands_run(client, "get") == 1
    assert caching.get_cache().size == 1
    client.set("k", "new")
    until_known(caching, lambda: caching.get("k"), b"new")
    assert commands_run(client, "get") == 2


def test_cache_of_several_keys(caching, client):
    client.mset({"a": 1, "b": 2})
    assert caching.mget("a", "b", "none") == [b"1", b"2", None]
    assert caching.exists("a") == 1
    client.delete("a")
    until_known(caching, lambda: caching.exists("a"), 0)
    assert caching.mget("a", "b", "none") == [None, b"2", None]


def test_cache_and_own_writes(caching):
    for i in range(50):
        caching.set("k", i)
        assert caching.get("k") == b"%d" % i
        assert caching.strlen("k") == len(str(i))


def test_cache_and_a_flush(caching, client):
    for i in range(100):
        client.set(f"k{i}", i)
        caching.get(f"k{i}")
    assert caching.get_cache().size == 100
    client.flushall()
    until_known(caching, lambda: caching.get("k0"), None)
    assert caching.get_cache().size <= 1


def test_cache_and_expiry(caching, client):
    client.set("k", "v", px=50)
    assert caching.get("k") == b"v"
    until_known(caching, lambda: caching.get("k"), None)
