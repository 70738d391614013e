"""Feed whole sessions valid traffic, mutations of it and garbage, and look at every reply and all memory.

    python tests/wire/fuzz_wire.py --inputs 1000000 --seed 1

Inputs come in rounds, each on a store of its own with settings of its own, and each made from one seed.
A failure names its round's seed: `--inputs 1 --seed THAT` plays that round again.
"""

import argparse
import logging
import random
import sys
import time
from collections.abc import Callable
from itertools import pairwise, zip_longest
from unittest import mock

from minikv_core.decode import decode
from minikv_core.registry import by_name, specs
from minikv_core.sessionhandle import SessionHandle, check, take_turn

import minikv
from minikv import host
from minikv.registry import CommandSpec
from minikv.syntax_line import Argument, parse

ROUND = 200  # inputs
CLIENTS = 5
CHECK_EVERY = 25  # inputs between two walks over all memory
MOST = sys.maxsize
RESTORED = (  # figures that must be at a round's end as at its start
    "arena_used", "clients", "tables", "sessions", "monitors", "blocked", "subscribers", "watched",
    "channels", "patterns", "shard_channels", "waited_keys", "trackers", "tracked_keys", "tracked_items",
    "tracked_prefixes",
)  # fmt: skip

# ---------------------------------------------------------------- words

KEYS = [b"k%d" % i for i in range(9)] + [b"", b"\xff\0 \r\n", b"K" * 300]
CHANNELS = [b"a", b"b", b"news", b"__keyevent@0__:set", b""]
PATTERNS = [b"*", b"k?", b"k[0-4]", b"n*s", b"[^a", b"a*" * 30 + b"b", b"\\*", b"__key*", b""]
TEXTS = [
    b"", b"0", b"12", b"-7", b"9223372036854775807", b"1.5", b"nan", b"inf", b"+3", b" 4", b"x" * 11,
    b"y" * 44, b"z" * 45, b"w" * 200, b"\r\n", b"*1\r\n$4\r\nPING\r\n",
]  # fmt: skip
INTEGERS = [
    b"0", b"1", b"-1", b"2", b"3", b"10", b"100", b"70000", b"-100", b"2147483648", b"9223372036854775807",
    b"-9223372036854775808", b"9223372036854775808", b"", b"no", b"1.5", b"0x10", b"01",
]  # fmt: skip
COUNTS = [b"0", b"1", b"2", b"3", b"10", b"1000", b"-1", b"no"]
DATABASES = [b"0", b"0", b"1", b"2", b"15", b"16", b"-1", b"no"]
SECONDS = [b"1", b"100", b"0", b"-1", b"9223372036854775", b"9223372036854775807", b"no"]
MILLISECONDS = [b"1", b"2", b"5", b"100000", b"0", b"-1", b"9223372036854775807", b"no"]
IDS = [b"%d" % i for i in range(1, 30)] + [b"0", b"-1", b"no"]
NEVER = {"shutdown", "config|rewrite"}
ENGINE = [spec for spec in specs if spec.function is None and spec.name not in NEVER]
PYTHON = [  # without those of other tests
    spec
    for spec in specs
    if getattr(spec.function, "__module__", "").startswith("minikv.commands") and spec.name not in NEVER
]
NAMES = [spec.name.encode() for spec in ENGINE + PYTHON]
BY_TYPE = {
    "key": KEYS,
    "string": TEXTS,
    "integer": INTEGERS,
    "double": TEXTS,
    "pattern": PATTERNS,
    "unix-time": [b"1", b"1000000000", b"4000000000", b"4000000000000", *INTEGERS],
}
BY_NAME = {
    "db": DATABASES, "index": DATABASES, "index1": DATABASES, "index2": DATABASES,
    "destination-db": DATABASES,
    "seconds": SECONDS, "milliseconds": MILLISECONDS, "timeout": [b"0", b"1", b"2", b"no"],
    "client-id": IDS, "cursor": [b"0", b"0", b"1", b"77777", b"18446744073709551615", b"no"],
    "count": COUNTS, "numkeys": COUNTS[1:4], "version": [b"5"], "protover": [b"2", b"3", b"3"],
    "channel": CHANNELS, "shardchannel": CHANNELS, "username": [b"default", b"default", b"somebody"],
    "password": [b"secret", b"secret", b"secret", b"wrong"], "connection-name": [b"me", b"you", b"", b"a b"],
    "clientname": [b"me", b"a b"], "prefix": [b"k", b"k1", b"", b"K"],
    "command": NAMES, "command-name": NAMES, "ip:port": [b"?:0"],
    "section": [b"server", b"memory", b"keyspace", b"none"], "type": [b"string", b"list", b"none"],
    "parameter": [b"maxmemory", b"*policy", b"save", b"none"], "event": [b"command", b"none"],
}  # fmt: skip
SETTINGS = [
    [b"maxmemory", b"0", b"2mb", b"100mb"],
    [b"maxmemory-policy", *(name.encode() for name in host.POLICIES)],
    [b"maxmemory-samples", b"1", b"5", b"64"],
    [b"maxmemory-clients", b"0", b"0", b"2mb", b"50%"],
    [b"maxmemory-eviction-tenacity", b"0", b"10", b"100"],
    [b"lfu-log-factor", b"0", b"10"],
    [b"lfu-decay-time", b"0", b"1"],
    [b"proto-max-bulk-len", b"1048576", b"1mb", b"1"],
    [b"client-query-buffer-limit", b"1048576", b"2mb"],
    [b"client-output-buffer-limit", b"normal 20000 0 0", b"pubsub 20000 0 0", b"normal 0 0 0 pubsub 0 0 0"],
    [b"notify-keyspace-events", b"", b"KEA", b"KEAmno", b"Kx"],
    [b"slowlog-log-slower-than", b"0", b"-1", b"10000"],
    [b"slowlog-max-len", b"0", b"1", b"128"],
    [b"tracking-table-max-keys", b"1", b"3", b"1000000"],
    [b"latency-monitor-threshold", b"0", b"1"],
    [b"latency-tracking", b"yes", b"no"],
    [b"lazyfree-lazy-user-del", b"yes", b"no"],
    [b"lazyfree-lazy-user-flush", b"yes", b"no"],
    [b"lazyfree-lazy-server-del", b"yes", b"no"],
    [b"lazyfree-lazy-expire", b"yes", b"no"],
    [b"active-expire-effort", b"1", b"10"],
    [b"hz", b"1", b"500"],
    [b"databases", b"3"],
    [b"none", b"1"],
]
DEBUG = [
    [b"OBJECT", b"k1"], [b"SDSLEN", b"k2"], [b"HTSTATS", b"0"], [b"DIGEST"], [b"DIGEST-VALUE", b"k1", b"k2"],
    [b"STRINGMATCH-LEN", b"a*" * 30, b"a" * 200], [b"STRUCTSIZE"], [b"SET-ACTIVE-EXPIRE", b"0"],
    [b"SET-ACTIVE-EXPIRE", b"1"], [b"REPLYBUFFER", b"PEAK-RESET-TIME", b"0"], [b"ERROR", b"ERR of a test"],
    [b"PROTOCOL", b"map"], [b"PROTOCOL", b"double"], [b"PROTOCOL", b"bignum"], [b"PROTOCOL", b"verbatim"],
]  # fmt: skip
BOOSTED = [
    "get", "get", "get", "set", "set", "set", "set", "append", "append", "setrange", "getrange", "getrange",
    "mget", "mset", "incr", "incrby", "incrbyfloat", "del", "unlink", "rename", "copy", "expire", "pexpire",
    "getex", "lcs", "scan", "multi", "exec", "exec", "watch", "unwatch", "publish", "publish", "subscribe",
    "unsubscribe", "unsubscribe", "hello", "client|reply", "client|unpause", "config|set", "client|tracking",
    "client|tracking", "client|caching", "rpush", "rpush", "lpush", "blpop", "blpop", "blmove",
    "client|unblock",
]  # fmt: skip
# Commands after which replies may be more, or fewer, than requests.
UNEVEN = {
    "subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe", "monitor", "quit",
    "client|kill",
}  # fmt: skip
SYNTAX = {spec.name: parse(spec.args) for spec in ENGINE + PYTHON}


def config_set(rng: random.Random) -> list[bytes]:
    rows = rng.sample(SETTINGS, rng.choice([1, 1, 1, 2, 3]))
    return [word for name, *values in rows for word in (name, rng.choice(values))]


def some_request(rng: random.Random) -> list[bytes]:
    return request_words(rng, rng.choice(ENGINE))


SPECIAL: dict[str, Callable[[random.Random], list[bytes]]] = {
    "config|set": config_set,
    "debug": lambda rng: rng.choice(DEBUG),
    "command|getkeys": some_request,
    "command|getkeysandflags": some_request,
}


def words_of(rng: random.Random, argument: Argument) -> list[bytes]:
    """Words that fit an argument of a command's syntax, and some that do not."""
    if "optional" in argument.flags and rng.random() < 0.6:
        return []
    found = []
    for i in range(rng.choice([1, 1, 1, 2, 3]) if "multiple" in argument.flags else 1):
        if argument.token and (i == 0 or "multiple_token" in argument.flags):
            found.append(argument.token.encode())
        if argument.type == "oneof":
            found += words_of(rng, rng.choice(argument.arguments))
        elif argument.type == "block":
            for inner in argument.arguments:
                found += words_of(rng, inner)
        elif argument.type != "pure-token":
            found.append(value_of(rng, argument))
    return found


def value_of(rng: random.Random, argument: Argument) -> bytes:
    pool = BY_NAME.get(argument.name) or BY_TYPE[argument.type]
    if pool is TEXTS and rng.random() < 0.3:
        length = rng.choice([0, 1, 11, 12, 44, 45, 200, 1000, 1000, 5000])
        if rng.random() < 0.03:
            length = rng.choice([32_767, 32_768, 40_000, 70_000])
        return rng.randbytes(length) if rng.random() < 0.2 else bytes([rng.randrange(256)]) * length
    return rng.choice(pool)


def request_words(rng: random.Random, spec: CommandSpec) -> list[bytes]:
    words = spec.name.encode().split(b"|")
    if rng.random() < 0.5:
        words = [word.upper() for word in words]
    if rng.random() < 0.03:
        return words + rng.choices(KEYS + TEXTS, k=rng.randrange(5))
    if spec.name in SPECIAL:
        return words + SPECIAL[spec.name](rng)
    for argument in SYNTAX[spec.name]:
        words += words_of(rng, argument)
    return words


def choose_command(rng: random.Random) -> CommandSpec:
    kind = rng.random()
    if kind < 0.55:
        return by_name[rng.choice(BOOSTED)]
    return rng.choice(PYTHON if kind < 0.61 else ENGINE)


# ---------------------------------------------------------------- bytes

TOKENS = [
    b"*1\r\n", b"*0\r\n", b"*-1\r\n", b"*3\r\n", b"*1048576\r\n", b"*1048577\r\n", b"*2147483648\r\n",
    b"*99999999999999999999\r\n", b"*03\r\n", b"*\r\n", b"$0\r\n\r\n", b"$-1\r\n", b"$3\r\nGET\r\n",
    b"$40000\r\n", b"$1048576\r\n", b"$1048577\r\n", b"$9999999999\r\n", b"$01\r\n", b"$+1\r\n", b"$", b"*",
    b"\r\n", b"\n", b"\r", b"\0", b"PING\r\n", b"GET k1\r\n", b"ECHO 'a", b'"', b"'", b"\\", b'"\\x41"',
    b"\xff", b" ", b"1", b"9", b"-", b"*1\r\n$4\r\nEXEC\r\n", b"*1\r\n$5\r\nRESET\r\n",
]  # fmt: skip
LENGTHS = [
    b"-1", b"0", b"1", b"4", b"1048576", b"1048577", b"2147483647", b"2147483648", b"4294967296",
    b"9999999999", b"-9223372036854775808", b"99999999999999999999", b"", b"00", b"+1", b"1 ",
]  # fmt: skip


def encode(rng: random.Random, words: list[bytes]) -> bytes:
    if rng.random() < 0.08 and all(word.isalnum() for word in words):
        return b" ".join(words) + rng.choice([b"\n", b"\r\n"])
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def mutate(rng: random.Random, data: bytearray, other: bytes) -> None:
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(8):
            case 0 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                del data[at : at + rng.randrange(1, 9)]
            case 2:
                data[at:at] = rng.choice(TOKENS)
            case 3:
                data[at:at] = data[at : at + rng.randrange(1, 60)]
            case 4:
                del data[at:]
            case 5:
                start = rng.randrange(len(other) + 1)
                data[at:at] = other[start : start + rng.randrange(1, 200)]
            case 6:
                data[at : at + 1] = rng.randbytes(rng.randrange(1, 5))
            case 7:
                start = data.find(rng.choice(b"$*"), at)
                end = data.find(b"\r", start)
                if 0 <= start < end < start + 12:
                    data[start + 1 : end] = rng.choice(LENGTHS)


def cut(rng: random.Random, data: bytes) -> list[bytes]:
    """The data whole, cut at a few places, or byte by byte."""
    kind = rng.random()
    if kind < 0.6 or len(data) < 2:
        return [data]
    if kind > 0.97 and len(data) < 300:
        return [data[i : i + 1] for i in range(len(data))]
    places = sorted(rng.randrange(len(data)) for _ in range(rng.randrange(1, 5)))
    return [data[i:j] for i, j in pairwise([0, *places, len(data)])]


# ---------------------------------------------------------------- clients


class Client:
    """A session and what it has received.

    even      whether it is owed one reply for each request
    framed    whether these are whole: CLIENT REPLY OFF inside EXEC leaves its array short, as in Redis
    """

    def __init__(self, store: minikv.Store, number: int) -> None:
        self.store = store
        self.number = number
        self.open()

    def open(self) -> None:
        self.session = SessionHandle(self.store.engine, copying=bool(self.number & 2))
        self.received = bytearray()
        self.requests = self.replies = 0
        self.even = self.framed = True
        if self.number & 1:
            self.received += self.session.feed(b"HELLO 3 AUTH default secret\r\n")
            self.requests += 1

    def drain(self) -> None:
        """Take all that is owed: whole replies, and as many as requests."""
        paused = self.store.engine.facts["blocked"]
        self.received += self.session.feed(b"")
        closed = self.session.closed
        at = 0
        while self.framed and at < len(self.received):
            try:
                _, end = decode(self.received, minikv.ReplyError, at)
            except EOFError:
                if closed:
                    break
                raise AssertionError(f"a reply is cut short: {bytes(self.received[at:][:500])!r}") from None
            except ValueError as error:
                raise AssertionError(f"{error}: {bytes(self.received[at:][:500])!r}") from None
            self.replies += self.received[at] != ord(">")
            at = end
        self.received.clear()
        if self.even and self.framed and not closed and not paused:
            assert self.replies == self.requests, f"{self.requests} requests, {self.replies} replies"


class Failures(logging.Handler):
    """Collects what commands written in Python raised unexpectedly."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.texts.append(self.format(record))


class Round:
    """One store, its clients and their inputs, all made from one seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.failures = Failures()
        self.last = [b"", b"", b"", b""]  # inputs to splice from

    def play(self, inputs: int = ROUND) -> None:
        logging.getLogger("minikv").addHandler(self.failures)
        reserve = self.rng.choice([64, 64, 64, 6]) << 20
        try:
            with (
                mock.patch.object(host, "ARENA_MOST", reserve),
                minikv.Store(enable_debug_command="yes") as self.store,
            ):
                self.store.execute("PING")
                start = self.state()
                self.configure()
                self.clients = [Client(self.store, i) for i in range(CLIENTS)]
                for number in range(inputs):
                    self.step()
                    if number % CHECK_EVERY == 0:
                        check(self.store.engine)
                    assert not self.failures.texts, self.failures.texts[0]
                self.finish()
                end = self.state()
                assert start == end, (start, end)
        finally:
            logging.getLogger("minikv").removeHandler(self.failures)

    def configure(self) -> None:
        rng, engine = self.rng, self.store.engine
        engine.configure("proto_max_bulk_len", rng.choice([1 << 20, 1 << 20, 45_000, 300]))
        engine.configure("client_query_buffer_limit", rng.choice([1 << 20, 1 << 20, 100_000, 3000]))
        for output_class in (0, 2):
            engine.set_output_limit(
                output_class, rng.choice([0, 0, 20_000, 1_000_000]), rng.choice([0, 17_000]), 0
            )
        if rng.random() < 0.5:
            engine.configure("maxmemory", engine.memory()["used"] + rng.choice([0, 100_000, 300_000]))
            engine.configure("maxmemory_policy", rng.choice(list(host.POLICIES.values())))
        if rng.random() < 0.1:
            engine.configure("maxmemory_clients", rng.choice([20_000, 200_000, 1_000_000]))
        if rng.random() < 0.1:
            self.store.settings.set([("requirepass", "secret")])
        if rng.random() < 0.3:
            engine.configure("notify_keyspace_events", host.event_bits("KEA"))

    def step(self) -> None:
        """Let one client or several receive an input each, in the same turns."""
        rng = self.rng
        running = rng.sample(self.clients, rng.choice([1, 1, 1, 2, 3]))
        inputs = [self.make_input(client) for client in running]
        pieces = [cut(rng, data) for data in inputs]
        for client, data in zip(running, inputs, strict=True):
            client.framed = client.framed and b"reply" not in data.lower()
        most = rng.choice([MOST, MOST, MOST, 1, 100, 5000])
        slow = rng.random() < 0.2
        for row in zip_longest(*pieces):
            reads = [
                (client.session, piece)
                for client, piece in zip(running, row, strict=True)
                if piece is not None
            ]
            sent = take_turn(self.store.engine, reads, most)
            at = {session.id: data for (session, _), data in zip(reads, sent, strict=True)}
            for client in running:
                client.received += at.get(client.session.id, b"")
        if not slow:
            for client in running:
                client.drain()
        if rng.random() < 0.1:
            for client in self.clients:
                client.drain()
        for client in running:
            if rng.random() < (0.02 if client.even else 0.2):
                client.session.close()

    def make_input(self, client: Client) -> bytes:
        """Bytes for a client to send; it is opened anew if it was closed."""
        rng = self.rng
        kind = rng.random()
        if client.session.closed:
            client.drain()
            client.open()
        if kind < 0.03:
            client.even = False
            return b"".join(rng.choices(TOKENS, k=rng.randrange(1, 12)))
        if kind < 0.04:
            client.even = False
            return rng.randbytes(rng.randrange(1, 100))
        chosen = [choose_command(rng) for _ in range(rng.choice([1, 1, 1, 1, 2, 2, 3, 3, 4, 5, 10, 40]))]
        if rng.random() < 0.15:
            chosen = [by_name["multi"], *chosen, by_name["exec"]]
        client.requests += len(chosen)
        data = bytearray().join(encode(rng, request_words(rng, spec)) for spec in chosen)
        if kind < 0.4:
            mutate(rng, data, rng.choice(self.last))
            client.even = False
        elif any(spec.name in UNEVEN for spec in chosen):
            client.even = False
        self.last[rng.randrange(4)] = bytes(data[:3000])
        return bytes(data)

    def finish(self) -> None:
        """Close all clients, half of them by a request, and empty the store."""
        self.store.execute("CLIENT", "UNPAUSE")
        take_turn(self.store.engine, [])
        for client in self.clients:
            client.drain()
        check(self.store.engine)
        for client in self.clients[::2]:
            client.received += client.session.feed(b"\r\nQUIT\r\n") if not client.session.closed else b""
        for client in self.clients:
            client.session.close()
        self.store.execute("FLUSHALL")
        while self.store.engine.memory()["lazyfree_pending"]:
            self.store.engine.timers()
        check(self.store.engine)

    def state(self) -> dict[str, int]:
        engine = self.store.engine
        return {name: {**engine.memory(), **engine.facts}[name] for name in RESTORED}


def fuzz(inputs: int, seed: int, report: Callable[[str], None] = lambda text: None) -> None:
    """Play rounds until there were so many inputs; AssertionError names the seed of the round that fails."""
    begun = time.monotonic()
    for done in range(0, inputs, ROUND):
        number = seed + done // ROUND
        if done % (10 * ROUND) == 0:
            report(f"{done} inputs, {time.monotonic() - begun:.0f} s; next is seed {number}")
        try:
            Round(number).play()
        except Exception as error:
            raise AssertionError(f"seed {number}: {error}") from error


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    fuzz(options.inputs, options.seed, lambda text: print(text, flush=True))
    print(f"{options.inputs} inputs from seed {options.seed} on: all replies whole, no memory left")
