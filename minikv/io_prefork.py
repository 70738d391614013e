"""The model `prefork`: a master and a pool of blocking worker processes, as php-fpm has it.

A worker waits in accept, serves one connection with plain blocking calls until it closes, and waits
in accept again. So as many clients are served at once as there are workers; others wait in the
kernel's listen queue. Names and rules of the pool are php-fpm's: `pm` static keeps pm.max_children
workers; dynamic keeps between pm.min_spare_servers and pm.max_spare_servers of them idle; ondemand
makes one when a connection waits, and ends those that were idle for pm.process_idle_timeout.

Costs: a process for each client, and a context switch for each request that is not pipelined.
Choose it where requests block, or may crash, and clients are few.
"""

from __future__ import annotations

import mmap
import signal
import socket
import struct
import time
from typing import TYPE_CHECKING, Any

from minikv_core import places
from minikv_core.blockingworker import BlockingWorker

from . import log
from .processes import Master, serve_signals

if TYPE_CHECKING:
    from .server import Server

HEARTBEAT = 1.0  # seconds between two looks at the number of idle workers
SPAWN_MOST = 32  # workers made at one look; it doubles from 1 as long as they are too few
TCP_INFO_UNACKED = 24  # of a listening socket: connections in its queue, and behind it the queue's length


class Prefork(Master):
    """Keeps a pool of blocking workers as `pm` says."""

    signals = (*Master.signals, signal.SIGUSR2)

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        settings = server.settings
        self.pm = settings["pm"]
        self.most = settings["pm.max_children"]
        self.current: set[int] = set()  # workers of this generation
        self.rate = 1
        self.next_look = 0.0
        self.warned_full = False
        # what the master counts, for INFO in any worker
        self.figures = Figures()

    # ------------------------------------------------------------ the master

    def start(self) -> None:
        settings = self.server.settings
        counts = {"static": self.most, "dynamic": settings["pm.start_servers"], "ondemand": 0}
        for _ in range(min(counts[self.pm], self.most)):
            self.add()

    def readable(self) -> list[int]:
        """On demand, the master is woken by connections that no worker takes."""
        wanted = (
            self.pm == "ondemand"
            and len(self.current) < self.most
            and not idle_of(places.places(self.engine))
        )
        return list(self.listeners) if wanted else []

    def manage(self) -> None:
        workers = places.places(self.engine)
        idle = idle_of(workers)
        waiting, length = self.queue()
        self.figures.update(len(workers) - len(idle), waiting, length)
        self.watch_requests(workers)
        if self.pm == "static":
            while len(self.current) < self.most and self.add():
                pass
        elif self.pm == "ondemand" and waiting and not idle:
            self.add()
        if time.monotonic() >= self.next_look:
            self.next_look = time.monotonic() + HEARTBEAT
            if self.pm == "dynamic":
                self.keep_spare(idle)
            elif self.pm == "ondemand":
                limit = self.server.settings["pm.process_idle_timeout"] * 1e6
                for worker in idle:
                    if worker["idle_us"] > limit:
                        self.end(worker["pid"])

    def keep_spare(self, idle: list[dict[str, int]]) -> None:
        settings = self.server.settings
        if len(idle) > settings["pm.max_spare_servers"]:
            self.end(idle[0]["pid"])  # the oldest
            self.rate = 1
        elif len(idle) < settings["pm.min_spare_servers"]:
            for _ in range(min(self.rate, settings["pm.min_spare_servers"] - len(idle))):
                if not self.add():
                    break
            self.rate = min(self.rate * 2, SPAWN_MOST)
        else:
            self.rate = 1

    def add(self) -> bool:
        if len(self.current) >= self.most:
            if not self.warned_full:
                log.warning("server reached pm.max_children setting (%d), consider raising it", self.most)
                self.warned_full = True
                self.figures.count("children_reached")
            return False
        pid = self.spawn(self.work)
        if pid is not None:
            self.current.add(pid)
        return pid is not None

    def watch_requests(self, workers: list[dict[str, int]]) -> None:
        """Note requests that take too long, and end those that take far too long, with their worker."""
        slow = self.server.settings["request_slowlog_timeout"] * 1e6
        far = self.server.settings["request_terminate_timeout"] * 1e6
        for worker in workers:
            busy, pid = worker["busy_us"], worker["pid"]
            if slow and busy > slow and self.figures.first_time(worker["index"], worker["requests"]):
                log.warning("child %d: a request is running for %.1f s", pid, busy / 1e6)
                self.figures.count("slow_requests")
            if far and busy > far and pid in self.children:
                log.warning("child %d: terminated, its request ran for %.1f s", pid, busy / 1e6)
                self.end(pid, signal.SIGKILL)

    def told(self, number: int) -> None:
        if number == signal.SIGUSR2:
            log.notice("Reloading: new workers take over")
            old = list(self.current)
            self.current.clear()
            self.start()
            for pid in old:
                self.end(pid)

    def ended(self, pid: int, place: int, status: int) -> None:
        self.current.discard(pid)
        self.warned_full = False
        if status and not self.stopping:
            log.warning("child %d exited with status %d", pid, status)

    def queue(self) -> tuple[int, int]:
        """Connections that wait to be accepted, over all TCP sockets, and how many may."""
        waiting = length = 0
        for fd, is_unix in self.listeners.items():
            if not is_unix:
                listener = socket.socket(fileno=fd)  # not a copy: there may be no descriptor left for it
                try:
                    info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
                finally:
                    listener.detach()
                now, most = struct.unpack_from("II", info, TCP_INFO_UNACKED)
                waiting += now
                length += most
        return waiting, length

    def info(self) -> dict[str, object]:
        """INFO workers, in any process: the pool first."""
        idle = len(idle_of(places.places(self.engine)))
        rows = super().info()
        return {
            "process_manager": self.pm,
            "accepted_conn": self.engine.stats()["connections"],
            **self.figures.rows(),
            "idle_processes": idle,
            "active_processes": int(str(rows["total_processes"])) - idle,
        } | rows

    # ------------------------------------------------------------ a worker

    def work(self) -> None:
        """Serve connections, one after the other, until told to end or pm.max_requests are served."""
        worker = BlockingWorker(self.engine)
        serve_signals(worker.wake_fd)
        most = self.server.settings["pm.max_requests"]
        served = 0
        while not worker.stopping and (served < most or not most):
            served += worker.serve_next(self.listeners) is not None


def idle_of(workers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that wait for a connection, or will soon, the oldest first."""
    found = [worker for worker in workers if worker["state"] in ("idle", "starting")]
    return sorted(found, key=lambda worker: -worker["age_us"])


class Figures:
    """The pool's figures, in memory that master and workers share; the master alone writes them."""

    NAMES = (
        "max_active_processes",
        "max_children_reached",
        "slow_requests",
        "listen_queue",
        "max_listen_queue",
        "listen_queue_len",
    )

    def __init__(self) -> None:
        self.values = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")
        self.slow: dict[int, int] = {}  # place -> its request that was noted last

    def update(self, active: int, waiting: int, length: int) -> None:
        v = self.values
        v[0] = max(v[0], active)
        v[3], v[4], v[5] = waiting, max(v[4], waiting), length

    def count(self, what: str) -> None:
        self.values[{"children_reached": 1, "slow_requests": 2}[what]] += 1

    def first_time(self, place: int, request: int) -> bool:
        new = self.slow.get(place) != request
        self.slow[place] = request
        return new

    def rows(self) -> dict[str, int]:
        return dict(zip(self.NAMES, self.values, strict=False))
