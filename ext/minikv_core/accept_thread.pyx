"""The accepting thread: it waits for connections and for signals, and calls its owner for each."""

from libc.string cimport memset
from minikv_core.acceptor cimport ACCEPT_EMPTY, ACCEPT_EXHAUSTED, accept_peer
from minikv_core.sockets cimport *
from minikv_core.threads cimport *
from minikv_core.wake cimport wake_ends

import os
import signal

cdef enum:
    PLACES = 1024
    PAUSE_MS = 20               # without free descriptors or places: until accepting is tried again

cdef void accept_thread_open(AcceptThread* a, int wake_read, int wake_write) noexcept nogil:
    cdef int i
    memset(a, 0, sizeof(AcceptThread))
    a.wake_read = wake_read
    a.wake_write = wake_write
    for i in range(MAX_LISTENERS):
        a.listeners[i] = -1
    sem_init(&a.still, 0, 0)
    sem_init(&a.go_on, 0, 0)
    sem_init(&a.places, 0, PLACES)

cdef void accept_thread_close(AcceptThread* a) noexcept nogil:
    close(a.wake_read)
    close(a.wake_write)
    sem_destroy(&a.still)
    sem_destroy(&a.go_on)
    sem_destroy(&a.places)

cdef bint accept_thread_start(AcceptThread* a) noexcept nogil:
    a.running = True
    if pthread_create(&a.thread, NULL, run, a) != 0:
        a.running = False
    return a.running

cdef void hold(AcceptThread* a) noexcept nogil:
    """Have the thread hold still until sem_post(&a.go_on)."""
    cdef char still = 0
    write(a.wake_write, &still, 1)
    sem_take(&a.still)

cdef void accept_thread_stop(AcceptThread* a) noexcept nogil:
    hold(a)
    a.running = False
    sem_post(&a.go_on)
    pthread_join(a.thread, NULL)

cdef bint accept_thread_change(AcceptThread* a, int old, int fd, bint is_unix) noexcept nogil:
    cdef int i
    cdef bint found = False
    if a.running:
        hold(a)
    for i in range(MAX_LISTENERS):
        if a.listeners[i] == old:
            a.listeners[i] = fd
            a.is_unix[i] = is_unix
            found = True
            break
    if a.running:
        sem_post(&a.go_on)
    return found

cdef bint accept_all(AcceptThread* a, int listener, bint is_unix) noexcept nogil:
    """Accept whoever waits; False if some must go on waiting."""
    cdef sockaddr_storage peer
    cdef int fd, status
    while sem_trywait(&a.places) == 0:
        status = accept_peer(listener, 0, &fd, &peer)
        if fd >= 0:
            if a.accepted(a.owner, fd, &peer, is_unix):
                continue
            close(fd)
        sem_post(&a.places)
        if status == ACCEPT_EMPTY or status == ACCEPT_EXHAUSTED:
            return status == ACCEPT_EMPTY
    return False

cdef bint take_wake(AcceptThread* a) noexcept nogil:
    """Pass signals on, and hold still when told to; False = the end."""
    cdef char bytes[64]
    cdef ssize_t n = read(a.wake_read, bytes, sizeof(bytes)), i
    for i in range(n):
        if bytes[i] == 0:
            sem_post(&a.still)
            sem_take(&a.go_on)
        elif wake_ends(bytes[i]):
            a.signalled(a.owner)
    return a.running

cdef void* run(void* data) noexcept nogil:
    cdef AcceptThread* a = <AcceptThread*>data
    cdef pollfd fds[MAX_LISTENERS + 1]
    cdef int places[MAX_LISTENERS + 1]      # in a.listeners
    cdef bint paused = False
    cdef int i, n
    fds[0].fd = a.wake_read
    fds[0].events = POLLIN
    while True:
        n = 1
        for i in range(MAX_LISTENERS):
            if a.listeners[i] >= 0 and not paused:
                fds[n].fd = a.listeners[i]
                fds[n].events = POLLIN
                places[n] = i
                n += 1
        if poll(fds, n, PAUSE_MS if paused else -1) < 0:
            continue
        paused = False
        if fds[0].revents and not take_wake(a):
            return NULL
        for i in range(1, n):
            if fds[i].revents and fds[i].fd == a.listeners[places[i]] and not accept_all(a, fds[i].fd, a.is_unix[places[i]]):
                paused = True


cdef class AcceptingRunner:
    """The part of a model's runner that is about accepting."""

    def __cinit__(self):
        cdef int wake_read, wake_write
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        accept_thread_open(&self.acceptor, wake_read, wake_write)

    def __dealloc__(self):
        accept_thread_close(&self.acceptor)

    def add_listener(self, int fd, bint is_unix):
        """Accept on a listening, non-blocking socket that the caller keeps open."""
        if not accept_thread_change(&self.acceptor, -1, fd, is_unix):
            raise OSError(f"more than {MAX_LISTENERS} listening sockets")

    def remove_listener(self, int fd):
        """Stop accepting on a socket; to be called before it is closed."""
        accept_thread_change(&self.acceptor, fd, -1, False)

    @property
    def wake_fd(self):
        """For signal.set_wakeup_fd: a byte other than 0 ends run()."""
        return self.acceptor.wake_write

    def stop(self):
        """End run() soon; from any thread."""
        os.write(self.acceptor.wake_write, bytes([signal.SIGTERM]))
