"""Figures of memory, as INFO and MEMORY STATS show them."""

import os

from minikv_core.handle import EngineHandle

PAGE = os.sysconf("SC_PAGE_SIZE")


class MemoryFigures:
    """Bytes, unless a name says otherwise.

    used        what the store and the clients take; what maxmemory is compared with
    overhead    of it, what is not keys and values: the empty store, tables, clients
    allocated, active, resident   of the arena: in objects, in pages with objects, in memory
    rss         of the process, in memory
    """

    def __init__(self, engine: EngineHandle) -> None:
        figures = engine.memory()
        keyspace = engine.keyspace()
        self.used: int = figures["used"]
        self.startup: int = figures["startup"]
        self.peak: int = figures["peak"]
        self.peak_time: int = figures["peak_ms"] // 1000  # Unix time, s
        self.clients: int = figures["clients"]
        self.tables: int = figures["tables"]
        self.keys = sum(keys for keys, *_ in keyspace.values())  # count
        self.allocated: int = figures["arena_used"]
        self.active = self.allocated + figures["arena_slack"]
        self.resident = max(figures["arena_resident"], self.active)
        self.rss = resident_bytes()
        self.overhead: int = self.startup + self.tables + self.clients
        self.dataset: int = self.used - self.overhead
        self.lazyfree_pending: int = figures["lazyfree_pending"]  # objects

    @property
    def bytes_per_key(self) -> int:
        return (self.used - self.startup) // self.keys if self.keys else 0

    @property
    def dataset_percent(self) -> float:
        return self.dataset * 100 / max(self.used - self.startup, 1)

    @property
    def peak_percent(self) -> float:
        return self.used * 100 / self.peak


def resident_bytes() -> int:
    """Memory that this process occupies."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * PAGE


def system_bytes() -> int:
    """Memory that the machine has."""
    return os.sysconf("SC_PHYS_PAGES") * PAGE


def human(count: int) -> str:
    """A number of bytes as INFO's *_human fields show it."""
    if count < 1024:
        return f"{count}B"
    exponent = min((count.bit_length() - 1) // 10, 5)
    return f"{count / (1 << 10 * exponent):.2f}{'BKMGTP'[exponent]}"
