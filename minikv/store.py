"""The engine in this process, without a socket."""

from __future__ import annotations

import threading

from .host import Host
from .settings import Settings


class Store(Host):
    """A store of one's own: `Store().execute(b"SET", b"k", b"v")`.

    settings    by redis-server's names with `_` for `-`: Store(maxmemory="100mb")

    Threads may share a store: commands run one after the other. Expired keys are seen as gone at
    once; their memory comes back as commands run.
    """

    def __init__(self, **settings: str | bool | int) -> None:
        super().__init__(Settings(**settings))
        self._lock = threading.RLock()  # a command written in Python may let other threads run

    def execute(self, *args: bytes | str | int | float, database: int = 0, protocol: int = 3) -> object:
        """Run one command and return its reply.

        args      the command's name and its arguments; str is encoded as UTF-8, numbers as their text
        protocol  2 or 3: the reply's shapes (3: maps as dict, sets as set, doubles as float)
        returns   bytes, int, float, bool, None, list, dict or set; errors inside EXEC's list as ReplyError
        errors    ReplyError
        """
        words = tuple(map(as_bytes, args))
        with self._lock:
            self.engine.timers()
            return self.engine.execute(database, protocol, words)

    def close(self) -> None:
        """Free the store's memory; it can't be used any more."""
        with self._lock:
            self.engine.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def as_bytes(value: bytes | str | int | float) -> bytes:
    """An argument as the engine takes it."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"an argument is bytes, str, int or float, not {type(value).__name__}")
    return repr(value).encode()
