# A log-linear histogram: 128 buckets for each power of two, so that a value is known to within 0.4 %.
#
# source   the bucket layout of HdrHistogram
from libc.stdint cimport uint64_t
from minikv_core.memory cimport clz64

cdef enum:
    STEP_BITS = 7
    STEPS = 128                 # buckets of one power of two
    BUCKETS = 7424              # STEPS * (64 - STEP_BITS + 1)

cdef struct Counts:
    uint64_t buckets[BUCKETS]
    uint64_t total              # values recorded
    uint64_t largest            # exact

cdef inline int bucket_of(uint64_t value) noexcept nogil:
    cdef int shift
    if value < STEPS:
        return <int>value
    shift = 63 - clz64(value) - STEP_BITS
    return shift * STEPS + <int>(value >> shift)

cdef inline void count_value(Counts* c, uint64_t value, uint64_t times) noexcept nogil:
    c.buckets[bucket_of(value)] += times
    c.total += times
    if value > c.largest:
        c.largest = value

cdef class Histogram:
    cdef Counts counts
