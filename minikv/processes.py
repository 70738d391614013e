"""A master and its worker processes: what the models prefork, nginx and fork have in common.

The master forks workers, sees them end, runs the store's timers, and passes on what it is told by
signals. It never touches a client's socket. The store lies in memory that all of them share; a lock
that the kernel hands over when its holder dies lets one process at a time use it.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from minikv_core import places

from . import log

if TYPE_CHECKING:
    from .server import Server

TURN = 0.1  # seconds between two looks at the workers, at most
AGAIN = 0.25  # seconds after which a worker that is to end is told again
LAST_CALL = 5.0  # seconds that workers have to end gracefully
PR_SET_PDEATHSIG = 1
HELD = {signal.SIGQUIT, signal.SIGTERM, places.WAKE_SIGNAL}
ENDING = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}


class Master:
    """Runs worker processes; a model says how many, and what each does.

    server   whose listening sockets and store the workers use
    """

    signals: tuple[int, ...] = (signal.SIGQUIT, signal.SIGCHLD)  # taken beside SIGTERM and SIGINT

    def __init__(self, server: Server) -> None:
        self.server = server
        self.engine = server.engine
        self.listeners: dict[int, bool] = {}  # descriptor -> whether it is a Unix socket
        self.children: dict[int, int] = {}  # process number -> place
        self.leaving: set[int] = set()  # those of them that were told to end
        self.stopping = False
        self._again_at = 0.0
        self._pid = 0  # of the master
        self._wake_read, self.wake_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    # ------------------------------------------------------------ for the model

    def start(self) -> None:
        """Called once, before the first turn."""

    def manage(self) -> None:
        """Called every turn: start and stop workers as the model wants."""

    def ended(self, pid: int, place: int, status: int) -> None:
        """Called when a worker has ended, its place already free."""

    def told(self, number: int) -> None:
        """Called for a signal that does not end the server."""

    def readable(self) -> list[int]:
        """Descriptors that are to end a wait of the master."""
        return []

    def spawn(self, work: Callable[[], object]) -> int | None:
        """Fork a worker that does `work` and ends; its process number, None if there is no place for it."""
        place = places.reserve_place(self.engine)
        if place is None:
            log.warning("no place for another worker process")
            return None
        signal.pthread_sigmask(signal.SIG_BLOCK, HELD)  # the worker takes them once it is listening
        try:
            pid = os.fork()
            if pid == 0:
                self._become_worker(place, work)
        except OSError as error:
            places.clear_place(self.engine, place)
            log.warning("a worker process can't be made: %s", error.strerror)
            return None
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
        self.children[pid] = place
        return pid

    def end(self, pid: int, number: int = signal.SIGQUIT) -> None:
        """Tell a worker to end; it is told again until it does, for it may not have been listening yet."""
        if pid in self.children:
            os.kill(pid, number)
            self.leaving.add(pid)

    def info(self) -> dict[str, object]:
        """INFO workers, in any process."""
        workers = places.places(self.engine)
        rows = {"total_processes": len(workers), "recoveries": places.recoveries(self.engine)}
        return rows | {
            f"worker{n}": f"pid={w['pid']},state={w['state']},start_since={w['age_us'] // 1_000_000},"
            f"sessions={w['sessions']},accepted={w['accepted']},requests={w['requests']},"
            f"request_duration={w['busy_us']}"
            for n, w in enumerate(workers)
        }

    # ------------------------------------------------------------ a runner's duties

    def add_listener(self, fd: int, is_unix: bool) -> None:
        self.listeners[fd] = is_unix

    def remove_listener(self, fd: int) -> None:
        self.listeners.pop(fd, None)

    def stop(self) -> None:
        os.write(self.wake_fd, bytes([signal.SIGTERM]))

    def run(self) -> int:
        """Serve until a signal or SHUTDOWN; returns the exit status."""
        self._pid = os.getpid()
        self.start()
        while not self.stopping:
            self.manage()
            self._turn()
        self._finish()
        return int(self.engine.stop_status)

    # ------------------------------------------------------------ within

    def _turn(self) -> None:
        wait = places.run_timers(self.engine)
        seconds = TURN if wait < 0 else min(TURN, wait / 1e6)
        ready, _, _ = select.select([self._wake_read, *self.readable()], [], [], seconds)
        if self._wake_read in ready:
            for number in os.read(self._wake_read, 256):
                if number in ENDING:
                    self.stopping = True
                elif number and number != signal.SIGCHLD:
                    self.told(number)
        self._reap()
        if time.monotonic() >= self._again_at:
            self._again_at = time.monotonic() + AGAIN
            for pid in self.leaving:
                os.kill(pid, signal.SIGQUIT)

    def _reap(self) -> None:
        """Free the places of workers that have ended; only then is their process number given away."""
        for pid in list(self.children):
            found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is not None and places.clear_place(self.engine, self.children[pid]):
                place = self.children.pop(pid)
                self.leaving.discard(pid)
                os.waitpid(pid, 0)
                self.ended(pid, place, found.si_status)

    def _finish(self) -> None:
        deadline = time.monotonic() + LAST_CALL
        again_at = 0.0
        while self.children:
            if time.monotonic() >= again_at:  # a signal just before a blocking call is lost on it
                again_at = time.monotonic() + AGAIN
                for pid in self.children:
                    self.end(pid, signal.SIGQUIT if time.monotonic() < deadline else signal.SIGKILL)
            select.select([], [], [], 0.005)
            self._reap()

    def _become_worker(self, place: int, work: Callable[[], object]) -> None:
        """In the child: serve, and end this process whatever happens."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, *self.signals):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the master decides
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
            if os.getppid() != self._pid:  # the master has died before that
                os._exit(1)
            self.children, self.leaving = {}, set()
            places.take_place(self.engine, place)
            work()
            if self.engine.stopping:  # SHUTDOWN came to this worker
                os.kill(self._pid, signal.SIGTERM)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)


def serve_signals(wake_fd: int) -> None:
    """In a worker: let SIGQUIT and SIGTERM, and questions of other processes, end its waits."""
    for number in (signal.SIGQUIT, signal.SIGTERM, places.WAKE_SIGNAL):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(wake_fd, warn_on_full_buffer=False)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
