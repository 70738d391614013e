"""What is measured, one family a file."""

from benchmarks.scenarios.base import Scale, Scenario
from benchmarks.scenarios.connections import Connections
from benchmarks.scenarios.expiry import Expiry
from benchmarks.scenarios.latency import Latency
from benchmarks.scenarios.memory import Memory, Reclaim
from benchmarks.scenarios.throughput import LargeKeyspace, Throughput

SCENARIOS: tuple[type[Scenario], ...] = (
    Throughput,
    LargeKeyspace,
    Memory,
    Connections,
    Latency,
    Reclaim,
    Expiry,
)

__all__ = ["SCENARIOS", "Scale", "Scenario"]
