"""What idle connections cost: memory each, and the speed of the active ones beside them."""

import contextlib
import socket
import struct
from collections.abc import Iterator, Sequence

from benchmarks.generator import Load
from benchmarks.resident import resident_bytes, settled_resident_bytes
from benchmarks.results import METRICS, Reading, readings
from benchmarks.scenarios.base import Panel, Scenario
from benchmarks.scenarios.throughput import measure_load
from minikv.compare import wire
from minikv.compare.errors import MeasurementError
from minikv.compare.server import RunningServer

ABORT_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER of zero: no TIME_WAIT, so ports do not run out
KEYS = 100_000
REQUESTS = 200_000
PING = wire.encode(b"PING")


@contextlib.contextmanager
def held(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Connections that each have been used once and then idle."""
    connections: list[socket.socket] = []
    try:
        for _ in range(count):
            connection = wire.connect(port)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT_ON_CLOSE)
            connections.append(connection)
            wire.exchange(connection, PING, 1)
        yield connections
    finally:
        for connection in connections:
            connection.close()


def count_alive(connections: list[socket.socket]) -> int:
    """How many still answer."""
    alive = 0
    for connection in connections:
        with contextlib.suppress(OSError, MeasurementError):
            alive += wire.exchange(connection, PING, 1) == b"+PONG\r\n"
    return alive


class Connections(Scenario):
    name = "connections"
    title = "50 active clients (GET, no pipeline) beside idle connections"
    headline = ("bytes_per_connection", "rps", "cpu_us", "held_connections")
    most_repeats = 3

    def cases(self) -> Sequence[str]:
        return [f"{count:,} held" for count in self.scale.connections]

    def panels(self) -> list[Panel]:
        idle = Panel(METRICS["bytes_per_connection"].title, "bytes_per_connection", ["idle"])
        beside = [Panel(METRICS[metric].title, metric, self.cases()) for metric in ("rps", "p999_ms")]
        return [idle, *beside]

    def measure(self, case: str, server: RunningServer) -> list[Reading]:
        count = int(case.removesuffix(" held").replace(",", ""))
        before = resident_bytes(server.pid)
        with held(server.port, count) as connections:
            taken: list[Reading] = []
            if count == max(self.scale.connections):
                # Redis shrinks idle connections' buffers after 2 s, and its allocator gives the pages back
                # over 10 s more: 4,100 to 5,300 bytes a connection at once, 1,900 to 2,000 in the end.
                resident = settled_resident_bytes(server.pid, quiet=5, limit=25)
                taken += readings("idle", bytes_per_connection=(resident - before) / count)
            wire.fill(server.port, wire.template(b"SET", wire.KEY, b"xxx"), range(KEYS))
            load = Load("get", pipeline=1, requests=int(REQUESTS * self.scale.requests), keyspace=KEYS)
            taken += measure_load(case, server, load)
            alive = count_alive(connections)
        if alive < count:
            raise MeasurementError(f"{count - alive} of {count} held connections were lost")
        return [*taken, *readings(case, held_connections=alive)]
