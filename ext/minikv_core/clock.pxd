# Time without system calls in the hot path. Makes no module.
from libc.stdint cimport int64_t, uint64_t
from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec

cdef extern from * nogil:
    """
    #include <stdint.h>
    #if defined(__x86_64__)
    #include <x86intrin.h>
    #define minikv_ticks() ((uint64_t)__rdtsc())
    #elif defined(__aarch64__)
    static inline uint64_t minikv_ticks(void) {
        uint64_t v; __asm__ volatile("mrs %0, cntvct_el0" : "=r"(v)); return v;
    }
    #else
    #include <time.h>
    static inline uint64_t minikv_ticks(void) {
        struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
    }
    #endif
    """
    uint64_t ticks "minikv_ticks"()     # processor's time stamp; Engine.ticks_per_us turns it into time

cdef inline int64_t wall_us() noexcept nogil:
    """Unix time, microseconds."""
    cdef timespec t
    clock_gettime(CLOCK_REALTIME, &t)
    return <int64_t>t.tv_sec * 1000000 + t.tv_nsec // 1000

cdef inline int64_t monotonic_us() noexcept nogil:
    cdef timespec t
    clock_gettime(CLOCK_MONOTONIC, &t)
    return <int64_t>t.tv_sec * 1000000 + t.tv_nsec // 1000
