"""Feed the parser valid traffic, mutations of it and garbage, whole and cut, and compare.

python tests/core/fuzz_parser.py [inputs] [seed]
"""

import random
import sys
import time

from minikv_core.parser import ParserHandle

TOKENS = [
    b"*1\r\n", b"*0\r\n", b"*-1\r\n", b"*2147483647\r\n", b"*2147483648\r\n", b"*11\r\n", b"*03\r\n",
    b"*\r\n", b"$0\r\n\r\n", b"$-1\r\n", b"$4\r\n", b"$1000\r\n", b"$40000\r\n", b"$99999999999999999999\r\n",
    b"$512\r\n", b"$536870912\r\n", b"$01\r\n", b"$+1\r\n", b"$", b"*", b"\r\n", b"\n", b"\r", b"\0",
    b"PING\r\n", b"ECHO 'a", b'"', b"'", b"\\", b'"\\x41"', b"\xff", b" ", b"\t", b"\v", b"1", b"9", b"-",
]  # fmt: skip
WORDS = [b"PING", b"'a b'", b'"\\x00\\n"', b"''", b'x"y z"', b"12"]
LENGTHS = [0, 1, 2, 3, 8, 9, 10, 11, 99, 100, 101, 300]
MAX_INPUT = 60_000  # below INLINE_MAX, above which an unfinished line is a violation, wherever it is cut


def request(*args: bytes) -> bytes:
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%b\r\n" % (len(arg), arg) for arg in args)


def valid_request(rng: random.Random) -> bytes:
    if rng.random() < 0.15:
        return b" ".join(rng.choices(WORDS, k=rng.randrange(4))) + rng.choice([b"\n", b"\r\n"])
    if rng.random() < 0.05:
        return request(*[b"%d" % i for i in range(rng.randrange(70))])
    args = [rng.randbytes(rng.choice(LENGTHS)) for _ in range(rng.randrange(1, 6))]
    if rng.random() < 0.01:
        args[rng.randrange(len(args))] = bytes(rng.randrange(32_760, 50_000))
    return request(*args)


def mutate(rng: random.Random, data: bytearray) -> None:
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(5):
            case 0:
                data[at : at + 1] = rng.randbytes(1)
            case 1:
                del data[at : at + rng.randrange(1, 8)]
            case 2:
                data[at:at] = rng.choice(TOKENS)
            case 3:
                data[at:at] = data[at : at + rng.randrange(1, 40)]
            case 4:
                del data[at:]


def make_input(rng: random.Random) -> bytes:
    kind = rng.random()
    if kind < 0.1:
        return b"".join(rng.choice(TOKENS) for _ in range(rng.randrange(1, 20)))
    if kind < 0.15:
        return rng.randbytes(rng.randrange(1, 100))
    data = bytearray(b"".join(valid_request(rng) for _ in range(rng.choice([1, 2, 3, 3, 40]))))
    if kind < 0.8:
        mutate(rng, data)
    return bytes(data[:MAX_INPUT])


def feed_cut(handle: ParserHandle, data: bytes, rng: random.Random) -> tuple[list[list[bytes]], bytes | None]:
    """Feed data in random pieces, part of it past the buffer; unread and read again where a session may."""
    most = rng.choice([1, 3, 20, 500, 20_000])
    if len(data) > 2000:
        most = max(most, 500)
    requests: list[list[bytes]] = []
    while data:
        if rng.random() < 0.5:
            data = data[handle.feed_big(data[: rng.randint(1, most)]) :]
        size = rng.randint(0, most)
        found, error = handle.feed(data[:size])
        data = data[size:]
        requests += found
        if error is not None:
            return requests, error
        if found and rng.random() < 0.2:
            handle.unread()
    found, error = handle.feed(b"")
    return requests + found, error


def fuzz(inputs: int, seed: int) -> None:
    """Raise if an input gives other requests when it is cut, or leaves anything behind in the arena."""
    rng = random.Random(seed)
    handles = [ParserHandle(bulk=1 << 20), ParserHandle(authenticated=False), ParserHandle(bulk=45_000)]
    empty = [handle.arena_used for handle in handles]
    for number in range(inputs):
        data = make_input(rng)
        at = rng.choice([0, 0, 1, 2])
        whole = handles[at].feed(data)
        handles[at].forget()
        cut = feed_cut(handles[at], data, rng)
        handles[at].forget()
        if whole != cut:
            raise AssertionError(f"input {number} of seed {seed}, {len(data)} bytes: {data[:2000]!r}")
        if number % 1000 == 0 and [handle.arena_used for handle in handles] != empty:
            raise AssertionError(f"blocks leaked before input {number} of seed {seed}")
    if [handle.arena_used for handle in handles] != empty:
        raise AssertionError(f"blocks leaked, seed {seed}")


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    first_seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    begun = time.monotonic()
    fuzz(count, first_seed)
    took = time.monotonic() - begun
    print(f"{count} inputs, seed {first_seed}: whole and cut agree, no blocks left, {took:.0f} s")
