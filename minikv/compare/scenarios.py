"""What is measured: one row a scenario."""

from dataclasses import dataclass, replace
from typing import Literal

from minikv.compare import wire

KEYS = 10_000
VALUE_FILL = b"x" * 20  # after the twelve digits of the key, so that a reply shows whose value it is
GET_SHARE = 4  # GETs for each SET

Template = tuple[bytes, bytes, float]  # request, reply, weight


def _numbered(text: bytes) -> bytes:
    return text.replace(b"%012d", b"#" * 12)


VALUE = b"%012d" + VALUE_FILL
SET = wire.template(b"SET", wire.KEY, VALUE)
GET = wire.template(b"GET", wire.KEY)
BULK = b"$%d\r\n" % (12 + len(VALUE_FILL)) + VALUE + b"\r\n"
WORK: dict[str, list[Template]] = {
    "mix": [
        (_numbered(GET), _numbered(BULK), GET_SHARE),
        (_numbered(SET), b"+OK\r\n", 1),
    ],
    "sleep": [(wire.encode(b"DEBUG", b"SLEEP", b"0.01"), b"+OK\r\n", 1)],
}


@dataclass(frozen=True)
class Scenario:
    """One kind of load."""

    name: str
    group: str
    title: str
    connections: int = 50
    pipeline: int = 1
    slow: int = 0  # further connections that send a byte every 10 ms
    churn: bool = False
    paced_ms: int = 0
    work: Literal["mix", "sleep"] = "mix"
    idle: bool = False  # connect, and look at what that alone costs
    in_quick: bool = True
    traced: bool = True  # system calls are counted
    lengthened: float = 1.0  # factor on the length of a measurement


@dataclass(frozen=True)
class Group:
    """Scenarios that a reader looks at together."""

    name: str
    title: str
    lesson: str


GROUPS = (
    Group(
        "connections",
        "Throughput by number of connections",
        "Each connection asks, waits for the answer, and asks again: four GETs for each SET. With one "
        "connection the round trip decides. With many, a model shows what it pays to find the ready ones "
        "among them.",
    ),
    Group(
        "pipeline",
        "Pipelines",
        "50 connections that send 16 or 100 requests at once and wait for all replies. The system calls are "
        "shared by the whole batch, so what is left is the engine, which is the same in every model.",
    ),
    Group(
        "slow",
        "Slow clients",
        "50 ordinary connections beside 64 that send their requests a byte at a time. An event loop does not "
        "care; a pool of blocking workers waits for every byte.",
    ),
    Group(
        "blocking",
        "Work that blocks",
        "Each request waits 10 ms, as one to a slow disk would. An event loop waits with it, and all its "
        "clients do; a pool, or a thread or process for each connection, waits in many places at once.",
    ),
    Group(
        "churn",
        "A connection for each request",
        "50 clients that connect, ask once, read the answer and close. Time counts from the connect.",
    ),
    Group(
        "many",
        "10,000 quiet connections",
        "What a connection costs when it does nothing, and when it sends one request a second. The memory "
        "is the processes' own (Pss); the kernel's part, such as socket buffers, is not in it.",
    ),
)


def _connections(count: int) -> Scenario:
    title = f"{count:,} connection{'s' if count > 1 else ''}"
    return Scenario(f"conns-{count}", "connections", title, connections=count)


def _many(count: int) -> Scenario:
    return replace(_connections(count), in_quick=False, lengthened=2)


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        _connections(1),
        _connections(50),
        _connections(500),
        _many(5_000),
        _many(10_000),
        Scenario("pipeline-16", "pipeline", "16 requests at once", pipeline=16, in_quick=False),
        Scenario("pipeline-100", "pipeline", "100 requests at once", pipeline=100),
        Scenario("slow", "slow", "50 connections beside 64 slow ones", slow=64),
        # A loop answers all 50 at once, after half a second.
        Scenario(
            "blocking",
            "blocking",
            "each request waits 10 ms, 50 connections",
            work="sleep",
            traced=False,
            lengthened=2.5,
        ),
        Scenario("churn", "churn", "connect, ask, close: 50 at a time", churn=True),
        Scenario("idle", "many", "10,000 idle connections", connections=10_000, idle=True, traced=False),
        Scenario(
            "paced",
            "many",
            "10,000 connections, one request a second each",
            connections=10_000,
            paced_ms=1000,
            in_quick=False,
            traced=False,
        ),
    )
}


@dataclass(frozen=True)
class Scale:
    """Everything that sets the length of a run; times in seconds."""

    window: float = 1.2  # measured at a time
    warm_up: float = 0.3
    connect: float = 10.0  # until all connections must have had an answer
    drain: float = 4.0  # for what is owed at the end
    settle: float = 3.0  # idle connections, before their memory is read
    paced: float = 10.0  # measured of a paced load
    trace: float = 0.3  # with system calls counted
    start: float = 15.0  # until a server answers
    stop: float = 3.0  # for a server to end by itself
    rounds: int = 3
    limit: float = 28 * 60  # after which no further turn starts


QUICK = Scale(
    window=0.3,
    warm_up=0.1,
    connect=5.0,
    drain=2.0,
    settle=0.3,
    paced=2.0,
    trace=0.1,
    start=6.0,
    stop=1.0,
    rounds=1,
    limit=160,
)
