# POSIX threads and semaphores. Makes no module.
from libc.stddef cimport size_t

cdef extern from "pthread.h" nogil:
    ctypedef unsigned long pthread_t
    ctypedef struct pthread_attr_t:
        pass
    enum: PTHREAD_CREATE_DETACHED
    int pthread_attr_init(pthread_attr_t* attributes)
    int pthread_attr_destroy(pthread_attr_t* attributes)
    int pthread_attr_setdetachstate(pthread_attr_t* attributes, int state)
    int pthread_attr_setstacksize(pthread_attr_t* attributes, size_t bytes)
    int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*) noexcept nogil, void* data)
    int pthread_join(pthread_t thread, void** result)

cdef extern from "semaphore.h" nogil:
    ctypedef struct sem_t:
        pass
    int sem_init(sem_t* semaphore, int shared, unsigned int value)
    int sem_destroy(sem_t* semaphore)
    int sem_post(sem_t* semaphore)
    int sem_wait(sem_t* semaphore)
    int sem_trywait(sem_t* semaphore)

cdef inline void sem_take(sem_t* semaphore) noexcept nogil:
    """Wait, whatever signals come."""
    while sem_wait(semaphore) != 0:
        pass
