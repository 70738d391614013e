# Counting, searching and combining bits, many at a time. Makes no module.
#
# Bit 0 of a string is the most significant bit of its first byte.
from libc.stddef cimport size_t
from libc.stdint cimport uint64_t

cdef extern from * nogil:
    """
    #include <string.h>
    static inline uint64_t minikv_word(const char *p) {
        uint64_t w;
        memcpy(&w, p, 8);
        return w;
    }
    #define MINIKV_ONES(i) (uint64_t)__builtin_popcountll(minikv_word(p + i))
    /* Four sums, as the processor counts faster than it adds to one of them. */
    #define MINIKV_COUNT_BITS(p, n) \\
        uint64_t a = 0, b = 0, c = 0, d = 0; \\
        for (; n >= 64; p += 64, n -= 64) { \\
            a += MINIKV_ONES(0) + MINIKV_ONES(32); \\
            b += MINIKV_ONES(8) + MINIKV_ONES(40); \\
            c += MINIKV_ONES(16) + MINIKV_ONES(48); \\
            d += MINIKV_ONES(24) + MINIKV_ONES(56); \\
        } \\
        for (; n >= 8; p += 8, n -= 8) a += MINIKV_ONES(0); \\
        for (; n; p++, n--) a += (uint64_t)__builtin_popcount((unsigned char)*p); \\
        return a + b + c + d;
    static uint64_t minikv_count_plain(const char *p, size_t n) { MINIKV_COUNT_BITS(p, n) }
    #if defined(__x86_64__)
    __attribute__((target("popcnt"))) static uint64_t minikv_count_popcnt(const char *p, size_t n) {
        MINIKV_COUNT_BITS(p, n)
    }
    static inline uint64_t minikv_count_bits(const char *p, size_t n) {
        return __builtin_cpu_supports("popcnt") ? minikv_count_popcnt(p, n) : minikv_count_plain(p, n);
    }
    #else
    #define minikv_count_bits minikv_count_plain
    #endif

    /* Bytes at p, a multiple of 8, that are all equal to the bytes of `same`. */
    static inline size_t minikv_run_of(const char *p, size_t n, uint64_t same) {
        size_t i = 0;
        for (; i + 64 <= n; i += 64) {
            uint64_t other = 0;
            for (int j = 0; j < 64; j += 8) other |= minikv_word(p + i + j) ^ same;
            if (other) break;
        }
        while (i + 8 <= n && minikv_word(p + i) == same) i += 8;
        return i;
    }

    /* For each word d of `to` and s of `from`: d = expression. GCC makes vectors of these loops. */
    #define MINIKV_COMBINE(name, expression) \\
        static inline void name(char *__restrict to, const char *__restrict from, size_t n) { \\
            size_t i = 0; \\
            uint64_t d, s; \\
            for (; i + 8 <= n; i += 8) { \\
                memcpy(&d, to + i, 8); \\
                memcpy(&s, from + i, 8); \\
                d = (expression); \\
                memcpy(to + i, &d, 8); \\
            } \\
            for (; i < n; i++) { \\
                d = (unsigned char)to[i]; \\
                s = (unsigned char)from[i]; \\
                to[i] = (char)(expression); \\
            } \\
        }
    MINIKV_COMBINE(minikv_bits_and, d & s)
    MINIKV_COMBINE(minikv_bits_or, d | s)
    MINIKV_COMBINE(minikv_bits_xor, d ^ s)
    MINIKV_COMBINE(minikv_bits_not, ~s)
    MINIKV_COMBINE(minikv_bits_without, d & ~s)
    MINIKV_COMBINE(minikv_bits_only, s & ~d)
    /* `to` collects the bits that are in one source, `many` those that are in two or more. */
    static inline void minikv_bits_one(char *__restrict to, char *__restrict many, const char *__restrict from,
                                       size_t n) {
        size_t i = 0;
        uint64_t d, m, s;
        for (; i + 8 <= n; i += 8) {
            memcpy(&d, to + i, 8);
            memcpy(&m, many + i, 8);
            memcpy(&s, from + i, 8);
            m |= d & s;
            d = (d | s) & ~m;
            memcpy(to + i, &d, 8);
            memcpy(many + i, &m, 8);
        }
        for (; i < n; i++) {
            many[i] = (char)(many[i] | (to[i] & from[i]));
            to[i] = (char)((to[i] | from[i]) & ~many[i]);
        }
    }
    #define minikv_clz_byte(x) (__builtin_clz(x) - 24)
    #define minikv_swap64(x) __builtin_bswap64(x)
    """
    uint64_t count_bits "minikv_count_bits"(const char* p, size_t n)
    size_t run_of "minikv_run_of"(const char* p, size_t n, uint64_t same)
    void bits_and "minikv_bits_and"(char* to, const char* source, size_t n)
    void bits_or "minikv_bits_or"(char* to, const char* source, size_t n)
    void bits_xor "minikv_bits_xor"(char* to, const char* source, size_t n)
    void bits_not "minikv_bits_not"(char* to, const char* source, size_t n)           # to = ~source
    void bits_without "minikv_bits_without"(char* to, const char* source, size_t n)   # to = to & ~source
    void bits_only "minikv_bits_only"(char* to, const char* source, size_t n)         # to = source & ~to
    void bits_one "minikv_bits_one"(char* to, char* many, const char* source, size_t n)
    int clz_byte "minikv_clz_byte"(unsigned int x)      # leading zeros of a byte; x > 0
    uint64_t swap64 "minikv_swap64"(uint64_t x)
