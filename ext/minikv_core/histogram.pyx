"""Percentiles of any number of values in a fixed 58 KiB."""

from libc.stdint cimport uint64_t
from libc.string cimport memset

import math

cdef uint64_t middle_of(int bucket) noexcept nogil:
    """The value in the middle of a bucket."""
    cdef int shift
    if bucket < 2 * STEPS:      # as wide as one value
        return <uint64_t>bucket
    shift = bucket // STEPS - 1
    return (<uint64_t>(bucket - shift * STEPS) << shift) + (<uint64_t>1 << (shift - 1))


cdef class Histogram:
    """Values from 0 to 2**64 - 1."""

    def record(self, uint64_t value, uint64_t times=1):
        """Count a value."""
        count_value(&self.counts, value, times)

    def clear(self):
        """Forget every value."""
        memset(&self.counts, 0, sizeof(Counts))

    @property
    def total(self):
        """Values recorded."""
        return self.counts.total

    @property
    def largest(self):
        """The largest value, exactly; 0 if there is none."""
        return self.counts.largest

    def percentile(self, double percent):
        """The smallest value that at least so many per cent of the values do not exceed; None if there is none."""
        cdef uint64_t rank, seen = 0
        cdef int i
        if self.counts.total == 0:
            return None
        rank = max(1, math.ceil(percent / 100 * self.counts.total - 1e-6))
        for i in range(BUCKETS):
            seen += self.counts.buckets[i]
            if seen >= rank:
                return min(middle_of(i), self.counts.largest)
        return self.counts.largest
