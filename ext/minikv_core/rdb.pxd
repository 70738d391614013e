# The parts of values in the RDB format: lengths, strings and numbers, written into a growing buffer and
# read from bytes that nobody vouches for.
#
# Lengths:   00xxxxxx                     up to 63
#            01xxxxxx x                   up to 16383, high byte first
#            10000000 x x x x             32 bits, high byte first
#            10000001 x x x x x x x x     64 bits, high byte first
# Strings:   a length and the bytes; or 11000000 to 11000010 and a little-endian integer of 1, 2 or 4 bytes,
#            whose digits are the string; or 11000011, two lengths (packed, unpacked) and LZF-compressed bytes.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy
from minikv_core.types cimport FAILED, Slice, Status

cdef enum:
    STRING_MAX = 512 << 20      # bytes of a string that is read

cdef enum RdbType:              # first byte of a value; by the structure in which its elements lie
    RDB_STRING = 0
    RDB_LIST = 1                # count, elements
    RDB_SET = 2                 # count, members
    RDB_ZSET = 3                # count, members each followed by the score as text
    RDB_HASH = 4                # count, fields each followed by the value
    RDB_ZSET_2 = 5              # count, members each followed by the score as a double
    RDB_HASH_ZIPMAP = 9         # from here on: a string that holds a structure of Redis (rdbpacked.pxd)
    RDB_LIST_ZIPLIST = 10
    RDB_SET_INTSET = 11
    RDB_ZSET_ZIPLIST = 12
    RDB_HASH_ZIPLIST = 13
    RDB_LIST_QUICKLIST = 14     # count of ziplists
    RDB_STREAM_LISTPACKS = 15
    RDB_HASH_LISTPACK = 16
    RDB_ZSET_LISTPACK = 17
    RDB_LIST_QUICKLIST_2 = 18   # count of nodes: 1 and an element, or 2 and a listpack
    RDB_STREAM_LISTPACKS_2 = 19
    RDB_SET_LISTPACK = 20
    RDB_STREAM_LISTPACKS_3 = 21
    RDB_HASH_DATED = 22         # Valkey 9: count, fields each followed by value and expiry (an int64, -1 = never)
    RDB_HASH_TTL_PREVIEW = 22   # Redis 7.4 before its release: as 24, with absolute times
    RDB_HASH_LISTPACK_TTL_PREVIEW = 23
    RDB_HASH_TTL = 24           # Redis 7.4: a time, count, fields behind their expiry: 0 or 1 + ms behind that time
    RDB_HASH_LISTPACK_TTL = 25  # a time, a listpack of triples: field, value, expiry (Unix ms, 0 = never)

cdef enum RdbVersion:           # of a payload; what is the oldest server that reads it
    RDB_REDIS_5 = 9
    RDB_REDIS_7_0 = 10
    RDB_REDIS_7_2 = 11
    RDB_REDIS_7_4 = 12
    RDB_VALKEY_9 = 80           # 12 to 79 are not Valkey's

cdef struct Writer:             # begins as all zero, ends with writer_end
    char*  base                 # malloc'd
    size_t used                 # bytes
    size_t room
    bint   failed               # memory was refused, and bytes were dropped

cdef struct Reader:
    const char* pos
    const char* end
    int    version              # of the payload
    Status status               # OK; FAILED = this is no value; NO_MEMORY. Reads fail from then on.

cdef struct Text:               # a string that was read, valid until the next; begins as all zero, ends with text_end
    Slice    text
    char*    unpacked           # malloc'd, of `room` bytes
    size_t   room
    char[24] digits

cdef bint writer_grow(Writer* w, size_t n) noexcept nogil
cdef void writer_end(Writer* w) noexcept nogil
cdef void write_length(Writer* w, uint64_t n) noexcept nogil
cdef void write_string(Writer* w, const char* p, size_t n) noexcept nogil

cdef bint read_failed(Reader* r, Status status) noexcept nogil      # sets the status; False
cdef bint read_length(Reader* r, uint64_t* n) noexcept nogil
cdef bint read_string(Reader* r, Text* t) noexcept nogil
cdef bint read_old_double(Reader* r, double* value) noexcept nogil
cdef void text_end(Text* t) noexcept nogil
cdef bint lzf_unpack(const char* p, size_t n, char* to, size_t length) noexcept nogil

cdef inline char* write_room(Writer* w, size_t n) noexcept nogil:
    """Where n bytes go that the caller writes at once; NULL = no memory."""
    cdef char* p
    if w.room - w.used < n and not writer_grow(w, n):
        return NULL
    p = w.base + w.used
    w.used += n
    return p

cdef inline void write_bytes(Writer* w, const void* p, size_t n) noexcept nogil:
    cdef char* to = write_room(w, n)
    if to != NULL and n:
        memcpy(to, p, n)

cdef inline void write_byte(Writer* w, uint8_t byte) noexcept nogil:
    write_bytes(w, &byte, 1)

cdef inline void write_u64(Writer* w, uint64_t n) noexcept nogil:
    write_bytes(w, &n, 8)

cdef inline void write_double(Writer* w, double value) noexcept nogil:
    write_bytes(w, &value, 8)

cdef inline const char* read_bytes(Reader* r, size_t n) noexcept nogil:
    """The next n bytes; NULL if there are fewer."""
    cdef const char* p = r.pos
    if <size_t>(r.end - p) < n:
        read_failed(r, FAILED)
        return NULL
    r.pos = p + n
    return p

cdef inline bint read_byte(Reader* r, uint8_t* byte) noexcept nogil:
    cdef const char* p = read_bytes(r, 1)
    if p == NULL:
        return False
    byte[0] = <uint8_t>p[0]
    return True

cdef inline bint read_u64(Reader* r, uint64_t* n) noexcept nogil:
    cdef const char* p = read_bytes(r, 8)
    if p == NULL:
        return False
    memcpy(n, p, 8)
    return True

cdef inline bint read_double(Reader* r, double* value) noexcept nogil:
    cdef const char* p = read_bytes(r, 8)
    if p == NULL:
        return False
    memcpy(value, p, 8)
    return True
