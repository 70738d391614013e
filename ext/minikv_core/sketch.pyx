"""HyperLogLogs as bytes: hash, registers, runs and the estimate.

Estimator. Ertl's improved raw estimation from the histogram of register values (Otmar Ertl, New cardinality
estimation algorithms for HyperLogLog sketches, 2017). Hash: Appleby's MurmurHash64A.
"""

from libc.math cimport INFINITY, sqrt
from libc.string cimport memcmp, memcpy, memmove, memset
from minikv_core.memory cimport load_u64

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
    /* All n registers, behind a header; what is read begins two bytes in front, so as not to end behind them. */
    static void minikv_unpack_plain(const char *p, uint8_t *to, int n) {
        for (uint64_t w; n; p += 6, to += 8, n -= 8) {
            memcpy(&w, p - 2, 8);
            w = minikv_widen(w >> 16);
            memcpy(to, &w, 8);
        }
    }
    static void minikv_pack_plain(char *p, const uint8_t *from, int n) {
        for (uint64_t w; n; p += 6, from += 8, n -= 8) {
            memcpy(&w, from, 8);
            w = minikv_narrow(w);
            memcpy(p, &w, 4);
            w >>= 32;
            memcpy(p + 4, &w, 2);
        }
    }
    #if defined(__x86_64__)
    #include <immintrin.h>
    /* 32 registers at a time: in each of eight 32-bit lanes, three bytes become four registers, and back. */
    __attribute__((target("avx2"))) static void minikv_unpack_avx2(const char *p, uint8_t *to, int n) {
        const __m256i spread = _mm256_broadcastsi128_si256(
            _mm_setr_epi8(4, 5, 6, -1, 7, 8, 9, -1, 10, 11, 12, -1, 13, 14, 15, -1));
        for (; n; p += 24, to += 32, n -= 32) {
            __m256i v = _mm256_inserti128_si256(
                _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(p - 4))),
                _mm_loadu_si128((const __m128i *)(p + 8)), 1);
            v = _mm256_shuffle_epi8(v, spread);
            v = _mm256_or_si256(
                _mm256_or_si256(_mm256_and_si256(v, _mm256_set1_epi32(0x3F)),
                                _mm256_and_si256(_mm256_slli_epi32(v, 2), _mm256_set1_epi32(0x3F00))),
                _mm256_or_si256(_mm256_and_si256(_mm256_slli_epi32(v, 4), _mm256_set1_epi32(0x3F0000)),
                                _mm256_and_si256(_mm256_slli_epi32(v, 6), _mm256_set1_epi32(0x3F000000))));
            _mm256_storeu_si256((__m256i *)to, v);
        }
    }
    __attribute__((target("avx2"))) static void minikv_pack_avx2(char *p, const uint8_t *from, int n) {
        const __m256i gather = _mm256_broadcastsi128_si256(
            _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
        for (; n; p += 24, from += 32, n -= 32) {
            __m256i v = _mm256_loadu_si256((const __m256i *)from);
            v = _mm256_or_si256(
                _mm256_or_si256(_mm256_and_si256(v, _mm256_set1_epi32(0x3F)),
                                _mm256_and_si256(_mm256_srli_epi32(v, 2), _mm256_set1_epi32(0xFC0))),
                _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi32(v, 4), _mm256_set1_epi32(0x3F000)),
                                _mm256_and_si256(_mm256_srli_epi32(v, 6), _mm256_set1_epi32(0xFC0000))));
            v = _mm256_shuffle_epi8(v, gather);
            _mm_storeu_si128((__m128i *)p, _mm256_castsi256_si128(v));
            _mm_storeu_si128((__m128i *)(p + 12), _mm256_extracti128_si256(v, 1));
        }
    }
    static void minikv_unpack(const char *p, uint8_t *to, int n) {
        if (__builtin_cpu_supports("avx2")) minikv_unpack_avx2(p, to, n);
        else minikv_unpack_plain(p, to, n);
    }
    static void minikv_pack(char *p, const uint8_t *from, int n) {
        if (__builtin_cpu_supports("avx2")) minikv_pack_avx2(p, from, n);
        else minikv_pack_plain(p, from, n);
    }
    #else
    #define minikv_unpack minikv_unpack_plain
    #define minikv_pack minikv_pack_plain
    #endif
    static inline void minikv_raise(uint8_t *__restrict to, const uint8_t *__restrict from, int n) {
        for (int i = 0; i < n; i++) to[i] = to[i] > from[i] ? to[i] : from[i];
    }
    """
    int ctz64 "__builtin_ctzll"(uint64_t x)
    long long llroundl "__builtin_llroundl"(long double x)
    # Dense registers as bytes: n is a multiple of 32; up to 4 bytes in front of p are read.
    void unpack_registers "minikv_unpack"(const char* p, uint8_t* to, int n)
    # And back: up to 4 bytes behind them are written.
    void pack_registers "minikv_pack"(char* p, const uint8_t* source, int n)
    void raise_to "minikv_raise"(uint8_t* to, const uint8_t* source, int n)     # the greater of each two

cdef enum:
    INDEX_BITS = 14
    RANK_BITS = 50          # of the hash: ranks are 1 to 51
    ZERO_MOST = 64          # registers of the short run of zeros
    VALUE_MOST = 32         # highest rank in a run
    RUN_MOST = 4            # registers of a run that are not 0
    MERGE_STEPS = 5         # runs that are looked at for joining after a change

# ---------------------------------------------------------------- hash and estimate

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


cdef uint32_t element_rank(const char* p, size_t n, uint32_t* index) noexcept nogil:
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


cdef uint64_t count_registers(const uint8_t* registers) noexcept nogil:
    # four histograms, as equal values come in a row
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

# ---------------------------------------------------------------- runs

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
    cdef int _
    for _ in range(MERGE_STEPS):
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


# ---------------------------------------------------------------- sketches

cdef void sketch_init(Sketch* sketch) noexcept nogil:
    memset(sketch.bytes, 0, HEAD)
    memcpy(sketch.bytes, b"HYLL", 4)
    sketch.bytes[4] = SPARSE
    sketch.len = <uint32_t>(write_zeros(sketch.bytes + HEAD, REGISTERS) - sketch.bytes)


cdef bint is_sketch(const Slice* value) noexcept nogil:
    if value.len < HEAD or memcmp(value.ptr, b"HYLL", 4) != 0:
        return False
    return value.ptr[4] == SPARSE or (value.ptr[4] == DENSE and value.len == DENSE_BYTES)


cdef bint sketch_unpack(const Slice* value, uint8_t* registers) noexcept nogil:
    if not is_dense(value.ptr):
        return sparse_unpack(value.ptr, value.len, registers)
    unpack_registers(value.ptr + HEAD, registers, REGISTERS)
    return True


cdef bint sketch_merge(const Slice* value, uint8_t* registers) noexcept nogil:
    cdef uint8_t other[REGISTERS]
    if not sketch_unpack(value, other):
        return False
    raise_to(registers, other, REGISTERS)
    return True


cdef void make_dense(Sketch* sketch, const uint8_t* registers) noexcept nogil:
    pack_registers(sketch.bytes + HEAD, registers, REGISTERS)
    sketch.bytes[4] = DENSE
    sketch.len = DENSE_BYTES


cdef Change sparse_set(Sketch* sketch, RunPlace* start, uint32_t index, uint32_t rank, int64_t most) noexcept nogil:
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
        if size <= run.bytes or sketch.len + size - run.bytes <= min(most, <int64_t>SPARSE_MOST):
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


cdef Change sparse_raise(Sketch* sketch, uint32_t index, uint32_t rank, int64_t most) noexcept nogil:
    cdef RunPlace start
    start.at = HEAD
    start.first = 0
    return sparse_set(sketch, &start, index, rank, most)


cdef Change sparse_raise_all(Sketch* sketch, const uint8_t* registers, int64_t most) noexcept nogil:
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
