# HyperLogLogs as bytes: registers, their two encodings, and the estimate. Knows no store.
#
#   "HYLL" | encoding | 3 zero bytes | u64 cardinality, its top bit set = to be computed | registers
#
# Of each element's hash, 14 bits choose one of 16384 registers, and the other 50 give a rank, the place of
# the first set bit: a register holds the highest rank seen. Dense: 6 bits a register, low bits first.
# Sparse: runs of equal registers, one behind the other:
#
#   00llllll              l + 1 registers that are 0
#   01llllll llllllll     the same, for longer runs
#   1vvvvvll              l + 1 registers that are v + 1
#
# This is Redis's format, and runs are split and joined exactly as Redis does it: equal histories give
# equal bytes.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from minikv_core.types cimport Slice

cdef enum:
    HEAD = 16               # bytes of the header
    REGISTERS = 16384
    DENSE_BYTES = 12304     # HEAD + REGISTERS * 6 / 8
    SPARSE_MOST = 32784     # HEAD + the longest runs of one register each

cdef enum Encoding:
    DENSE = 0
    SPARSE = 1

cdef enum Change:
    UNCHANGED = 0
    CHANGED = 1
    CORRUPT = 2             # the runs do not make 16384 registers

cdef struct Sketch:         # a HyperLogLog's bytes, copied to be changed
    char     bytes[32800]   # SPARSE_MOST, and what a change adds
    uint32_t len

cdef struct RunPlace:       # where a search for a register begins: a run and its first register
    uint32_t at
    uint32_t first

cdef struct Run:            # one run of a sparse sketch
    uint32_t start          # byte where it begins
    uint32_t bytes          # 1 or 2
    uint32_t value
    uint32_t registers

cdef inline bint is_dense(const char* bytes) noexcept nogil:
    return bytes[4] == DENSE

cdef inline void forget_count(char* bytes) noexcept nogil:
    """Say that the cardinality is to be computed."""
    bytes[15] = <char>(<uint8_t>bytes[15] | 0x80)

cdef inline uint32_t dense_get(const char* bytes, uint32_t index) noexcept nogil:
    """A register of a dense sketch; `bytes` begin with the header."""
    cdef const uint8_t* p = <const uint8_t*>bytes + HEAD + index * 6 // 8
    cdef uint32_t shift = index * 6 & 7
    cdef uint32_t word = p[0]
    if shift > 2:
        word |= <uint32_t>p[1] << 8
    return (word >> shift) & 63


cdef inline void dense_set(char* bytes, uint32_t index, uint32_t value) noexcept nogil:
    cdef uint8_t* p = <uint8_t*>bytes + HEAD + index * 6 // 8
    cdef uint32_t shift = index * 6 & 7
    p[0] = <uint8_t>((p[0] & ~(63 << shift)) | (value << shift))
    if shift > 2:
        p[1] = <uint8_t>((p[1] & ~(63 >> (8 - shift))) | (value >> (8 - shift)))

cdef inline uint32_t read_run(const char* bytes, uint32_t len, uint32_t at, Run* run) noexcept nogil:
    """Take the run at a byte apart; returns where the next one begins. A run that is cut off has no registers."""
    cdef uint32_t byte = <uint8_t>bytes[at]
    run.start = at
    run.bytes = 1
    run.value = 0
    if byte & 0x80:
        run.value = ((byte >> 2) & 31) + 1
        run.registers = (byte & 3) + 1
    elif byte & 0x40 == 0:
        run.registers = byte + 1
    else:
        run.bytes = 2
        run.registers = (((byte & 63) << 8) | <uint8_t>bytes[at + 1]) + 1 if at + 1 < len else 0
    return at + run.bytes

# The register that an element belongs to, and its rank.
cdef uint32_t element_rank(const char* p, size_t n, uint32_t* index) noexcept nogil
# An empty sketch: one run of zeros.
cdef void sketch_init(Sketch* sketch) noexcept nogil
# Whether a string can be a HyperLogLog, from its header and length.
cdef bint is_sketch(const Slice* value) noexcept nogil
# Each register as a byte; False = corrupt.
cdef bint sketch_unpack(const Slice* value, uint8_t* registers) noexcept nogil
# Raise registers, a byte each, to those of a sketch; False = corrupt.
cdef bint sketch_merge(const Slice* value, uint8_t* registers) noexcept nogil
# Encode registers as dense; the sketch has its header.
cdef void make_dense(Sketch* sketch, const uint8_t* registers) noexcept nogil
# Raise one register of a sparse sketch, which becomes dense if need be. `start` is a run in front of it, and
# moves on to one that greater indexes can start from; `most` are the bytes that it may have and be sparse.
cdef Change sparse_set(Sketch* sketch, RunPlace* start, uint32_t index, uint32_t rank, int64_t most) noexcept nogil
# The same for any index.
cdef Change sparse_raise(Sketch* sketch, uint32_t index, uint32_t rank, int64_t most) noexcept nogil
# Raise a sparse sketch's registers to values that are not less.
cdef Change sparse_raise_all(Sketch* sketch, const uint8_t* registers, int64_t most) noexcept nogil
# The estimated number of elements.
cdef uint64_t count_registers(const uint8_t* registers) noexcept nogil
