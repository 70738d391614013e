# Unaligned loads and stores, prefetch, branch hints and bit tricks. Makes no module.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from * nogil:
    """
    /* GCC takes a function that does nothing but __builtin_prefetch for one without effect and drops
       the call, so the instruction is spelled out where we know it. */
    #if defined(__x86_64__)
    #define minikv_prefetch(p) __asm__ volatile("prefetcht0 %0" : : "m"(*(const char *)(p)))
    #elif defined(__aarch64__)
    #define minikv_prefetch(p) __asm__ volatile("prfm pldl1keep, [%0]" : : "r"(p))
    #else
    #define minikv_prefetch(p) __builtin_prefetch((const void *)(p))
    #endif
    #define minikv_likely(x) __builtin_expect(!!(x), 1)
    #define minikv_unlikely(x) __builtin_expect(!!(x), 0)
    #define minikv_ctz(x) __builtin_ctz(x)
    #define minikv_clz64(x) __builtin_clzll(x)
    #define minikv_popcount(x) __builtin_popcount(x)
    /* A store that the compiler keeps behind all before it and in front of all after it: a process
       killed between two instructions leaves the memory as the instructions so far have made it. */
    static inline void minikv_publish(uint64_t *p, uint64_t v) {
        __atomic_store_n(p, v, __ATOMIC_RELEASE);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
    }
    """
    void prefetch "minikv_prefetch"(const void* p)
    bint likely "minikv_likely"(bint x)
    bint unlikely "minikv_unlikely"(bint x)
    int ctz "minikv_ctz"(uint32_t x)            # trailing zeros; x > 0
    int clz64 "minikv_clz64"(uint64_t x)        # leading zeros; x > 0
    int popcount "minikv_popcount"(uint32_t x)
    void publish "minikv_publish"(uint64_t* p, uint64_t v)

cdef inline uint16_t load_u16(const void* p) noexcept nogil:
    cdef uint16_t v
    memcpy(&v, p, 2)
    return v

cdef inline uint32_t load_u32(const void* p) noexcept nogil:
    cdef uint32_t v
    memcpy(&v, p, 4)
    return v

cdef inline uint64_t load_u64(const void* p) noexcept nogil:
    cdef uint64_t v
    memcpy(&v, p, 8)
    return v

cdef inline int64_t load_i64(const void* p) noexcept nogil:
    cdef int64_t v
    memcpy(&v, p, 8)
    return v

cdef inline void store_u16(void* p, uint16_t v) noexcept nogil:
    memcpy(p, &v, 2)

cdef inline void store_u32(void* p, uint32_t v) noexcept nogil:
    memcpy(p, &v, 4)

cdef inline void store_u64(void* p, uint64_t v) noexcept nogil:
    memcpy(p, &v, 8)

cdef inline bint same_bytes(const char* p, const char* q, size_t n) noexcept nogil:
    """memcmp(p, q, n) == 0, without a call: made for keys, which are short and differ at their ends."""
    cdef size_t i = 0
    if n >= 8:
        if load_u64(p + n - 8) != load_u64(q + n - 8):
            return False
        while i + 8 < n:
            if load_u64(p + i) != load_u64(q + i):
                return False
            i += 8
        return True
    if n >= 4:
        return load_u32(p) == load_u32(q) and load_u32(p + n - 4) == load_u32(q + n - 4)
    while i < n:
        if p[i] != q[i]:
            return False
        i += 1
    return True
