"""The slow log: the last commands that took longer than slowlog-log-slower-than."""

from __future__ import annotations

import time
from collections import deque
from typing import NamedTuple

from minikv_core.pycommand import SessionView

from .errors import UnknownSetting
from .setting_rows import Access
from .settings import Settings, find

MOST_ARGUMENTS = 32
MOST_BYTES = 128  # of one argument
HIDDEN = b"(redacted)"


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
            shortened(redacted(arguments)),
            session.address,
            session.name or b"",
        )
        self._next_id += 1
        self.entries.appendleft(entry)
        while len(self.entries) > self._settings["slowlog-max-len"]:
            self.entries.pop()


def redacted(arguments: list[bytes]) -> list[bytes]:
    """Arguments without passwords: those of AUTH, HELLO and CONFIG SET are blotted out."""
    words = [a.lower() for a in arguments[:2]]
    secret: set[int] = set()
    if words[0] == b"auth":
        secret.update(range(1, len(arguments)))
    elif words[0] == b"hello":
        at = 2
        while at < len(arguments):
            option = arguments[at].lower()
            if option == b"auth":
                secret.update((at + 1, at + 2))
            at += {b"auth": 3, b"setname": 2}.get(option, 1)
    elif words == [b"config", b"set"]:
        secret.update(i + 1 for i in range(2, len(arguments), 2) if is_sensitive(arguments[i]))
    return [HIDDEN if i in secret else a for i, a in enumerate(arguments)]


def is_sensitive(setting: bytes) -> bool:
    """Whether a setting's value stays out of logs. An unknown one's does: it may be a misspelt password."""
    try:
        return Access.SENSITIVE in find(setting.decode("utf-8", "surrogateescape")).access
    except UnknownSetting:
        return True


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
