"""The model `fork`: a process of its own for each connection.

The master accepts, forks, and closes its copy of the socket; the child serves the connection with
plain blocking calls and ends with it. The oldest way to write a server, and the simplest to reason
about: nothing is shared but the store.

Costs: a fork for each connection, and a process as long as it lasts. Choose it to see what that
costs, or where connections are few and long, and must not be able to harm one another.
"""

from __future__ import annotations

import os
import socket
from functools import partial
from typing import TYPE_CHECKING

from minikv_core.blockingworker import BlockingWorker

from .processes import Master, serve_signals

if TYPE_CHECKING:
    from .server import Server

ACCEPTS_A_TURN = 64


class Fork(Master):
    """Forks a worker for each connection."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.full = False  # no descriptor, process or place: new connections wait in the listen queue

    def readable(self) -> list[int]:
        return [] if self.full else list(self.listeners)

    def manage(self) -> None:
        self.full = False
        for fd, is_unix in self.listeners.items():
            for _ in range(ACCEPTS_A_TURN):
                try:
                    connection = accept(fd)
                except BlockingIOError:
                    break
                except OSError:
                    self.full = True
                    return
                with connection:
                    if self.spawn(partial(self.work, connection.fileno(), is_unix)) is None:
                        connection.sendall(b"-ERR no process can be made for this connection\r\n")

    def work(self, connection: int, is_unix: bool) -> None:
        """Serve a connection until it closes."""
        worker = BlockingWorker(self.engine)
        serve_signals(worker.wake_fd)
        for fd in self.listeners:
            os.close(fd)
        worker.serve(connection, is_unix)


def accept(fd: int) -> socket.socket:
    """A connection that waits at a listening socket; BlockingIOError if there is none."""
    with socket.socket(fileno=os.dup(fd)) as listener:
        connection, _ = listener.accept()
    connection.setblocking(True)
    return connection
