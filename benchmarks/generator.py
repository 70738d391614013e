"""redis-benchmark as a subprocess: what it is told, and what its report says.

Its CSV form has no percentile above 99, so the plain report is read: it carries the whole distribution.
"""

import re
import resource
import shutil
import subprocess
from dataclasses import dataclass

from minikv.compare import machine
from minikv.compare.errors import MeasurementError

CORE = machine.LOAD_CORES[0]
TIME_LIMIT = 120  # seconds one run may take
PERCENTILE = re.compile(r"^([\d.]+)% <= ([\d.]+) milliseconds", re.MULTILINE)


@dataclass(frozen=True)
class Load:
    """One run of redis-benchmark on one of its tests."""

    test: str  # ping_mbulk, set, get, incr, mset, ...
    pipeline: int
    requests: int
    keyspace: int = 100_000  # keys are drawn at random below this number
    value_bytes: int = 3
    clients: int = 50


@dataclass(frozen=True)
class LoadReport:
    """What the generator saw; times in milliseconds unless the name says otherwise."""

    requests_per_second: float
    p50: float
    p99: float
    p999: float
    seconds: float
    generator_cpu_seconds: float = 0.0

    @property
    def generator_busy(self) -> float:
        """Share of its core that the generator used, 0 to 1."""
        return min(1.0, self.generator_cpu_seconds / self.seconds)


def single(pattern: str, text: str) -> re.Match[str]:
    match = re.search(pattern, text)
    if match is None:
        raise MeasurementError(f"redis-benchmark's report lacks {pattern!r}: {text[-200:]!r}")
    return match


def parse_report(text: str, generator_cpu_seconds: float = 0.0) -> LoadReport:
    """Read the plain report of a single test.

    p99.9 is the first step of the printed distribution at or above it (99.902 %).
    """
    completed = single(r"requests completed in ([\d.]+) seconds", text)
    throughput = single(r"throughput summary: ([\d.]+) requests per second", text)
    summary = single(r"avg\s+min\s+p50\s+p95\s+p99\s+max\s+" + r"\s+".join([r"([\d.]+)"] * 6), text)
    distribution = text.partition("Latency by percentile distribution")[2].partition("Cumulative")[0]
    steps = [(float(share), float(milliseconds)) for share, milliseconds in PERCENTILE.findall(distribution)]
    p999 = next((milliseconds for share, milliseconds in steps if share >= 99.9), None)
    if p999 is None:
        raise MeasurementError("redis-benchmark's report lacks a latency distribution up to 99.9 %")
    return LoadReport(
        requests_per_second=float(throughput[1]),
        p50=float(summary[3]),
        p99=float(summary[5]),
        p999=p999,
        seconds=max(float(completed[1]), 0.01),
        generator_cpu_seconds=generator_cpu_seconds,
    )


def version() -> str:
    binary = shutil.which("redis-benchmark")
    if binary is None:
        return "redis-benchmark not found"
    return subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10).stdout.strip()


def run(port: int, load: Load) -> LoadReport:
    """Run one load against a server on loopback, on the generator's core."""
    binary = shutil.which("redis-benchmark") or shutil.which("valkey-benchmark")
    if binary is None:
        raise MeasurementError("redis-benchmark is not installed (Debian: apt-get install redis-tools)")
    options = {
        "-p": port,
        "-P": load.pipeline,
        "-n": load.requests,
        "-c": load.clients,
        "-r": load.keyspace,
        "-d": load.value_bytes,
        "-t": load.test,
        "--precision": 3,
    }
    command = [binary, *(str(word) for pair in options.items() for word in pair)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with machine.pinned(CORE):
        answer = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if answer.returncode:
        raise MeasurementError(
            f"redis-benchmark {load.test}: {(answer.stderr or answer.stdout).strip()[-200:]}"
        )
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return parse_report(answer.stdout, cpu)
