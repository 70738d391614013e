"""The model `reactors`: a main reactor that accepts, and sub-reactors, each in a thread, that own connections.

Each sub-reactor is the loop of `epoll` (or of `poll`: --sub-poller). A connection belongs to the one it
was given to, in turn, and no other ever reads or sends on its socket; so cores share the kernel's
part of the work, which is most of it. They share the store too: what was received is run under the
engine's lock, which no thread holds while it is in a system call on a socket.

The main reactor makes the session, and puts it among those that its new owner must look at, as a
message from one client to another would: the same list and the same pipe, whose byte ends the wait.
It also runs the timers; a sub-reactor whose commands make one due earlier wakes it.

Costs     the lock, some hundred nanoseconds a batch, and more where cores wait for it; a message to a
          client of another thread costs a write to its pipe
Choose    when one core is not enough for the system calls, and the requests are short: the shape of
          memcached, Netty, and of Redis's own io-threads
"""

from minikv_core.acceptor cimport admit_for
from minikv_core.engine cimport *
from minikv_core.handle cimport EngineHandle
from minikv_core.reactor cimport Loop, Reactor
from minikv_core.sockets cimport sockaddr_storage
from minikv_core.worker cimport engine_share

import os
import threading

from minikv_core import io_epoll, io_poll  # no-cython-lint (their import adds the pollers)

cdef enum:
    MOST = 128                  # sub-reactors

DEFAULT_MOST = 4                # of as many as there are processors: the lock lets more only wait

cdef struct Subs:
    Worker* workers[MOST]
    int count
    int turn                    # who gets the next connection

cdef void hand_over(Loop* p, int fd, const sockaddr_storage* peer, bint is_unix) noexcept nogil:
    cdef Subs* subs = <Subs*>p.taker
    if admit_for(p.worker, subs.workers[subs.turn], fd, peer, is_unix) != NULL:
        subs.turn = (subs.turn + 1) % subs.count


cdef class Reactors:
    """Serve an engine with several reactors.

    server   whose engine it is; its settings sub-reactors and sub-poller
    errors   OSError if the system refuses a descriptor, MemoryError
    """

    cdef Reactor main
    cdef list reactors
    cdef Subs subs

    def __cinit__(self, server):
        cdef Reactor sub
        count = server.settings["sub-reactors"] or min(DEFAULT_MOST, os.cpu_count() or 1)
        engine_share(&(<EngineHandle?>server.engine).engine)
        self.main = Reactor(server.engine, "epoll")
        self.reactors = [Reactor(server.engine, server.settings["sub-poller"], False) for _ in range(count)]
        for sub in self.reactors:
            self.subs.workers[self.subs.count] = &sub.worker
            self.subs.count += 1
        self.main.loop.take = hand_over
        self.main.loop.taker = &self.subs

    def add_listener(self, int fd, bint is_unix):
        self.main.add_listener(fd, is_unix)

    def remove_listener(self, int fd):
        self.main.remove_listener(fd)

    @property
    def wake_fd(self):
        return self.main.wake_fd

    def stop(self):
        """End run() soon; from any thread."""
        self.main.stop()

    def run(self):
        """Serve until stop(), a signal or SHUTDOWN; returns the exit status."""
        threads = [threading.Thread(target=sub.run, name=f"minikv:{i}") for i, sub in enumerate(self.reactors)]
        for thread in threads:
            thread.start()
        try:
            return self.main.run()
        finally:
            for sub in self.reactors:
                sub.stop()
            for thread in threads:
                thread.join()
