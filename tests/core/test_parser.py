import random

import pytest
from fuzz_parser import fuzz, request
from hypothesis import given
from hypothesis import strategies as st
from minikv_core.parser import ParserHandle

BATCH = 32
BIG = 32768
INLINE_MAX = 65536
PING = b"*1\r\n$4\r\nPING\r\n"


@pytest.fixture
def parser():
    """A parser whose arena must hold nothing but itself at the end."""
    handle = ParserHandle()
    empty = handle.arena_used
    yield handle
    handle.forget()
    assert handle.arena_used == empty


def parse(data, **limits):
    return ParserHandle(**limits).feed(data)


@pytest.mark.parametrize(
    "data, requests",
    [
        (b"", []),
        (PING, [[b"PING"]]),
        (request(b"SET", b"k", b"v"), [[b"SET", b"k", b"v"]]),
        (request(b"SET", b"", b""), [[b"SET", b"", b""]]),
        (request(b"ECHO", bytes(range(256))), [[b"ECHO", bytes(range(256))]]),
        (request(b"x" * 9, b"x" * 10, b"x" * 99, b"x" * 100), [[b"x" * 9, b"x" * 10, b"x" * 99, b"x" * 100]]),
        (request(*[b"%d" % i for i in range(100)]), [[b"%d" % i for i in range(100)]]),
        (PING * 3, [[b"PING"]] * 3),
        (b"*0\r\n" + PING, [[b"PING"]]),
        (b"*-1\r\n*-9223372036854775808\r\n" + PING, [[b"PING"]]),
        (b"\r\n\n  \t\r\n\r\r\n" + PING, [[b"PING"]]),
        (b"*2147483647\r\n", []),
        (b"*1\rX$4\rXPINGXX" + PING, [[b"PING"], [b"PING"]]),
        (b"*1\n$4\nPING\n", []),
        (b"*1\r\n$32767\r\n", []),
    ],
)
def test_multibulk(data, requests):
    assert parse(data) == (requests, None)


@pytest.mark.parametrize(
    "line, words",
    [
        (b"PING\n", [b"PING"]),
        (b"PING\r\n", [b"PING"]),
        (b"\v\f ECHO\ta  b \r\n", [b"ECHO", b"a", b"b"]),
        (b"$4 *x\r\n", [b"$4", b"*x"]),
        (b"a\rb\n", [b"a", b"b"]),
        (b"a\vb\fc\n", [b"a\vb\fc"]),
        (b"a\\ b\\\n", [b"a\\", b"b\\"]),
        (b"\x01\xff\x85\n", [b"\x01\xff\x85"]),
        (b'""\n', [b""]),
        (b"''\n", [b""]),
        (b"\"a b\" 'c d'\r\n", [b"a b", b"c d"]),
        (b"a\"b c\" d'e f'\n", [b"ab c", b"de f"]),
        (b"'a\"b' \"a'b\"\n", [b'a"b', b"a'b"]),
        (b"'a\\'b' 'a\\nb' '\\\\a'\n", [b"a'b", b"a\\nb", b"\\\\a"]),
        (b'"\\n\\r\\t\\b\\a\\q\\"\\\\"\n', [b'\n\r\t\b\aq"\\']),
        (b'"\\x00\\x41\\xfF\\xaB"\n', [b"\x00A\xff\xab"]),
        (b'"\\x4" "\\x4g" "\\xg4" "\\x"\n', [b"x4", b"x4g", b"xg4", b"x"]),
        (b'"a"\vb\n', [b"a", b"b"]),
    ],
)
def test_inline(line, words):
    assert parse(line) == ([words], None)
    assert parse(line[:-1]) == ([], None)
    assert parse(PING + line + PING) == ([[b"PING"], words, [b"PING"]], None)


@pytest.mark.parametrize(
    "line",
    [b'"', b"'", b'a "b', b'"a"b', b"'a'b", b'"a\\', b'"a\\"', b"'a\\", b"'\\\\'", b"'a\\'", b'a "b" c"d'],
)
def test_inline_quotes_that_do_not_close(line):
    for end in b"\n", b"\r\n":
        assert parse(PING + line + end + PING) == ([[b"PING"]], b"unbalanced quotes in request")


@pytest.mark.parametrize(
    "text",
    [b"", b"03", b"00", b"-0", b"+1", b" 1", b"1 ", b"1x", b"x", b"0x1", b"1\n", b"9" * 19, b"9" * 40],
)
def test_numbers_that_are_none(text):
    assert parse(b"*" + text + b"\r\n") == ([], b"invalid multibulk length")
    assert parse(b"*1\r\n$" + text + b"\r\n") == ([], b"invalid bulk length")


def test_limits():
    assert parse(b"*2147483648\r\n") == ([], b"invalid multibulk length")
    assert parse(b"*-9223372036854775809\r\n") == ([], b"invalid multibulk length")
    assert parse(b"*1\r\n$-1\r\n") == ([], b"invalid bulk length")
    assert parse(b"*1\r\n$536870913\r\n") == ([], b"invalid bulk length")
    assert parse(b"*1\r\n$4294967297\r\n", bulk=2**62) == ([], b"invalid bulk length")
    assert parse(request(b"x" * 1000), bulk=1000) == ([[b"x" * 1000]], None)
    assert parse(request(b"x" * 1001), bulk=1000) == ([], b"invalid bulk length")


@pytest.mark.parametrize("byte", [bytes([i]) for i in range(1, 256) if i != ord("$")])
def test_argument_without_dollar(byte):
    shown = b" " if byte in b"\r\n" else byte
    assert parse(PING + b"*1\r\n" + byte + b"4\r\n") == ([[b"PING"]], b"expected '$', got '%b'" % shown)
    assert parse(b"*1\r\n" + byte) == ([], None)


def test_unauthenticated():
    assert parse(b"*10\r\n", authenticated=False) == ([], None)
    assert parse(b"*11\r\n", authenticated=False) == ([], b"unauthenticated multibulk length")
    assert parse(b"*2147483648\r\n", authenticated=False) == ([], b"invalid multibulk length")
    assert parse(request(b"x" * 16384), authenticated=False) == ([[b"x" * 16384]], None)
    assert parse(b"*1\r\n$16385\r\n", authenticated=False) == ([], b"unauthenticated bulk length")
    assert parse(b"*1\r\n$536870913\r\n", authenticated=False) == ([], b"invalid bulk length")
    words = [b"%d" % i for i in range(12)]
    assert parse(b" ".join(words) + b"\n", authenticated=False) == ([words], None)


def test_unauthenticated_batches_hold_one_request():
    parser = ParserHandle(authenticated=False)
    assert parser.feed(request(b"AUTH", b"x") + PING) == ([[b"AUTH", b"x"], [b"PING"]], None)
    assert parser.batch_sizes == [1, 1]


@pytest.mark.parametrize(
    "start, error",
    [
        (b"*", b"too big mbulk count string"),
        (b"*1\0", b"too big mbulk count string"),
        (b"*1\r\n$", b"too big bulk count string"),
        (b"*1\r\nX", b"too big bulk count string"),
        (b"x", b"too big inline request"),
        (b"\0", b"too big inline request"),
    ],
)
@pytest.mark.parametrize("piece", [70_000, 1000, 7])
def test_lines_that_do_not_end(parser, start, error, piece):
    """A line may grow to INLINE_MAX bytes; a zero byte hides its end."""
    skipped = 4 if start.startswith(b"*1\r\n") else 0
    data = PING + start + b"1" * (INLINE_MAX + skipped - len(start))
    requests = []
    for at in range(0, len(data), piece):
        found, violation = parser.feed(data[at : at + piece])
        requests += found
        assert violation is None
    assert requests == [[b"PING"]]
    if b"\0" in start:
        assert parser.feed(b"\r\n") == ([], error)
    else:
        assert parser.feed(b"1") == ([], error)


def test_long_inline_line_that_came_whole():
    assert parse(b"x" * 70_000 + b"\n") == ([[b"x" * 70_000]], None)


def test_batches(parser):
    assert parser.feed(PING * (2 * BATCH + 5) + b"*1\r\n") == ([[b"PING"]] * (2 * BATCH + 5), None)
    assert parser.batch_sizes == [BATCH, BATCH, 5]
    parser.feed(b"$4\r\nPING\r\n" + PING * (BATCH - 1))
    assert parser.batch_sizes == [BATCH]


def test_violation_behind_a_full_batch(parser):
    assert parser.feed(PING * BATCH + b"*x\r\n" + PING) == ([[b"PING"]] * BATCH, b"invalid multibulk length")
    assert parser.batch_sizes == [BATCH, 0]


TRAFFIC = [
    (PING, [[b"PING"]]),
    (request(b"SET", b"key:000000000001", b"x" * 120), [[b"SET", b"key:000000000001", b"x" * 120]]),
    (request(b"MSET", *[b"%d" % i for i in range(30)]), [[b"MSET", *[b"%d" % i for i in range(30)]]]),
    (request(b"SET", b"", b"\r\n$3\r\n"), [[b"SET", b"", b"\r\n$3\r\n"]]),
    (b"*0\r\n*-1\r\n\r\n", []),
    (b"ECHO \"a\\x00b\" 'c d'\r\n", [[b"ECHO", b"a\0b", b"c d"]]),
    (b"PING\n", [[b"PING"]]),
]
ALL = b"".join(data for data, _ in TRAFFIC)
ALL_REQUESTS = [found for _, requests in TRAFFIC for found in requests]


def feed_all(parser, pieces):
    requests = []
    for piece in pieces:
        found, error = parser.feed(piece)
        assert error is None
        requests += found
    return requests


def test_cut_at_every_byte(parser):
    for at in range(len(ALL) + 1):
        assert feed_all(parser, [ALL[:at], ALL[at:]]) == ALL_REQUESTS
        assert feed_all(parser, [ALL[:at], ALL[at:] + ALL, PING]) == [*ALL_REQUESTS, *ALL_REQUESTS, [b"PING"]]
        assert parser.kept_bytes == 0


def test_byte_by_byte(parser):
    assert feed_all(parser, [bytes([byte]) for byte in ALL]) == ALL_REQUESTS


@pytest.mark.parametrize("data, error", [
    (b"*x\r\n", b"invalid multibulk length"),
    (b"*1\r\n$x\r\n", b"invalid bulk length"),
    (b"*2\r\n$1\r\na\r\nx\r\n", b"expected '$', got 'x'"),
    (b"ECHO 'a\r\n", b"unbalanced quotes in request"),
])  # fmt: skip
def test_violations_cut_at_every_byte(parser, data, error):
    for at in range(len(data)):
        assert feed_all(parser, [PING + data[:at]]) == [[b"PING"]]
        assert parser.feed(data[at:]) == ([], error)
        parser.forget()


@given(
    st.lists(st.lists(st.binary(max_size=40), min_size=1, max_size=12), max_size=40),
    st.lists(st.integers(0, 3000)),
)
def test_random_requests_cut_anywhere(requests, cuts):
    data = b"".join(request(*args) for args in requests)
    ends = sorted(cut % (len(data) + 1) for cut in cuts)
    pieces = [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]
    assert feed_all(ParserHandle(), pieces) == requests


def test_many_arguments_in_pieces(parser):
    """The array of arguments grows as they arrive, in the parser and from there into the batch."""
    args = [b"MSET", *[b"%d" % i for i in range(200_000)]]
    data = request(*args) + PING
    pieces = [data[at : at + 16_384] for at in range(0, len(data), 16_384)]
    assert feed_all(parser, pieces) == [args, [b"PING"]]
    assert parser.feed(request(*args) * 2 + PING) == ([args, args, [b"PING"]], None)


@pytest.mark.parametrize("size", [BIG - 1, BIG, BIG + 1, 100_000, 3_000_000])
@pytest.mark.parametrize("piece", [1000, 16_384, 65_536])
def test_big_arguments(parser, size, piece):
    """A big argument that comes in pieces goes to a block, not to the bytes kept."""
    args = [b"MSET", b"a", bytes(size), b"b", b"x" * size, b"c" * 50]
    data = PING + request(*args) + PING
    requests = []
    for at in range(0, len(data), piece):
        requests += feed_all(parser, [data[at : at + piece]])
        if size >= BIG and at + piece <= size:  # the first one is in progress
            assert parser.kept_bytes < 100
    assert requests == [[b"PING"], args, [b"PING"]]
    assert parser.kept_bytes == 0


def test_big_argument_cut_near_its_end(parser):
    args = [b"SET", b"k", b"x" * BIG]
    data = request(*args)
    for at in range(len(data) - 5, len(data)):
        assert feed_all(parser, [data[:at], data[at:] + PING]) == [args, [b"PING"]]
        assert feed_all(parser, [data[:at], data[at:], PING]) == [args, [b"PING"]]


def test_big_argument_read_past_the_buffer(parser):
    args = [b"MSET", b"a", b"x" * 50_000, b"b", b"y" * 40_000]
    data = request(*args)
    assert parser.feed(data[:100]) == ([], None)
    kept = parser.kept_bytes
    requests, at, at_a_time = [], 100, 7000
    while at < len(data):
        taken = parser.feed_big(data[at : at + at_a_time])
        at += taken
        assert parser.kept_bytes in (kept, kept + 15)  # b and the second one's header
        if taken < at_a_time:
            requests += feed_all(parser, [data[at : at + 20]])
            at += 20
    assert requests + feed_all(parser, [b""]) == [args]
    assert parser.feed_big(b"x") == 0


def test_big_argument_without_memory():
    parser = ParserHandle(reserve=4 << 20)
    empty = parser.arena_used
    with pytest.raises(MemoryError):
        parser.feed(PING + b"*1\r\n$100000000\r\n")
    parser.forget()
    assert parser.arena_used == empty
    assert parser.feed(PING) == ([[b"PING"]], None)


@pytest.mark.parametrize(
    "data",
    [request(b"SET", b"k", b"v" * 100), request(b"SET", b"k", b"v" * BIG), b"SET k " + b"v" * 90 + b"\r\n"],
)
@pytest.mark.parametrize("end", [-1, -2, 80, 30, 10, 1])
def test_unread(parser, data, end):
    """What a session does that must stop in front of a request: its bytes are kept again, all of them."""
    assert parser.feed(PING + data[:end]) == ([[b"PING"]], None)
    parser.unread()
    assert parser.kept_bytes == len(data[:end])
    assert parser.feed(data[end:]) == parse(data)


def test_forget_with_blocks(parser):
    data = request(b"MSET", b"a" * BIG, b"b" * BIG)
    feed_all(parser, [data[:100], data[100:-1]])


def test_mutations_and_garbage():
    fuzz(3000, random.randrange(1_000_000))
