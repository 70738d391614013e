"""HyperLogLogs: how many different elements were added, within 1 % and 12 KiB.

Forms. A HyperLogLog is a string in Redis's format, so that GET, SET and DUMP carry it from server to server:

    "HYLL" | encoding | 3 zero bytes | u64 cardinality, its top bit set = to be computed | registers

Of each element's hash, 14 bits choose one of 16384 registers, and the other 50 give a rank, the place of
the first set bit: a register holds the highest rank seen. Dense: 6 bits a register, low bits first.
Sparse: runs of equal registers, one behind the other:

    00llllll              l + 1 registers that are 0
    01llllll llllllll     the same, for longer runs
    1vvvvvll              l + 1 registers that are v + 1

A sparse one becomes dense when it would exceed hll-sparse-max-bytes or a rank exceeds 32. Runs are
split and joined exactly as Redis does it, so that equal histories give equal bytes.

Estimator. Ertl's improved raw estimation from the histogram of register values (Otmar Ertl, New cardinality
estimation algorithms for HyperLogLog sketches, 2017). Hash: Appleby's MurmurHash64A.

A sparse value is copied to the stack, changed there and stored as a whole; a dense one is changed in place.
"""

from libc.math cimport INFINITY, sqrt
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memmove, memset
from minikv_core.arena cimport undo_note
from minikv_core.engine cimport *
from minikv_core.entry cimport entry_expiry
from minikv_core.keyspace cimport (
    Found, LOOK_READ, LOOK_WRITE, key_hash, look_up, notify, put_string, random_next, signal_modified,
    string_bytes, string_for_update,
)
from minikv_core.memory cimport load_u64, store_u16, store_u32, store_u64
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_array, reply_bulk, reply_int, reply_ok, reply_simple
from minikv_core.session cimport fail, fail_status, fail_wrong_type, is_word
from minikv_core.t_string cimport is_string
from minikv_core.types cimport *

from minikv_core.registry import KeySpec, define

cdef extern from * nogil:
    """
    #include <string.h>
    /* Eight registers of 6 bits as bytes, and back. */
    static inline uint64_t minikv_widen(uint64_t x) {
        x = (x & 0xFFFFFFull) | (x & 0xFFFFFF000000ull) << 8;
        x = (x & 0x00000FFF00000FFFull) | (x & 0x00FFF00000FFF000ull) << 4;
        return (x & 0x003F003F003F003Full) | (x & 0x0FC00FC00FC00FC0ull) << 2;
    }
    static inline uint64_t minikv_narrow(uint64_t x) {
        x = (x & 0x003F003F003F003Full) | (x & 0x3F003F003F003F00ull) >> 2;
        x = (x & 0x00000FFF00000FFFull) | (x & 0x0FFF00000FFF0000ull) >> 4;
        return (x & 0xFFFFFFull) | (x & 0x00FFFFFF00000000ull) >> 8;
    }
    static inline void minikv_raise(uint8_t *__restrict to, const uint8_t *__restrict from, int n) {
        for (int i = 0; i < n; i++) to[i] = to[i] > from[i] ? to[i] : from[i];
    }
    """
    int ctz64 "__builtin_ctzll"(uint64_t x)
    long long llroundl "__builtin_llroundl"(long double x)
    uint64_t widen "minikv_widen"(uint64_t x)
    uint64_t narrow "minikv_narrow"(uint64_t x)
    void raise_to "minikv_raise"(uint8_t* to, const uint8_t* source, int n)    # the greater of each two

cdef enum:
    HEAD = 16               # bytes of the header
    REGISTERS = 16384
    INDEX_BITS = 14
    RANK_BITS = 50          # of the hash: ranks are 1 to 51
    DENSE_BYTES = 12304     # HEAD + REGISTERS * 6 / 8
    SPARSE_ROOM = 32800     # HEAD + the longest sequence of runs, one register each, and what a change adds
    ZERO_MOST = 64          # registers of the short run of zeros
    VALUE_MOST = 32         # highest rank in a run
    RUN_MOST = 4            # registers of a run that are not 0
    MERGE_STEPS = 5         # runs that are looked at for joining after a change

cdef enum Encoding:
    DENSE = 0
    SPARSE = 1

cdef enum Change:
    UNCHANGED = 0
    CHANGED = 1
    CORRUPT = 2             # the runs do not make 16384 registers

cdef struct Sketch:         # a HyperLogLog's bytes, copied to be changed
    char     bytes[SPARSE_ROOM]
    uint32_t len

cdef struct RunPlace:          # where a search for a register begins: a run and its first register
    uint32_t at
    uint32_t first

cdef struct Run:            # one run of a sparse sketch
    uint32_t start          # byte where it begins
    uint32_t bytes          # 1 or 2
    uint32_t value
    uint32_t registers

# ---------------------------------------------------------------- hash and estimator

cdef uint64_t murmur64a(const char* p, size_t n, uint64_t seed) noexcept nogil:
    cdef uint64_t m = <uint64_t>0xC6A4A7935BD1E995, h = seed ^ (n * m), k
    while n >= 8:
        k = load_u64(p) * m
        h = (h ^ ((k ^ (k >> 47)) * m)) * m
        p += 8
        n -= 8
    if n:
        k = 0
        memcpy(&k, p, n)
        h = (h ^ k) * m
    h = (h ^ (h >> 47)) * m
    return h ^ (h >> 47)


cdef inline uint32_t element_rank(const char* p, size_t n, uint32_t* index) noexcept nogil:
    """The register that an element belongs to, and its rank."""
    cdef uint64_t hash = murmur64a(p, n, <uint64_t>0xADC83B19)
    index[0] = <uint32_t>(hash & (REGISTERS - 1))
    return <uint32_t>ctz64((hash >> INDEX_BITS) | (<uint64_t>1 << RANK_BITS)) + 1


cdef double sigma(double x) noexcept nogil:
    """x + x**2 + 2 x**4 + 4 x**8 + ..."""
    cdef double sum = x, before, factor = 1
    if x == 1:
        return INFINITY
    while True:
        x *= x
        before = sum
        sum += x * factor
        factor += factor
        if sum == before:
            return sum


cdef double tau(double x) noexcept nogil:
    """(1 - x - (1 - x**(1/2))**2 / 2 - (1 - x**(1/4))**2 / 4 - ...) / 3"""
    cdef double sum = 1 - x, before, factor = 1
    if x == 0 or x == 1:
        return 0
    while True:
        x = sqrt(x)
        before = sum
        factor *= 0.5
        sum -= (1 - x) * (1 - x) * factor
        if sum == before:
            return sum / 3


cdef uint64_t estimate(const uint32_t* histogram) noexcept nogil:
    """The number of elements, from how many registers have each value (64 counts)."""
    cdef double m = REGISTERS, z = m * tau((m - histogram[RANK_BITS + 1]) / m)
    cdef int i
    for i in range(RANK_BITS, 0, -1):
        z += histogram[i]
        z *= 0.5
    z += m * sigma(histogram[0] / m)
    return <uint64_t>llroundl(0.721347520444481703680 * m * m / z)

# ---------------------------------------------------------------- dense registers

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


cdef void dense_unpack(const char* bytes, uint8_t* registers) noexcept nogil:
    """Each register as a byte: eight come from six bytes."""
    cdef const char* p = bytes + HEAD - 2       # so that eight bytes are never more than there are
    cdef int i
    for i in range(0, REGISTERS, 8):
        store_u64(registers + i, widen(load_u64(p) >> 16))
        p += 6


cdef void dense_pack(const uint8_t* registers, char* bytes) noexcept nogil:
    cdef char* p = bytes + HEAD
    cdef uint64_t word
    cdef int i
    for i in range(0, REGISTERS, 8):
        word = narrow(load_u64(registers + i))
        store_u32(p, <uint32_t>word)
        store_u16(p + 4, <uint16_t>(word >> 32))
        p += 6

# ---------------------------------------------------------------- sparse runs

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


cdef inline char* write_zeros(char* p, uint32_t registers) noexcept nogil:
    """A run of zeros, or nothing for none."""
    if registers > ZERO_MOST:
        p[0] = <char>(0x40 | ((registers - 1) >> 8))
        p[1] = <char>((registers - 1) & 0xFF)
        return p + 2
    if registers:
        p[0] = <char>(registers - 1)
        return p + 1
    return p


cdef inline char* write_values(char* p, uint32_t value, uint32_t registers) noexcept nogil:
    """A run of one to four registers of a value, or nothing for none."""
    if registers == 0:
        return p
    p[0] = <char>(0x80 | ((value - 1) << 2) | (registers - 1))
    return p + 1


cdef bint sparse_unpack(const char* bytes, uint32_t len, uint8_t* registers) noexcept nogil:
    """Each register as a byte; False = corrupt."""
    cdef Run run
    cdef uint32_t at = HEAD, index = 0
    while at < len:
        at = read_run(bytes, len, at, &run)
        if run.registers == 0 or run.registers > REGISTERS - index:
            return False
        memset(registers + index, <int>run.value, run.registers)
        index += run.registers
    return index == REGISTERS


cdef void join_runs(Sketch* sketch, uint32_t at) noexcept nogil:
    """Join neighbours of the same value near a byte, as far as one run can hold both."""
    cdef Run run, next
    cdef uint32_t behind, past
    cdef int step
    for step in range(MERGE_STEPS):
        if at >= sketch.len:
            return
        behind = read_run(sketch.bytes, sketch.len, at, &run)
        if run.value and behind < sketch.len:
            past = read_run(sketch.bytes, sketch.len, behind, &next)
            if next.value == run.value and run.registers + next.registers <= RUN_MOST:
                write_values(sketch.bytes + at, run.value, run.registers + next.registers)
                memmove(sketch.bytes + behind, sketch.bytes + past, sketch.len - past)
                sketch.len -= 1
                continue        # the joined run may join with the next one
        at = behind


cdef void make_dense(Sketch* sketch, const uint8_t* registers) noexcept nogil:
    dense_pack(registers, sketch.bytes)
    sketch.bytes[4] = DENSE
    sketch.len = DENSE_BYTES


cdef Change sparse_set(Sketch* sketch, RunPlace* start, uint32_t index, uint32_t rank, int64_t most) noexcept nogil:
    """Raise a register of a sparse sketch, which becomes dense if need be.

    start    a run in front of it; moves on to one that greater indexes can start from
    most     bytes that it may have and be sparse
    """
    cdef uint8_t registers[REGISTERS]
    cdef char fresh[8]
    cdef char* p = fresh
    cdef Run run
    cdef RunPlace here = start[0], before = here, farther = here
    cdef uint32_t at, first, behind, size
    if rank <= VALUE_MOST:
        while True:
            if here.at >= sketch.len:
                return CORRUPT
            behind = read_run(sketch.bytes, sketch.len, here.at, &run)
            if run.registers == 0:
                return CORRUPT
            if index < here.first + run.registers:
                break
            farther = before
            before = here
            here.at = behind
            here.first += run.registers
        start[0] = farther      # what is joined begins behind it
        at = here.at
        first = here.first
        if run.value >= rank:
            return UNCHANGED
        if run.value:
            p = write_values(p, run.value, index - first)
            p = write_values(p, rank, 1)
            p = write_values(p, run.value, first + run.registers - 1 - index)
        else:
            p = write_zeros(p, index - first)
            p = write_values(p, rank, 1)
            p = write_zeros(p, first + run.registers - 1 - index)
        size = <uint32_t>(p - fresh)
        if size <= run.bytes or sketch.len + size - run.bytes <= min(most, <int64_t>SPARSE_ROOM - 8):
            memmove(sketch.bytes + at + size, sketch.bytes + behind, sketch.len - behind)
            memcpy(sketch.bytes + at, fresh, size)
            sketch.len += size - run.bytes
            join_runs(sketch, before.at)
            return CHANGED
    if not sparse_unpack(sketch.bytes, sketch.len, registers):
        return CORRUPT
    if registers[index] >= rank:
        return UNCHANGED
    registers[index] = <uint8_t>rank
    make_dense(sketch, registers)
    return CHANGED

# ---------------------------------------------------------------- sketches

cdef void sketch_init(Sketch* sketch) noexcept nogil:
    """An empty sketch: one run of zeros."""
    memset(sketch.bytes, 0, HEAD)
    memcpy(sketch.bytes, b"HYLL", 4)
    sketch.bytes[4] = SPARSE
    sketch.len = <uint32_t>(write_zeros(sketch.bytes + HEAD, REGISTERS) - sketch.bytes)


cdef inline bint is_dense(const char* bytes) noexcept nogil:
    return bytes[4] == DENSE


cdef bint is_sketch(const Slice* value) noexcept nogil:
    """Whether a string can be a HyperLogLog, from its header and length."""
    if value.len < HEAD or memcmp(value.ptr, b"HYLL", 4) != 0:
        return False
    return value.ptr[4] == SPARSE or (value.ptr[4] == DENSE and value.len == DENSE_BYTES)


cdef bint unpack(const Slice* value, uint8_t* registers) noexcept nogil:
    """Each register of a sketch as a byte; False = corrupt."""
    if is_dense(value.ptr):
        dense_unpack(value.ptr, registers)
        return True
    return sparse_unpack(value.ptr, value.len, registers)


cdef uint64_t count_registers(const uint8_t* registers) noexcept nogil:
    """The estimate from registers of a byte each; four histograms, as equal values come in a row."""
    cdef uint32_t histograms[4][64]
    cdef uint64_t word
    cdef int i
    memset(histograms, 0, sizeof(histograms))
    for i in range(0, REGISTERS, 8):
        word = load_u64(registers + i)
        if word == 0:
            histograms[0][0] += 8
            continue
        histograms[0][word & 63] += 1
        histograms[1][(word >> 8) & 63] += 1
        histograms[2][(word >> 16) & 63] += 1
        histograms[3][(word >> 24) & 63] += 1
        histograms[0][(word >> 32) & 63] += 1
        histograms[1][(word >> 40) & 63] += 1
        histograms[2][(word >> 48) & 63] += 1
        histograms[3][(word >> 56) & 63] += 1
    for i in range(64):
        histograms[0][i] += histograms[1][i] + histograms[2][i] + histograms[3][i]
    return estimate(histograms[0])


cdef inline void forget_count(char* bytes) noexcept nogil:
    """Say that the cardinality is to be computed."""
    bytes[15] = <char>(<uint8_t>bytes[15] | 0x80)

# ---------------------------------------------------------------- what the commands share

cdef Status fail_corrupt(Session* s) noexcept nogil:
    return fail(s, b"INVALIDOBJ Corrupted HLL object detected")


cdef Status read_sketch(Session* s, const Slice* key, uint64_t hash, int flags, Found* f, Slice* value) noexcept nogil:
    """Look a HyperLogLog up: OK, MISSING, or FAILED after an error reply."""
    cdef char digits[24]        # of a string that is a number, and so is none
    if not look_up(s, key, hash, flags, f):
        return MISSING
    if not is_string(f.entry):
        return fail_wrong_type(s)
    string_bytes(s.engine, f.entry, digits, value)
    if not is_sketch(value):
        return fail(s, b"WRONGTYPE Key is not a valid HyperLogLog string value.")
    if not is_dense(value.ptr) and value.len > SPARSE_ROOM - 8:
        return fail_corrupt(s)
    return OK


cdef Status store_sketch(Session* s, const Slice* key, Found* f, Sketch* sketch) noexcept nogil:
    """Put a changed sketch under a key, which keeps its expiry."""
    cdef Slice value
    cdef int64_t at_ms = entry_expiry(f.entry) if f.entry != NULL else -1
    forget_count(sketch.bytes)
    value.ptr = sketch.bytes
    value.len = sketch.len
    value.block = 0
    return put_string(s.engine, s.db, key, f, &value, at_ms, True)


cdef void tell(Session* s, const Slice* key, uint64_t hash, bint fresh) noexcept nogil:
    signal_modified(s.engine, s.db, key, hash)
    if fresh:
        notify(s.engine, EVENT_NEW, b"new", key, s.db)
    notify(s.engine, EVENT_STRING, b"pfadd", key, s.db)

# ---------------------------------------------------------------- PFADD

cdef bint add_dense(Session* s, char* bytes, uint32_t from_arg, bint noted) noexcept nogil:
    """Add argv[from_arg], ... to a dense sketch; True = a register has changed.

    noted    whether the bytes are in the arena, so that changes of them must be noted
    """
    cdef uint32_t i, index, rank
    cdef bint changed = False
    for i in range(from_arg, s.argc):
        rank = element_rank(s.argv[i].ptr, s.argv[i].len, &index)
        if rank > dense_get(bytes, index):
            if noted:
                undo_note(&s.engine.arena, bytes + HEAD + index * 6 // 8, 1 if index * 6 & 7 <= 2 else 2)
            dense_set(bytes, index, rank)
            changed = True
    return changed


cdef Change add_sparse(Session* s, Sketch* sketch) noexcept nogil:
    """Add argv[2], ... to a sparse sketch, which may become dense on the way."""
    cdef Change change, all = UNCHANGED
    cdef uint32_t i, index, rank
    cdef RunPlace start
    for i in range(2, s.argc):
        rank = element_rank(s.argv[i].ptr, s.argv[i].len, &index)
        start.at = HEAD
        start.first = 0
        change = sparse_set(sketch, &start, index, rank, s.engine.config.hll_sparse_max_bytes)
        if change == CORRUPT:
            return CORRUPT
        if change == CHANGED:
            all = CHANGED
            if is_dense(sketch.bytes):
                add_dense(s, sketch.bytes, i + 1, False)
                break
    return all


define("PFADD", fn(cmd_pfadd), arity=-2, flags=WRITE | DENYOOM | FAST, keys=KeySpec(1, 1, 1, "RW insert"),
       group="hyperloglog", since="2.8.9", cost="O(1) for each element", args="key [element ...]",
       summary="Adds elements to a HyperLogLog, making it if it is missing; returns whether its estimate may have changed.")
cdef Status cmd_pfadd(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef Sketch sketch
    cdef Slice value
    cdef Found f
    cdef Change change
    cdef char* p
    cdef Status status = read_sketch(s, key, s.hash, LOOK_WRITE, &f, &value)
    if status == FAILED:
        return FAILED
    if status == OK and is_dense(value.ptr):
        p = string_for_update(e, s.db, key, &f, value.len)
        if p == NULL:
            return fail_status(s, NO_MEMORY)
        if add_dense(s, p, 2, True):
            undo_note(&e.arena, p + 15, 1)
            forget_count(p)
            tell(s, key, s.hash, False)
            reply_int(&s.out, 1)
        else:
            reply_int(&s.out, 0)
        return OK
    if status == OK:
        memcpy(sketch.bytes, value.ptr, value.len)
        sketch.len = value.len
    else:
        sketch_init(&sketch)
    change = add_sparse(s, &sketch)
    if change == CORRUPT:
        return fail_corrupt(s)
    if change == CHANGED or status == MISSING:
        if store_sketch(s, key, &f, &sketch) != OK:
            return fail_status(s, NO_MEMORY)
        tell(s, key, s.hash, status == MISSING)
        reply_int(&s.out, 1)
    else:
        reply_int(&s.out, 0)
    return OK

# ---------------------------------------------------------------- PFCOUNT, PFMERGE

cdef Status merge(Session* s, uint32_t from_arg, uint8_t* registers, bint* any_dense) noexcept nogil:
    """The highest value of each register in the sketches at argv[from_arg], ...; FAILED after an error reply."""
    cdef uint8_t other[REGISTERS]
    cdef Slice value
    cdef Found f
    cdef Status status
    cdef uint32_t i
    memset(registers, 0, REGISTERS)
    for i in range(from_arg, s.argc):
        status = read_sketch(s, &s.argv[i], key_hash(s.engine, &s.argv[i]), LOOK_READ, &f, &value)
        if status == FAILED:
            return FAILED
        if status == MISSING:
            continue
        if not unpack(&value, other):
            return fail_corrupt(s)
        any_dense[0] |= is_dense(value.ptr)
        raise_to(registers, other, REGISTERS)
    return OK


define("PFCOUNT", fn(cmd_pfcount), arity=-2, flags=READONLY | MAY_REPLICATE, keys=KeySpec(1, -1, 1, "RW access"),
       group="hyperloglog", since="2.8.9", cost="O(1) for one key whose estimate is known, else O(N) in the number of keys",
       args="key [key ...]",
       summary="Returns the estimated number of elements of a HyperLogLog, or of the union of several.")
cdef Status cmd_pfcount(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef uint8_t registers[REGISTERS]
    cdef Slice value
    cdef Found f
    cdef bint any_dense = False
    cdef Status status
    cdef uint64_t count
    cdef char* p
    if s.argc > 2:
        if merge(s, 1, registers, &any_dense) != OK:
            return FAILED
        reply_int(&s.out, <int64_t>count_registers(registers))
        return OK
    status = read_sketch(s, key, s.hash, LOOK_READ, &f, &value)
    if status == FAILED:
        return FAILED
    if status == MISSING:
        reply_int(&s.out, 0)
        return OK
    count = load_u64(value.ptr + 8)
    if count >> 63:
        if not unpack(&value, registers):
            return fail_corrupt(s)
        count = count_registers(registers)
        p = string_for_update(e, s.db, key, &f, value.len)
        if p != NULL:       # else it is computed again next time
            undo_note(&e.arena, p + 8, 8)
            store_u64(p + 8, count)
            signal_modified(e, s.db, key, s.hash)
    reply_int(&s.out, <int64_t>count)
    return OK


cdef Change raise_registers(Sketch* sketch, const uint8_t* registers, int64_t most) noexcept nogil:
    """Raise a sparse sketch's registers to values that are not less; it may become dense."""
    cdef RunPlace start
    cdef int i
    start.at = HEAD
    start.first = 0
    for i in range(REGISTERS):
        if registers[i]:
            if sparse_set(sketch, &start, <uint32_t>i, registers[i], most) == CORRUPT:
                return CORRUPT
            if is_dense(sketch.bytes):
                make_dense(sketch, registers)
                break
    return CHANGED


define("PFMERGE", fn(cmd_pfmerge), arity=-2, flags=WRITE | DENYOOM,
       keys=(KeySpec(1, 1, 1, "RW access insert"), KeySpec(2, -1, 1, "RO access")), group="hyperloglog", since="2.8.9",
       cost="O(N) in the number of keys", args="destkey [sourcekey ...]",
       summary="Adds what is in other HyperLogLogs to one, making it if it is missing.")
cdef Status cmd_pfmerge(Session* s) noexcept nogil:
    cdef Slice* key = &s.argv[1]
    cdef uint8_t registers[REGISTERS]
    cdef Sketch sketch
    cdef Slice value
    cdef Found f
    cdef bint any_dense = False
    cdef Status status
    if merge(s, 1, registers, &any_dense) != OK:
        return FAILED
    status = read_sketch(s, key, s.hash, LOOK_WRITE, &f, &value)
    if status == OK:
        memcpy(sketch.bytes, value.ptr, value.len)
        sketch.len = value.len
    else:
        sketch_init(&sketch)
    if any_dense:
        make_dense(&sketch, registers)
    elif raise_registers(&sketch, registers, s.engine.config.hll_sparse_max_bytes) == CORRUPT:
        return fail_corrupt(s)
    if store_sketch(s, key, &f, &sketch) != OK:
        return fail_status(s, NO_MEMORY)
    tell(s, key, s.hash, status == MISSING)
    reply_ok(&s.out)
    return OK

# ---------------------------------------------------------------- PFDEBUG, PFSELFTEST

cdef Status convert(Session* s, Found* f, const Slice* value) noexcept nogil:
    """Make the sketch at argv[2] dense: OK, MISSING if it was, FAILED after an error reply."""
    cdef uint8_t registers[REGISTERS]
    cdef Sketch sketch
    cdef Slice dense
    if is_dense(value.ptr):
        return MISSING
    if not unpack(value, registers):
        return fail_corrupt(s)
    memcpy(sketch.bytes, value.ptr, HEAD)
    make_dense(&sketch, registers)
    dense.ptr = sketch.bytes
    dense.len = sketch.len
    dense.block = 0
    if put_string(s.engine, s.db, &s.argv[2], f, &dense, entry_expiry(f.entry), True) != OK:
        return fail_status(s, NO_MEMORY)
    signal_modified(s.engine, s.db, &s.argv[2], s.hash)
    return OK


cdef Status reply_runs(Session* s, const Slice* value) noexcept nogil:
    """The runs of a sparse sketch as text."""
    cdef size_t room = <size_t>value.len * 16, used = 0
    cdef uint32_t at = HEAD
    cdef Run run
    cdef char* text = <char*>malloc(room)
    if text == NULL:
        return fail_status(s, NO_MEMORY)
    while at < value.len:
        at = read_run(value.ptr, value.len, at, &run)
        if run.value:
            used += <size_t>snprintf(text + used, room - used, b"v:%u,%u ", run.value, run.registers)
        else:
            used += <size_t>snprintf(text + used, room - used, b"z:%u " if run.bytes == 1 else b"Z:%u ", run.registers)
    reply_bulk(&s.out, text, used - 1 if used else 0)
    free(text)
    return OK


cdef Status reply_registers(Session* s) noexcept nogil:
    """The registers of the sketch at argv[2], which becomes dense."""
    cdef uint8_t registers[REGISTERS]
    cdef Slice value
    cdef Found f
    cdef int i
    if read_sketch(s, &s.argv[2], s.hash, LOOK_WRITE, &f, &value) != OK or convert(s, &f, &value) == FAILED:
        return FAILED
    string_bytes(s.engine, f.entry, NULL, &value)
    dense_unpack(value.ptr, registers)
    reply_array(&s.out, REGISTERS)
    for i in range(REGISTERS):
        reply_int(&s.out, registers[i])
    return OK


define("PFDEBUG", fn(cmd_pfdebug), arity=3, flags=WRITE | DENYOOM | ADMIN, keys=KeySpec(2, 2, 1, "RW access"),
       group="hyperloglog", since="2.8.9", cost="O(1)", args="subcommand key",
       summary="Shows or changes a HyperLogLog's encoding, for tests.")
cdef Status cmd_pfdebug(Session* s) noexcept nogil:
    cdef Slice* word = &s.argv[1]
    cdef char text[160]
    cdef Slice value
    cdef Found f
    cdef Status status
    if is_word(word, b"simd"):      # the code is the same for all processors
        reply_simple(&s.out, b"enabled" if is_word(&s.argv[2], b"on") else b"disabled")
        return OK
    status = read_sketch(s, &s.argv[2], s.hash, LOOK_WRITE, &f, &value)
    if status == MISSING:
        return fail(s, b"ERR The specified key does not exist")
    if status == FAILED:
        return FAILED
    if is_word(word, b"getreg"):
        return reply_registers(s)
    if is_word(word, b"decode"):
        if is_dense(value.ptr):
            return fail(s, b"ERR HLL encoding is not sparse")
        return reply_runs(s, &value)
    if is_word(word, b"encoding"):
        reply_simple(&s.out, b"dense" if is_dense(value.ptr) else b"sparse")
        return OK
    if is_word(word, b"todense"):
        status = convert(s, &f, &value)
        if status != FAILED:
            reply_int(&s.out, 1 if status == OK else 0)
        return FAILED if status == FAILED else OK
    snprintf(text, sizeof(text), b"ERR Unknown PFDEBUG subcommand '%.*s'", <int>min(word.len, <uint32_t>100), word.ptr)
    return fail(s, text)


cdef bint registers_hold(char* bytes, uint8_t* registers) noexcept nogil:
    """Whether dense registers keep random values, beside each other."""
    cdef uint64_t random = 1
    cdef int i, round
    for round in range(100):
        for i in range(REGISTERS):
            registers[i] = random_next(&random) & 63
            dense_set(bytes, <uint32_t>i, registers[i])
        for i in range(REGISTERS):
            if dense_get(bytes, <uint32_t>i) != registers[i]:
                return False
    return True


cdef bint estimates_hold(Sketch* sketch, char* dense, uint8_t* registers) noexcept nogil:
    """Whether estimates stay near the truth, and are the same for both encodings, up to 2**20 elements."""
    cdef uint64_t n, random = 2, element, next = 1
    cdef uint32_t index, rank
    cdef RunPlace start
    cdef Slice value
    cdef double error
    for n in range(1, (1 << 20) + 1):
        element = random_next(&random)
        rank = element_rank(<const char*>&element, sizeof(element), &index)
        if rank > dense_get(dense, index):
            dense_set(dense, index, rank)
        if not is_dense(sketch.bytes):
            start.at = HEAD
            start.first = 0
            sparse_set(sketch, &start, index, rank, 3000)
        if n == next:
            next *= 2
            dense_unpack(dense, registers)
            error = <double>count_registers(registers) - <double>n
            if abs(error) > 0.05 * <double>n + 1:
                return False
            value.ptr = sketch.bytes
            value.len = sketch.len
            if not is_dense(sketch.bytes):
                if not unpack(&value, registers) or <double>count_registers(registers) - <double>n != error:
                    return False
    return True


define("PFSELFTEST", fn(cmd_pfselftest), arity=1, flags=ADMIN, group="hyperloglog", since="2.8.9",
       cost="O(1)", args="", summary="Tests the registers and the estimates of HyperLogLogs.")
cdef Status cmd_pfselftest(Session* s) noexcept nogil:
    cdef uint8_t registers[REGISTERS]
    cdef char dense[DENSE_BYTES]
    cdef Sketch sketch
    memset(dense, 0, sizeof(dense))
    if not registers_hold(dense, registers):
        return fail(s, b"ERR TESTFAILED a register has lost its value")
    memset(dense, 0, sizeof(dense))
    sketch_init(&sketch)
    if not estimates_hold(&sketch, dense, registers):
        return fail(s, b"ERR TESTFAILED an estimate is too far off")
    reply_ok(&s.out)
    return OK
