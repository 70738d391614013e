"""How late keys leave, by the server's own `expired` events, and what their leaving costs."""

import re
import socket
import time
from collections.abc import Sequence

from benchmarks.results import Reading, percentile, readings
from benchmarks.scenarios.base import Scenario
from minikv.compare import wire
from minikv.compare.errors import MeasurementError
from minikv.compare.server import RunningServer

KEYS_PER_MS = 10
FILL_SECONDS_PER_KEY = 8e-6  # set aside for inserting, before the first key is due
LAST_WAIT = 15.0  # seconds after the last key is due, for the stragglers
CHANNEL = b"__keyevent@0__:expired"
EVENT = re.compile(rb"\r\nkey:(\d{12})\r\n")
CONFIRMATION_LINES = wire.encode(b"subscribe", CHANNEL).count(b"\n") + 1
EVENT_BYTES = len(wire.encode(b"message", CHANNEL, b"key:000000000000"))


def listen(connection: socket.socket, first_due_ms: int, keys: int) -> list[float]:
    """Read events until every key has left; how late each was, in milliseconds."""
    lateness: list[float] = []
    give_up = first_due_ms / 1000 + keys / KEYS_PER_MS / 1000 + LAST_WAIT
    pending = b""
    connection.settimeout(1.0)
    while len(lateness) < keys and time.time() < give_up:
        try:
            pending += connection.recv(1 << 20)
        except TimeoutError:
            continue
        now = time.time() * 1000
        whole = len(pending) - len(pending) % EVENT_BYTES
        numbers = map(int, EVENT.findall(pending[:whole]))
        lateness += [now - first_due_ms - number // KEYS_PER_MS for number in numbers]
        pending = pending[whole:]
    return lateness


class Expiry(Scenario):
    name = "expiry"
    title = f"keys expiring evenly, {KEYS_PER_MS * 1000:,} a second"
    headline = ("late_p50_ms", "late_p99_ms", "late_worst_ms", "server_busy")
    most_repeats = 1

    def cases(self) -> Sequence[str]:
        return ["even"]

    def measure(self, case: str, server: RunningServer) -> list[Reading]:
        keys = self.scale.expiring_keys
        wire.command(server.port, b"CONFIG", b"SET", b"notify-keyspace-events", b"Ex")
        first_due_ms = int((time.time() + 1 + keys * FILL_SECONDS_PER_KEY) * 1000)
        request = wire.template(b"SET", wire.KEY, b"x" * 8, b"PXAT", b"%013d")
        with wire.connect(server.port) as subscriber:
            subscriber.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            wire.exchange(subscriber, wire.encode(b"SUBSCRIBE", CHANNEL), CONFIRMATION_LINES)
            wire.fill(server.port, request, ((key, first_due_ms + key // KEYS_PER_MS) for key in range(keys)))
            if time.time() * 1000 > first_due_ms:
                raise MeasurementError("the keys were not in before the first was due")
            time.sleep(max(0.0, first_due_ms / 1000 - time.time()))
            cpu = server.cpu_seconds()
            lateness = listen(subscriber, first_due_ms, keys)
            cpu = server.cpu_seconds() - cpu
        if len(lateness) < keys:
            raise MeasurementError(f"{keys - len(lateness)} of {keys} expired events never came")
        return readings(
            case,
            late_p50_ms=percentile(lateness, 500),
            late_p99_ms=percentile(lateness, 990),
            late_worst_ms=max(lateness),
            server_busy=cpu / (keys / KEYS_PER_MS / 1000),
        )
