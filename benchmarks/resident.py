"""Resident memory of a process."""

import time
from pathlib import Path


def resident_bytes(pid: int) -> int:
    """VmRSS of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(f"process {pid} has no resident memory")


def settled_resident_bytes(pid: int, quiet: float, limit: float) -> int:
    """Resident memory once it has moved by less than 0.1 % for `quiet` seconds, or after `limit` seconds."""
    deadline = time.monotonic() + limit
    reference = resident_bytes(pid)
    quiet_since = time.monotonic()
    while (now := time.monotonic()) < deadline and now - quiet_since < quiet:
        time.sleep(0.1)
        current = resident_bytes(pid)
        if abs(current - reference) > reference / 1000:
            reference, quiet_since = current, time.monotonic()
    return resident_bytes(pid)
