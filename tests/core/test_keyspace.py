"""The store against a dict, through all forms of a value; expiry and memory."""

import random
import time

import minikv

LENGTHS = [0, 1, 11, 12, 20, 43, 44, 45, 60, 200, 1000, 40_000, 200_000]


def test_random_walk_against_a_dict():
    rng = random.Random(7)
    keys = [f"key{i}" for i in range(40)]
    model = {}
    with minikv.Store() as store:
        for _ in range(20_000):
            key, value = rng.choice(keys), rng.randbytes(rng.choice(LENGTHS))
            old = model.get(key, b"")
            match rng.randrange(7):
                case 0:
                    store.execute("SET", key, value)
                    model[key] = value
                case 1 if len(old) < 400_000:
                    assert store.execute("APPEND", key, value) == len(old + value)
                    model[key] = old + value
                case 2 if value and len(old) < 400_000:
                    at = rng.choice([0, 5, 50, 1000])
                    model[key] = old[:at].ljust(at, b"\0") + value + old[at + len(value) :]
                    assert store.execute("SETRANGE", key, at, value) == len(model[key])
                case 3:
                    number = rng.randrange(-(2**62), 2**62)
                    store.execute("SET", key, number)
                    model[key] = b"%d" % (number + 1)
                    assert store.execute("INCR", key) == number + 1
                case 4 if key in model:
                    other = rng.choice([k for k in keys if k != key])
                    assert store.execute("COPY", key, other, "REPLACE") == 1
                    model[other] = model[key]
                case 5:
                    assert store.execute("DEL", key) == (key in model)
                    model.pop(key, None)
            assert store.execute("GET", key) == model.get(key)
        assert store.execute("DBSIZE") == len(model)
        assert store.execute("MGET", *keys) == [model.get(key) for key in keys]


def test_keys_expire_without_access(client, subscriber):
    client.cmd("CONFIG", "SET", "notify-keyspace-events", "Ex")
    subscriber.subscribe("__keyevent@0__:expired")
    client.raw(b"".join(b"SET k%d v PX 20\r\n" % i for i in range(20_000)))
    for _ in range(20_000):
        assert subscriber.next(20) is not None
    deadline = time.monotonic() + 20
    while client.cmd("DBSIZE"):
        assert time.monotonic() < deadline
