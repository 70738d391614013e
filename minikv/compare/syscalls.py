"""Counting a server's system calls for a moment, with strace.

A traced server is slower, so calls that serve several connections at once are shared by more of them than
usual: the count is a little low where there are many connections. Nothing else is measured meanwhile.
"""

import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from minikv.compare import machine, processes
from minikv.compare.errors import MeasurementError

ATTACH_LIMIT = 3.0  # seconds
MOST_THREADS = 600  # that are attached to
ROW = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", re.MULTILINE)


def parse_summary(text: str) -> dict[str, int]:
    """Calls by name, from what `strace -c` prints; without those that only a traced process makes."""
    return {name: int(calls) for calls, name in ROW.findall(text) if name not in ("total", "restart_syscall")}


def _is_traced(leader: int) -> bool:
    for pid, thread in processes.thread_ids(processes.in_session(leader)):
        if "\nTracerPid:\t0\n" in Path(f"/proc/{pid}/task/{thread}/status").read_text():
            return False
    return True


def count_calls(leader: int, work: Callable[[], int]) -> dict[str, float]:
    """System calls per request while `work` runs, by name; it returns its number of requests.

    leader  first process of the server's session
    errors  MeasurementError says why they cannot be counted
    """
    strace = shutil.which("strace")
    if strace is None:
        raise MeasurementError("strace is not installed")
    members = [process for process in processes.in_session(leader) if process.state != "Z"]
    if sum(process.threads for process in members) > MOST_THREADS:
        raise MeasurementError(f"more than {MOST_THREADS} threads to trace")
    with tempfile.NamedTemporaryFile("r") as summary:
        command = [
            strace,
            "-f",
            "-c",
            "-o",
            summary.name,
            "-p",
            ",".join(str(member.pid) for member in members),
        ]
        with machine.pinned(machine.SERVER_CORE):
            tracer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            deadline = time.monotonic() + ATTACH_LIMIT
            while not _is_traced(leader):
                if tracer.poll() is not None or time.monotonic() > deadline:
                    raise MeasurementError("strace may not attach to the server")
                time.sleep(0.005)
            requests = work()
        finally:
            tracer.send_signal(signal.SIGINT)  # it lets go of the server and writes its summary
            try:
                tracer.communicate(timeout=ATTACH_LIMIT)
            except subprocess.TimeoutExpired:
                tracer.kill()
                tracer.communicate()
        calls = parse_summary(summary.read())
    if not requests or not calls:
        raise MeasurementError("nothing was counted")
    return {name: count / requests for name, count in calls.items()}
