"""EXPIRE and its kin, TTL and its kin, PERSIST."""

import time

import pytest

INT64_MAX = 2**63 - 1
SET_EXPIRY = ["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"]
SHOW_EXPIRY = ["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"]


@pytest.fixture(autouse=True)
def empty_store(client):
    client.cmd("FLUSHALL")


def error(client, *words):
    """The text of the error reply to a command."""
    try:
        reply = client.cmd(*words)
    except Exception as caught:
        reply = caught
    assert isinstance(reply, Exception), reply
    return str(reply)


def argument(command, seconds_from_now):
    """What a command takes for a time so many seconds from now."""
    at = seconds_from_now + (int(time.time()) if command.endswith("AT") else 0)
    return at * 1000 if command.startswith("P") else at


@pytest.mark.parametrize("command", SET_EXPIRY)
def test_sets_an_expiry(client, command):
    client.cmd("SET", "k", "v")
    assert client.cmd(command, "k", argument(command, 1000)) == 1
    assert 990 <= client.cmd("TTL", "k") <= 1000
    assert 990_000 < client.cmd("PTTL", "k") <= 1_000_000
    assert client.cmd("GET", "k") == b"v"


@pytest.mark.parametrize("command", SET_EXPIRY)
def test_missing_key(client, command):
    assert client.cmd(command, "none", argument(command, 10)) == 0
    assert client.cmd("EXISTS", "none") == 0


@pytest.mark.parametrize("command", SET_EXPIRY)
@pytest.mark.parametrize("seconds", [0, -1, -100])
def test_past_time_deletes(client, command, seconds):
    client.cmd("SET", "k", "v")
    assert client.cmd(command, "k", argument(command, seconds)) == 1
    assert client.cmd("EXISTS", "k") == 0
    assert client.cmd("DBSIZE") == 0


def test_negative_absolute_time_deletes(client):
    client.cmd("SET", "k", "v")
    assert client.cmd("PEXPIREAT", "k", -(2**63)) == 1
    assert client.cmd("EXISTS", "k") == 0


@pytest.mark.parametrize(
    ("old", "new", "words", "applies"),
    [
        (None, 100, ["NX"], True),
        (50, 100, ["NX"], False),
        (None, 100, ["XX"], False),
        (50, 100, ["xx"], True),
        (None, 100, ["GT"], False),
        (50, 100, ["GT"], True),
        (100, 100, ["GT"], False),
        (100, 50, ["gt"], False),
        (None, 100, ["LT"], True),
        (50, 100, ["LT"], False),
        (100, 100, ["LT"], False),
        (100, 50, ["lt"], True),
        (None, 100, ["XX", "GT"], False),
        (None, 100, ["XX", "LT"], False),
        (50, 100, ["XX", "GT"], True),
        (100, 50, ["LT", "XX"], True),
        (50, 100, ["GT", "GT", "XX", "XX"], True),
        (None, 100, ["NX", "NX"], True),
    ],
)
@pytest.mark.parametrize("command", ["PEXPIREAT", "EXPIREAT"])
def test_conditions(client, command, old, new, words, applies):
    base = int(time.time()) + 1000
    unit = 1000 if command == "PEXPIREAT" else 1
    client.cmd("SET", "k", "v", *([] if old is None else ["PXAT", (base + old) * 1000]))
    assert client.cmd(command, "k", (base + new) * unit, *words) == applies
    expected = new if applies else old
    assert client.cmd("PEXPIRETIME", "k") == (-1 if expected is None else (base + expected) * 1000)


@pytest.mark.parametrize(
    ("old", "words", "applies"),
    [
        (None, ["NX"], True),
        (100, ["NX"], False),
        (None, ["XX"], False),
        (100, ["XX"], True),
        (None, ["GT"], False),
        (100, ["GT"], False),
        (None, ["LT"], True),
        (100, ["LT"], True),
    ],
)
def test_conditions_on_a_past_time(client, old, words, applies):
    client.cmd("SET", "k", "v", *([] if old is None else ["EX", old]))
    assert client.cmd("EXPIRE", "k", -1, *words) == applies
    assert client.cmd("EXISTS", "k") == (not applies)


@pytest.mark.parametrize("command", SET_EXPIRY)
def test_argument_errors(client, command):
    client.cmd("SET", "k", "v")
    name = command.lower()
    assert error(client, command, "k") == f"ERR wrong number of arguments for '{name}' command"
    for bad in ["", "x", "1.5", " 1", "1 ", "+1", 2**63, "9" * 40]:
        assert error(client, command, "k", bad) == "ERR value is not an integer or out of range"
    assert error(client, command, "k", 10, "foo") == "ERR Unsupported option foo"
    assert error(client, command, "k", 10, "GT", "a\r\nb") == "ERR Unsupported option a  b"
    incompatible = "ERR NX and XX, GT or LT options at the same time are not compatible"
    for words in [("NX", "XX"), ("NX", "GT"), ("lt", "nx"), ("NX", "XX", "GT", "LT")]:
        assert error(client, command, "k", 10, *words) == incompatible
    assert (
        error(client, command, "k", 10, "GT", "LT")
        == "ERR GT and LT options at the same time are not compatible"
    )
    assert client.cmd("TTL", "k") == -1


def test_order_of_argument_errors(client):
    """Options first, then whether they fit together, then the time, and only then the key."""
    assert error(client, "EXPIRE", "none", "x", "NX", "XX", "foo") == "ERR Unsupported option foo"
    assert error(client, "EXPIRE", "none", "x", "NX", "XX").startswith("ERR NX and XX")
    assert error(client, "EXPIRE", "none", "x", "NX") == "ERR value is not an integer or out of range"
    assert error(client, "EXPIRE", "none", 10**16) == "ERR invalid expire time in 'expire' command"


@pytest.mark.parametrize(
    ("command", "time"),
    [
        ("EXPIRE", INT64_MAX // 1000),
        ("EXPIRE", INT64_MAX // 1000 + 1),
        ("EXPIRE", -(2**63 // 1000) - 1),
        ("EXPIREAT", INT64_MAX // 1000 + 1),
        ("EXPIREAT", -(2**63 // 1000) - 1),
        ("PEXPIRE", INT64_MAX),
    ],
)
def test_time_out_of_range(client, command, time):
    client.cmd("SET", "k", "v")
    assert error(client, command, "k", time) == f"ERR invalid expire time in '{command.lower()}' command"
    assert client.cmd("TTL", "k") == -1


@pytest.mark.parametrize("at_ms", [10**13, 2**47, 2**48 - 1, 2**48, 2**48 + 1, INT64_MAX - 1, INT64_MAX])
def test_far_times(client, at_ms):
    """Times that fit 6 bytes of an entry and times that do not, and changes between the two."""
    client.cmd("SET", "k", "v" * 100)
    for at in [at_ms, 10**14, at_ms, 2**50, at_ms]:
        assert client.cmd("PEXPIREAT", "k", at) == 1
        assert client.cmd("PEXPIRETIME", "k") == at
        assert client.cmd("EXPIRETIME", "k") == (at + 500) // 1000
    assert client.cmd("GET", "k") == b"v" * 100
    assert client.cmd("PERSIST", "k") == 1
    assert client.cmd("PEXPIRETIME", "k") == -1
    assert client.cmd("GET", "k") == b"v" * 100


def test_expiretime_is_rounded(client):
    client.cmd("SET", "k", "v")
    client.cmd("PEXPIREAT", "k", 9_999_999_999_499)
    assert client.cmd("EXPIRETIME", "k") == 9_999_999_999
    client.cmd("PEXPIREAT", "k", 9_999_999_999_500)
    assert client.cmd("EXPIRETIME", "k") == 10_000_000_000


@pytest.mark.parametrize("command", SHOW_EXPIRY)
def test_show_expiry(client, command):
    assert client.cmd(command, "k") == -2
    client.cmd("SET", "k", "v")
    assert client.cmd(command, "k") == -1
    assert error(client, command) == f"ERR wrong number of arguments for '{command.lower()}' command"
    assert (
        error(client, command, "k", "k") == f"ERR wrong number of arguments for '{command.lower()}' command"
    )


@pytest.mark.parametrize("value", ["v", "12345", "x" * 100, "x" * 20_000])
def test_persist(client, value):
    assert client.cmd("PERSIST", "k") == 0
    client.cmd("SET", "k", value)
    assert client.cmd("PERSIST", "k") == 0
    client.cmd("EXPIRE", "k", 100)
    assert client.cmd("PERSIST", "k") == 1
    assert client.cmd("TTL", "k") == -1
    assert client.cmd("GET", "k") == value.encode()


def test_expired_key_is_gone(client):
    for command in [
        ("GET", "k"),
        ("EXISTS", "k"),
        ("TTL", "k"),
        ("EXPIRE", "k", 100),
        ("PERSIST", "k"),
        ("DEL", "k"),
    ]:
        client.cmd("SET", "k", "v", "PX", 1)
        time.sleep(0.003)
        assert client.cmd(*command) in (None, 0, -2)
        assert client.cmd("DBSIZE") == 0


def test_many_expiries(client):
    for i in range(500):
        client.cmd("SET", f"k{i}", i, "PXAT", 10**13 + i)
    for i in range(0, 500, 2):
        assert client.cmd("PEXPIREAT", f"k{i}", 2**50 + i) == 1
    for i in range(500):
        assert client.cmd("PEXPIRETIME", f"k{i}") == (10**13 + i if i % 2 else 2**50 + i)
