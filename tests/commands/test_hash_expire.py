"""The expiry of a hash's fields, in both forms, by the timer and on access."""

import time

import pytest
from connections import until

import minikv

FIELDS_MISSING = "ERR Mandatory argument FIELDS is missing or not at the right position"
MISMATCH = "ERR The `numfields` parameter must match the number of arguments"
BAD_COUNT = "ERR Number of fields must be a positive integer"
NEGATIVE = "ERR invalid expire time, must be >= 0"
NOT_INT = "ERR value is not an integer or out of range"


@pytest.fixture(params=["listpackex", "hashtable"])
def form(request, client):
    client.cmd("CONFIG", "SET", "hash-max-listpack-entries", 0 if request.param == "hashtable" else 512)
    yield request.param
    client.cmd("CONFIG", "SET", "hash-max-listpack-entries", 512)
    client.cmd("DEBUG", "SET-ACTIVE-EXPIRE", 1)


@pytest.fixture
def lazy(client, form):
    """Only access removes fields."""
    client.cmd("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    client.cmd("CONFIG", "RESETSTAT")
    return client


@pytest.fixture
def abc(client, form):
    client.cmd("HSET", "h", "a", 1, "b", 2, "c", 3)
    return client


def do(client, line):
    return client.cmd(*line.split())


def everything(client, key="h"):
    reply = client.cmd("HGETALL", key)
    return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))


def info(client, name):
    text = client.cmd("INFO", "everything").decode()
    return text.split(f"{name}:")[1].split("\r\n")[0]


# ---------------------------------------------------------------- setting and showing


def test_set_show_drop(abc, form):
    assert do(abc, "HEXPIREAT h 9999999999 FIELDS 3 a x b") == [1, -2, 1]
    assert do(abc, "OBJECT ENCODING h") == form.encode()
    assert do(abc, "HEXPIRETIME h FIELDS 4 a b c x") == [9999999999, 9999999999, -1, -2]
    assert do(abc, "HPEXPIREAT h 9999999999001 FIELDS 1 a") == [1]
    assert do(abc, "HEXPIRETIME h FIELDS 1 a") == [10000000000]  # rounded up
    assert do(abc, "HPEXPIRETIME h FIELDS 1 a") == [9999999999001]
    assert do(abc, "HPERSIST h FIELDS 3 a c x") == [1, -1, -2]
    assert do(abc, "HPEXPIRETIME h FIELDS 2 a b") == [-1, 9999999999000]
    assert everything(abc) == {b"a": b"1", b"b": b"2", b"c": b"3"}


def test_time_to_live(abc):
    do(abc, "HEXPIRE h 100 FIELDS 1 a")
    do(abc, "HPEXPIRE h 100000 FIELDS 1 b")
    assert all(99 <= seconds <= 100 for seconds in do(abc, "HTTL h FIELDS 2 a b"))
    assert all(99_000 < ms <= 100_000 for ms in do(abc, "HPTTL h FIELDS 2 a b"))


def test_a_missing_hash(client):
    for command in ("HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME", "HPERSIST"):
        assert do(client, f"{command} h FIELDS 2 a b") == [-2, -2]
    assert do(client, "HEXPIRE h 10 FIELDS 2 a b") == [-2, -2]
    assert do(client, "HGETDEL h FIELDS 2 a b") == [None, None]
    assert do(client, "HGETEX h EX 10 FIELDS 2 a b") == [None, None]
    assert client.cmd("EXISTS", "h") == 0


@pytest.mark.parametrize(
    ("condition", "time", "expected"),
    [
        ("NX", 9999999999, [0, 1]),
        ("XX", 9999999999, [1, 0]),
        ("GT", 9000000001, [1, 0]),
        ("GT", 9000000000, [0, 0]),
        ("LT", 9000000000, [0, 1]),
        ("LT", 8999999999, [1, 1]),
        ("NX", 1, [0, 2]),
        ("LT", 1, [2, 2]),
    ],
)
def test_conditions(abc, condition, time, expected):
    do(abc, "HEXPIREAT h 9000000000 FIELDS 1 a")
    assert do(abc, f"HEXPIREAT h {time} {condition} FIELDS 2 a b") == expected


def test_a_time_that_has_passed(abc):
    assert do(abc, "HEXPIRE h 0 FIELDS 2 a x") == [2, -2]
    assert everything(abc) == {b"b": b"2", b"c": b"3"}
    assert do(abc, "HPEXPIREAT h 1 FIELDS 3 b c b") == [2, 2, -2]
    assert do(abc, "EXISTS h") == 0


@pytest.mark.parametrize("command", ["HEXPIRE", "HPEXPIRE", "HEXPIREAT", "HPEXPIREAT"])
@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("x FIELDS 1 a", NOT_INT),
        ("-1 FIELDS 1 a", NEGATIVE),
        ("70368744177664 FIELDS 1 a", "ERR invalid expire time in '{}' command"),
        ("10 a b c", FIELDS_MISSING),
        ("10 ZZ FIELDS 1 a", FIELDS_MISSING),
        ("10 FIELDS 0 a", "ERR Parameter `numFields` should be greater than 0"),
        ("10 FIELDS 2 a", MISMATCH),
        ("10 NX FIELDS 1 a b", MISMATCH),
        ("10 FIELDS", "ERR wrong number of arguments for '{}' command"),
    ],
)
def test_errors(client, command, words, text):
    assert client.error(command, "h", *words.split()) == text.format(command.lower())


@pytest.mark.parametrize("command", ["HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME", "HPERSIST", "HGETDEL"])
def test_errors_of_the_others(client, command):
    assert client.error(command, "h", "a", "1", "a") == FIELDS_MISSING
    assert client.error(command, "h", "FIELDS", "0", "a") == BAD_COUNT
    assert client.error(command, "h", "FIELDS", "x", "a") == BAD_COUNT
    assert client.error(command, "h", "FIELDS", "2", "a") == MISMATCH


def test_a_new_value_has_no_expiry_but_a_sum_keeps_it(abc):
    do(abc, "HEXPIREAT h 9999999999 FIELDS 3 a b c")
    do(abc, "HSET h a 5")
    do(abc, "HINCRBY h b 5")
    do(abc, "HINCRBYFLOAT h c 0.5")
    assert do(abc, "HEXPIRETIME h FIELDS 3 a b c") == [-1, 9999999999, 9999999999]
    assert everything(abc) == {b"a": b"5", b"b": b"7", b"c": b"3.5"}


def test_copies_and_new_names(abc):
    do(abc, "HEXPIREAT h 9999999999 FIELDS 1 a")
    do(abc, "COPY h copy")
    do(abc, "RENAME h other")
    do(abc, "EXPIRE other 1000")
    do(abc, "PERSIST other")
    for key in ("copy", "other"):
        assert do(abc, f"HEXPIRETIME {key} FIELDS 2 a b") == [9999999999, -1]
    assert do(abc, "SET other text") == b"OK"
    assert info(abc, "db0").endswith(",subexpiry=1")


# ---------------------------------------------------------------- reading and writing with an expiry


def test_read_and_remove(abc):
    assert do(abc, "HGETDEL h FIELDS 3 a x a") == [b"1", None, None]
    assert do(abc, "HGETDEL h FIELDS 2 b c") == [b"2", b"3"]
    assert do(abc, "EXISTS h") == 0


def test_read_and_change(abc):
    assert do(abc, "HGETEX h FIELDS 2 a x") == [b"1", None]
    assert do(abc, "HGETEX h EXAT 9999999999 FIELDS 2 a b") == [b"1", b"2"]
    assert do(abc, "HEXPIRETIME h FIELDS 3 a b c") == [9999999999, 9999999999, -1]
    assert do(abc, "HGETEX h PERSIST FIELDS 2 a c") == [b"1", b"3"]
    assert do(abc, "HEXPIRETIME h FIELDS 3 a b c") == [-1, 9999999999, -1]
    assert do(abc, "HGETEX h PX 100000 FIELDS 1 a") == [b"1"]
    assert 99_000 < do(abc, "HPTTL h FIELDS 1 a")[0] <= 100_000
    assert do(abc, "HGETEX h EX 0 FIELDS 2 a b") == [b"1", b"2"]
    assert everything(abc) == {b"c": b"3"}
    assert abc.error("HGETEX", "h", "EX", "-1", "FIELDS", "1", "a") == NEGATIVE
    assert abc.error("HGETEX", "h", "EX", "1", "PERSIST", "FIELDS", "1", "a") == FIELDS_MISSING


def test_write(client, form):
    assert do(client, "HSETEX h EXAT 9999999999 FIELDS 2 a 1 b 2") == 1
    assert do(client, "OBJECT ENCODING h") == form.encode()
    assert do(client, "HEXPIRETIME h FIELDS 2 a b") == [9999999999, 9999999999]
    assert do(client, "HSETEX h FNX FIELDS 2 c 3 a 4") == 0
    assert do(client, "HSETEX h FXX FIELDS 2 c 3 a 4") == 0
    assert do(client, "HSETEX h FNX FIELDS 1 c 3") == 1
    assert do(client, "HSETEX h FXX KEEPTTL FIELDS 2 a 4 c 5") == 1
    assert do(client, "HEXPIRETIME h FIELDS 3 a b c") == [9999999999, 9999999999, -1]
    assert do(client, "HSETEX h FIELDS 1 a 5") == 1
    assert do(client, "HEXPIRETIME h FIELDS 1 a") == [-1]
    assert do(client, "HSETEX h PX 0 FIELDS 2 a 6 d 7") == 1
    assert everything(client) == {b"b": b"2", b"c": b"5"}
    assert do(client, "HSETEX new EX 0 FIELDS 1 a 6") == 1
    assert do(client, "EXISTS new") == 0


ONE_EXPIRY = "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"
ONE_CONDITION = "ERR Only one of FXX or FNX arguments can be specified"
ARITY = "ERR wrong number of arguments for 'hsetex' command"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("EX 1 PX 1 FIELDS 1 a 1", ONE_EXPIRY),
        ("EX 1 KEEPTTL FIELDS 1 a 1", ONE_EXPIRY),
        ("FNX FXX FIELDS 1 a 1", ONE_CONDITION),
        ("EX x FIELDS 1 a 1", NOT_INT),
        ("EX -1 FIELDS 1 a 1", NEGATIVE),
        ("ZZ FIELDS 1 a 1", "ERR unknown argument: ZZ"),
        ("FIELDS 0 a 1", "ERR invalid number of fields"),
        ("FIELDS 2 a 1", ARITY),
        ("FIELDS 1 a 1 EX 1", ARITY),
    ],
)
def test_write_errors(client, words, text):
    assert client.error("HSETEX", "h", *words.split()) == text


# ---------------------------------------------------------------- expired fields


def expire(client, *fields):
    client.cmd("HPEXPIRE", "h", 1, "FIELDS", len(fields), *fields)
    time.sleep(0.005)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("HGET h a", None),
        ("HMGET h a b", [None, b"2"]),
        ("HEXISTS h a", 0),
        ("HSTRLEN h a", 0),
        ("HINCRBY h a 7", 7),
        ("HINCRBYFLOAT h a 7", b"7"),
        ("HSETNX h a 7", 1),
        ("HGETDEL h FIELDS 1 a", [None]),
        ("HGETEX h EX 10 FIELDS 1 a", [None]),
        ("HSETEX h FXX FIELDS 1 a 1", 0),
    ],
)
def test_access_finds_a_field_expired_and_removes_it(lazy, command, expected):
    lazy.cmd("HSET", "h", "a", 1, "b", 2, "c", 3)
    expire(lazy, "a")
    assert do(lazy, "HLEN h") == 3  # it is still there
    assert do(lazy, command) == expected
    assert info(lazy, "expired_subkeys") == "1"
    assert do(lazy, "HLEN h") == 2 + (b"a" in everything(lazy))


@pytest.mark.parametrize("command", ["HTTL h", "HPTTL h", "HEXPIRETIME h", "HPEXPIRETIME h", "HPERSIST h"])
def test_expired_fields_have_no_expiry_to_show(lazy, command):
    lazy.cmd("HSET", "h", "a", 1, "b", 2)
    expire(lazy, "a")
    assert do(lazy, f"{command} FIELDS 2 a b") == [-2, -1]


def test_lists_pass_over_expired_fields(lazy):
    lazy.cmd("HSET", "h", "a", 1, "b", 2, "c", 3)
    expire(lazy, "a", "b")
    assert everything(lazy) == {b"c": b"3"}
    assert do(lazy, "HKEYS h") == [b"c"]
    assert do(lazy, "HVALS h") == [b"3"]
    assert do(lazy, "HSCAN h 0") == [b"0", [b"c", b"3"]] or do(lazy, "OBJECT ENCODING h") == b"hashtable"
    assert do(lazy, "HLEN h") == 3
    assert do(lazy, "HRANDFIELD h") == b"c"
    assert do(lazy, "HLEN h") == 1  # HRANDFIELD removes them


def test_the_key_goes_with_its_last_field(lazy):
    lazy.cmd("HSET", "h", "a", 1, "b", 2)
    expire(lazy, "a", "b")
    assert do(lazy, "EXISTS h") == 1
    assert do(lazy, "HGET h a") is None
    assert do(lazy, "EXISTS h") == 1
    assert do(lazy, "HEXISTS h b") == 0
    assert do(lazy, "EXISTS h") == 0


def test_the_timer_removes_fields(abc):
    do(abc, "HPEXPIRE h 200 FIELDS 2 a b")
    assert info(abc, "db0") == "keys=1,expires=0,avg_ttl=0,subexpiry=1"
    until(lambda: abc.cmd("HLEN", "h") == 1)
    assert everything(abc) == {b"c": b"3"}
    assert info(abc, "db0") == "keys=1,expires=0,avg_ttl=0,subexpiry=0"
    do(abc, "HPEXPIRE h 20 FIELDS 1 c")
    until(lambda: abc.cmd("EXISTS", "h") == 0)


def test_subexpiry_counts_hashes(abc):
    do(abc, "HEXPIRE h 1000 FIELDS 2 a b")
    assert info(abc, "db0").endswith(",subexpiry=1")
    do(abc, "HDEL h a")
    assert info(abc, "db0").endswith(",subexpiry=1")
    do(abc, "HDEL h b")
    assert info(abc, "db0").endswith(",subexpiry=0")


def test_no_field_goes_while_writes_are_paused(lazy):
    lazy.cmd("HSET", "h", "a", 1, "b", 2)
    do(lazy, "CLIENT PAUSE 60000 WRITE")
    try:
        time.sleep(0.005)
    finally:
        do(lazy, "CLIENT UNPAUSE")
    expire(lazy, "a")
    do(lazy, "CLIENT PAUSE 60000 WRITE")
    try:
        assert do(lazy, "HGET h a") is None
        assert do(lazy, "HRANDFIELD h") == b"b"
        assert do(lazy, "HLEN h") == 2
    finally:
        do(lazy, "CLIENT UNPAUSE")
    assert do(lazy, "HGET h a") is None
    assert do(lazy, "HLEN h") == 1


def test_many_fields_expire_in_slices():
    with minikv.Store() as store:
        store.execute("CONFIG", "SET", "hash-max-listpack-entries", 16)
        store.execute("MULTI")  # no time passes in it
        for first in range(0, 30_000, 1000):
            names = [f"f{i}" for i in range(first, first + 1000)]
            store.execute("HSET", "h", *(word for name in names for word in (name, "v")))
            store.execute("HPEXPIRE", "h", 1, "FIELDS", 1000, *names)
            store.execute(
                "HSET", "h", *(word for i in range(first, first + 100) for word in (f"stays{i}", "v"))
            )
        store.execute("EXEC")
        until(lambda: store.engine.timers() is not None and store.execute("HLEN", "h") == 3000)
        stats = store.engine.stats()
        assert stats["expired_fields"] == stats["expired_fields_in_cron"] == 30_000
        assert all(name.startswith(b"stays") for name in store.execute("HKEYS", "h"))
        store.execute("DEL", "h")
        assert store.engine.keyspace() == {}


# ---------------------------------------------------------------- eviction and events


def test_volatile_policies_pass_over_hashes_of_which_only_fields_expire(client, form):
    client.cmd("HSET", "h", "a", "x" * 60)
    do(client, "HEXPIRE h 1000 FIELDS 1 a")
    client.cmd("SET", "k", "x", "EX", 1000)
    used = int(info(client, "used_memory"))
    try:
        client.cmd("CONFIG", "SET", "maxmemory-policy", "volatile-random", "maxmemory", used // 2)
        assert client.error("SET", "other", "v").startswith("OOM ")
        assert do(client, "EXISTS k") == 0
        assert do(client, "EXISTS h") == 1
    finally:
        client.cmd("CONFIG", "SET", "maxmemory", 0, "maxmemory-policy", "noeviction")


def events(client, subscriber, *commands):
    client.cmd("CONFIG", "SET", "notify-keyspace-events", "KEAn")
    subscriber.subscribe("__keyspace@0__:*")
    for command in commands:
        client.cmd(*command.split())
    client.cmd("SET", "end", "")
    found = []
    while True:
        channel, event = subscriber.next()
        if channel.endswith(b":end"):
            return found
        found.append(event.decode())


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("HEXPIRE h 10 FIELDS 3 a b x", ["hexpire"]),
        ("HEXPIRE h 10 XX FIELDS 1 a", []),
        ("HEXPIRE h 0 FIELDS 1 a", ["hdel"]),
        ("HEXPIRE h 0 FIELDS 2 a b", ["hdel", "del"]),
        ("HPERSIST h FIELDS 1 a", []),
        ("HPERSIST h FIELDS 1 b", ["hpersist"]),
        ("HGETDEL h FIELDS 1 a", ["hdel"]),
        ("HGETDEL h FIELDS 2 a b", ["hdel", "del"]),
        ("HGETEX h FIELDS 1 a", []),
        ("HGETEX h EX 10 FIELDS 1 a", ["hexpire"]),
        ("HGETEX h PERSIST FIELDS 2 a b", ["hpersist"]),
        ("HGETEX h EX 0 FIELDS 2 a b", ["hdel", "del"]),
        ("HSETEX h FIELDS 1 a 1", ["hset"]),
        ("HSETEX new EX 10 FIELDS 1 a 1", ["new", "hset", "hexpire"]),
        ("HSETEX h EX 0 FIELDS 1 a 1", ["hset", "hdel"]),
        ("HSETEX new EX 0 FIELDS 1 a 1", ["new", "hset", "hdel", "del"]),
        ("HSETEX h FNX FIELDS 1 a 1", []),
    ],
)
def test_events(client, subscriber, command, expected):
    client.cmd("HSET", "h", "a", 1, "b", 2)
    do(client, "HEXPIRE h 1000 FIELDS 1 b")
    assert events(client, subscriber, command) == expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("HGET h a", ["hexpired"]),
        ("HMGET h a b", ["hexpired", "del"]),
        ("HGETDEL h FIELDS 2 a b", ["hexpired", "del"]),
        ("HINCRBY h a 1", ["hexpired", "hincrby"]),
        ("HSETNX h a 1", ["hexpired", "hset"]),
        ("HDEL h a", ["hdel"]),
        ("HRANDFIELD h", ["hexpired", "del"]),
    ],
)
def test_events_of_expired_fields(lazy, subscriber, command, expected):
    lazy.cmd("HSET", "h", "a", 1, "b", 2)
    expire(lazy, "a", "b")
    assert events(lazy, subscriber, command) == expected
