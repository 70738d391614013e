"""Data types: CPU per request of their commands, and resident memory per element."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from minikv_core.loadgen import LoadGenerator

from benchmarks.generator import CORE
from benchmarks.results import Reading, readings
from benchmarks.scenarios.base import Scenario
from benchmarks.scenarios.memory import growth_since_start
from minikv.compare import machine, wire
from minikv.compare.errors import MeasurementError
from minikv.compare.server import RunningServer

PIPELINE = 16
CLIENTS = 50
TIME_LIMIT = 60.0  # seconds that one load may take
ELEMENTS_PER_REQUEST = 100  # while a container is filled
DATA = b"xxx"  # what redis-benchmark pushes by default
RANDOM = b"?" * 12  # a number below `keyspace`, another one each time
RANDOM_ELEMENT = b"element:" + RANDOM


@dataclass(frozen=True)
class Case:
    """One command under load."""

    requests: int
    command: tuple[bytes, ...]
    keyspace: int = 100_000
    filled: tuple[tuple[bytes, ...], ...] = ()  # (command, key, elements' templates ...) to fill before
    elements: tuple[int, ...] = ()  # how many for each; 0 = as many as there are requests


LIST = (b"RPUSH", b"mylist", DATA)
MEMBERS = (b"ZADD", b"myzset", b"%012d", b"element:%012d")
# The commands of redis-benchmark's tests, and others.
CPU_CASES = {
    "LPUSH": Case(2_000_000, (b"LPUSH", b"mylist", DATA)),
    "RPUSH": Case(2_000_000, (b"RPUSH", b"mylist", DATA)),
    "LPOP": Case(1_000_000, (b"LPOP", b"mylist"), filled=(LIST,), elements=(0,)),
    "RPOP": Case(1_000_000, (b"RPOP", b"mylist"), filled=(LIST,), elements=(0,)),
    "SADD": Case(1_500_000, (b"SADD", b"myset", RANDOM_ELEMENT)),
    "HSET": Case(1_500_000, (b"HSET", b"myhash", RANDOM_ELEMENT, DATA)),
    "SPOP": Case(
        500_000, (b"SPOP", b"myset"), filled=((b"SADD", b"myset", b"element:%012d"),), elements=(0,)
    ),
    "ZADD": Case(700_000, (b"ZADD", b"myzset", RANDOM, RANDOM_ELEMENT)),
    "ZPOPMIN": Case(700_000, (b"ZPOPMIN", b"myzset"), filled=(MEMBERS,), elements=(0,)),
    "LRANGE_100": Case(150_000, (b"LRANGE", b"mylist", b"0", b"99"), filled=(LIST,), elements=(100_000,)),
    "LRANGE_600": Case(40_000, (b"LRANGE", b"mylist", b"0", b"599"), filled=(LIST,), elements=(100_000,)),
    "XADD": Case(1_000_000, (b"XADD", b"mystream", b"*", b"myfield", DATA)),
    "ZRANGEBYSCORE LIMIT 10": Case(
        400_000,
        (b"ZRANGEBYSCORE", b"myzset", RANDOM, b"+inf", b"LIMIT", b"0", b"10"),
        keyspace=1_000_000,
        filled=(MEMBERS,),
        elements=(1_000_000,),
    ),
    "SINTER": Case(
        6_000,
        (b"SINTER", b"large", b"small"),
        filled=((b"SADD", b"large", b"element:%012d"), (b"SADD", b"small", b"element:%012d")),
        elements=(100_000, 1_000),
    ),
}


def fill_container(port: int, words: tuple[bytes, ...], elements: int) -> None:
    """Add elements to one key, many with a request; words with a % in them are given the element's number."""
    command, key, *parts = words
    numbers = range(elements)
    for first in (0, elements - elements % ELEMENTS_PER_REQUEST):
        size = ELEMENTS_PER_REQUEST if first == 0 else elements % ELEMENTS_PER_REQUEST
        last = elements - elements % ELEMENTS_PER_REQUEST if first == 0 else elements
        request = wire.template(command, key, *(parts * size))
        numbered = sum(b"%" in part for part in parts)
        if size:
            wire.fill(port, request, element_numbers(numbers[first:last], size, numbered))


def element_numbers(numbers: range, size: int, numbered: int) -> Iterator[tuple[int, ...]]:
    """What fills a request of `size` elements in, each of which has its number `numbered` times."""
    for first in range(0, len(numbers), size):
        yield tuple(number for number in numbers[first : first + size] for _ in range(numbered))


def measure_command(name: str, server: RunningServer, case: Case, requests: int) -> list[Reading]:
    """Run one command under minikv's own load generator, which keeps even the fastest server busy.

    redis-benchmark does not: a server that is faster than it sleeps between requests and pays for waking up.
    """
    load = LoadGenerator(
        server.port,
        [(wire.encode(*case.command), None, 1.0)],
        connections=CLIENTS,
        pipeline=PIPELINE,
        keys=case.keyspace,
    )
    try:
        with machine.pinned(CORE):
            opened = load.connect(TIME_LIMIT)
            before = server.cpu_seconds()
            done = load.run(TIME_LIMIT, requests=requests)
        cpu = server.cpu_seconds() - before
    finally:
        load.close()
    if opened["standing"] != CLIENTS or done["requests"] != requests:
        complaint = done["complaint"] or opened["complaint"] or "not in time"
        raise MeasurementError(f"{done['requests']:,} of {requests:,} requests were answered: {complaint}")
    times = {
        metric: (load.latencies.percentile(percent) or 0) / 1e6
        for metric, percent in (("p50_ms", 50), ("p99_ms", 99), ("p999_ms", 99.9))
    }
    return readings(
        name,
        cpu_us=cpu / requests * 1e6,
        rps=requests / done["drained_seconds"],
        **times,
        generator_busy=min(1.0, done["cpu_seconds"] / done["seconds"]),
        server_busy=min(1.0, cpu / done["drained_seconds"]),
    )


class TypesCpu(Scenario):
    name = "types"
    title = f"commands on data types, {CLIENTS} clients, pipeline {PIPELINE}"
    headline = ("cpu_us", "rps")

    def cases(self) -> Sequence[str]:
        return list(CPU_CASES)

    def measure(self, case: str, server: RunningServer) -> list[Reading]:
        wanted = CPU_CASES[case]
        requests = int(wanted.requests * self.scale.requests)
        for words, elements in zip(wanted.filled, wanted.elements, strict=True):
            fill_container(server.port, words, elements or requests)
        return measure_command(case, server, wanted, requests)


FIVE_FIELDS = tuple(word for i in range(5) for word in (b"field%d" % i, b"x" * 8))
TEN_INTEGERS = tuple(b"%d" % (1000 + 37 * i) for i in range(10))
TEN_MEMBERS = tuple(word for i in range(10) for word in (b"%d" % i, b"member:%d" % i))
# Bytes of one element, or of one key where there are many: (template, elements, lines of a reply).
MEMORY_CASES: dict[str, tuple[bytes, int, int]] = {
    "hash of 5 fields": (wire.template(b"HSET", wire.KEY, *FIVE_FIELDS), 200_000, 1),
    "one hash": (wire.template(b"HSET", b"hash", b"field:%08d", b"value:%08d"), 1_000_000, 1),
    "one set": (wire.template(b"SADD", b"set", b"member:%08d"), 1_000_000, 1),
    "set of 10 integers": (wire.template(b"SADD", wire.KEY, *TEN_INTEGERS), 200_000, 1),
    "one sorted set": (wire.template(b"ZADD", b"zset", b"%07d", b"member:%08d"), 1_000_000, 1),
    "sorted set of 10 members": (wire.template(b"ZADD", wire.KEY, *TEN_MEMBERS), 100_000, 1),
    "one list": (wire.template(b"RPUSH", b"list", b"value:%010d"), 1_000_000, 1),
    "one stream": (
        wire.template(b"XADD", b"stream", b"*", b"first", b"%08d", b"second", b"%08d"),
        300_000,
        2,
    ),
}


class TypesMemory(Scenario):
    name = "elements"
    title = "resident memory per element of a large container, or per small container"
    headline = ("bytes_per_element",)
    most_repeats = 1

    def cases(self) -> Sequence[str]:
        return list(MEMORY_CASES)

    def measure(self, case: str, server: RunningServer) -> list[Reading]:
        request, elements, lines = MEMORY_CASES[case]
        elements = elements * self.scale.memory_keys // 1_000_000
        grown = growth_since_start(server)
        numbered = request.count(b"%0")
        wire.fill(
            server.port, request, ((number,) * numbered for number in range(elements)), reply_lines=lines
        )
        return readings(case, bytes_per_element=grown() / elements)
