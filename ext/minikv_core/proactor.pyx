"""The model `uring` as Python starts it."""

from minikv_core.handle cimport EngineHandle
from minikv_core.engine cimport Worker
from minikv_core.io_uring cimport OF_ACCEPT, Loop, remove_listener, run_loop
from minikv_core.sockets cimport close
from minikv_core.uring cimport (
    LISTENERS, Listener, ask_accepts, buffers_close, buffers_open, listener_find, listeners_init, ring_close, ring_open,
)
from minikv_core.worker cimport worker_close, worker_open

import os
import signal


cdef class Proactor:
    """Serve an engine on listening sockets, by io_uring.

    handle      the engine, used by the proactor's thread alone
    errors      OSError if the system has no io_uring, or refuses it; MemoryError
    """
    cdef Loop loop
    cdef Worker worker
    cdef EngineHandle handle

    def __cinit__(self, EngineHandle handle):
        cdef int failure
        self.loop.ring.fd = self.loop.wake_read = self.loop.wake_write = -1
        listeners_init(&self.loop.listeners)
        self.handle = handle
        self.loop.engine = &handle.engine
        self.loop.worker = &self.worker
        if not worker_open(&self.worker, &handle.engine):
            raise MemoryError
        handle.engine.active = &self.worker
        failure = ring_open(&self.loop.ring)
        if failure == 0:
            failure = buffers_open(&self.loop.ring, &self.loop.buffers)
        if failure:
            raise OSError(failure, os.strerror(failure))
        self.loop.wake_read, self.loop.wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def __dealloc__(self):
        ring_close(&self.loop.ring)
        buffers_close(&self.loop.buffers)
        worker_close(&self.worker)
        for fd in (self.loop.wake_read, self.loop.wake_write):
            if fd >= 0:
                close(fd)

    def add_listener(self, int fd, bint is_unix):
        """Accept on a listening socket that the caller keeps open."""
        cdef Listener* place = listener_find(&self.loop.listeners, -1)
        if place == NULL:
            raise OSError(f"more than {LISTENERS} listening sockets")
        os.set_blocking(fd, True)       # else the kernel does not wait for connections
        place.fd = fd
        place.accepting = False
        if self.loop.running:
            ask_accepts(&self.loop.ring, &self.loop.listeners, OF_ACCEPT)

    def remove_listener(self, int fd):
        """Stop accepting on a socket; to be called before it is closed."""
        cdef Listener* place = listener_find(&self.loop.listeners, fd)
        if place != NULL and self.loop.running:
            remove_listener(&self.loop, place)
        elif place != NULL:
            place.fd = -1

    @property
    def wake_fd(self):
        """For signal.set_wakeup_fd: a byte other than 0 ends run()."""
        return self.loop.wake_write

    def stop(self):
        """End run() soon; from any thread."""
        os.write(self.loop.wake_write, bytes([signal.SIGTERM]))

    def run(self):
        """Serve until stop(), a signal's byte, or SHUTDOWN; returns the exit status."""
        with nogil:
            run_loop(&self.loop)
        return self.loop.engine.stop_status
