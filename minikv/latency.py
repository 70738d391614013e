"""The latency monitor: spikes of the events that LATENCY reports on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

HISTORY = 160  # samples kept for an event


@dataclass
class LatencyEvent:
    """The spikes of one event: (Unix time in s, ms), one sample a second at most, oldest first."""

    samples: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=HISTORY))
    most: int = 0


class LatencyMonitor:
    """Events by name, in order of appearance."""

    def __init__(self) -> None:
        self.events: dict[str, LatencyEvent] = {}

    def add(self, event: str, milliseconds: int) -> None:
        """Note a spike down; the engine calls this once it is past latency-monitor-threshold."""
        entry = self.events.setdefault(event, LatencyEvent())
        now = int(time.time())
        entry.most = max(entry.most, milliseconds)
        if entry.samples and entry.samples[-1][0] == now:
            milliseconds = max(milliseconds, entry.samples.pop()[1])
        entry.samples.append((now, milliseconds))

    def reset(self, names: Iterable[str]) -> int:
        """Forget these events; returns how many there were."""
        return sum(self.events.pop(name, None) is not None for name in names)
