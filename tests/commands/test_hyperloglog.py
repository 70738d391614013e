"""HyperLogLogs: estimates, both encodings byte by byte, and strings that are none."""

import random

import pytest

CORRUPT = "INVALIDOBJ Corrupted HLL object detected"
NOT_ONE = "WRONGTYPE Key is not a valid HyperLogLog string value."
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
REGISTERS = 16384
HEAD = b"HYLL\x01\0\0\0" + b"\0" * 7 + b"\x80"


@pytest.fixture
def run(client):
    """Runs a command; an error is its text."""

    def run(*words):
        reply = client.cmd(*words)
        return str(reply) if isinstance(reply, Exception) else reply

    client.cmd("CONFIG", "SET", "hll-sparse-max-bytes", 3000)
    yield run
    client.cmd("CONFIG", "SET", "hll-sparse-max-bytes", 3000)


def elements(count, seed=0):
    rng = random.Random(seed)
    return [rng.randbytes(rng.randrange(1, 40)) for _ in range(count)]


def murmur64a(data, seed=0xADC83B19):
    mask, m = 2**64 - 1, 0xC6A4A7935BD1E995
    h = seed ^ (len(data) * m & mask)
    whole = len(data) // 8 * 8
    for i in range(0, whole, 8):
        k = int.from_bytes(data[i : i + 8], "little") * m & mask
        h = (h ^ ((k ^ (k >> 47)) * m & mask)) * m & mask
    if data[whole:]:
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ (h >> 47)) * m & mask
    return h ^ (h >> 47)


def registers_of(items):
    """What the registers must be."""
    registers = [0] * REGISTERS
    for item in items:
        value = murmur64a(item)
        index, rest = value % REGISTERS, value // REGISTERS | 1 << 50
        registers[index] = max(registers[index], (rest & -rest).bit_length())
    return registers


def registers_in(value):
    """What they are, in either encoding."""
    body = value[16:]
    if value[4] == 0:
        number = int.from_bytes(body, "little")
        return [number >> 6 * i & 63 for i in range(REGISTERS)]
    found, i = [], 0
    while i < len(body):
        if body[i] & 0x80:
            found += [(body[i] >> 2 & 31) + 1] * ((body[i] & 3) + 1)
        elif body[i] & 0x40:
            found += [0] * (((body[i] & 63) << 8 | body[i + 1]) + 1)
            i += 1
        else:
            found += [0] * (body[i] + 1)
        i += 1
    return found


# ---------------------------------------------------------------- adding and counting


def test_an_empty_one(run):
    assert run("PFADD", "h") == 1
    assert run("PFADD", "h") == 0
    assert run("GET", "h") == HEAD + b"\x7f\xff"
    assert run("PFCOUNT", "h") == 0
    assert run("PFCOUNT", "none") == 0
    assert run("PFCOUNT", "none", "nor") == 0
    assert run("OBJECT", "ENCODING", "h") == b"raw"


@pytest.mark.parametrize("sparse_most", [3000, 0, 100])
def test_registers(run, sparse_most):
    run("CONFIG", "SET", "hll-sparse-max-bytes", sparse_most)
    items = elements(3000)
    for end in range(0, 3000, 150):
        run("PFADD", "h", *items[end : end + 150])
        assert registers_in(run("GET", "h")) == registers_of(items[: end + 150])
        assert run("PFADD", "h", *items[: end + 150]) == 0
    assert run("PFDEBUG", "ENCODING", "h") == b"dense"
    assert run("STRLEN", "h") == 12304


def test_estimates(run):
    items = elements(60_000)
    for end in range(500, 60_001, 500):
        run("PFADD", "h", *items[end - 500 : end])
        assert abs(run("PFCOUNT", "h") - end) <= 0.04 * end


def test_both_encodings_count_the_same(run):
    for count in (1, 2, 5, 50, 500):
        run("DEL", "sparse", "dense")
        run("PFADD", "dense")
        assert run("PFDEBUG", "TODENSE", "dense") == 1
        assert run("PFDEBUG", "TODENSE", "dense") == 0
        for key in ("sparse", "dense"):
            run("PFADD", key, *elements(count))
        assert run("PFDEBUG", "ENCODING", "sparse") == b"sparse"
        assert run("PFDEBUG", "ENCODING", "dense") == b"dense"
        assert run("PFCOUNT", "sparse") == run("PFCOUNT", "dense") == run("PFCOUNT", "sparse", "dense")
        assert registers_in(run("GET", "sparse")) == run("PFDEBUG", "GETREG", "dense")


def test_the_limit_of_sparse(run):
    items = elements(3000)
    size = 0
    for item in items:
        run("PFADD", "h", item)
        size, before = run("STRLEN", "h"), size
        if size > 3000:
            break
    assert size == 12304
    assert 2990 < before <= 3000


def test_the_cached_estimate(run):
    run("PFADD", "h", "a", "b", "c")
    assert run("GETRANGE", "h", 8, 15) == b"\0" * 7 + b"\x80"
    assert run("PFCOUNT", "h") == 3
    assert run("GETRANGE", "h", 8, 15) == b"\3" + b"\0" * 7
    run("PFADD", "h", "a", "b", "c")
    assert run("GETRANGE", "h", 15, 15) == b"\0"
    run("SETRANGE", "h", 8, b"\x2a")
    assert run("PFCOUNT", "h") == 42
    run("PFADD", "h", "d")
    assert run("PFCOUNT", "h") == 4


def test_expiry_stays(run):
    run("PFADD", "h", "a")
    run("EXPIRE", "h", 100)
    run("PFADD", "h", *elements(5000))
    assert 0 < run("TTL", "h") <= 100
    run("PFMERGE", "h", "none")
    assert 0 < run("TTL", "h") <= 100


# ---------------------------------------------------------------- sparse runs


def test_runs_split_and_join(run):
    """One register at a time, in every order: the runs always tell of the same registers."""
    rng = random.Random(5)
    for seed in range(20):
        run("DEL", "h")
        items = elements(300, seed)
        for item in items:
            run("PFADD", "h", item)
        value = run("GET", "h")
        assert registers_in(value) == registers_of(items)
        decoded = run("PFDEBUG", "DECODE", "h").decode().split()
        assert sum(int(word.rpartition(",")[2].rpartition(":")[2]) for word in decoded) == REGISTERS
        rng.shuffle(items)


def test_decode(run):
    run("PFADD", "h")
    assert run("PFDEBUG", "DECODE", "h") == b"Z:16384"
    run(
        "SET",
        "h",
        HEAD + b"\x3f" + b"\x84" + b"\x8b" + bytes([0x40 | (16384 - 69) >> 8 & 63, 16384 - 70 & 255]),
    )
    decoded = run("PFDEBUG", "DECODE", "h")
    assert decoded.startswith(b"z:64 v:2,1 v:3,4 Z:")


# ---------------------------------------------------------------- merging


@pytest.mark.parametrize("dense", [(), ("a",), ("to",), ("b", "to"), ("a", "b", "to")])
def test_merge(run, dense):
    a, b, to = elements(300, 1), elements(400, 2), elements(100, 3)
    for key, items in ("a", a), ("b", b), ("to", to):
        run("PFADD", key, *items)
        if key in dense:
            run("PFDEBUG", "TODENSE", key)
    union = run("PFCOUNT", "a", "b", "to", "none")
    assert run("PFMERGE", "to", "a", "none", "b") == b"OK"
    assert registers_in(run("GET", "to")) == registers_of(a + b + to)
    assert run("PFCOUNT", "to") == union
    assert run("PFDEBUG", "ENCODING", "to") == (b"dense" if dense else b"sparse")


def test_merge_to_a_new_key(run):
    assert run("PFMERGE", "to", "none") == b"OK"
    assert run("PFCOUNT", "to") == 0
    run("PFADD", "a", *elements(5000))
    assert run("PFMERGE", "new", "a") == b"OK"
    assert run("GET", "new")[16:] == run("GET", "a")[16:]


# ---------------------------------------------------------------- what is none


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"bar",
        b"HYLL\x01" + b"\0" * 10,
        b"hyll\x01" + b"\0" * 11 + b"\x7f\xff",
        b"HYLL\x02" + b"\0" * 11 + b"\x7f\xff",
        b"HYLL\x00" + b"\0" * 12000,
        b"123",
    ],
)
def test_not_one(run, value):
    run("SET", "s", value)
    for command in ("PFADD s a", "PFADD s", "PFCOUNT s", "PFCOUNT none s", "PFMERGE s", "PFMERGE to s"):
        assert run(*command.split()) == NOT_ONE, command
    assert run("GET", "s") == value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x7f",
        b"\x7f\xff\x00",
        b"\x7f\xffhello",
        b"\x3f" * 255,
        b"\x3f" * 257,
        b"\x84" * 9000,
        b"\x40\x00" * 20_000,
    ],
)
def test_corrupt(run, body):
    run("SET", "s", HEAD + body)
    assert run("PFCOUNT", "s") == CORRUPT
    assert run("PFCOUNT", "none", "s") == CORRUPT
    assert run("PFMERGE", "to", "s") == CORRUPT
    assert run("PFDEBUG", "TODENSE", "s") == CORRUPT
    run("PFADD", "s", *elements(2000))  # may or may not see it, and must not crash


def test_damaged(run):
    """Whatever has happened to its bytes, a HyperLogLog is counted or refused."""
    rng = random.Random(7)
    for _ in range(200):
        run("DEL", "h")
        run("PFADD", "h", *elements(rng.randrange(1500), rng.random()))
        for _ in range(rng.randrange(1, 5)):
            run("SETRANGE", "h", rng.randrange(run("STRLEN", "h")), rng.randbytes(1))
        for command in ("PFCOUNT h", "PFADD h x y z", "PFMERGE to h", "PFDEBUG DECODE h"):
            assert run(*command.split()) is not None
        run("DEL", "to")


def test_wrong_type(run):
    run("RPUSH", "l", "x")
    for command in ("PFADD l a", "PFCOUNT l", "PFCOUNT none l", "PFMERGE l", "PFMERGE to l"):
        assert run(*command.split()) == WRONG_TYPE, command


def test_debug_errors(run):
    assert run("PFDEBUG", "ENCODING", "none") == "ERR The specified key does not exist"
    run("PFADD", "h")
    assert run("PFDEBUG", "no", "h") == "ERR Unknown PFDEBUG subcommand 'no'"
    run("PFDEBUG", "TODENSE", "h")
    assert run("PFDEBUG", "DECODE", "h") == "ERR HLL encoding is not sparse"


def test_self_test(run):
    assert run("PFSELFTEST") == b"OK"


def test_events(client, subscriber):
    client.cmd("CONFIG", "SET", "notify-keyspace-events", "E$n")
    subscriber.subscribe("__keyevent@0__:*")
    client.cmd("PFADD", "h", "a")
    client.cmd("PFADD", "h", "a")
    client.cmd("PFCOUNT", "h")
    client.cmd("PFMERGE", "to", "h")
    client.cmd("PFMERGE", "to", "h")
    seen = [subscriber.next()[0].rpartition(b":")[2] for _ in range(5)]
    assert seen == [b"new", b"pfadd", b"new", b"pfadd", b"pfadd"]
