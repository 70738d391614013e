"""Mailboxes: a queue under a lock, and a condition to wait for."""

from libc.stdint cimport int64_t
from libc.string cimport memset
from minikv_core.clock cimport CLOCK_MONOTONIC, monotonic_us, timespec

cdef extern from "pthread.h" nogil:
    ctypedef struct pthread_condattr_t:
        pass
    int pthread_mutex_init(pthread_mutex_t* mutex, void* attributes)
    int pthread_mutex_destroy(pthread_mutex_t* mutex)
    int pthread_mutex_lock(pthread_mutex_t* mutex)
    int pthread_mutex_unlock(pthread_mutex_t* mutex)
    int pthread_condattr_init(pthread_condattr_t* attributes)
    int pthread_condattr_setclock(pthread_condattr_t* attributes, int clock)
    int pthread_condattr_destroy(pthread_condattr_t* attributes)
    int pthread_cond_init(pthread_cond_t* condition, const pthread_condattr_t* attributes)
    int pthread_cond_destroy(pthread_cond_t* condition)
    int pthread_cond_signal(pthread_cond_t* condition)
    int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex)
    int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until)

cdef void mailbox_open(Mailbox* m) noexcept nogil:
    cdef pthread_condattr_t attributes
    memset(m, 0, sizeof(Mailbox))
    pthread_mutex_init(&m.lock, NULL)
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(&m.filled, &attributes)
    pthread_condattr_destroy(&attributes)

cdef void mailbox_close(Mailbox* m) noexcept nogil:
    pthread_cond_destroy(&m.filled)
    pthread_mutex_destroy(&m.lock)

cdef void mailbox_post(Mailbox* m, Message* message) noexcept nogil:
    message.next = NULL
    pthread_mutex_lock(&m.lock)
    if m.last != NULL:
        m.last.next = message
    else:
        m.first = message
    m.last = message
    if not message.quiet:
        pthread_cond_signal(&m.filled)
    pthread_mutex_unlock(&m.lock)

cdef Message* mailbox_take(Mailbox* m, int64_t us) noexcept nogil:
    cdef timespec until
    cdef int64_t end
    cdef Message* all
    cdef int failure = 0
    if us > 0:
        end = monotonic_us() + us
        until.tv_sec = end // 1000000
        until.tv_nsec = end % 1000000 * 1000
    pthread_mutex_lock(&m.lock)
    while m.first == NULL and us != 0 and failure == 0:
        if us < 0:
            pthread_cond_wait(&m.filled, &m.lock)
        else:
            failure = pthread_cond_timedwait(&m.filled, &m.lock, &until)
    all = m.first
    m.first = m.last = NULL
    pthread_mutex_unlock(&m.lock)
    return all

cdef void mailbox_expect(Mailbox* m, Message* message) noexcept nogil:
    pthread_mutex_lock(&m.lock)
    message.quiet = False
    pthread_mutex_unlock(&m.lock)
