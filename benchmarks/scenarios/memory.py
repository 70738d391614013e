"""Resident memory per key, while growing, and after most keys are gone."""

import statistics
import time
from collections.abc import Callable, Iterable, Sequence

from benchmarks.resident import resident_bytes, settled_resident_bytes
from benchmarks.results import METRICS, Reading, readings
from benchmarks.scenarios.base import Panel, Scenario
from minikv.compare import wire
from minikv.compare.server import RunningServer

EXPIRY_SECONDS = b"36000"  # longer than any run
INTEGER_BASE = 1_000_000  # makes every integer seven digits long
SHAPES: dict[str, bytes] = {
    "8 B values": wire.template(b"SET", wire.KEY, b"x" * 8),
    "32 B values": wire.template(b"SET", wire.KEY, b"x" * 32),
    "integer with expiry": wire.template(b"SET", wire.KEY, b"%07d", b"EX", EXPIRY_SECONDS),
    "100 B values": wire.template(b"SET", wire.KEY, b"x" * 100),
    "1 KB values": wire.template(b"SET", wire.KEY, b"x" * 1024),
}
GROWING = "8 B values, growing"
GROWTH_STEPS = 10  # the sweep from n to 2n keys takes eleven samples


def growth_case(step: int) -> str:
    return f"{1 + step / GROWTH_STEPS:.1f} n"


def shape_numbers(shape: str, keys: range) -> Iterable[int | tuple[int, ...]]:
    """What to fill a shape's template with: the key's number, and the value's if it has one."""
    if shape == "integer with expiry":
        return ((key, INTEGER_BASE + key) for key in keys)
    return keys


def growth_since_start(server: RunningServer) -> Callable[[], int]:
    """A function that gives the resident memory added since this call, once settled."""
    empty = resident_bytes(server.pid)
    return lambda: settled_resident_bytes(server.pid, quiet=0.3, limit=3) - empty


class Memory(Scenario):
    name = "memory"
    title = "resident memory per key, 16 B keys"
    headline = ("bytes_per_key",)
    most_repeats = 1

    def cases(self) -> Sequence[str]:
        return [*SHAPES, GROWING]

    def panels(self) -> list[Panel]:
        title = METRICS["bytes_per_key"].title
        growth = [growth_case(step) for step in range(GROWTH_STEPS + 1)]
        return [
            Panel(title, "bytes_per_key", [*list(SHAPES)[:3], GROWING]),
            Panel(title, "bytes_per_key", list(SHAPES)[3:]),
            Panel(
                f"{title}, 8 B values, n = {self.scale.memory_keys:,}", "bytes_growing", growth, as_lines=True
            ),
        ]

    def measure(self, case: str, server: RunningServer) -> list[Reading]:
        grown = growth_since_start(server)
        keys = self.scale.memory_keys
        if case == GROWING:
            return self.measure_growing(server, grown)
        wire.fill(server.port, SHAPES[case], shape_numbers(case, range(keys)))
        return readings(case, bytes_per_key=grown() / keys)

    def measure_growing(self, server: RunningServer, grown: Callable[[], int]) -> list[Reading]:
        """The mean over a doubling, in which every table passes through all its fill levels once."""
        first = self.scale.memory_keys
        taken: list[Reading] = []
        filled = 0
        for step in range(GROWTH_STEPS + 1):
            keys = first + first * step // GROWTH_STEPS
            wire.fill(server.port, SHAPES["8 B values"], range(filled, keys))
            filled = keys
            taken += readings(growth_case(step), bytes_growing=grown() / keys)
        return [*readings(GROWING, bytes_per_key=statistics.mean(each.value for each in taken)), *taken]


class Reclaim(Scenario):
    """Memory given back once nine keys of every ten are deleted, spread over the whole keyspace."""

    name = "reclaim"
    title = "memory given back, 32 B values, counted above the empty server"
    headline = ("resident_over_used", "resident_mb", "used_mb")
    most_repeats = 1

    def cases(self) -> Sequence[str]:
        return ["filled", "90 % deleted"]

    def measure(self, case: str, server: RunningServer) -> list[Reading]:
        empty_resident, empty_used = resident_bytes(server.pid), wire.used_memory(server.port)
        keys = range(self.scale.deleted_from)
        wire.fill(server.port, SHAPES["32 B values"], keys)
        if case == "90 % deleted":
            wire.fill(server.port, wire.template(b"DEL", wire.KEY), (key for key in keys if key % 10))
            time.sleep(2)  # servers give memory back from their timers
        resident = settled_resident_bytes(server.pid, quiet=1, limit=10) - empty_resident
        used = wire.used_memory(server.port) - empty_used
        return readings(
            case, resident_over_used=resident / used, resident_mb=resident / 1e6, used_mb=used / 1e6
        )
