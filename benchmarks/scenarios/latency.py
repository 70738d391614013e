"""The tail of an unpipelined GET while another client inserts keys without pause."""

import gc
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks.results import Reading, percentile, readings, with_omitted
from benchmarks.scenarios.base import Scenario
from minikv.compare import wire
from minikv.compare.errors import MeasurementError
from minikv.compare.server import RunningServer

KEYS = 100_000  # that the GETs read
INSERTS_PER_SECOND = 125_000  # below what any of the servers can take, also on a slow machine
START_LIMIT = 20  # seconds that the inserting process may take to start
LATENESS = 4  # times its due length that the inserting may take, on a machine with other work
PROBE_INTERVAL = 250_000  # nanoseconds from one GET to the next


def probe(port: int, inserter: "subprocess.Popen[str]", limit: float) -> list[int]:
    """GETs at a steady pace until the inserter ends, within `limit` seconds; nanoseconds each."""
    request = wire.template(b"GET", wire.KEY)
    samples = []
    with wire.connect(port) as connection:
        send, receive, clock = connection.sendall, connection.recv, time.perf_counter_ns
        key, due = 0, clock()
        give_up = due + int(limit * 1e9)
        while inserter.poll() is None:
            if due > give_up:
                raise MeasurementError(f"the inserts were not done after {limit:.0f} s")
            key = (key + 7919) % KEYS  # a prime stride: no two neighbours in a row
            text = request % key
            wait = due - clock()
            if wait > 0:
                time.sleep(wait / 1e9)
            start = clock()
            send(text)
            reply = receive(4096)
            end = clock()
            if not reply.startswith(b"$3"):
                raise MeasurementError(f"GET answered {reply[:80]!r}")
            samples.append(end - start)
            due = max(due + PROBE_INTERVAL, end)
    return samples


class Latency(Scenario):
    name = "latency"
    title = f"one client's GETs while another inserts {INSERTS_PER_SECOND:,} keys/s of 32 B values"
    headline = ("p999_ms", "worst_ms", "insert_rate")

    def cases(self) -> Sequence[str]:
        return ["GET beside inserts"]

    def prepare(self, server: RunningServer) -> None:
        wire.fill(server.port, wire.template(b"SET", wire.KEY, b"xxx"), range(KEYS))

    def measure(self, case: str, server: RunningServer) -> list[Reading]:
        keys = self.scale.inserted_keys
        command = [
            sys.executable,
            "-m",
            "benchmarks.insert",
            str(server.port),
            str(keys),
            str(INSERTS_PER_SECOND),
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as inserter:
            gc.disable()
            try:
                samples = probe(
                    server.port, inserter, limit=START_LIMIT + LATENESS * keys / INSERTS_PER_SECOND
                )
            finally:
                gc.enable()
                inserter.kill()
            assert inserter.stdout is not None
            output = inserter.stdout.read()
        if inserter.returncode or not output:
            raise MeasurementError("the inserting client failed")
        completed = with_omitted(samples, PROBE_INTERVAL)
        return readings(
            case,
            p50_ms=percentile(completed, 500) / 1e6,
            p99_ms=percentile(completed, 990) / 1e6,
            p999_ms=percentile(completed, 999) / 1e6,
            raw_p999_ms=percentile(samples, 999) / 1e6,
            worst_ms=max(samples) / 1e6,
            insert_rate=keys / float(output),
        )
