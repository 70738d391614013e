"""The machine: its cores and who runs on which, its limit on open files, and facts for the reader."""

import contextlib
import os
import platform
import resource
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = CORES[0]
LOAD_CORES = CORES[1:] or CORES


@contextlib.contextmanager
def pinned(*cores: int) -> Iterator[None]:
    """Keep this thread, and every process it starts meanwhile, on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def raise_file_limit() -> int:
    """Raise the soft limit on open files, which child processes inherit, to the hard one and return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def available_memory() -> float:
    """Share of the machine's memory that is to be had without swapping."""
    sizes = {}
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, size = line.partition(":")
        sizes[name] = int(size.split()[0])
    return sizes["MemAvailable"] / sizes["MemTotal"]


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def facts(command: str) -> dict[str, str]:
    """What a reader needs to judge the figures or repeat the run."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    load_cores = ", ".join(map(str, LOAD_CORES))
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": command,
        "processor": f"{cpu_model()}, {len(CORES)} cores",
        "memory": f"{memory / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "pinning": f"servers on core {SERVER_CORE}, load on core {load_cores}",
        "load average at the start": f"{os.getloadavg()[0]:.2f}",
    }
