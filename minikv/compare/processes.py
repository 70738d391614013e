"""What a server's processes and threads use, read from /proc.

A server is started as the leader of a session, so all that it starts belongs to it, however deep.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")
MOST_THREADS = 2_000  # beyond these, reading every one's counters would take longer than the measurement
MOST_MAPS = 100  # processes whose memory is read; the others are taken to be like them


@dataclass(frozen=True)
class Process:
    """A line of /proc/PID/stat."""

    pid: int
    state: str
    session: int
    threads: int
    children_seconds: float  # of ended and awaited children, and of theirs


def read_process(pid: int) -> Process:
    """Raises OSError if it has ended."""
    # The name, in parentheses, may hold anything.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = (int(fields[13]) + int(fields[14])) * TICK
    return Process(pid, fields[0], int(fields[3]), int(fields[17]), children)


def in_session(leader: int) -> list[Process]:
    """Every process of a session that has not ended."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                process = read_process(int(entry.name))
                if process.session == leader:
                    found.append(process)
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process with all its threads, ended ones too, to the nanosecond."""
    return time.clock_gettime((~pid << 3) | 2)  # the kernel's number of another process's CPU clock


def thread_ids(processes: list[Process]) -> Iterator[tuple[int, str]]:
    for process in processes:
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{process.pid}/task"):
                yield process.pid, thread


def context_switches(pid: int, thread: str) -> int:
    """Voluntary and involuntary."""
    switches = 0
    for line in Path(f"/proc/{pid}/task/{thread}/status").read_text().splitlines():
        if "ctxt_switches:" in line:
            switches += int(line.partition(":")[2])
    return switches


@dataclass(frozen=True)
class Usage:
    """What a server had used at one moment."""

    cpu_seconds: float
    processes: int
    threads: int
    switches: dict[tuple[int, str], int]  # by process and thread; empty if there are too many


def usage(leader: int) -> Usage:
    """Of a whole session; children that have ended are counted by the parent that awaited them."""
    processes = in_session(leader)
    seconds = 0.0
    for process in processes:
        with contextlib.suppress(OSError):
            seconds += cpu_seconds(process.pid) + process.children_seconds
    alive = [process for process in processes if process.state != "Z"]
    threads = sum(process.threads for process in alive)
    switches = {}
    if threads <= MOST_THREADS:
        for thread in thread_ids(alive):
            with contextlib.suppress(OSError):
                switches[thread] = context_switches(*thread)
    return Usage(seconds, len(alive), threads, switches)


def switches_between(before: Usage, after: Usage) -> int | str:
    """Context switches of all threads, or why they are unknown."""
    for moment in (before, after):
        if len(moment.switches) < moment.threads:
            return f"more than {MOST_THREADS:,} threads"
    if before.switches.keys() - after.switches.keys():
        return "threads ended while measured"
    return sum(count - before.switches.get(thread, 0) for thread, count in after.switches.items())


def proportional_bytes(leader: int) -> int:
    """Pss of a session: a page that n processes share counts as an nth for each."""
    processes = [process for process in in_session(leader) if process.state != "Z"]
    step = max(1, len(processes) // MOST_MAPS)
    sizes = []
    for process in [processes[0], *processes[1::step]] if processes else []:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    sizes.append(int(line.split()[1]) * 1024)
    if not sizes:
        return 0
    others = sizes[1:]
    return round(sizes[0] + (sum(others) / len(others) * (len(processes) - 1) if others else 0))
