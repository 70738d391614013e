"""What a Server and a Store have in common: settings, an engine that follows them, and its logs."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from minikv_core import commandflags as flags
from minikv_core import (
    modules,  # noqa: F401  (its import fills the command table)
    places,
    pycommand,
)
from minikv_core.handle import EngineHandle

from . import commands  # noqa: F401  (as above)
from .latency import LatencyMonitor
from .settings import Settings
from .slowlog import SlowLog

POLICIES = {  # EvictionPolicy: what by, and whether only keys with an expiry
    "noeviction": 0,
    "allkeys-lru": 1,
    "allkeys-lfu": 2,
    "allkeys-random": 3,
    "volatile-lru": 9,
    "volatile-lfu": 10,
    "volatile-random": 11,
    "volatile-ttl": 12,
}
EVENT_LETTERS = {
    "K": flags.EVENT_KEYSPACE,
    "E": flags.EVENT_KEYEVENT,
    "g": flags.EVENT_GENERIC,
    "$": flags.EVENT_STRING,
    "l": flags.EVENT_LIST,
    "s": flags.EVENT_SET,
    "h": flags.EVENT_HASH,
    "z": flags.EVENT_ZSET,
    "x": flags.EVENT_EXPIRED,
    "e": flags.EVENT_EVICTED,
    "t": flags.EVENT_STREAM,
    "m": flags.EVENT_MISS,
    "d": flags.EVENT_MODULE,
    "n": flags.EVENT_NEW,
    "o": flags.EVENT_OVERWRITTEN,
    "c": flags.EVENT_TYPE_CHANGED,
}
ALL_EVENTS = "g$lshzxetd"  # what the letter A stands for


def event_bits(letters: str) -> int:
    """notify-keyspace-events as EventFlag bits."""
    bits = 0
    for letter in letters.replace("A", ALL_EVENTS):
        bits |= EVENT_LETTERS[letter]
    return bits


# Settings that the engine reads, and how their values become its numbers.
ENGINE_SETTINGS: dict[str, Callable[[Any], int]] = dict.fromkeys(
    (
        "maxmemory",
        "maxmemory-samples",
        "maxmemory-clients",
        "maxmemory-eviction-tenacity",
        "lfu-log-factor",
        "lfu-decay-time",
        "lazyfree-lazy-eviction",
        "lazyfree-lazy-expire",
        "lazyfree-lazy-server-del",
        "lazyfree-lazy-user-del",
        "lazyfree-lazy-user-flush",
        "active-expire-effort",
        "hz",
        "dynamic-hz",
        "timeout",
        "receive-timeout",
        "send-timeout",
        "tcp-quickack",
        "maxclients",
        "protected-mode",
        "proto-max-bulk-len",
        "client-query-buffer-limit",
        "slowlog-log-slower-than",
        "slowlog-max-len",
        "latency-monitor-threshold",
        "latency-tracking",
        "hash-max-listpack-entries",
        "hash-max-listpack-value",
        "list-max-listpack-size",
        "set-max-intset-entries",
        "set-max-listpack-entries",
        "set-max-listpack-value",
        "zset-max-listpack-entries",
        "zset-max-listpack-value",
        "hll-sparse-max-bytes",
        "stream-node-max-bytes",
        "stream-node-max-entries",
        "tracking-table-max-keys",
    ),
    int,
) | {"maxmemory-policy": POLICIES.__getitem__, "notify-keyspace-events": event_bits}
OUTPUT_CLASSES = {"normal": 0, "slave": 1, "pubsub": 2}
ARENA_MOST = 32 << 30  # bytes that 32-bit references reach


class Host:
    """Owns an engine. Used by one thread at a time."""

    port = 0  # of TCP; 0 = none

    def __init__(self, settings: Settings, shared: bool = False) -> None:
        self.settings = settings
        self.run_id = os.urandom(20).hex()
        self.replication_id = os.urandom(20).hex()
        self.engine = EngineHandle(settings["databases"], ARENA_MOST, shared, self)
        self.slowlog = SlowLog(settings)
        self.latency = LatencyMonitor()
        self.engine.on_slow = self.slowlog.add
        self.engine.on_latency = self.latency.add
        pycommand.attach(self.engine)
        places.attach(self.engine)
        names = (*ENGINE_SETTINGS, "client-output-buffer-limit", "requirepass")
        for name in names:
            self._follow(name, settings[name])
        settings.subscribe(names, self._follow)

    def _follow(self, name: str, value: Any) -> None:
        """Pass a setting's new value on to the engine."""
        if name == "client-output-buffer-limit":
            for kind, limit in value.items():
                self.engine.set_output_limit(OUTPUT_CLASSES[kind], limit.hard, limit.soft, limit.seconds)
        elif name == "requirepass":
            self.engine.configure("requires_auth", bool(value))
        else:
            self.engine.configure(name.replace("-", "_"), ENGINE_SETTINGS[name](value))

    def settings_set(self) -> None:
        """CONFIG SET has changed settings: the other processes of this server are to follow."""
        if places.is_shared(self.engine):
            places.post_settings(self.engine, self.settings.changes().encode())

    def follow_settings(self, changes: bytes) -> None:
        """Another process of this server has changed settings."""
        self.settings.follow(changes.decode())

    def worker_rows(self) -> dict[str, object]:
        """INFO workers."""
        return {}

    def reset_stats(self) -> None:
        """CONFIG RESETSTAT."""
        self.engine.reset_stats()
