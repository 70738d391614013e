"""redis-py with hiredis, blocking and asyncio, in both protocols."""

import asyncio

import pytest
import redis
import redis.asyncio

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
