"""The model `nginx`: a master, and worker processes that each run an event loop.

Each worker is the reactor of `epoll` with the store in shared memory. All accept from one listening
socket (the kernel wakes several, one wins), or with `reuseport` each has a socket of its own and the
kernel spreads the connections. A worker that dies is replaced; on SIGHUP new ones take over, and the
old ones answer what they have read and end.

Costs: the store's lock, taken for each batch of requests, and a process's memory for each worker.
Choose it where one core is not enough for the kernel's part of the work.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from minikv_core.reactor import Reactor

from . import log
from .processes import Master, serve_signals

if TYPE_CHECKING:
    from .server import Server

RESPAWN_PAUSE = 1.0  # seconds, after a worker that ended within that time


class Nginx(Master):
    """Keeps `worker-processes` workers running."""

    signals = (*Master.signals, signal.SIGHUP)

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.count = server.settings["worker-processes"] or os.cpu_count() or 1
        self.current: dict[int, tuple[int, float]] = {}  # workers of this generation -> number, beginning
        self.sockets: dict[int, list[int]] = {}  # listening socket -> each worker's own, if `reuseport`
        self.again_at = 0.0

    def add_listener(self, fd: int, is_unix: bool) -> None:
        super().add_listener(fd, is_unix)
        if self.server.settings["reuseport"] and not is_unix:
            # the master keeps them: what waits in one is served by the worker that comes next
            self.sockets[fd] = [self._own_socket(fd) for _ in range(self.count)]

    def manage(self) -> None:
        while len(self.current) < self.count and time.monotonic() >= self.again_at:
            taken = {number for number, _ in self.current.values()}
            number = min(set(range(self.count)) - taken)
            pid = self.spawn(partial(self.work, number))
            if pid is None:
                self.again_at = time.monotonic() + RESPAWN_PAUSE
                return
            self.current[pid] = number, time.monotonic()

    def told(self, number: int) -> None:
        if number == signal.SIGHUP:
            log.notice("Reloading: new workers take over")
            old = list(self.current)
            self.current.clear()
            self.manage()
            for pid in old:
                self.end(pid)

    def ended(self, pid: int, place: int, status: int) -> None:
        _, began = self.current.pop(pid, (0, None))
        if began is not None and not self.stopping:
            log.warning("Worker %d ended with status %d: another takes its place", pid, status)
            if time.monotonic() - began < RESPAWN_PAUSE:
                self.again_at = time.monotonic() + RESPAWN_PAUSE

    def work(self, number: int) -> None:
        """What a worker does: run a reactor until it is told to end."""
        import_module("minikv_core.io_epoll")  # adds the poller
        reactor = Reactor(self.engine, "epoll")
        serve_signals(reactor.wake_fd)
        for fd, is_unix in self.listeners.items():
            reactor.add_listener(self.sockets[fd][number] if fd in self.sockets else fd, is_unix)
        reactor.run()

    def _own_socket(self, fd: int) -> int:
        """Another listening socket at the same address, in the kernel's group for it."""
        with socket.socket(fileno=os.dup(fd)) as shared:
            return self.server.listen(shared.family, shared.getsockname()).detach()
