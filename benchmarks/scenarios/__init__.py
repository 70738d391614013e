"""What is measured, one family a file."""

from benchmarks.scenarios.base import Scale, Scenario
from benchmarks.scenarios.connections import Connections
from benchmarks.scenarios.expiry import Expiry
from benchmarks.scenarios.latency import Latency
from benchmarks.scenarios.memory import Memory, Reclaim
from benchmarks.scenarios.throughput import LargeKeyspace, Throughput
from benchmarks.scenarios.types import TypesCpu, TypesMemory

SCENARIOS: tuple[type[Scenario], ...] = (
    Throughput,
    LargeKeyspace,
    TypesCpu,
    Memory,
    TypesMemory,
    Connections,
    Latency,
    Reclaim,
    Expiry,
)

__all__ = ["SCENARIOS", "Scale", "Scenario"]
