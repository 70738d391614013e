"""The slow log: the last commands that took longer than slowlog-log-slower-than."""

from __future__ import annotations

import time
from collections import deque
from typing import NamedTuple

from minikv_core.pycommand import SessionView

from .settings import Settings

MOST_ARGUMENTS = 32
MOST_BYTES = 128  # of one argument


class SlowEntry(NamedTuple):
    """One row of SLOWLOG GET."""

    id: int
    unix_time: int
    microseconds: int
    arguments: list[bytes]
    address: bytes
    client_name: bytes


class SlowLog:
    """Newest first; slowlog-max-len entries at most."""

    def __init__(self, settings: Settings) -> None:
        self.entries: deque[SlowEntry] = deque()
        self._settings = settings
        self._next_id = 0

    def add(self, arguments: list[bytes], microseconds: int, session: SessionView) -> None:
        """Note a command down; the engine calls this."""
        entry = SlowEntry(
            self._next_id,
            int(time.time()),
            microseconds,
            shortened(arguments),
            session.address,
            session.name or b"",
        )
        self._next_id += 1
        self.entries.appendleft(entry)
        while len(self.entries) > self._settings["slowlog-max-len"]:
            self.entries.pop()


def shortened(arguments: list[bytes]) -> list[bytes]:
    """Arguments as the log keeps them: 32 at most, 128 bytes each."""
    kept = arguments[: MOST_ARGUMENTS - (len(arguments) > MOST_ARGUMENTS)]
    kept = [
        a if len(a) <= MOST_BYTES else a[:MOST_BYTES] + b"... (%d more bytes)" % (len(a) - MOST_BYTES)
        for a in kept
    ]
    if len(arguments) > MOST_ARGUMENTS:
        kept.append(b"... (%d more arguments)" % (len(arguments) - MOST_ARGUMENTS + 1))
    return kept
